"""Norms and activations whose gradients are written out: results, first and second derivatives, against TensorFlow."""

import numpy as np
import pytest
import tensorflow as tf

from flow_gan.networks import activations, gradients, norm_gradients, normalization
from tests.helpers.derivatives import derivatives

EPSILON = 1e-3
SHAPE = (4, 3, 5, 6)


def whole(x, *weights):
    return norm_gradients.normalize_whole(x, EPSILON, *weights)[0]


def plain_whole(x, *weights):
    return normalization.normalize(x, *normalization.moments(x, [0, 1, 2, 3]), EPSILON, *weights)


def layer(x, *weights):
    return norm_gradients.normalize_layer(x, EPSILON, *weights)


def plain_layer(x, scale, offset):
    # Not tf.nn.moments, whose second derivatives are inexact.
    mean = tf.reduce_mean(x, [1, 2, 3], keepdims=True)
    variance = tf.reduce_mean(tf.square(x - mean), [1, 2, 3], keepdims=True)
    return (x - mean) / tf.sqrt(variance + EPSILON) * scale + offset


@pytest.mark.parametrize("has_graph", [False, True])
@pytest.mark.parametrize(
    ("written_out", "plain", "weights"),
    [
        (whole, plain_whole, [(), ()]),
        (lambda x: whole(x, None, None), plain_whole, []),
        (layer, plain_layer, [SHAPE[-1:], SHAPE[-1:]]),
    ],
    ids=["whole", "whole, no weights", "layer"],
)
def test_derivatives(written_out, plain, weights, has_graph):
    rng = np.random.default_rng(0)
    given = [tf.constant(rng.normal(2, 3, size=shape)) for shape in (SHAPE, *weights)]
    run = tf.function(derivatives) if has_graph else derivatives
    ours = run(tf.function(written_out) if has_graph else written_out, *given)
    for actual, expected in zip(ours, derivatives(plain, *given), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_statistics(dtype):
    """Written out in float32, and plain in float64."""
    x = tf.constant(np.random.default_rng(0).normal(2, 3, size=SHAPE), dtype)
    with tf.GradientTape() as tape:
        tape.watch(x)
        _, (mean, variance) = normalization.whole_batch_norm(x, EPSILON)
    np.testing.assert_allclose(mean, np.mean(x), rtol=1e-6)
    np.testing.assert_allclose(variance, np.var(x), rtol=1e-6)
    assert tape.gradient([mean, variance], x) is None


def test_leaky_relu():
    x = tf.constant([-3.0, -1e-30, 0.0, 1e-30, 2.0], "float64")
    ours = derivatives(activations._leaky_relu, x)
    # The operation's slope is 0.2 in float32, whatever the dtype.
    for actual, expected in zip(ours, derivatives(activations.LeakyReLU(dtype="float64"), x), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-7)


def layer_norm():
    norm = normalization.LayerNorm()
    norm.build(SHAPE)
    return norm


def test_layer_norm_of_no_image():
    assert layer_norm()(tf.zeros([0, *SHAPE[1:]])).shape == (0, *SHAPE[1:])


@pytest.mark.parametrize(
    ("call", "operation"),
    [
        (activations.LeakyReLU(), "LeakyReluGrad"),
        (lambda x: normalization.whole_batch_norm(x, EPSILON)[0], "L2Loss"),
        (layer_norm(), "IdentityN"),
    ],
)
def test_which_gradient(call, operation):
    def operations(dtype):
        @tf.function
        def gradient(x):
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = call(x)
            return tape.gradient(y, x)

        graph = gradient.get_concrete_function(tf.ones(SHAPE, dtype)).graph
        return {one.type for one in graph.get_operations()}

    assert operation in operations("float32")
    with gradients.library_gradients():
        assert operation not in operations("float32")
