"""The convolution against TensorFlow's own: result, gradients and second derivatives."""

import numpy as np
import pytest
import tensorflow as tf

from flow_gan.networks import convolution

# Kernel size, image size, stride, and the functions of the kernel gradient and of the input gradient.
PLAIN = convolution._plain_kernel_gradient, convolution._plain_input_gradient
CASES = {
    "shifts": (3, (5, 4), 1, convolution._by_shifts, PLAIN[1]),
    "patches, even": (5, (4, 6), 2, convolution._by_patches, PLAIN[1]),
    "patches, odd": (5, (3, 5), 2, convolution._by_patches, PLAIN[1]),
    "phases": (5, (4, 6), 2, PLAIN[0], convolution._by_phases),
}


def derivatives(convolve, x, kernel):
    """Return the gradients of a function of the result, and those of a function of these."""
    with tf.GradientTape() as outer:
        outer.watch([x, kernel])
        with tf.GradientTape() as inner:
            inner.watch([x, kernel])
            value = tf.reduce_sum(tf.sin(convolve(x, kernel)))
        dx, dw = inner.gradient(value, [x, kernel])
        penalty = tf.reduce_sum(dx**2) + tf.reduce_sum(dw**3)
    return [value, dx, dw, *outer.gradient(penalty, [x, kernel])]


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


def test_which_kernel_gradient(monkeypatch):
    monkeypatch.setattr(convolution, "_has_avx512", lambda: False)

    def choice(kernel, image, stride, dtype=tf.float32):
        return convolution._kernel_gradient_for(tf.zeros((1, *image), dtype), tf.zeros(kernel, dtype), stride)

    assert choice((3, 3, 64, 64), (32, 32, 64), 1) is convolution._by_shifts
    assert choice((5, 5, 256, 512), (4, 4, 256), 2) is convolution._by_patches
    assert choice((5, 5, 128, 256), (8, 8, 128), 2) is None
    assert choice((1, 1, 64, 64), (32, 32, 64), 1) is None
    assert choice((3, 3, 64, 64), (32, 32, 64), 1, tf.float64) is None
    monkeypatch.setattr(convolution, "_has_avx512", lambda: True)
    assert choice((3, 3, 64, 64), (32, 32, 64), 1) is None
    assert choice((5, 5, 256, 512), (4, 4, 256), 2) is convolution._by_patches


def test_which_input_gradient():
    def choice(kernel, image, stride):
        return convolution._input_gradient_for(tf.zeros((1, *image)), tf.zeros(kernel), stride)

    assert choice((5, 5, 1, 64), (14, 14, 1), 2) is convolution._by_phases
    assert choice((5, 5, 64, 128), (16, 16, 64), 2) is None
    assert choice((5, 5, 1, 64), (7, 7, 1), 2) is None
    assert choice((3, 3, 1, 64), (14, 14, 1), 1) is None
