"""What surrounds the program: locale, home directory, pipes, memory, folders that cannot be written, odd names."""

import importlib
import os
import pwd
import re
import subprocess
import sys

import matplotlib
import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

import flow_gan
from flow_gan import config, data, evaluation, original, training
from flow_gan.evaluation.inception import make_inception
from flow_gan.main import main
from flow_gan.report import figures
from flow_gan.reproduction.journal import Journal
from flow_gan.training.run_folder import RunFolder
from tests.helpers.command_line import assert_refused
from tests.helpers.processes import ROOT
from tests.helpers.runs import SMALL, settings

FLAGS = [f"--{name}={value}" for name, value in (SMALL | {"n_critic": 0, "max_steps": 1}).items()]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a run of one step."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    training.train(settings(folder, n_critic=0, max_steps=1))
    return folder


IN_ASCII = """
import locale, pathlib, sys
from flow_gan import config, training
from flow_gan.main import main
from flow_gan.reproduction import report
from flow_gan.reproduction.journal import Journal
from flow_gan.reproduction.plan import make_plan
from tests.helpers import made_up_reproduction as made_up

assert locale.getpreferredencoding(False) == "ANSI_X3.4-1968"
folder = pathlib.Path(sys.argv[1])
assert main([f"--flagfile={folder / 'a.flags'}", f"--run_dir={folder / 'run'}"]) == 0
assert main(["--mode=evaluate", "--run_dir=nowhere/\\xe9\\u03bb"]) == 2
assert main(["--dataset=./nowhere/\\xe9\\u03bb"]) == 2
plan = make_plan(config.Config(mode="reproduce"), folder / "r", made_up.ABSURD)
journal = Journal(folder / "r")
made_up.leave_all(plan, journal)
report.write(plan, journal, made_up.dataset("digits"))
"""


def test_a_locale_without_utf_8(tmp_path):
    """A training, an error that its terminal cannot show, and a report, whose page has Greek letters."""
    lines = ["# \N{GREEK SMALL LETTER LAMDA}", *FLAGS, "--dataset=digits"]
    (tmp_path / "a.flags").write_text("\n".join(lines), encoding="utf-8-sig")
    environment = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONPATH": str(ROOT)}
    environment.pop("PYTHONIOENCODING", None)
    done = subprocess.run(
        [sys.executable, "-c", IN_ASCII, str(tmp_path)], env=environment, capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    expected = (
        r"error: --run_dir='nowhere/\xe9\u03bb' is not a file name in UTF-8, which TensorFlow expects (file names"
    )
    assert f"{expected} are in ascii here)" in done.stderr
    assert r"error: --dataset=./nowhere/\xe9\u03bb: there is no such folder" in done.stderr
    page = (tmp_path / "r" / "report" / "index.html").read_text(encoding="utf-8")
    assert "λ" in page and "±" in page


@pytest.mark.parametrize("path", ["a[1]", "a*", "a?", "a\\b", "[x]/y"])
def test_paths_that_tensorflow_takes_for_patterns(tmp_path, capsys, path):
    path = f"{tmp_path}/{path}"
    for flags in (
        *([f"--run_dir={path}"], [f"--runs_dir={path}"], [f"--checkpoint_dir={path}"]),
        ["--mode=evaluate", f"--run_dir={path}"],
        *(["--mode=reproduce", f"--run_dir={path}"], ["--dataset=mnist", f"--data_dir={path}"]),
    ):
        assert_refused([*flags], r"contains [][*?\\](?: \])?, which TensorFlow takes for a pattern", capsys)
    # Of several runs a pattern may be given.
    message = "takes for a pattern" if path.endswith("a\\b") else "matches no run"
    assert_refused(["--mode=compare", f"--run_dirs={path}"], message, capsys)
    with pytest.raises(flow_gan.UserError, match=r"checkpoint=.* takes for a pattern"):
        original.load_checkpoint(None, path)
    assert not list(tmp_path.iterdir())


def test_paths_in_other_encodings(tmp_path, monkeypatch):
    """Bytes that are no UTF-8, and a locale in which the same letters are other bytes."""
    with pytest.raises(flow_gan.UserError, match=r"--run_dir='.*/\\udce9' is not a file name in UTF-8"):
        training.train(settings(f"{tmp_path}/\udce9"))
    monkeypatch.setattr(os, "fsencode", lambda path: path.encode("latin-1"))
    with pytest.raises(flow_gan.UserError, match=r"--run_dir='.*/\\xe9' is not a file name in UTF-8"):
        training.train(settings(f"{tmp_path}/\xe9"))
    assert not list(tmp_path.iterdir())


def test_an_export_to_such_a_path_is_refused_first(finished, tmp_path, capsys):
    flags = ["--mode=export", f"--run_dir={finished}", f"--export_dir={tmp_path}/a[1]"]
    assert_refused(flags, r"--export_dir=.*a\[1\] contains \[ \], which", capsys)


def test_a_data_folder_with_such_a_name(tmp_path, capsys):
    folder = tmp_path / "my [1] * images?"
    folder.mkdir()
    for i in range(40):
        pixels = np.random.default_rng(i).integers(0, 256, (4, 4), np.uint8)
        PIL.Image.fromarray(pixels).save(folder / f"[{i}].png")
    assert main([f"--dataset={folder}", f"--runs_dir={tmp_path / 'runs'}", "--batch_size=5", *FLAGS]) == 0
    (run,) = (tmp_path / "runs").iterdir()
    assert run.name == "my _1_ _ images__nice_mle-1"
    assert main(["--mode=evaluate", f"--run_dir={run}"]) == 0


def test_a_classifier_folder_with_such_a_name(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("flow_gan.evaluation.classifier.train_cnn", lambda *_: None)
    digits = data.load("digits")
    first, again = (evaluation.load_classifier("cnn", digits, tmp_path / "c[1]*?") for _ in range(2))
    assert first.test_accuracy == again.test_accuracy and len(list((tmp_path / "c[1]*?").iterdir())) == 1


def test_a_classifier_folder_that_cannot_be_written(tmp_path, monkeypatch):
    monkeypatch.setattr("flow_gan.evaluation.classifier.train_cnn", lambda *_: pytest.fail("it was trained"))
    (tmp_path / "file").write_text("")
    with pytest.raises(flow_gan.UserError, match=r"--classifier_dir=.*file cannot be written"):
        evaluation.load_classifier("cnn", data.load("digits"), tmp_path / "file")


def test_no_home_directory(tmp_path, monkeypatch):
    """Neither HOME nor a user of this number is known."""

    def unknown(number):
        raise KeyError(f"getpwuid(): uid not found: {number}")

    for name in ("HOME", "TFDS_DATA_DIR", "KERAS_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    with pytest.raises(flow_gan.UserError, match="--data_dir=~/tensorflow_datasets: the home directory is not known"):
        data.load("mnist")
    monkeypatch.setattr("flow_gan.data.public.check_network", lambda: (_ for _ in ()).throw(OSError("no network")))
    if not os.path.exists("/tmp/.keras/models/inception_v3_weights_tf_dim_ordering_tf_kernels.h5"):
        with pytest.raises(flow_gan.UserError, match=r"not in /tmp/\.keras/models/inception_v3.* and cannot be"):
            make_inception((8, 8, 3))
    with pytest.raises(flow_gan.UserError, match="--run_dir=~/x: the home directory is not known"):
        config.Config(run_dir="~/x")
    assert data.load("digits").name == "digits"


@pytest.mark.parametrize("name", ["run_dir", "runs_dir", "data_dir", "dataset", "classifier_dir", "checkpoint_dir"])
def test_the_home_directory_in_a_path(monkeypatch, name):
    monkeypatch.setenv("HOME", "/somewhere")
    assert getattr(config.Config(**{name: "~/x"}), name) == "/somewhere/x"


def test_lists_with_spaces(monkeypatch):
    monkeypatch.setenv("HOME", "/somewhere")
    assert config.Config(metrics="nll, kde ").metrics == "nll,kde"
    assert config.Config(mode="compare", run_dirs="~/a, b").run_dirs == "/somewhere/a,b"


def test_a_reader_that_has_read_enough(monkeypatch):
    """As `--help | head -1`: no traceback, and the status of a program that SIGPIPE ended."""
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w", encoding="utf-8") as stream, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        assert main(["--help"]) == 141


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device that is always full")
def test_output_that_cannot_be_written(monkeypatch, capsys):
    with open("/dev/full", "w", encoding="utf-8") as stream, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        assert main(["--help"]) == 2
    assert re.fullmatch("error: .*No space left on device\n", capsys.readouterr().err)


@pytest.mark.parametrize(
    "error",
    [MemoryError(), MemoryError("Unable to allocate 3 TiB"), tf.errors.ResourceExhaustedError(None, None, "OOM")],
)
def test_memory_that_does_not_suffice(tmp_path, monkeypatch, capsys, new_models, error):
    def fail(*_):
        raise error

    monkeypatch.setattr(flow_gan.FlowGAN, "train_step", fail)
    assert main([f"--run_dir={tmp_path / 'run'}", *FLAGS]) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith("error: out of memory (") and "expected a smaller --batch_size" in said


@pytest.mark.parametrize(
    "flag, message",
    [
        ("--seed=99999999999", "--seed=99999999999; expected less than 2\\^31"),
        ("--batch_size=1000000000000", "--batch_size=1000000000000; expected less than 2\\^31"),
        ("--max_steps=2147483648", "--max_steps=2147483648; expected less than 2\\^31"),
        ("--num_samples=2000000000", "a grid of --num_samples=2000000000 would take 1024.0 GB of memory"),
    ],
)
def test_numbers_that_are_too_large(tmp_path, monkeypatch, capsys, flag, message):
    monkeypatch.chdir(tmp_path)
    assert_refused([*FLAGS, flag], message, capsys)
    assert not list(tmp_path.iterdir())


def test_an_evaluation_of_too_much(finished, capsys):
    evaluate = ["--mode=evaluate", f"--run_dir={finished}"]
    assert_refused([*evaluate, "--batch_size=2000000"], "--batch_size=2000000; .*digits has 1297 images", capsys)
    assert main([*evaluate, "--metrics=scores", "--score_samples=2000000000"]) == 2
    assert "2000000000 samples would take 512.0 GB of memory" in capsys.readouterr().err
    sample = ["--mode=sample", f"--run_dir={finished}", "--num_samples=2000000000"]
    assert_refused(sample, "a grid of --num_samples=2000000000 would take 1024.0 GB", capsys)


def test_a_run_folder_that_cannot_be_written_is_not_measured(tmp_path, monkeypatch, capsys):
    """A file in place of the folder of results stands for a folder without permission, which root has all the same."""
    training.train(settings(tmp_path / "run", n_critic=0, max_steps=1))
    capsys.readouterr()
    (tmp_path / "run" / "evaluation").write_text("")
    for mode in ("evaluate", "compare"):
        module = importlib.import_module(f"flow_gan.modes.{mode}")
        monkeypatch.setattr(module, "measure", lambda *_: pytest.fail("it was measured"))
    run = tmp_path / "run"
    assert_refused(["--mode=evaluate", f"--run_dir={run}"], "--run_dir=.*run cannot be written", capsys)
    compare = ["--mode=compare", f"--run_dirs={run}", f"--runs_dir={tmp_path}"]
    assert_refused(compare, "--run_dir=.*run cannot be written", capsys)


def test_what_was_measured_is_printed_where_it_cannot_be_stored(finished, monkeypatch, capsys):
    def full(path, value):
        raise flow_gan.UserError(f"{path} cannot be written: No space left on device")

    monkeypatch.setattr(importlib.import_module("flow_gan.measurement.measuring"), "write_json", full)
    assert main(["--mode=evaluate", f"--run_dir={finished}", "--num_examples=1"]) == 2
    said = capsys.readouterr()
    assert "nll-test-best.json cannot be written: No space left" in said.err
    assert re.search(r"\S+ \+- unknown nats, \S+ \+- unknown bits/dim \(1 of 250 images\)", said.out)


def test_the_error_of_one_value_is_not_known():
    metric = flow_gan.mean_and_error.MeanAndStandardError("nll")
    metric.update_state([3.0, 7.0], [1, 0])
    result = {name: float(value) for name, value in metric.result().items()}
    assert result["nll"] == 3 and np.isnan(result["nll_standard_error"])
    metric.update_state([5.0], [1])
    assert float(metric.result()["nll_standard_error"]) == 1
    assert np.isnan(evaluation.scores.inception_score([[0.5, 0.5]] * 4, splits=1)[1])


def test_a_figure_does_not_depend_on_the_user_s_settings(tmp_path):
    """Without LaTeX, `text.usetex` would end in an error."""
    pictures = []
    for own in ({}, {"text.usetex": True, "lines.linewidth": 9, "figure.facecolor": "red"}):
        with matplotlib.rc_context(own):
            figures.singular_value_cdf(tmp_path / "a.png", {"run": [0.1, 1.0, 2.0]})
            assert matplotlib.rcParams["text.usetex"] == bool(own)
        pictures.append((tmp_path / "a.png").read_bytes())
    assert pictures[0] == pictures[1]


def test_a_start_that_fails_leaves_no_lock(finished, tmp_path):
    assert not (finished / ".lock").exists()
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.json").write_bytes((finished / "config.json").read_bytes())
    (run / "metrics.jsonl").write_text("")
    with pytest.raises(flow_gan.UserError, match="holds no checkpoint"):
        training.train(settings(run, n_critic=0, max_steps=1, resume=True))
    assert {path.name for path in run.iterdir()} == {"config.json", "metrics.jsonl"}
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "reproduction.json").write_text("{")
    with pytest.raises(flow_gan.UserError, match="is not the file that a reproduction writes"):
        Journal(tmp_path / "r")
    assert [path.name for path in (tmp_path / "r").iterdir()] == ["reproduction.json"]


def test_a_lock_whose_file_goes_keeps_others_out(tmp_path):
    """One that has opened the file before it was deleted does not share the folder with one that makes it anew."""
    first, second, third = (RunFolder(tmp_path, settings(tmp_path)) for _ in range(3))
    first.lock()
    with pytest.raises(flow_gan.UserError, match="is in use"):
        second.lock()
    first.unlock()
    second.lock()
    with pytest.raises(flow_gan.UserError, match="is in use"):
        third.lock()
    second.unlock()
    assert not list(tmp_path.iterdir())
