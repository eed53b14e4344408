"""Elementwise transformations: the logit of an image and the diagonal scaling of a vector."""

import numpy as np
import tensorflow_probability as tfp

tfb = tfp.bijectors


def alpha_logit(alpha, dtype):
    """Return the bijector from an image in [0, 1] to the real line.

        forward  y = log w - log(1 - w),  w = alpha + (1 - 2 alpha) x
        inverse  x = (sigmoid(y) - alpha) / (1 - 2 alpha)
        log |det dy/dx| = sum over pixels of -log w - log(1 - w) + log(1 - 2 alpha)

    `alpha` keeps the logit finite at black and white pixels (0 < alpha < 0.5). tfp's sigmoid onto
    (low, high) = (-alpha, 1 - alpha) / (1 - 2 alpha) is the same map, computed more accurately at both ends.
    """
    dtype = np.dtype(dtype)
    low = np.asarray(-alpha / (1 - 2 * alpha), dtype)
    high = np.asarray((1 - alpha) / (1 - 2 * alpha), dtype)
    return tfb.Invert(tfb.Sigmoid(low=low, high=high), name="alpha_logit")


def diagonal_scaling(log_scale):
    """Return the bijector y = x * exp(log_scale) with log |det dy/dx| = sum(log_scale) (NICE's last layer).

    `log_scale` is [D], one entry per element of the vector.
    """
    return tfb.Scale(log_scale=log_scale, name="diagonal_scaling")
