"""Runs that are killed, and go on as if nothing had been."""

import random
import shutil
import signal
import time

import pytest

from tests.training.processes import finish, killer, start
from tests.training.same_run import assert_same_run, lines_of

MONITOR = "flow_gan.training.monitor:Monitor"
CHECKPOINTS = "flow_gan.training.checkpoints:Checkpoints"
# Where a process is killed, and what is then on the disk of a run that validates every 4 steps.
KILLS = {
    "before the first checkpoint": (MONITOR, "on_train_batch_end", 3),
    "in a step": (MONITOR, "on_train_batch_end", 7, 0.001),
    "in a checkpoint's write": ("tensorflow.python.ops.gen_io_ops", "merge_v2_checkpoints", 2),
    "between the best and the latest checkpoint": (CHECKPOINTS, "save", 1),
    "in a validation": ("flow_gan.flow_gan:FlowGAN", "evaluate", 1, 0.001),
}


def run_to_the_end(folder, *arguments, **how):
    status, _, err = finish(start([f"--run_dir={folder}", *arguments], **how))
    assert status == 0, err


def run_and_be_killed(folder, where, *arguments, **how):
    status, _, err = finish(start([f"--run_dir={folder}", *arguments], before=killer(*where), **how))
    assert status == -signal.SIGKILL, err


def test_a_run_killed_anywhere_ends_as_one_that_was_not(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    reference = start([f"--run_dir={whole}", "--max_steps=18"])
    resume = ()
    for where in KILLS.values():
        run_and_be_killed(killed, where, "--max_steps=18", *resume)
        resume = ("--resume",)
    run_to_the_end(killed, "--max_steps=18", "--resume")
    assert finish(reference)[0] == 0
    assert len(lines_of(whole)) == 18
    assert_same_run(whole, killed)
    assert not [path for path in killed.rglob("*") if "temp" in path.name or "tmp" in path.name]


def test_two_replicas(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    arguments = ("--strategy=mirrored", "--max_steps=9")
    reference = start([f"--run_dir={whole}", *arguments], devices=2)
    run_and_be_killed(killed, (MONITOR, "on_train_batch_end", 7, 0.001), *arguments, devices=2)
    run_to_the_end(killed, *arguments, "--resume", devices=2)
    assert finish(reference)[0] == 0
    assert_same_run(whole, killed)


@pytest.mark.slow
def test_twenty_random_kills(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    arguments = ("--max_steps=3000", "--eval_every=17", "--log_every=5")
    run_to_the_end(whole, *arguments)
    delays, resume, kills, steps = random.Random(0), (), 0, []
    while True:
        process = start([f"--run_dir={killed}", *arguments, *resume])
        if kills < 20:
            before = _stamp(killed)
            while _stamp(killed) == before and process.poll() is None:
                time.sleep(0.01)
            time.sleep(delays.uniform(0, 1.5))
            process.kill()
        status, _, err = finish(process, 600)
        if status == 0:
            break
        assert status == -signal.SIGKILL, err
        kills += 1
        steps.append(len(lines_of_what_is_whole(killed)))
        resume = ("--resume",)
    print(f"{kills} kills, at about the steps {steps}")
    assert kills == 20
    assert_same_run(whole, killed)
    shutil.rmtree(killed)


def _stamp(folder):
    """Return something that changes when a process begins to train in a folder."""
    events = list(folder.glob("tensorboard/train/*"))
    return len(events), max((path.stat().st_mtime_ns for path in events), default=0)


def lines_of_what_is_whole(folder):
    path = folder / "metrics.jsonl"
    return [line for line in path.read_text().splitlines() if line.endswith("}")] if path.exists() else []
