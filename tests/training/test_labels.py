"""What a run tells of its labels, and which it takes."""

import keras
import numpy as np
import pytest

import flow_gan
from flow_gan import data
from flow_gan.config import Config
from flow_gan.training import non_finite
from flow_gan.training.load_data import classes_without_images, without_images
from flow_gan.training.validator import Validator
from tests.helpers.conditional import bright_by_class, bright_images, class_of

LABELS = np.random.default_rng(1).integers(0, 3, 60)
CONFIG = {"conditional": True, "hidden_layers": 4, "no_of_layers": 0, "batch_size": 4}


def split_of(labels):
    return data.Split(bright_images(labels), labels)


DATASET = data.Dataset(
    name="bright",
    image_shape=(4, 4, 1),
    levels=17,
    train=split_of(LABELS),
    validation=split_of(LABELS[:20]),
    test=split_of(LABELS[:20]),
)


def test_a_validation_is_of_each_image_s_own_label(eagerly):
    """Of another label an image is a thousand nats less likely. The grid has a row for each class."""
    generator = bright_by_class()
    model = flow_gan.FlowGAN(generator, n_critic=0, levels=17)
    model.compile(keras.optimizers.SGD(0.0))
    validation = Validator(Config(**CONFIG, n_critic=0, num_samples=6), model, DATASET).validate(0)
    chosen = data.fixed_sample(DATASET.train.images, 20)[np.arange(20)]
    expected = model.evaluate(chosen, class_of(chosen / 16), verbose=0, return_dict=True)["nll"]
    assert validation.record["train_nll"] == pytest.approx(float(expected), rel=1e-5)
    assert abs(validation.record["validation_nll"] - expected) < 300
    np.testing.assert_array_equal(np.round(validation.grid[2::5, [2, 7], 0] / 127.5), [[0, 0], [1, 1], [2, 2]])


def test_magnitudes_are_of_the_labels_of_each_update(monkeypatch):
    """With fresh batches each critic's update has its own, and the generator's those of the last of them."""
    critic = flow_gan.critics.two_convolutions((4, 4, 1), filters=2, dense_units=4, num_classes=3)
    model = flow_gan.FlowGAN(bright_by_class(), critic, n_critic=2, critic_batches="fresh", levels=17)
    passes = []

    def noting(model, layer, direction, value, labels, name):
        passes.append((direction, np.array(value), np.array(labels)))
        return ""

    monkeypatch.setattr(non_finite, "_pass", noting)
    config = Config(**CONFIG, n_critic=2, critic_batches="fresh")
    non_finite.magnitudes(model, config, DATASET.train, 3, "the result of layer coupling_1")
    batches = data.training_batches(DATASET.train.images, 4, 0, 3, 4, 2, labels=LABELS)
    images, labels = next(batches.as_numpy_iterator())
    assert [direction for direction, *_ in passes] == ["forward"] * 3 + ["inverse"]
    draws = model.draws.of_step(3, images[:, -1])
    for run, (_, z, given) in enumerate(passes[:3]):
        np.testing.assert_array_equal(z, draws.latent(run))
        np.testing.assert_array_equal(given, labels[:, min(run, 1)])
    np.testing.assert_array_equal(class_of(passes[3][1]), passes[3][2])
    assert (labels[:, 0] != labels[:, 1]).any()


def test_classes_that_no_training_image_has():
    """Test images may have them, or `--num_classes` counts them."""
    config = Config(**CONFIG, n_critic=0)
    assert classes_without_images(config, DATASET) == []
    few = data.Dataset(
        name="pets",
        image_shape=(4, 4, 1),
        levels=17,
        train=split_of(np.array([1, 2, 1])),
        validation=split_of(np.array([1, 2])),
        test=split_of(np.array([0, 1])),
        class_names=("bird", "cat", "dog"),
    )
    assert classes_without_images(config, few) == ["bird"]
    more = Config(**CONFIG, n_critic=0, num_classes=5)
    assert classes_without_images(more, few) == ["bird", "3", "4"]
    assert classes_without_images(Config(n_critic=0), few) == []
    assert without_images(["bird"]).startswith("no training image has the class bird: its prior stays where it began")
    assert "18, 19 and 80 more: its" in without_images(map(str, range(100)))
