"""The matrix product against TensorFlow's own: result, gradients and second derivatives."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from flow_gan.networks import dense, gradients
from tests.helpers.derivatives import derivatives


def test_derivatives():
    rng = np.random.default_rng(0)
    x, kernel = tf.constant(rng.normal(size=(3, 5))), tf.constant(rng.normal(size=(5, 4)))
    ours = derivatives(dense._multiply, x, kernel)
    for actual, expected in zip(ours, derivatives(tf.matmul, x, kernel), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("policy", ["float32", "float64", "mixed_bfloat16"])
def test_layer_is_that_of_keras(use_bias, policy):
    own, theirs = (
        layer(3, activation="relu", use_bias=use_bias, bias_initializer="normal", dtype=policy, name="dense")
        for layer in (dense.Dense, keras.layers.Dense)
    )
    x = tf.random.stateless_normal((4, 5), (0, 1))
    for layer in (own, theirs):
        layer.build((None, 5))
    theirs.set_weights(own.get_weights())
    assert [v.path for v in own.weights] == [v.path for v in theirs.weights]
    assert own(x).dtype == theirs(x).dtype
    np.testing.assert_allclose(tf.cast(own(x), "float64"), tf.cast(theirs(x), "float64"), rtol=1e-6)


def operations(x, kernel):
    """Return the types of the operations of the gradients of a product."""

    @tf.function
    def gradient(x, kernel):
        with tf.GradientTape() as tape:
            tape.watch([x, kernel])
            y = dense.multiply(x, kernel)
        return tape.gradient(y, [x, kernel])

    return {operation.type for operation in gradient.get_concrete_function(x, kernel).graph.get_operations()}


def test_which_gradient():
    x, kernel = tf.ones((2, 3)), tf.ones((3, 4))
    assert "Einsum" in operations(x, kernel)
    assert "Einsum" not in operations(tf.cast(x, "float64"), tf.cast(kernel, "float64"))
    with gradients.library_gradients():
        assert "Einsum" not in operations(x, kernel)
