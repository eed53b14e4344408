"""Means, their errors, and the values themselves."""

import math

import numpy as np

# Of the bootstrap: an error from so many is known to 2 %.
RESAMPLES = 1000

# Images whose values a result keeps: about 200 kB as JSON. The means are over all images.
KEPT_PER_IMAGE = 10_000


def mean_and_error(values):
    """Return the mean of values [n] and its standard error, sd / sqrt(n - 1) with the sd's divisor n, as floats.

    The error of a single value is not known, NaN.
    """
    if len(values) == 1:
        return float(np.mean(values)), math.nan
    with np.errstate(invalid="ignore"):
        return float(np.mean(values)), float(np.std(values) / math.sqrt(len(values) - 1))


def with_error(value, error, digits):
    """Return "value +- error"; an error that is not known is called so."""
    return f"{value:.{digits}f} +- {'unknown' if math.isnan(error) else f'{error:.{digits}f}'}"


def kept_per_image(values):
    """Return the values [n] of the first images, at most `KEPT_PER_IMAGE`, a list of floats of float32's digits.

    Two models' values of the same images belong together, place by place: their mean difference has the standard error
    of the differences, which is far smaller than that of the means where the values go together.
    """
    with np.errstate(over="ignore"):
        return [float(str(value)) for value in np.asarray(values[:KEPT_PER_IMAGE]).astype(np.float32)]


def resampled(statistic, *samples, times=RESAMPLES, seed=0):
    """Return a statistic of `times` samples of n rows drawn with replacement, [times] (the bootstrap; Efron 1979).

    The rows are the same of all samples, and in all calls with the same seed and n: of two models at the same z the
    values belong together, place by place.

    Args:
      statistic: function from arrays like `samples` to a float.
      *samples: [n, ...], of one n.
      times, seed: int.
    """
    count = len(samples[0])
    rows = np.random.default_rng(seed).integers(count, size=(times, count))
    with np.errstate(invalid="ignore"):
        return np.array([statistic(*(sample[chosen] for sample in samples)) for chosen in rows])


def bootstrap_error(values, count):
    """Return the standard error of a statistic of n rows, from its `resampled` values; None where n is 1.

    Resamples of few rows vary too little, by what the divisor n of a variance makes too little: it is put right.
    """
    if count < 2:
        return None
    with np.errstate(invalid="ignore"):
        return float(np.std(values, ddof=1) * math.sqrt(count / (count - 1)))
