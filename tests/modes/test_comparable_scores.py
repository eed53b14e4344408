"""FIDs against others' statistics, and classifiers of the user's own, from the command line."""

import json
import pathlib

import keras
import numpy as np
import pytest

from flow_gan.main import main
from tests.helpers.command_line import assert_refused
from tests.helpers.runs import SMALL

SCORES = ["--score_samples=60", "--score_splits=3"]


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    settings = [f"--{flag}={value}" for flag, value in (SMALL | {"n_critic": 0, "max_steps": 2}).items()]
    assert main([f"--run_dir={folder}", *settings]) == 0
    return folder


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A classifier of the digits that was never trained, with 6 features."""
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Flatten(), keras.layers.Dense(6, activation="relu"), keras.layers.Dense(10)]
    path = tmp_path_factory.mktemp("own") / "own.keras"
    keras.Sequential([keras.Input((8, 8, 1)), *layers]).save(path)
    return path


def evaluate(run_dir, *more):
    return ["--mode=evaluate", f"--run_dir={run_dir}", *SCORES, *more]


def stored(run_dir):
    return json.loads((run_dir / "evaluation" / "scores-test-best.json").read_text(encoding="utf-8"))


def test_the_samples_statistics_are_written_and_are_at_distance_0_from_the_samples(run_dir, own, tmp_path, capsys):
    scores = evaluate(run_dir, "--metrics=scores", f"--classifier={own}")
    assert main(scores) == 0
    written = run_dir / "evaluation" / "fid_statistics-test-best.npz"
    printed = capsys.readouterr().out
    assert str(written) in printed and "60 samples against 60 training images" in printed
    assert "classifier       own.keras, test accuracy" in printed and "resizing         none" in printed
    before = stored(run_dir)
    theirs = tmp_path / "theirs.npz"
    with np.load(written) as arrays:
        assert arrays["mu"].shape == (6,) and arrays["sigma"].shape == (6, 6) and arrays["num_images"] == 60
        # As pytorch-fid writes them: without a name of the network.
        np.savez(theirs, mu=arrays["mu"], sigma=arrays["sigma"])
    assert main([*scores, f"--fid_statistics={theirs}"]) == 0
    after = stored(run_dir)
    assert before["fid"] > 1e-3 and after["fid"] < 1e-6 * before["fid"] + 1e-9
    assert after["fid_reference"] == "theirs.npz, of an unknown number of images"
    assert after["test_images"]["fid"] > 1e-3 and after["mode_score"] == before["mode_score"]


@pytest.fixture
def theirs(tmp_path):
    path = tmp_path / "theirs.npz"
    np.savez(path, mu=np.ones(6), sigma=np.eye(6))
    return path


def test_compare_measures_again_when_the_files_content_is_another(run_dir, own, theirs, tmp_path, capsys):
    compare = ["--mode=compare", f"--run_dirs={run_dir}", f"--runs_dir={tmp_path}", "--metrics=scores", *SCORES]

    def was_measured(classifier, statistics):
        assert main([*compare, f"--classifier={classifier}", f"--fid_statistics={statistics}"]) == 0
        printed = capsys.readouterr().out
        assert "| FID " in printed and "FID against theirs" in printed
        return "run: scores, checkpoint" in printed

    assert was_measured(own, theirs)
    assert not was_measured(own, theirs)
    # The same contents elsewhere are the same.
    moved = tmp_path / "moved" / own.name
    moved.parent.mkdir()
    moved.write_bytes(own.read_bytes())
    assert not was_measured(moved, theirs)
    np.savez(theirs, mu=np.zeros(6), sigma=np.eye(6))
    assert was_measured(moved, theirs)
    layers = [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(6), keras.layers.Dense(10)]
    keras.Sequential(layers).save(moved)
    assert was_measured(moved, theirs)


def test_what_does_not_fit_is_refused_before_anything_is_measured(run_dir, own, theirs, tmp_path, capsys):
    def refused(message, *flags, metrics="nll,scores"):
        before = {path: path.stat().st_mtime_ns for path in pathlib.Path(run_dir).rglob("*")}
        capsys.readouterr()
        assert_refused(evaluate(run_dir, f"--metrics={metrics}", *flags), message, capsys)
        assert {path: path.stat().st_mtime_ns for path in pathlib.Path(run_dir).rglob("*")} == before

    refused("--fid_statistics=no.npz: there is no such file", "--fid_statistics=no.npz")
    np.savez(tmp_path / "large.npz", mu=np.zeros(2048), sigma=np.eye(2048))
    own_flag = f"--classifier={own}"
    refused("is of 2048 features; expected 6, those of own", own_flag, f"--fid_statistics={tmp_path / 'large.npz'}")
    np.savez(tmp_path / "other.npz", mu=np.zeros(6), sigma=np.eye(6), network="another")
    refused("is of the network another, and", own_flag, f"--fid_statistics={tmp_path / 'other.npz'}")
    for metrics in ("nll,scores", "nll,gmm"):
        refused("--classifier=no.keras: there is no such file", "--classifier=no.keras", metrics=metrics)
        lost = "--inception_weights=no.pb"
        refused("=no.pb: there is no such file", "--classifier=inception_v3", lost, metrics=metrics)
    refused("--classifier='resnet' is unknown; expected one of: cnn, inception_v3, or", "--classifier=resnet")


def test_scores_in_training_take_both(own, theirs, tmp_path):
    settings = [f"--{flag}={value}" for flag, value in (SMALL | {"n_critic": 0, "max_steps": 2}).items()]
    files = [f"--classifier={own}", f"--fid_statistics={theirs}"]
    assert main([f"--run_dir={tmp_path / 'run'}", *settings, *SCORES, *files, "--score_every=1"]) == 0
    lines = (tmp_path / "run" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(lines[-1])["fid"] > 0
