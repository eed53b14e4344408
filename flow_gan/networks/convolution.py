"""Convolutions whose gradients are fast on CPUs."""

from typing import Any

import keras
import tensorflow as tf

from flow_gan.networks.gradients import takes_own_gradients


def convolve(x: tf.Tensor, kernel: tf.Tensor, stride: int = 1) -> tf.Tensor:
    """Convolve [batch, H, W, channels] with [height, width, channels, filters], zero padding.

    The result is that of `tf.nn.conv2d`, and has derivatives of any order. Two of oneDNN's gradients are slow on CPUs,
    and are computed in other ways: see `_by_patches` and `_by_phases`.
    """
    kernel_gradient = _kernel_gradient_for(x, kernel, stride)
    input_gradient = _input_gradient_for(x, kernel, stride)
    if kernel_gradient is None and input_gradient is None:
        return tf.nn.conv2d(x, kernel, stride, "SAME")
    convolution = _Convolution(
        stride, kernel_gradient or _plain_kernel_gradient, input_gradient or _plain_input_gradient
    )
    return convolution.convolve(tf.convert_to_tensor(x), tf.convert_to_tensor(kernel))


@keras.saving.register_keras_serializable("flow_gan")
class Conv2D(keras.layers.Conv2D):
    """`keras.layers.Conv2D` with padding="same", equal strides and the channels last, by `convolve`."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **(kwargs | {"data_format": "channels_last"}))

    def convolution_op(self, inputs: tf.Tensor, kernel: keras.Variable) -> tf.Tensor:
        """See `convolve`."""
        return convolve(inputs, tf.convert_to_tensor(kernel), self.strides[0])


def _kernel_gradient_for(x, kernel, stride):
    """Return a function that is faster than oneDNN's kernel gradient, or None."""
    if takes_own_gradients(x) and stride > 1 and -(-x.shape[2] // stride) < 4 and kernel.shape[2] >= 16:
        return _by_patches
    return None


def _input_gradient_for(x, kernel, stride):
    """Return a function that is faster than oneDNN's input gradient, or None."""
    is_even = x.shape[1] % 2 == 0 and x.shape[2] % 2 == 0
    if (
        takes_own_gradients(x)
        and stride == 2
        and tuple(kernel.shape[:2]) == (5, 5)
        and is_even
        and kernel.shape[2] <= 3
    ):
        return _by_phases
    return None


class _Convolution:
    """A convolution and its two adjoints: all three are bilinear, and the derivatives of each are the other two."""

    def __init__(self, stride, kernel_gradient, input_gradient):
        self._stride = stride
        self._compute_kernel_gradient = kernel_gradient
        self._compute_input_gradient = input_gradient

    def convolve(self, x, kernel):
        @tf.custom_gradient
        def call(x, kernel):
            def gradient(dy):
                return self.input_gradient(kernel, dy, tf.shape(x)), self.kernel_gradient(x, dy, kernel.shape)

            return tf.nn.conv2d(x, kernel, self._stride, "SAME"), gradient

        return call(x, kernel)

    def input_gradient(self, kernel, dy, shape):
        @tf.custom_gradient
        def call(kernel, dy):
            def gradient(v):
                return self.kernel_gradient(v, dy, kernel.shape), self.convolve(v, kernel)

            return self._compute_input_gradient(kernel, dy, shape, self._stride), gradient

        return call(kernel, dy)

    def kernel_gradient(self, x, dy, shape):
        @tf.custom_gradient
        def call(x, dy):
            def gradient(v):
                return self.input_gradient(v, dy, tf.shape(x)), self.convolve(x, v)

            return self._compute_kernel_gradient(x, dy, shape, self._stride), gradient

        return call(x, dy)


def _plain_kernel_gradient(x, dy, shape, stride):
    return tf.raw_ops.Conv2DBackpropFilter(
        input=x, filter_sizes=shape, out_backprop=dy, strides=[1, stride, stride, 1], padding="SAME"
    )


def _plain_input_gradient(kernel, dy, shape, stride):
    return tf.nn.conv2d_transpose(dy, kernel, shape, stride, "SAME")


def _by_phases(kernel, dy, shape, stride):
    # For images of few channels, 5x5, stride 2 and even sizes: 1 to 64 channels, 14x14, batch 100 take 1.8 ms of CPU
    # instead of oneDNN's 4.2 (AMD EPYC with AVX-512), an update of the critic for MNIST 0.95 of its time. Every other
    # row and column of the image gets its gradient by a convolution of stride 1 with every other row and column of the
    # kernel: position 2m + p takes dy[m - 1 + t] by entry 3 - 2t + p.
    channels, filters = kernel.shape[2:]
    taps = tf.reshape(tf.pad(kernel, [[1, 0], [1, 0], [0, 0], [0, 0]]), [3, 2, 3, 2, channels, filters])
    taps = tf.transpose(tf.reverse(taps, [0, 2]), [0, 2, 5, 1, 3, 4])
    phases = tf.nn.conv2d(dy, tf.reshape(taps, [3, 3, filters, 4 * channels]), 1, "SAME")
    return tf.reshape(tf.nn.depth_to_space(phases, 2), shape)


def _by_patches(x, dy, shape, stride):
    # As one matrix product, where the output's rows are short: 5x5, stride 2, 256 to 512 channels on 4x4, batch 64 take
    # 19 ms of CPU instead of oneDNN's 32 (AMD EPYC with AVX-512), an update of the DCGAN critic 0.90 of its time.
    height, width, channels, filters = shape
    patches = tf.image.extract_patches(x, [1, height, width, 1], [1, stride, stride, 1], [1, 1, 1, 1], "SAME")
    rows = tf.reshape(patches, [-1, height * width * channels])
    return tf.reshape(tf.matmul(rows, tf.reshape(dy, [-1, filters]), transpose_a=True), shape)
