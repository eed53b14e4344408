"""Means, their errors, and the values of single images."""

import math
from collections.abc import Callable

import numpy as np

from flow_gan import probability as tfp

# Resamples of the bootstrap. An error that is estimated from this many is exact to 2 %.
RESAMPLES = 1000

# Largest number of images whose values a result keeps, about 200 kB as JSON. The means are over all images.
KEPT_PER_IMAGE = 10_000


def mean_and_error(values: np.ndarray) -> tuple[float, float]:
    """Return the mean of values [n] and its standard error, sd / sqrt(n - 1), where the sd has the divisor n.

    The error of a single value is unknown, NaN.
    """
    if len(values) == 1:
        return float(np.mean(values)), math.nan
    with np.errstate(invalid="ignore"):
        return float(np.mean(values)), float(np.std(values) / math.sqrt(len(values) - 1))


def share_error(count: int, total: int) -> float:
    """Return the standard error of a binomial share, `count` of `total`.

    It is the standard deviation of the share given the count, whose distribution is Beta(count + 1, total - count + 1)
    for a uniform prior: sqrt(p (1 - p) / (total + 3)) with p = (count + 1) / (total + 2). Unlike
    sqrt(p (1 - p) / total) with p = count / total it is not 0 where none or all are counted.
    """
    p = (count + 1) / (total + 2)
    return math.sqrt(p * (1 - p) / (total + 3))


def log_mean_exp(values: np.ndarray, axis: int) -> np.ndarray:
    """Return log(mean(exp(values))) over an axis; it overflows nowhere, and is -inf where all values are."""
    return tfp.math.reduce_logmeanexp(values, axis=axis).numpy()


def kept_per_image(values: np.ndarray) -> list[float]:
    """Return the first `KEPT_PER_IMAGE` of the values [n], rounded to the digits of float32.

    Values of two models on the same images can be compared pairwise: the standard error of their mean difference is
    that of the differences, which is far smaller than that of the means if the values are correlated.
    """
    with np.errstate(over="ignore"):
        return [float(str(value)) for value in np.asarray(values[:KEPT_PER_IMAGE]).astype(np.float32)]


def resampled(
    statistic: Callable[..., float], *samples: np.ndarray, times: int = RESAMPLES, seed: int = 0
) -> np.ndarray:
    """Return the values of a statistic, [times], on resamples of n rows with replacement (the bootstrap; Efron 1979).

    The same rows are drawn from all samples, and in all calls with the same seed and n, so that the values of two
    models at the same z can be compared pairwise.

    Args:
      statistic: function of arrays like `samples`.
      *samples: [n, ...], all with the same n.
    """
    count = len(samples[0])
    rows = np.random.default_rng(seed).integers(count, size=(times, count))
    with np.errstate(invalid="ignore"):
        return np.array([statistic(*(sample[chosen] for sample in samples)) for chosen in rows])


def bootstrap_error(values: np.ndarray, count: int) -> float | None:
    """Return the standard error of a statistic of `count` = n rows from its `resampled` values; None where n is 1.

    Resamples of few rows vary too little, just as a variance with the divisor n is too small; sqrt(n / (n - 1))
    corrects this.
    """
    if count < 2:
        return None
    with np.errstate(invalid="ignore"):
        return float(np.std(values, ddof=1) * math.sqrt(count / (count - 1)))
