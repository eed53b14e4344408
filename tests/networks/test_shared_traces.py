"""What a shared trace passes from its forward to its backward function."""

import pytest
import tensorflow as tf

import flow_gan

FLOWS = {
    "nice": lambda: flow_gan.NICE((4, 4, 1), num_hidden_layers=1, hidden_units=8),
    "real_nvp": lambda: flow_gan.RealNVP((4, 4, 1), 1, filters=2, scales=1),
    "real_nvp, recompute": lambda: flow_gan.RealNVP((4, 4, 1), 1, filters=2, scales=1, recompute=True),
    "glow": lambda: flow_gan.Glow((4, 4, 1), 1, scales=1, filters=2),
}


@pytest.mark.parametrize("flow", FLOWS)
def test_no_integer_goes_from_the_forward_to_the_backward_pass(flow):
    """XLA would have to know such a number when it compiles, and with it all arguments of the forward function: a step
    with `jit_compile` would be compiled anew whenever the weights change.
    """
    generator = FLOWS[flow]()

    @tf.function(autograph=False)
    def gradients(images):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(generator.log_prob(images, training=True))
        return tape.gradient(loss, generator.trainable_variables)

    graph = gradients.get_concrete_function(tf.TensorSpec([2, 4, 4, 1])).graph
    calls = [op for op in graph.get_operations() if "PartitionedCall" in op.type]
    assert calls
    passed = [output for op in calls for output in op.outputs if output.consumers()]
    assert passed and not [output for output in passed if output.dtype.is_integer]
