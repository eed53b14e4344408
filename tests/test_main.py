"""The command line, in process: what it prints, its exit status, and that bad input harms nothing."""

import json
import re
import shutil
import subprocess
import sys

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

from flow_gan import run_files, training
from flow_gan.config import help_text
from flow_gan.main import main
from flow_gan.training.run_config import run_config
from tests.helpers.command_line import assert_refused
from tests.helpers.data_sets import bad_datasets
from tests.helpers.runs import DCGAN, SMALL

SMALL_FLAGS = [f"--{name}={value}" for name, value in SMALL.items()]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """(folder, printed lines) of a run of a few steps."""
    folder = tmp_path_factory.mktemp("main") / "run"
    command = [sys.executable, "-m", "flow_gan.main", f"--run_dir={folder}", "--max_steps=8", *SMALL_FLAGS]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "\ntraining: 8/8, " in done.stderr and "\r" not in done.stderr
    return folder, done.stdout


def test_what_training_prints(finished):
    folder, printed = finished
    *_, best, test, checks, samples, where, curves = printed.splitlines()
    stored = json.loads((folder / "evaluation" / "nll-test-best.json").read_text())
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    lowest = min(line.get("validation_nll", np.inf) for line in lines)
    bits = lowest / (64 * np.log(2)) + np.log2(17)
    assert best.startswith(f"best validation NLL  {lowest:.2f} nats, {bits:.4f} bits/dim, at step ")
    pattern = r"test NLL +(-?[\d.]+) \+- ([\d.]+) nats, ([\d.]+) \+- ([\d.]+) bits/dim \(250 images\)"
    nats, nats_error, bits, bits_error = map(float, re.fullmatch(pattern, test).groups())
    np.testing.assert_allclose([nats, nats_error], [stored["nats"], stored["nats_standard_error"]], atol=0.006)
    np.testing.assert_allclose(bits, nats / (64 * np.log(2)) + np.log2(17), atol=1e-3)
    np.testing.assert_allclose(bits_error, nats_error / (64 * np.log(2)), atol=1e-3)
    assert checks.startswith(21 * " " + "round trip |x - G(f(x))| ") and "(250 images); 100 % finite" in checks
    assert checks.endswith(" in float64 (100 images)")
    assert samples.endswith(str(folder / "samples" / "best.png"))
    assert where.endswith(str(folder)) and curves.endswith(f"tensorboard --logdir {folder / 'tensorboard'}")
    grid = np.asarray(PIL.Image.open(folder / "samples" / "best.png"))
    assert min(grid.shape) >= 400 and grid.std() > 10


def test_what_a_run_says_at_its_start(finished):
    folder, printed = finished
    config = json.loads((folder / "config.json").read_text())
    model, _ = training.load_model(run_config({"mode": "evaluate", "run_dir": str(folder)}))
    weights = [sum(np.size(v) for v in part.trainable_variables) for part in (model.generator, model.critic)]
    start = [re.split(" +", line, maxsplit=2 if "folder" in line else 1)[-1] for line in printed.splitlines()[:7]]
    assert start == [
        str(folder),
        "digits: 1,297 train, 250 validation, 250 test images of 8x8x1, 17 levels",
        f"nice, {weights[0]:,} weights; critic mnist, {weights[1]:,} weights",
        f"hybrid, lambda {config['like_reg']:g}",
        f"8 steps with batches of {config['batch_size']} images",
        start[5],
        f"tensorboard --logdir {folder / 'tensorboard'}",
    ]
    assert re.fullmatch(r".+, \d+ cores?", start[5]) and run_files.trained_on(folder) == start[5]


def test_evaluate(finished, capsys):
    folder, _ = finished
    stored = json.loads((folder / "evaluation" / "nll-test-best.json").read_text())
    assert main(["--mode=evaluate", f"--run_dir={folder}"]) == 0
    again = json.loads((folder / "evaluation" / "nll-test-best.json").read_text())
    np.testing.assert_allclose(again["nats"], stored["nats"], rtol=1e-6)
    assert main(["--mode=evaluate", f"--run_dir={folder}", "--split=train", "--checkpoint=latest"]) == 0
    assert "nll, train images, checkpoint latest (step 8)" in capsys.readouterr().out
    assert json.loads((folder / "evaluation" / "nll-train-latest.json").read_text())["num_images"] == 1297


def test_sample(finished):
    folder, _ = finished
    grids = []
    for flags in (["--seed=5"], ["--seed=5", "--temperature=0.01"], ["--seed=6"]):
        assert main(["--mode=sample", f"--run_dir={folder}", "--num_samples=6", *flags]) == 0
        temperature = "0.01" if len(flags) > 1 else "1"
        name = f"best-seed-{flags[0][-1]}-temperature-{temperature}.png"
        grids.append(np.asarray(PIL.Image.open(folder / "samples" / name)))
        # 2 rows of 3 images of 8 pixels, 1 apart, enlarged 19 times.
        assert grids[-1].shape == (17 * 19, 26 * 19)
    first, cold, other = (grid.astype(float) for grid in grids)
    assert np.abs(first - other).mean() > 5
    assert np.abs(cold[:152, :152] - cold[171:, :152]).max() < 40 < np.abs(first[:152, :152] - first[171:, :152]).max()


def test_a_generator_without_a_likelihood(tmp_path, capsys):
    """Training says what there is not, and samples are of the latest weights."""
    folder = tmp_path / "run"
    flags = [f"--{name}={value}" for name, value in (SMALL | DCGAN).items()]
    assert main([f"--run_dir={folder}", "--max_steps=2", *flags]) == 0
    *start, best, samples, where, curves = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"model +dcgan, [\d,]+ weights; critic mnist, [\d,]+ weights", start[2])
    assert start[3].split() == ["objective", "adversarial"]
    assert best == "best validation NLL  none, since dcgan has no likelihood; what follows is of the latest weights"
    assert samples.endswith(str(folder / "samples" / "latest.png")) and (folder / "samples" / "latest.png").exists()
    assert where.endswith(str(folder)) and curves.endswith(str(folder / "tensorboard"))
    assert main(["--mode=sample", f"--run_dir={folder}", "--num_samples=6"]) == 0
    assert (folder / "samples" / "latest-seed-0-temperature-1.png").exists()
    capsys.readouterr()
    best = ["--mode=sample", f"--run_dir={folder}", "--checkpoint=best"]
    assert_refused(best, "DCGAN has no likelihood to choose the best by, pass --checkpoint=latest", capsys)
    assert_refused(
        ["--mode=evaluate", f"--run_dir={folder}"],
        "--metrics=nll needs a likelihood, and --model_type=dcgan has none",
        capsys,
    )
    assert not (folder / "evaluation").exists()


def test_sampling_needs_no_data(finished, monkeypatch):
    folder, _ = finished

    def fail(*_):
        raise AssertionError

    monkeypatch.setattr("flow_gan.data.load", fail)
    assert main(["--mode=sample", f"--run_dir={folder}"]) == 0


def test_an_epoch_given_later_counts(finished, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(finished[0], copy)
    assert main(["--resume", f"--run_dir={copy}", "--epoch=1"]) == 0
    assert len((copy / "metrics.jsonl").read_text().splitlines()) == 12


def test_resume_from_the_command_line(finished, capsys):
    folder, _ = finished
    assert main(["--resume", f"--run_dir={folder}", "--max_steps=12"]) == 0
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == list(range(1, 13))
    assert json.loads((folder / "config.json").read_text())["max_steps"] == 12
    assert main(["--resume", f"--run_dir={folder}", "--hidden_layers=9"]) == 2
    assert "--hidden_layers=9, but the run" in capsys.readouterr().err


def test_help(capsys):
    assert main(["--help"]) == 0
    assert capsys.readouterr().out.strip() == help_text()


def test_bad_devices(tmp_path, capsys, monkeypatch):
    """What a strategy needs and has not."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TF_CONFIG", '{"cluster": {"worker": ["host0:1"]}, "task": {"type": "worker", "index": 3}}')
    assert_refused(["--strategy=multi_worker"], r"TF_CONFIG=\{.* lists no task .worker. 3; expected", capsys)
    monkeypatch.setenv("TF_CONFIG", "worker 0")
    assert_refused(["--strategy=multi_worker"], "TF_CONFIG=worker 0 is not JSON", capsys)
    cpus = tf.config.list_logical_devices("CPU")[:1]
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: cpus if kind == "CPU" else [])
    assert_refused(["--strategy=mirrored"], "--strategy=mirrored needs two or more devices, but there is one", capsys)
    assert list(tmp_path.iterdir()) == []


def test_bad_data(tmp_path, capsys, monkeypatch):
    cases = bad_datasets(tmp_path / "bad")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for dataset, message in cases.values():
        assert_refused([f"--dataset={dataset}"], message, capsys)
    assert_refused(["--batch_size=1300"], "--dataset=digits has 1297", capsys)
    assert_refused(["--input_height=9"], "--input_height=9", capsys)
    # The training would end with an NLL of them.
    assert_refused(["--num_examples=251"], "--num_examples=251, but there are 250 test images", capsys)
    assert list((tmp_path / "here").iterdir()) == []


def test_bad_folders(finished, tmp_path, capsys):
    folder, _ = finished
    assert_refused([f"--run_dir={folder}"], "exists already .* pass another one, or --resume to continue", capsys)
    (tmp_path / "file").write_text("")
    assert_refused([f"--run_dir={tmp_path}/file/run"], "--run_dir=.*/file/run cannot be written", capsys)
    assert_refused([f"--runs_dir={tmp_path}/file"], "--runs_dir=.*/file cannot be written", capsys)
    for mode in ("--mode=evaluate", "--mode=sample", "--resume"):
        assert_refused([mode, f"--run_dir={tmp_path}/none"], "is not a run: it has no readable config.json", capsys)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
