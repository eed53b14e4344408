"""The command line, in process."""

import dataclasses
import json
import os
import subprocess
import sys
import time

import pytest

from flow_gan.benchmark.__main__ import main
from flow_gan.benchmark.limits import Limits, between, measure_limits, why_busy
from tests.helpers.runs import SMALL

FLAGS = [f"--{name}={value}" for name, value in SMALL.items()]


@pytest.mark.parametrize("objective", [["--n_critic=0"], ["--n_critic=2", "--critic_batches=fresh"]])
def test_figures_agree_with_each_other(capsys, tmp_path, monkeypatch, objective):
    monkeypatch.chdir(tmp_path)
    assert main([*FLAGS, *objective, "--max_steps=90", "--eval_every=40", "--steps=3", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    start_up, step = result["start_up"], result["step"]
    assert list(start_up) == ["imports", "build", "trace", "data", "first step", "total"]
    assert start_up["total"] == pytest.approx(sum(start_up.values()) - start_up["total"])
    assert all(seconds > 0 for seconds in start_up.values())
    assert step["steps"] == 3 and 0 < step["shortest"] <= step["median"] <= step["longest"]
    assert step["parts"].keys() == {"critic", "generator", "optimizer", "callbacks"}
    assert (step["parts"]["critic"] > 0) == (objective != ["--n_critic=0"])
    assert step["data"] > 0
    images = 100 * (2 if "--critic_batches=fresh" in objective else 1)
    assert result["images_per_second"] == pytest.approx(images / step["median"])
    assert 1e8 < result["peak_memory"] < 24e9
    assert result["ratio"] == pytest.approx(step["median"] / result["floor"])
    assert all(seconds > 0 for seconds in result["evaluation"].values())
    run = result["run"]
    assert (run["steps"], run["validations"]) == (90, 3)
    # 250 validation images and as many training images.
    assert run["validation"] == pytest.approx(500 * result["evaluation"]["nll"])
    seconds = start_up["total"] + 89 * step["median"] + 3 * run["validation"]
    assert run["seconds"] == pytest.approx(seconds)
    assert not os.listdir(tmp_path)


def test_text(capsys):
    assert main([*FLAGS, "--n_critic=0", "--steps=2"]) == 0
    printed = capsys.readouterr().out
    for line in (
        "first step",
        "step, median of 2",
        "images per second",
        "peak memory",
        "GFLOP/s",
        "step / floor",
        "their NLL",
    ):
        assert line in printed
    assert "the whole run: " in printed


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--steps=0"], "--steps=0; expected 1 or more"),
        (["--steps=many"], "--steps"),
        (["--mode=sample", "--run_dir=x"], "a benchmark trains a new model"),
        (["--batch_size=0"], "--batch_size=0"),
        (["--dataset=nowhere"], "nowhere"),
        (["--nonsense"], "nonsense"),
    ],
)
def test_bad_input(capsys, flags, message):
    assert main(flags) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.startswith("error: ") and message in printed.err
    assert printed.err.count("\n") == 1


def test_help(capsys):
    assert main(["--help"]) == 0
    assert "--steps" in capsys.readouterr().out


def test_limits_are_those_of_a_computer():
    limits = measure_limits()
    assert 1e9 < limits.matmul_flops < 1e15 and 1e9 < limits.convolution_flops < 1e15
    assert 1e8 < limits.bandwidth < 1e14 and limits.spread >= 1


def test_a_busy_machine_is_told_of():
    quiet = Limits(matmul_flops=1e11, convolution_flops=1e11, bandwidth=1e10, spread=1.1)
    assert why_busy(0.0, quiet, quiet) == []
    assert "load average was 90.0" in why_busy(90.0, quiet, quiet)[0]
    noisy = dataclasses.replace(quiet, spread=2.0)
    assert "2.00 times its shortest" in why_busy(0.0, noisy, quiet)[0]
    slower = dataclasses.replace(quiet, bandwidth=0.5e10)
    assert "a factor of 2.00" in why_busy(0.0, quiet, slower)[0]
    assert between(quiet, slower) == dataclasses.replace(quiet, bandwidth=0.75e10)


def test_start_of_a_process():
    program = "from flow_gan.benchmark.timing import process_start\nprint(process_start())"
    before = time.time()
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    # Linux counts it in hundredths.
    assert before - 0.02 < float(printed) < before + 1
