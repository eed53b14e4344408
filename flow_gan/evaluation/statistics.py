"""Means over images."""

import math

import numpy as np


def mean_and_error(values):
    """Return the mean of values [n] and its standard error, sd / sqrt(n - 1) with the sd's divisor n, as floats."""
    with np.errstate(invalid="ignore"):
        return float(np.mean(values)), float(np.std(values) / math.sqrt(max(len(values) - 1, 1)))
