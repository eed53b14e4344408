"""Critics against the original release's numbers."""

import numpy as np
import pytest
import tensorflow as tf

from tests.helpers.golden import Golden, assert_moving, moving_averages


@pytest.mark.parametrize("name", ["disc_mnist_wgan", "disc_mnist_other", "disc_cifar_wgan", "disc_cifar_other"])
def test_outputs(name):
    golden = Golden(name)
    critic = golden.critic()
    images = tf.constant(golden["image"])
    with tf.GradientTape() as tape:
        tape.watch(images)
        logits = critic(images, training=True)
        total = tf.reduce_sum(logits)
    np.testing.assert_allclose(logits, golden["logits"], atol=2e-5)
    np.testing.assert_allclose(tf.sigmoid(logits), golden["sigmoid"], atol=2e-5)
    expected = golden["dlogits_dimage"]
    error = np.abs(tape.gradient(total, images) - expected).max()
    assert error <= 1e-3 * np.abs(expected).max()
    if name.endswith("other"):
        assert golden.below("after")
        assert_moving(moving_averages(critic), golden.below("after"), golden.below("var"))
