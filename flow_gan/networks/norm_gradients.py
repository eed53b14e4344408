"""Norms with gradients that are written out: they read and write about half as much as TensorFlow's own.

They have derivatives of any order. With them and with `activations.LeakyReLU` a step of NICE on MNIST by MLE takes 0.97
of its time before, a hybrid one 0.96, or 0.94 with the critic for colour images, and one of Real-NVP by MLE with
`batch_norm="batch"` and one block 0.88 (two cores, Intel Xeon with AVX-512; medians of three to five pairs).
"""

import math
from typing import Any

import tensorflow as tf


def normalize_whole(
    x: tf.Tensor, epsilon: float, scale: tf.Tensor | None, shift: tf.Tensor | None
) -> tuple[tf.Tensor, tuple[tf.Tensor, tf.Tensor]]:
    """Return (x - mean) / sqrt(variance + epsilon) * scale + shift, and (mean, biased variance), of the whole tensor.

    No gradient flows through the mean and the variance that are returned.

    Args:
      x: of any shape.
      epsilon: float.
      scale, shift: scalars; 1 and 0 if both are None.
    """
    count = tf.cast(tf.size(x), x.dtype)

    @tf.custom_gradient
    def call(x: Any, *weights: Any) -> Any:
        mean = tf.reduce_mean(x)
        centred = x - mean
        variance = tf.nn.l2_loss(centred) * (2 / count)
        inverse = tf.math.rsqrt(variance + epsilon)
        factor = weights[0] * inverse if weights else inverse
        y = centred * factor

        def gradient(dy, *_):
            total, slope = tf.reduce_sum(dy), tf.reduce_sum(dy * centred) * inverse
            dx = dy * factor - (centred * (slope * inverse * factor / count) + total * factor / count)
            return dx, *((slope, total) if weights else ())

        return (y + weights[1] if weights else y, mean, variance), gradient

    y, *statistics = call(x, *(() if scale is None else (scale, shift)))
    mean, variance = map(tf.stop_gradient, statistics)
    return y, (mean, variance)


def normalize_layer(x: tf.Tensor, epsilon: float, scale: tf.Tensor, offset: tf.Tensor) -> tf.Tensor:
    """Return (x - mean) / sqrt(variance + epsilon) * scale + offset, with one mean and biased variance per image.

    Args:
      x: [batch, H, W, C], of which only the batch may be unknown.
      epsilon: float.
      scale, offset: [C].
    """
    axes, of_channels = [1, 2, 3], {"axis": [1, 2], "keepdims": True}

    @tf.custom_gradient
    def call(x: Any, scale: Any, offset: Any) -> Any:
        count = tf.constant(math.prod(x.shape[1:]), x.dtype)
        centred = x - tf.reduce_mean(x, axes, keepdims=True)
        inverse = tf.math.rsqrt(tf.reduce_mean(tf.square(centred), axes, keepdims=True) + epsilon)
        factor = scale * inverse

        def gradient(dy):
            # Sums for each image and channel: few numbers.
            totals, slopes = tf.reduce_sum(dy, **of_channels), tf.reduce_sum(dy * centred, **of_channels) * inverse
            total = tf.reduce_sum(totals * factor, 3, keepdims=True) / count
            slope = tf.reduce_sum(slopes * factor, 3, keepdims=True) * inverse / count
            dx = dy * factor - (centred * slope + total)
            return dx, tf.reduce_sum(slopes, [0, 1, 2]), tf.reduce_sum(totals, [0, 1, 2])

        return centred * factor + offset, gradient

    return call(x, scale, offset)
