"""Means, their errors, and the values themselves."""

import math

import numpy as np

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
