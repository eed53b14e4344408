import math

import numpy as np
import pytest

from flow_gan.evaluation.statistics import log_mean_exp, share_error


@pytest.mark.parametrize("axis", [0, 1])
def test_log_mean_exp(axis):
    values = np.random.default_rng(0).normal(size=(4, 5))
    expected = np.log(np.mean(np.exp(values), axis=axis))
    np.testing.assert_allclose(log_mean_exp(values, axis), expected, rtol=1e-14, atol=1e-15)
    # In nats of whole images, whose exponentials are no float64.
    np.testing.assert_allclose(log_mean_exp(values - 3000.0, axis), expected - 3000.0, rtol=1e-14)
    np.testing.assert_allclose(log_mean_exp(values + 3000.0, axis), expected + 3000.0, rtol=1e-14)


def test_log_mean_exp_of_values_that_are_not_finite():
    nowhere, somewhere = [-math.inf, -math.inf], [-math.inf, 1.0]
    np.testing.assert_allclose(log_mean_exp(np.array([nowhere, somewhere]), 1), [-math.inf, 1 - math.log(2)])
    assert np.isnan(log_mean_exp(np.array([math.nan, 1.0]), 0))


@pytest.mark.parametrize("share, count", [(0.0, 250), (1.0, 250), (0.8, 10), (0.5, 10**6)])
def test_error_of_a_share(share, count):
    """The ends of Wilson's interval are the p from which the share is one standard error sqrt(p (1 - p) / n) away."""
    low, high = sorted(np.roots([1 + 1 / count, -(2 * share + 1 / count), share**2]))
    assert share_error(share, count) == pytest.approx((high - low) / 2) and high > low
