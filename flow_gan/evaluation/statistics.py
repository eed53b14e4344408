"""Means and their errors."""

import math

import numpy as np


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
