"""The convolution against TensorFlow's own: result, gradients and second derivatives."""

import numpy as np
import pytest
import tensorflow as tf

from flow_gan.networks import convolution
from tests.helpers.derivatives import derivatives

# Kernel size, image size, stride, and the functions of the kernel gradient and of the input gradient.
PLAIN = convolution._plain_kernel_gradient, convolution._plain_input_gradient
CASES = {
    "patches, even": (5, (4, 6), 2, convolution._by_patches, PLAIN[1]),
    "patches, odd": (5, (3, 5), 2, convolution._by_patches, PLAIN[1]),
    "phases": (5, (4, 6), 2, PLAIN[0], convolution._by_phases),
}


@pytest.mark.parametrize("case", CASES)
def test_derivatives(case):
    size, image, stride, *gradients = CASES[case]
    rng = np.random.default_rng(0)
    x = tf.constant(rng.normal(size=(3, *image, 2)))
    kernel = tf.constant(rng.normal(size=(size, size, 2, 4)))
    ours = derivatives(convolution._Convolution(stride, *gradients).convolve, x, kernel)
    theirs = derivatives(lambda x, w: tf.nn.conv2d(x, w, stride, "SAME"), x, kernel)
    for actual, expected in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-10, atol=1e-10)


def test_which_kernel_gradient():
    def choice(kernel, image, stride, dtype=tf.float32):
        return convolution._kernel_gradient_for(tf.zeros((1, *image), dtype), tf.zeros(kernel, dtype), stride)

    assert choice((5, 5, 256, 512), (4, 4, 256), 2) is convolution._by_patches
    assert choice((5, 5, 128, 256), (8, 8, 128), 2) is None
    assert choice((1, 1, 64, 64), (32, 32, 64), 1) is None
    assert choice((5, 5, 256, 512), (4, 4, 256), 2, tf.float64) is None
    assert choice((3, 3, 64, 64), (32, 32, 64), 1) is None


def test_which_input_gradient():
    def choice(kernel, image, stride):
        return convolution._input_gradient_for(tf.zeros((1, *image)), tf.zeros(kernel), stride)

    assert choice((5, 5, 1, 64), (14, 14, 1), 2) is convolution._by_phases
    assert choice((5, 5, 64, 128), (16, 16, 64), 2) is None
    assert choice((5, 5, 1, 64), (7, 7, 1), 2) is None
    assert choice((3, 3, 1, 64), (14, 14, 1), 1) is None
