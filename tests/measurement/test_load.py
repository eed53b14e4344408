"""A run in one line: its model, its sizes, and its data when they are asked for."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

import flow_gan
from flow_gan import training
from flow_gan.config import Config
from flow_gan.measurement import LoadedRun, measure
from flow_gan.measurement.run import file_digests, result_path, stored_result
from flow_gan.training.files import write_json
from flow_gan.training.run_folder import RunFolder

IMAGES = np.random.default_rng(0).integers(0, 256, (60, 4, 4, 1)).astype(np.uint8)


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("load")
    data = folder / "images.npz"
    np.savez(data, train=IMAGES[:40], validation=IMAGES[40:50], test=IMAGES[50:])
    flags = {"n_critic": 0, "hidden_layers": 4, "no_of_layers": 0, "batch_size": 10, "max_steps": 2, "eval_every": 1}
    training.train(Config(dataset=str(data), run_dir=str(folder / "run"), **flags))
    return folder / "run"


def test_a_run_in_one_line(run_dir):
    run = flow_gan.load(run_dir, checkpoint="latest")
    assert isinstance(run, LoadedRun) and isinstance(run.model, flow_gan.FlowGAN)
    assert run.generator is run.model.generator and run.model.num_steps == 2
    assert (run.image_shape, run.levels) == ((4, 4, 1), 256)
    assert (run.config.checkpoint, run.config.hidden_layers, run.config.mode) == ("latest", 4, "evaluate")
    expected = f"LoadedRun({run_dir}, checkpoint latest (step 2), NICE (4, 4, 1), levels=256)"
    assert repr(run) == expected
    assert run.dataset.image_shape == (4, 4, 1) and len(run.dataset.train) == 40
    assert run.dataset is run.dataset
    np.testing.assert_array_equal(run.dataset.test.images, IMAGES[50:])
    assert "nats" in measure(flow_gan.load(str(run_dir), num_examples=5, batch_size=5), "nll")


@pytest.mark.parametrize(
    "name, settings, message",
    [
        ("brightness", {}, r"^metric='brightness' is unknown; expected one of: ais, "),
        ("labels", {}, r"^--metrics=labels needs a model of labels"),
        ("ais", {"split": "validation"}, r"^--split=validation with --metrics=ais"),
        ("kid", {}, r"^--metrics=kid needs labels"),
        ("nll", {"num_examples": 11}, r"^--num_examples=11, but there are 10 test images$"),
    ],
)
def test_what_cannot_be_measured(run_dir, name, settings, message):
    with pytest.raises(flow_gan.UserError, match=message):
        measure(flow_gan.load(run_dir, **settings), name)


def test_the_best_weights_are_the_default(run_dir):
    best, default = flow_gan.load(run_dir, checkpoint="best"), flow_gan.load(run_dir)
    assert default.config.checkpoint == "best"
    for a, b in zip(best.model.weights, default.model.weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_what_training_was_scored_by_does_not_stay(run_dir, tmp_path):
    """An evaluation that says nothing has the default classifier, and no files of another one."""
    copy = tmp_path / "run"
    shutil.copytree(run_dir, copy)
    stored = json.loads((copy / "config.json").read_text(encoding="utf-8"))
    own = {"classifier": "inception_v3", "inception_weights": "w.h5", "fid_statistics": "s.npz", "classifier_dir": "c"}
    (copy / "config.json").write_text(json.dumps(stored | own), encoding="utf-8")
    found = flow_gan.load(copy).config
    assert (found.classifier, found.inception_weights, found.fid_statistics, found.classifier_dir) == (
        *("cnn", None, None),
        "c",
    )


def test_files_are_told_by_their_contents_and_names_by_themselves(tmp_path):
    for name in "ab":
        (tmp_path / name).write_text(name)
    a, b = (str(tmp_path / name) for name in "ab")
    (of_a, of_b, of_both, of_both_apart) = (
        file_digests(Config(ood_dataset=value), "ood").get("ood_dataset") for value in (a, b, f"{a},{b}", f"{a}, {b}")
    )
    assert of_both == of_both_apart == f"{of_a},{of_b}" and of_a != of_b
    for value in ("mnist", f"{a},{tmp_path}/no", str(tmp_path / "no")):
        assert file_digests(Config(ood_dataset=value), "ood") == {}


@pytest.mark.parametrize("averages, is_found", [(1, True), (0, False)])
def test_a_result_that_depends_on_the_batch_is_that_of_one_size(tmp_path, averages, is_found):
    """Batch norm without moving averages takes its statistics from the batch."""
    config = Config(model_type="real_nvp", batch_norm_adaptive=averages, run_dir=str(tmp_path), batch_size=10)
    config = dataclasses.replace(config, mode="evaluate", checkpoint="latest")
    folder = RunFolder(tmp_path, config)
    (folder.checkpoints / "latest").mkdir(parents=True)
    (folder.checkpoints / "latest" / "ckpt-3.index").touch()
    result = {"step": 3, "data_digest": None, "config": dataclasses.asdict(config)}
    write_json(result_path(folder, config, "nll"), result)
    assert stored_result(folder, config, "nll") == json.loads(json.dumps(result))
    assert (stored_result(folder, dataclasses.replace(config, batch_size=5), "nll") is not None) == is_found


def test_the_data_are_not_needed(run_dir):
    data = run_dir.parent / "images.npz"
    aside = data.rename(run_dir.parent / "elsewhere.npz")
    try:
        run = flow_gan.load(run_dir)
        assert run.model.predict(IMAGES[:5], verbose=0).shape == (5,)
        assert run.samples(3).shape == (3, 4, 4, 1)
        with pytest.raises(flow_gan.UserError, match=r"images\.npz"):
            run.dataset  # noqa: B018
        moved = flow_gan.load(run_dir, dataset=str(aside))
        np.testing.assert_array_equal(moved.dataset.test.images, IMAGES[50:])
    finally:
        aside.rename(data)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"checkpoint": "worst"}, "checkpoint='worst' is unknown; expected one of: best"),
        ({"checkpoint": "best_score"}, "best_score holds no checkpoint"),
        ({"hidden_layers": 5}, "hidden_layers=5, but the run .* has 4"),
        ({"hidden": 5}, r"load\(hidden=5\); expected the name of a flag without its dashes"),
    ],
)
def test_what_cannot_be_loaded(run_dir, arguments, message):
    with pytest.raises(flow_gan.UserError, match=message) as error:
        flow_gan.load(run_dir, **arguments)
    assert "\n" not in str(error.value)
    with pytest.raises(flow_gan.UserError, match=r"nowhere is not a run: it has no readable config\.json"):
        flow_gan.load(run_dir / "nowhere")
