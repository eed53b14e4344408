"""The dense layer against TensorFlow's own operations: result, gradients and second derivatives."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.eager import context

from flow_gan.networks import dense, gradients
from tests.helpers.derivatives import derivatives


@pytest.mark.parametrize("has_relu", [True, False])
@pytest.mark.parametrize("use_bias", [True, False])
def test_derivatives(has_relu, use_bias):
    rng = np.random.default_rng(0)
    shapes = [(3, 5), (5, 4), (4,)]
    values = [tf.constant(rng.normal(size=shape)) for shape in (shapes if use_bias else shapes[:2])]

    def ours(x, *weights):
        return dense._affine_with_own_gradients(x, weights, has_relu)

    def theirs(x, *weights):
        y = dense._affine(x, *weights)
        return tf.nn.relu(y) if has_relu else y

    for actual, expected in zip(derivatives(ours, *values), derivatives(theirs, *values), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("activation", ["relu", "tanh", None])
@pytest.mark.parametrize("policy", ["float32", "float64", "mixed_bfloat16"])
def test_layer_is_that_of_keras(use_bias, activation, policy):
    own, theirs = (
        layer(3, activation=activation, use_bias=use_bias, bias_initializer="normal", dtype=policy, name="dense")
        for layer in (dense.Dense, keras.layers.Dense)
    )
    x = tf.random.stateless_normal((4, 5), (0, 1))
    for layer in (own, theirs):
        layer.build((None, 5))
    theirs.set_weights(own.get_weights())
    assert [v.path for v in own.weights] == [v.path for v in theirs.weights]
    assert own(x).dtype == theirs(x).dtype
    np.testing.assert_allclose(tf.cast(own(x), "float64"), tf.cast(theirs(x), "float64"), rtol=1e-6)


def operations(dtype):
    """Return the types of the operations of the gradients of a layer."""
    layer = dense.Dense(4, activation="relu", dtype=dtype)
    layer.build((None, 3))

    @tf.function
    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
        return tape.gradient(y, [x, layer.kernel.value])

    x = tf.ones((2, 3), dtype)
    return {operation.type for operation in gradient.get_concrete_function(x).graph.get_operations()}


def test_which_gradient():
    assert "Einsum" in operations("float32")
    assert "Einsum" not in operations("float64")
    with gradients.library_gradients():
        assert "Einsum" not in operations("float32")


def test_product_bias_and_relu_become_one_operation():
    layer = dense.Dense(64, activation="relu")
    layer.build((None, 64))

    @tf.function(autograph=False)
    def step(x):
        with tf.GradientTape() as tape:
            y = tf.reduce_sum(layer(x))
        return tape.gradient(y, [v.value for v in layer.trainable_variables])

    context.enable_graph_collection()
    step(tf.ones((8, 64)))
    graphs = context.export_run_metadata().partition_graphs
    context.disable_graph_collection()
    operations = [node.op for graph in graphs for node in graph.node]
    assert any("FusedMatMul" in name for name in operations)
    assert not {"BiasAdd", "Relu"} & set(operations)
