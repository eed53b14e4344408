"""Elementwise transformations: the logit of an image and the diagonal scaling and the standardisation of a vector."""

import numpy as np
import tensorflow as tf

from flow_gan import probability as tfp
from flow_gan.bijectors.identity import Chain

tfb = tfp.bijectors


class StableSigmoid(tfp.bijectors.Sigmoid):
    """`tfp.bijectors.Sigmoid` with a derivative that is finite everywhere.

        forward  x = low + (high - low) sigmoid(y)
        dx/dy = (high - low) sigmoid(y) (1 - sigmoid(y)), 0 where this underflows

    The library's own value is right, but it also computes exp(y) in the branch that is not used: above y = 88.7 in
    float32 (709 in float64) this is infinite, and its derivative times 0 is NaN.
    """

    def _forward(self, x):
        is_negative = x < 0
        # e^-|x|, at most 1. Without tf.abs, whose derivative at 0 is 0.
        exponential = tf.exp(tf.where(is_negative, x, -x))
        # sigmoid(-|x|), the distance to the nearer end.
        tail = (self.high - self.low) * (exponential / (1 + exponential))
        return tf.where(is_negative, self.low + tail, self.high - tail)


def alpha_logit(alpha: float, dtype: np.typing.DTypeLike) -> tfp.bijectors.Bijector:
    """Return the bijector from an image in [0, 1] to the real line.

        forward  y = log w - log(1 - w),  w = alpha + (1 - 2 alpha) x
        inverse  x = (sigmoid(y) - alpha) / (1 - 2 alpha)
        log |det dy/dx| = sum over pixels of -log w - log(1 - w) + log(1 - 2 alpha)

    `alpha` keeps the logit finite at black and white pixels (0 < alpha < 0.5). A sigmoid onto
    (low, high) = (-alpha, 1 - alpha) / (1 - 2 alpha) is the same map, computed more accurately at both ends.
    """
    dtype = np.dtype(dtype)
    low = np.asarray(-alpha / (1 - 2 * alpha), dtype)
    high = np.asarray((1 - alpha) / (1 - 2 * alpha), dtype)
    return tfb.Invert(StableSigmoid(low=low, high=high), name="alpha_logit")


def diagonal_scaling(log_scale: tf.Tensor) -> tfp.bijectors.Bijector:
    """Return the bijector y = x * exp(log_scale) with log |det dy/dx| = sum(log_scale) (NICE's last layer).

    `log_scale` is [D], one entry per element of the vector.
    """
    return tfb.Scale(log_scale=log_scale, name="diagonal_scaling")


def standardization(mean: tf.Tensor, log_scale: tf.Tensor) -> tfp.bijectors.Bijector:
    """Return the bijector z = (u - mean) exp(-log_scale) with log |det dz/du| = -sum(log_scale).

    `mean` and `log_scale` are [D], one entry per element of the vector, or [batch, D] for vectors [batch, D].
    """
    return tfb.Invert(Chain([tfb.Shift(mean), tfb.Scale(log_scale=log_scale)]), name="standardization")
