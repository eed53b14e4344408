"""KID, precision, recall, density and coverage of a run, on the features of the scores' classifier."""

import json

import numpy as np
import pytest
import tensorflow as tf

import flow_gan
from flow_gan import data, evaluation, measurement, training
from flow_gan.config import Config
from flow_gan.main import main
from flow_gan.measurement import Scorer
from tests.helpers.classifier import judge
from tests.helpers.command_line import assert_refused
from tests.helpers.runs import SMALL

FLAGS = ["--score_samples=60", "--score_splits=3", "--kid_subsets=4", "--kid_subset_size=20", "--prdc_neighbours=3"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of a run of one step."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    training.train(Config(**SMALL | {"n_critic": 0, "max_steps": 1, "run_dir": str(folder)}))
    return folder


@pytest.fixture
def classified(monkeypatch):
    """The classifier needs no training; a list of how many images it was asked about."""
    asked = []

    def counting(*args):
        classifier = judge(*args)
        predict = classifier.predict
        classifier.predict = lambda images: asked.append(len(images)) or predict(images)
        return classifier

    monkeypatch.setattr("flow_gan.evaluation.load_classifier", counting)
    return asked


def stored(folder, name):
    return json.loads((folder / "evaluation" / f"{name}-test-best.json").read_text(encoding="utf-8"))


def test_they_are_of_samples_against_test_images_which_are_classified_once(folder, classified, capsys):
    command = ["--mode=evaluate", f"--run_dir={folder}", "--metrics=kid,prdc,scores", *FLAGS]
    assert main(command) == 0
    printed = capsys.readouterr().out
    # Samples, test images and training images.
    assert classified == [60, 60, 60]
    run = measurement.load(folder, score_samples=60)
    classifier = judge("cnn", run.dataset, None)
    test = data.fixed_sample(run.dataset.test.images, 60)[np.arange(60)]
    training_images = run.dataset.train.images[np.linspace(0, 1296, 60).astype(int)]
    samples, test, training_images = (
        classifier.predict(images)[1] for images in (run.samples(60), test, training_images)
    )
    kid, prdc = stored(folder, "kid"), stored(folder, "prdc")
    for found, features in ((kid, samples), (kid["training_images"], training_images)):
        expected = evaluation.evaluate_kid(features, test, 4, 20).to_dict()
        assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-5)
    for found, features in ((prdc, samples), (prdc["training_images"], training_images)):
        expected = evaluation.evaluate_prdc(features, test, 3).to_dict()
        assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-6)
    assert kid["num_samples"] == kid["num_test"] == kid["training_images"]["num_images"] == prdc["num_images"] == 60
    assert f"{kid['kid']:.4f} +- {kid['kid_std']:.4f} (4 subsets of 20): 60 samples against 60 test images" in printed
    assert f"precision {prdc['precision']:.3f}, recall {prdc['recall']:.3f}, density" in printed
    assert "60 samples against 60 test images, 3 neighbours\n60 training images against the same: precision" in printed


def test_of_fewer_test_images_as_many_are_compared(folder, classified):
    """KID does not depend on the numbers of images, and takes them all."""
    assert main(["--mode=evaluate", f"--run_dir={folder}", "--metrics=kid,prdc", "--score_samples=400"]) == 0
    kid, prdc = stored(folder, "kid"), stored(folder, "prdc")
    assert (kid["num_samples"], kid["num_test"], kid["training_images"]["num_images"]) == (400, 250, 400)
    assert (kid["subset_size"], kid["subsets"], prdc["num_images"], prdc["neighbours"]) == (125, 100, 250, 5)


def test_compare_has_their_columns_beside_real_images(folder, classified, tmp_path, capsys):
    command = ["--mode=compare", f"--run_dirs={folder}", f"--runs_dir={tmp_path}", "--metrics=scores,kid,prdc"]
    assert main([*command, *FLAGS]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("|")]
    (own,), (real,) = (
        [dict(zip(rows[0], row, strict=True)) for row in rows if row[0] == name] for name in ("run", "real images")
    )
    kid, prdc = stored(folder, "kid"), stored(folder, "prdc")
    for row, of_kid, of_prdc in ((own, kid, prdc), (real, kid["training_images"], prdc["training_images"])):
        assert row["KID"] == f"{of_kid['kid']:.4f} +- {of_kid['kid_std']:.4f}"
        for name in ("precision", "recall", "density", "coverage"):
            assert row[name.capitalize()] == f"{of_prdc[name]:.3f}"
    text = "\n".join(lines)
    headings = "Coverage, Density, KID, Precision, Recall"
    (line,) = [line for line in lines if line.startswith("Real images are test images; of ")]
    assert sorted(line.split("; of ")[1].split(", which")[0].split(", ")) == headings.split(", ")
    assert "run: KID of 60 samples against 60 test images, in 4 subsets of 20, on features of brightest part" in text
    assert "run: precision, recall, density and coverage of 60 samples against as many test images, with 3" in text


def test_kid_is_among_the_scores_in_training(classified):
    """Against training images, and of samples that are classified once for all scores."""
    settings = Config(score_samples=30, score_splits=3, score_every=1, kid_subsets=2)
    dataset = data.load("digits")
    scorer = Scorer(settings, dataset)
    assert classified == [30]

    class Noise:
        image_shape = (8, 8, 1)
        compute_dtype = "float32"
        fast_batch_size = 1

        def sample_latent(self, key, first, count):
            return np.random.default_rng(0).uniform(size=(count, 64)).astype(np.float32)

        def sample_labels(self, key, first, count):
            return None

        def decode(self, z):
            return tf.reshape(z, (-1, 8, 8, 1))

    noise = Noise()
    _, figures = scorer(noise)
    assert classified == [30, 30]
    scorer(noise)
    assert classified == [30, 30, 30]
    classifier = judge("cnn", dataset, None)
    samples = np.random.default_rng(0).uniform(size=(100, 64)).astype(np.float32)[:30].reshape(30, 8, 8, 1)
    training_images = dataset.train.images[np.linspace(0, 1296, 30).astype(int)]
    expected = evaluation.evaluate_kid(*(classifier.predict(images)[1] for images in (samples, training_images)), 2)
    assert (figures["kid"], figures["kid_std"]) == pytest.approx((expected.kid, expected.kid_std), rel=1e-5)
    assert scorer.tags["kid"] == "scores/KID" and {"mode_score", "fid"} <= figures.keys()


@pytest.mark.parametrize(
    "flags, message",
    [
        (
            ["--metrics=scores,kid", "--kid_subset_size=61", "--score_samples=60"],
            "--kid_subset_size=61 with --metrics=kid, which has --score_samples=60, and 1297 training and 250 test "
            "images; expected 2 to 60",
        ),
        (["--metrics=kid", "--kid_subset_size=251"], "--kid_subset_size=251 with --metrics=kid, .*; expected 2 to 250"),
        (["--metrics=kid", "--kid_subset_size=1"], "--kid_subset_size=1; expected 2 or more"),
        (["--metrics=kid", "--kid_subsets=0"], "--kid_subsets=0; expected 1 or more"),
        (
            ["--metrics=scores,prdc", "--score_samples=10", "--prdc_neighbours=10"],
            "--prdc_neighbours=10 with --metrics=prdc, which has --score_samples=10, .*; expected 1 to 9",
        ),
        (["--metrics=prdc", "--prdc_neighbours=250"], "--prdc_neighbours=250 with --metrics=prdc, .* 1 to 249"),
        (["--metrics=prdc", "--prdc_neighbours=0"], "--prdc_neighbours=0; expected 1 or more"),
    ],
)
def test_too_few_images_for_a_subset_or_a_neighbourhood(folder, classified, tmp_path, capsys, flags, message):
    before = sorted(folder.glob("evaluation/*"))
    assert_refused(["--mode=evaluate", f"--run_dir={folder}", *flags], message, capsys)
    assert_refused(["--mode=compare", f"--run_dirs={folder}", f"--runs_dir={tmp_path}", *flags], message, capsys)
    assert sorted(folder.glob("evaluation/*")) == before and not classified and not [*tmp_path.iterdir()]


def test_a_training_that_cannot_be_scored_does_not_begin(classified, tmp_path, capsys):
    flags = [f"--{name}={value}" for name, value in (SMALL | {"n_critic": 0}).items()]
    command = [*flags, f"--run_dir={tmp_path / 'run'}", "--score_every=1", "--score_samples=30"]
    message = "--kid_subset_size=31 with --score_every=1, which has --score_samples=30, .*; expected 2 to 30"
    assert_refused([*command, "--kid_subset_size=31"], message, capsys)
    assert not (tmp_path / "run").exists() and not classified


@pytest.mark.parametrize("metric", ["kid", "prdc"])
def test_they_need_labels_for_the_classifier(folder, metric):
    unlabelled = data.Dataset(
        name="digits",
        image_shape=(8, 8, 1),
        levels=17,
        **{split: data.Split(np.zeros((20, 8, 8, 1), np.uint8)) for split in ("train", "validation", "test")},
    )
    with pytest.raises(flow_gan.UserError, match=f"--metrics={metric} needs labels of training and test"):
        measurement.check_metrics(Config(), [metric], unlabelled)


@pytest.mark.parametrize("metric", ["kid", "prdc"])
def test_a_single_test_image_is_too_few(metric):
    sizes = {"train": 20, "validation": 20, "test": 1}
    splits = {
        name: data.Split(np.zeros((size, 8, 8, 1), np.uint8), np.arange(size) % 2) for name, size in sizes.items()
    }
    few = data.Dataset(name="digits", image_shape=(8, 8, 1), levels=17, **splits)
    message = (
        f"--metrics={metric}, which has --score_samples=10000, and 20 training and 1 test images; expected 2 images"
    )
    with pytest.raises(flow_gan.UserError, match=message):
        measurement.check_metrics(Config(), [metric], few)
