"""`--recompute` keeps less for the backward pass, and changes gradients and moving averages by rounding alone."""

import functools

import numpy as np
import pytest
import tensorflow as tf

import flow_gan
from flow_gan.config import Config
from flow_gan.generators import make_generator
from flow_gan.networks.recompute import recomputed

SHAPE = (4, 4, 1)
in_graph = functools.partial(tf.function, autograph=False)
eagerly_or_in_graph = pytest.mark.parametrize("wrap", [lambda function: function, in_graph])


def cubes(x, weight):
    return {"cube": weight * tf.sin(x) ** 3}, tf.reduce_sum(x)


@eagerly_or_in_graph
def test_derivatives_of_first_and_second_order(wrap):
    def derivatives(call):
        @wrap
        def compute(x, weight):
            with tf.GradientTape() as outer:
                outer.watch([x, weight])
                with tf.GradientTape() as tape:
                    tape.watch([x, weight])
                    results, total = call(cubes, x, weight)
                    loss = tf.reduce_sum(results["cube"]) * tf.stop_gradient(total)
                first = tape.gradient(loss, [x, weight])
                slope = tf.reduce_sum(first[0] ** 2)
            return [loss, *first, *outer.gradient(slope, [x, weight])]

        return compute(tf.constant([0.3, -1.2], tf.float64), tf.constant([2.0, 0.7], tf.float64))

    plain = derivatives(lambda function, *arguments: function(*arguments))
    for value, expected in zip(derivatives(recomputed), plain, strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-12)


def test_no_gradient_flows_through_the_others():
    x = tf.constant([0.3, -1.2])
    with tf.GradientTape() as tape:
        tape.watch(x)
        _, total = recomputed(cubes, x, tf.constant(1.0))
    np.testing.assert_allclose(total, -0.9, rtol=1e-6)
    assert not np.any(tape.gradient(total, x, unconnected_gradients="zero"))


def make_flow(batch_norm, recompute, dtype="float64"):
    flow = flow_gan.RealNVP(SHAPE, 1, 3, batch_norm=batch_norm, scales=1, recompute=recompute, dtype=dtype)
    rng = np.random.default_rng(0)
    for variable in flow.trainable_variables:
        variable.assign_add(0.1 * rng.normal(size=variable.shape))
    return flow


def passes(flow):
    """Return log p of images, generated images, and the weights' gradient of a function of both."""
    rng = np.random.default_rng(1)
    x = tf.constant(rng.uniform(0.02, 0.98, (6, *SHAPE)), flow.compute_dtype)
    z = tf.constant(rng.normal(size=(6, flow.size)), flow.compute_dtype)
    with tf.GradientTape() as tape:
        log_prob, images = flow.log_prob(x, training=True), flow.decode(z, training=True)
        loss = tf.reduce_mean(log_prob) + tf.reduce_sum(images**2)
    return log_prob, images, tape.gradient(loss, flow.trainable_variables)


@eagerly_or_in_graph
@pytest.mark.parametrize("batch_norm", ["moving", "batch"])
def test_gradients_and_moving_averages(batch_norm, wrap):
    plain, saving = (make_flow(batch_norm, recompute) for recompute in (False, True))
    expected, found = (tf.nest.flatten(wrap(functools.partial(passes, flow))()) for flow in (plain, saving))
    for value, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(value, other, rtol=1e-9, atol=1e-12)
    # Each of the two passes updates them once.
    for average, other in zip(saving.non_trainable_variables, plain.non_trainable_variables, strict=True):
        np.testing.assert_array_equal(average, other, err_msg=average.path)
    assert len(saving.non_trainable_variables) == (16 if batch_norm == "moving" else 0)


@pytest.mark.parametrize("batch_norm", ["moving", "batch"])
def test_in_single_precision(batch_norm):
    """Its batch norms are other operations."""
    expected, found = (passes(make_flow(batch_norm, recompute, "float32"))[-1] for recompute in (False, True))
    for gradient, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(gradient, other, rtol=1e-4, atol=1e-5 * np.abs(other).max())


def numbers_kept(batch_norm, recompute):
    """Return how many numbers a residual network returns in a training: its results, and what its gradient needs."""
    network = flow_gan.RealNVP((8, 8, 3), 2, 16, batch_norm=batch_norm, scales=1, recompute=recompute).networks[0]
    run = in_graph(lambda x: network(x, training=True), experimental_attributes={"_noinline": True})

    @in_graph
    def gradient(x):
        with tf.GradientTape() as tape:
            shift, log_scale = run(x)
            loss = tf.reduce_sum(shift * log_scale)
        return tape.gradient(loss, network.trainable_variables)

    graph = gradient.get_concrete_function(tf.TensorSpec([10, 8, 8, 3])).graph
    forward, _ = (op for op in graph.get_operations() if op.type.endswith("PartitionedCall"))
    name = forward.get_attr("f").name
    (definition,) = (f for f in graph.as_graph_def().library.function if f.signature.name == name)
    nodes = {node.name: node for node in definition.node_def}

    def source(tensor):
        """Return the tensor that this one is, since an identity has no memory of its own."""
        operation, _, place = tensor.partition(":")
        node = nodes.get(operation)
        return source(node.input[int(place.rpartition(":")[2])]) if node and "Identity" in node.op else tensor

    names = (source(definition.ret[output.name]) for output in definition.signature.output_arg)
    sizes = {name: output.shape.num_elements() or 0 for name, output in zip(names, forward.outputs, strict=True)}
    return sum(sizes.values())


@pytest.mark.parametrize("batch_norm, share", [("moving", 0.6), ("batch", 0.7)])
def test_less_is_kept(batch_norm, share):
    assert numbers_kept(batch_norm, True) < share * numbers_kept(batch_norm, False)


@pytest.mark.parametrize("recompute", [False, True])
def test_the_flag_reaches_every_network(recompute):
    config = Config(model_type="real_nvp", recompute=recompute, filters=2, no_of_layers=1)
    generator = make_generator(config, SHAPE)
    assert [network.recompute for network in generator.networks] == [recompute] * 10
    restored = type(generator).from_config(generator.get_config())
    assert [network.recompute for network in restored.networks] == [recompute] * 10
