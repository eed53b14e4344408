"""How far runs are, told from their files alone, and the table of --mode=status."""

import json
import os
import subprocess
import sys
import time

import filelock
import pytest

from flow_gan import run_files
from flow_gan.config import Config
from flow_gan.data import bits_per_dim
from flow_gan.main import main
from flow_gan.run_files import FINISHED, RUNNING, STOPPED, UNREADABLE, is_locked, read_status
from tests.helpers.command_line import assert_refused

COLOUR = {"model_type": "real_nvp", "input_height": 32, "input_width": 32, "c_dim": 3}
GREY = {"input_height": 8, "input_width": 8, "c_dim": 1}


def make_run(folder, records, settings=GREY, first=0, last=100, seconds=60.0):
    """A run that was started `seconds` before its last record, which was written 30 s ago."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(Config(**settings).to_json())
    written = time.time() - 30
    begun = run_files.progress(first, last, 17, "one core") | {"started": written - seconds}
    (folder / "progress.json").write_text(json.dumps(begun))
    metrics = folder / "metrics.jsonl"
    metrics.write_text("".join(json.dumps(record) + "\n" for record in records))
    os.utime(metrics, (written, written))
    return folder


def test_a_finished_run(tmp_path):
    records = [{"step": step, "nll": 1.0} for step in range(1, 101)]
    records[49] |= {"validation_nll": -80.0, "mode_score": 3.0, "inception_score": 9.0}
    records[59] |= {"validation_nll": -85.254, "mode_score": 2.5}
    records[99] |= {"validation_nll": None, "mode_score": 2.75}
    status = read_status(make_run(tmp_path / "run", records))
    assert (status.state, status.step, status.last_step) == (FINISHED, 100, 100)
    assert (status.nll, status.score, status.seconds_left) == ("-85.25 nats", 3.0, None)
    assert status.age == pytest.approx(30, abs=5)


def test_a_run_that_is_running(tmp_path):
    """25 steps in 60 s, of a run that was resumed at 20: 55 more take 132 s. Its lock is left alone."""
    records = [
        {"step": step, "validation_nll": -7790.15, "inception_score": 1.5, "mode_score": 7.0} for step in (20, 45)
    ]
    folder = make_run(tmp_path / "run", records, COLOUR, first=20)
    with filelock.FileLock(folder / ".lock"):
        status = read_status(folder)
        assert is_locked(folder) and status.state == RUNNING
    assert status.seconds_left == pytest.approx(132, rel=0.01) and (status.step, status.last_step) == (45, 100)
    assert status.nll == f"{bits_per_dim(-7790.15, 3072, 17):.3f} bits/dim" and status.score == 1.5
    # Nothing is said of a rate before there are steps.
    with filelock.FileLock(folder / ".lock"):
        (folder / "metrics.jsonl").write_text(json.dumps(records[0]) + "\n")
        assert read_status(folder).seconds_left is None


def test_a_run_that_was_killed_is_stopped(tmp_path):
    """Its lock's file is still there, and its last line may be cut off."""
    folder = make_run(tmp_path / "run", [{"step": 1, "nll": 1.0}, {"step": 2, "nll": 1.0}])
    (folder / ".lock").touch()
    with open(folder / "metrics.jsonl", "a", encoding="utf-8") as file:
        file.write('{"step": 3, "validation_nll": -')
    status = read_status(folder)
    assert (status.state, status.step, status.nll, status.seconds_left) == (STOPPED, 2, None, None)
    assert not is_locked(folder) and (folder / ".lock").exists()


def test_a_run_that_has_not_begun_and_one_of_an_earlier_version(tmp_path):
    folder = make_run(tmp_path / "run", [], {"max_steps": 7})
    for name in ("progress.json", "metrics.jsonl"):
        (folder / name).unlink()
    status = read_status(folder)
    assert (status.state, status.step, status.last_step, status.age) == (STOPPED, 0, 7, None)


@pytest.mark.parametrize("name, text", [("config.json", "{"), ("progress.json", "{}"), ("metrics.jsonl", "[]\n")])
def test_a_run_that_is_not_readable(tmp_path, name, text):
    folder = make_run(tmp_path / "run", [{"step": 1}])
    (folder / name).write_text(text)
    status = read_status(folder)
    assert status.state == UNREADABLE and status.problem and "\n" not in status.problem


def test_the_table_of_runs(tmp_path, capsys):
    """At any depth, so that those of a reproduction are there too; and of one run alone."""
    make_run(tmp_path / "b", [{"step": 45, "validation_nll": -85.254, "mode_score": 2.5}])
    make_run(tmp_path / "reproduction" / "trainings" / "a", [{"step": 100}])
    broken = make_run(tmp_path / "c", [])
    (broken / "metrics.jsonl").write_text("{\n")
    with filelock.FileLock(tmp_path / "b" / ".lock"):
        assert main(["--mode=status", f"--runs_dir={tmp_path}"]) == 0
    header, *rows, problem = capsys.readouterr().out.splitlines()
    assert header.split() == ["run", "state", "step", "best", "NLL", "score", "left", "last", "record"]
    assert [" ".join(row.split()) for row in rows] == [
        "b running 45 of 100 -85.25 nats 2.500 73 s 30 s ago",
        "c unreadable - - - - -",
        "reproduction/trainings/a finished 100 of 100 - - - 30 s ago",
    ]
    assert problem.startswith("c: ")
    assert main(["--mode=status", f"--run_dir={tmp_path / 'b'}"]) == 0
    assert " ".join(capsys.readouterr().out.splitlines()[1].split()).startswith("b stopped 45 of 100 ")


def test_bad_requests_for_a_status(tmp_path, capsys):
    assert_refused(
        ["--mode=status", f"--runs_dir={tmp_path}/none"], "--runs_dir=.*none: there is no such folder", capsys
    )
    assert_refused(["--mode=status", f"--runs_dir={tmp_path}"], "contains no run", capsys)
    assert_refused(["--mode=status", f"--run_dir={tmp_path}"], "is not a run: it has no config.json", capsys)
    assert_refused(["--mode=status", "--seed=1"], "--seed=1 has no effect in --mode=status", capsys)


def test_a_status_does_not_wait_for_tensorflow_or_a_long_record(tmp_path):
    """A run of 100,000 steps is told of in a second of computing; what starts Python is in it."""
    records = ({"step": step, "nll": 1.0, "critic_loss": 0.25, "generator_loss": 0.5} for step in range(1, 100_001))
    make_run(tmp_path / "run", records)
    code = (
        "import os, sys\nfrom flow_gan.main import main\n"
        f"assert main(['--mode=status', '--runs_dir={tmp_path}']) == 0\n"
        "slow = {'tensorflow', 'keras', 'numpy', 'matplotlib', 'PIL'} & sys.modules.keys()\n"
        "assert not slow, slow\nassert sum(os.times()[:2]) < 1, os.times()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "100,000 of 100" in done.stdout
