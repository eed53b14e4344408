"""What is said of samples that repeat training images, and of those that do not."""

import json
import types

import numpy as np
import pytest
import tensorflow as tf

from flow_gan import config, data, evaluation, training
from flow_gan.errors import NotFiniteError
from flow_gan.main import main
from flow_gan.metrics import memorisation
from tests.helpers.command_line import assert_refused
from tests.helpers.runs import SMALL

DIGITS = data.load("digits")


def pooled(name, dataset, folder, inception_weights=None):
    """A classifier that needs no training, whose features are the images at half of their size."""

    def network(images):
        features = tf.reshape(tf.nn.avg_pool2d(images, 2, 2, "VALID"), [-1, 16])
        return features[:, :10], features

    return evaluation.Classifier("pooled", network, dataset.image_shape, dataset.levels, "made for tests")


@pytest.fixture(autouse=True)
def quick_classifier(monkeypatch):
    monkeypatch.setattr("flow_gan.evaluation.load_classifier", pooled)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """That of a run of one step."""
    path = tmp_path_factory.mktemp("runs") / "one"
    training.train(config.Config(**SMALL, max_steps=1, run_dir=str(path)))
    return path


def measured(samples, images=DIGITS, **settings):
    """Return what is found of these samples."""
    settings = config.Config(score_samples=len(samples), score_splits=1, **settings)
    run = types.SimpleNamespace(config=settings, dataset=images, samples=lambda count: samples[:count])
    return memorisation.measure(run)


def test_the_mixture_of_a_small_bandwidth_memorises():
    mixture = evaluation.IsotropicMixture.of_images(DIGITS.train.images, DIGITS.levels)
    found = measured(mixture.sample(300, 0.02).numpy())
    assert found.samples["pixels"].authenticity == 0
    assert str(found).count("; the samples are less authentic than test images, by 0.") == 2
    # The one beside all samples, of the paper's bandwidth, likewise.
    assert found.mixture["pixels"].authenticity < 0.05 and found.bandwidth == 0.07
    # Each sample's nearest training image is the one that it is made of.
    nearest = DIGITS.train.images[found.samples["pixels"].indices[:, 0]]
    assert np.abs(nearest.astype(int) - found.images).max() <= 2


def test_images_of_the_same_distribution_do_not():
    validation = (DIGITS.validation.images[:] + 0.5) / DIGITS.levels
    found = measured(validation.astype(np.float32))
    assert str(found).count("the samples are as authentic as test images") == 2
    result = found.to_dict()
    assert result["pixels"]["num_images"] == result["test_images"]["features"]["num_images"] == 250
    assert 0.3 < result["test_images"]["pixels"]["authenticity"] < 0.7 and result["classifier"] == "pooled"


def test_noise_is_far_from_all_images():
    found = measured(np.random.default_rng(0).uniform(size=(100, 8, 8, 1)).astype(np.float32))
    assert found.samples["pixels"].authenticity == 1
    assert "pixels: samples 1.000 +- 0.010, 100 test images 0." in str(found)
    assert "the samples are more authentic than test images, by 0." in str(found)


def test_without_labels_the_features_are_left_out_and_it_says_so():
    parts = {name: data.Split(DIGITS.split(name).images) for name in ("train", "validation", "test")}
    unlabelled = data.Dataset(name="mine", image_shape=(8, 8, 1), levels=17, **parts)
    found = measured(np.zeros((20, 8, 8, 1), np.float32), unlabelled, dataset="mine.npz")
    assert [*found.samples] == [*found.test_images] == [*found.mixture] == ["pixels"]
    result = found.to_dict()
    why = (
        "features are left out: a classifier needs labels of training and test images, and --dataset=mine.npz has none"
    )
    assert why in str(found) and result["features"] is result["mixture"]["features"] is None
    column = memorisation.columns(unlabelled)[1]
    assert column.cell(result).number is None and not column.value(result).is_known
    (_, of_run) = memorisation.remarks({"one": result})
    assert of_run.startswith("one: pixels: ") and why in of_run


def test_samples_that_are_not_finite_are_refused():
    with pytest.raises(NotFiniteError, match="samples hold values that are not finite"):
        measured(np.full((3, 8, 8, 1), np.nan, np.float32))


def test_the_picture_shows_first_and_closest_samples_beside_their_neighbours():
    validation = (DIGITS.validation.images[:40] + 0.5) / DIGITS.levels
    validation[30] = (DIGITS.train.images[7] + 0.5) / DIGITS.levels  # A copy.
    found = measured(validation.astype(np.float32))
    drawn = {}
    run = types.SimpleNamespace(
        dataset=DIGITS,
        levels=DIGITS.levels,
        save_grid=lambda name, rows, title, row_labels, column_labels: drawn.update(
            name=name, rows=rows, title=title, row_labels=row_labels, column_labels=column_labels
        ),
    )
    memorisation.draw(run, found)
    assert drawn["name"] == "memorisation" and drawn["rows"].shape == (10, 7, 8, 8, 1)
    assert drawn["column_labels"] == ["sample", *["pixels"] * 3, *["features"] * 3]
    assert drawn["row_labels"][:5] == [f"sample {i}" for i in range(1, 6)]
    assert "closest, sample 31" in drawn["row_labels"][5:]
    row = drawn["rows"][drawn["row_labels"].index("closest, sample 31")]
    np.testing.assert_array_equal(row[0], row[1])
    np.testing.assert_array_equal(row[0], DIGITS.train.images[7] / 16)
    assert drawn["rows"].max() <= 1


def test_evaluate_and_compare(folder, tmp_path, capsys):
    flags = ["--metrics=memorisation", "--score_samples=60", "--score_splits=3"]
    assert main(["--mode=evaluate", f"--run_dir={folder}", *flags]) == 0
    printed = capsys.readouterr().out
    assert "60 samples; features of the classifier pooled" in printed
    assert "pixels: samples " in printed and ", mixture of bandwidth 0.07 0." in printed
    assert (folder / "evaluation" / "memorisation-test-best.png").exists()
    stored = json.loads((folder / "evaluation" / "memorisation-test-best.json").read_text(encoding="utf-8"))
    assert main(["--mode=compare", f"--run_dirs={folder}", f"--runs_dir={tmp_path}", *flags]) == 0
    lines = capsys.readouterr().out.splitlines()
    header, own, real = (
        [cell.strip() for cell in next(line for line in lines if line.startswith(f"| {name} ")).split("|")]
        for name in ("Run", "one", "real images")
    )
    for space in ("pixels", "features"):
        place = header.index(f"Authenticity, {space}")
        for part, cells in ((stored[space], own), (stored["test_images"][space], real)):
            assert cells[place] == f"{part['authenticity']:.3f} +- {part['standard_error']:.3f}"
    assert any(line.startswith("one: pixels: ") for line in lines)


def test_bad_input(folder, tmp_path, capsys):
    command = ["--mode=evaluate", "--metrics=memorisation"]
    assert_refused(
        [*command, f"--run_dir={folder}", "--split=train"], "--split=train with --metrics=memorisation", capsys
    )
    assert_refused([*command, f"--run_dir={folder}", "--score_samples=1"], "--score_samples=1; expected 2", capsys)
    assert_refused([*command, f"--run_dir={folder}", "--classifier=./no.keras"], "--classifier=./no.keras", capsys)
    two = DIGITS.train.images[:2]
    np.savez(tmp_path / "two.npz", train=two, validation=two, test=two)
    settings = SMALL | {"dataset": str(tmp_path / "two.npz"), "levels": 17, "batch_size": 2, "n_critic": 0}
    few = tmp_path / "few"
    training.train(config.Config(**settings, max_steps=1, run_dir=str(few)))
    capsys.readouterr()
    expected = "--metrics=memorisation needs the 3 training images nearest to a sample, and --dataset="
    assert_refused([*command, f"--run_dir={few}"], expected, capsys)
    assert not (few / "evaluation" / "memorisation-test-best.json").exists()
