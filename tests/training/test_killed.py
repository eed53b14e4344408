"""Runs that are killed, and go on as if nothing had been."""

import random
import signal
import time

import pytest

from flow_gan.training import saved_step
from tests.helpers.processes import finish, killer, start, until
from tests.helpers.same_run import assert_same_run, lines_of

CALLBACK = "flow_gan.training.chief:ChiefCallback"
CHECKPOINTS = "flow_gan.training.checkpoints:Checkpoints"
# Where a process is killed, and what is then on the disk of a run that validates every 4 steps.
KILLS = {
    "before the first checkpoint": (CALLBACK, "on_train_batch_end", 3),
    "in a step": (CALLBACK, "on_train_batch_end", 7, 0.001),
    "in a checkpoint's write": ("tensorflow.python.ops.gen_io_ops", "merge_v2_checkpoints", 2),
    "between the best and the latest checkpoint": (CHECKPOINTS, "save", 1),
    "in a validation": ("flow_gan.model:FlowGAN", "evaluate", 1, 0.001),
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


@pytest.mark.slow
def test_two_replicas(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    arguments = ("--strategy=mirrored", "--max_steps=9")
    reference = start([f"--run_dir={whole}", *arguments], devices=2)
    run_and_be_killed(killed, (CALLBACK, "on_train_batch_end", 7, 0.001), *arguments, devices=2)
    run_to_the_end(killed, *arguments, "--resume", devices=2)
    assert finish(reference)[0] == 0
    assert_same_run(whole, killed)


@pytest.mark.slow
def test_twenty_random_kills(tmp_path):
    """Most of them some time after the first new checkpoint, the others at any time from the process's start on."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    arguments = ("--max_steps=2000", "--eval_every=17", "--log_every=5")
    run_to_the_end(whole, *arguments)
    moments, resume, steps = random.Random(0), (), []
    while True:
        before = saved_step(killed / "checkpoints", "latest")
        process = start([f"--run_dir={killed}", *arguments, *resume])
        if len(steps) < 20:
            waits_for_a_checkpoint = moments.random() < 0.75
            if waits_for_a_checkpoint:
                until(lambda before=before: saved_step(killed / "checkpoints", "latest") != before, process)
            time.sleep(moments.uniform(0, 1 if waits_for_a_checkpoint else 15))
            process.kill()
        status, _, err = finish(process)
        if status == 0:
            break
        assert status == -signal.SIGKILL, err
        resume = ("--resume",) if (killed / "config.json").exists() else ()
        steps.append((killed / "metrics.jsonl").read_text().count("}") if (killed / "metrics.jsonl").exists() else 0)
    print(f"{len(steps)} kills, with so many steps recorded: {steps}")
    assert len(steps) == 20 and len(set(steps)) > 10
    assert_same_run(whole, killed)
