"""One set of checks over every critic."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

import flow_gan
from flow_gan.networks.critics import CRITICS

SHAPES = [(8, 8, 1), (28, 28, 1), (7, 9, 3)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("divergence", ["wgan", "ce"])
@pytest.mark.parametrize("name", CRITICS)
def test_any_shape(name, divergence, shape):
    critic = CRITICS[name](shape, divergence, filters=3)
    images = np.random.default_rng(0).uniform(size=(5, *shape)).astype(np.float32)
    logits = critic(images, training=True)
    assert logits.shape == [5, 1] and np.isfinite(logits).all()
    # Without batch statistics an image's logit is its own.
    np.testing.assert_allclose(critic(images)[:2], critic(images[:2]), atol=1e-6)
    if divergence == "wgan":
        np.testing.assert_allclose(logits[:2], critic(images[:2], training=True), atol=1e-6)


@pytest.mark.parametrize("name", CRITICS)
def test_initial_weights(name):
    first, again, other = (CRITICS[name]((8, 8, 1), filters=4, seed=seed) for seed in (0, 0, 1))
    kernels = [v.numpy() for v in first.trainable_variables if v.shape.rank > 1 and v.shape[0] > 0]
    for kernel, same, another in zip(first.weights, again.weights, other.weights, strict=True):
        np.testing.assert_array_equal(kernel, same)
        if kernel.shape.rank > 1:
            assert np.abs(kernel.numpy() - another.numpy()).max() > 0.001
    assert all(kernel.std() < 0.03 for kernel in kernels)


def weights_of(critic):
    return sum(int(np.prod(v.shape)) for v in critic.trainable_variables)


def test_number_of_weights():
    conv1, conv2 = 25 * 1 * 1 + 1, 25 * 1 * 64 + 64
    dense1, dense2 = 7 * 7 * 64 * 1024 + 1024, 1024 + 1
    assert weights_of(flow_gan.critics.two_convolutions((28, 28, 1))) == conv1 + conv2 + dense1 + dense2
    norms = 2 * 64 + 2 * 1024
    assert weights_of(flow_gan.critics.two_convolutions((28, 28, 1), "ce")) == conv1 + conv2 + dense1 + dense2 + norms
    widths = [3, 64, 128, 256, 512]
    convs = sum(25 * a * b + b for a, b in itertools.pairwise(widths))
    dense = 2 * 2 * 512 + 1
    assert weights_of(flow_gan.critics.dcgan((32, 32, 3))) == convs + dense + 2 * (64 + 128 + 256 + 512)
    assert weights_of(flow_gan.critics.dcgan((32, 32, 3), "kl")) == convs + dense + 2 * (128 + 256 + 512)


def test_normalization_follows_the_divergence():
    def kinds(critic):
        return {type(layer).__name__ for layer in critic.stack} & {"BatchNorm", "LayerNorm"}

    assert kinds(flow_gan.critics.two_convolutions((8, 8, 1), "wgan")) == set()
    assert kinds(flow_gan.critics.two_convolutions((8, 8, 1), "lsgan")) == {"BatchNorm"}
    assert kinds(flow_gan.critics.dcgan((8, 8, 3), "wgan")) == {"LayerNorm"}
    assert kinds(flow_gan.critics.dcgan((8, 8, 3), "tv")) == {"BatchNorm"}


def test_float64():
    critic = flow_gan.critics.two_convolutions((8, 8, 1), filters=2, dense_units=3, dtype="float64")
    assert critic(np.zeros((1, 8, 8, 1))).dtype == tf.float64
