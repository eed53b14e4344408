"""Convolutions whose kernel gradients are fast on CPUs."""

import contextlib
import contextvars
import functools

import keras
import numpy as np
import tensorflow as tf

_uses_library_gradients = contextvars.ContextVar("uses_library_gradients", default=False)


@contextlib.contextmanager
def library_gradients():
    """Leave the gradients of the convolutions that are made in this context to TensorFlow.

    For graphs that other programs load, which have no gradients of ours.
    """
    token = _uses_library_gradients.set(True)
    try:
        yield
    finally:
        _uses_library_gradients.reset(token)


def uses_library_gradients():
    """Whether convolutions made now leave their gradients to TensorFlow; see `library_gradients`."""
    return _uses_library_gradients.get()


def convolve(x, kernel, stride=1):
    """Convolve [batch, H, W, channels] with [height, width, channels, filters], zero padding; differentiable at will.

    The result is that of `tf.nn.conv2d`. On CPUs some of oneDNN's gradients are slow: that of the kernel reaches half
    the rate of the convolution, or a tenth where the output's rows are short, that of a one-channel image half of what
    it could. There they are computed otherwise (2 cores, AMD EPYC):

        kernel, 3x3, 64 to 64 channels on 32x32, stride 1, batch 16     17.3 ms by oneDNN, 11.5 as nine matrix products
        kernel, 5x5, 256 to 512 channels on 4x4, stride 2, batch 16     36.7 ms by oneDNN,  4.8 as one with the patches
        input, 5x5, 1 to 64 channels on 14x14, stride 2, batch 100        2.9 ms by oneDNN,  1.4 as four small ones

    A Real-NVP step of maximum likelihood takes 0.93 of the time by the first, a hybrid one 0.80 by the second, the
    critic's updates of a NICE hybrid step 0.96 by the third. With AVX-512 the first is no gain (6.2 ms by oneDNN, 8.4
    as nine matrix products), and is left to oneDNN.
    """
    kernel_gradient = _kernel_gradient_for(x, kernel, stride)
    input_gradient = _input_gradient_for(x, kernel, stride)
    if kernel_gradient is None and input_gradient is None:
        return tf.nn.conv2d(x, kernel, stride, "SAME")
    convolution = _Convolution(
        stride, kernel_gradient or _plain_kernel_gradient, input_gradient or _plain_input_gradient
    )
    return convolution.convolve(tf.convert_to_tensor(x), tf.convert_to_tensor(kernel))


class Conv2D(keras.layers.Conv2D):
    """`keras.layers.Conv2D` with padding="same", equal strides and the channels last, by `convolve`."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **(kwargs | {"data_format": "channels_last"}))

    def convolution_op(self, inputs, kernel):
        """See `convolve`."""
        return convolve(inputs, tf.convert_to_tensor(kernel), self.strides[0])


@functools.cache
def _has_avx512():
    # NumPy looks at the CPU when it is imported, on every platform; there is no public name for what it found.
    return bool(np._core._multiarray_umath.__cpu_features__.get("AVX512F"))


def _is_for_onednn(x):
    # Where functions run eagerly, to debug a program or to count its work, and for other programs it is the plain one.
    is_plain = tf.config.functions_run_eagerly() or uses_library_gradients()
    return x.dtype == tf.float32 and not tf.config.get_visible_devices("GPU") and not is_plain


def _kernel_gradient_for(x, kernel, stride):
    """Return the function that beats oneDNN's kernel gradient, or None."""
    height, width, channels, filters = kernel.shape
    if not _is_for_onednn(x):
        return None
    if stride == 1 and height == width == 3 and min(channels, filters) >= 16 and not _has_avx512():
        return _by_shifts
    if stride > 1 and -(-x.shape[2] // stride) < 4 and channels >= 16:
        return _by_patches
    return None


def _input_gradient_for(x, kernel, stride):
    """Return the function that beats oneDNN's input gradient, or None."""
    is_even = x.shape[1] % 2 == 0 and x.shape[2] % 2 == 0
    if _is_for_onednn(x) and stride == 2 and tuple(kernel.shape[:2]) == (5, 5) and is_even and kernel.shape[2] <= 3:
        return _by_phases
    return None


class _Convolution:
    """A convolution and its two adjoints: all bilinear, and one another's derivatives."""

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
    # For 5x5, stride 2 and even sizes. Every other row and column of the image gets its gradient by a convolution of
    # stride 1 with every other row and column of the kernel: position 2m + p takes dy[m - 1 + t] by entry 3 - 2t + p.
    channels, filters = kernel.shape[2:]
    taps = tf.reshape(tf.pad(kernel, [[1, 0], [1, 0], [0, 0], [0, 0]]), [3, 2, 3, 2, channels, filters])
    taps = tf.transpose(tf.reverse(taps, [0, 2]), [0, 2, 5, 1, 3, 4])
    phases = tf.nn.conv2d(dy, tf.reshape(taps, [3, 3, filters, 4 * channels]), 1, "SAME")
    return tf.reshape(tf.nn.depth_to_space(phases, 2), shape)


def _by_patches(x, dy, shape, stride):
    height, width, channels, filters = shape
    patches = tf.image.extract_patches(x, [1, height, width, 1], [1, stride, stride, 1], [1, 1, 1, 1], "SAME")
    rows = tf.reshape(patches, [-1, height * width * channels])
    return tf.reshape(tf.matmul(rows, tf.reshape(dy, [-1, filters]), transpose_a=True), shape)


def _by_shifts(x, dy, shape, stride):
    size, _, channels, filters = shape
    before, after = (size - 1) // 2, size // 2
    # With both padded to the same width, and every pixel a row, a shift of the image is a shift of the rows.
    rows = tf.reshape(tf.pad(x, [[0, 0], [before, after], [before, after], [0, 0]]), [-1, channels])
    gradients = tf.reshape(tf.pad(dy, [[0, 0], [0, size - 1], [0, size - 1], [0, 0]]), [-1, filters])
    width = x.shape[2] + size - 1
    count = tf.shape(rows)[0] - (size - 1) * (width + 1)
    gradients = gradients[:count]
    products = []
    for i in range(size):
        for j in range(size):
            first = i * width + j
            products.append(tf.matmul(rows[first : first + count], gradients, transpose_a=True))
    return tf.reshape(tf.stack(products), shape)
