import math

import numpy as np
import pytest
import scipy.stats

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


def test_the_error_of_a_share():
    for count, total in ((0, 10), (3, 10), (10, 10), (40, 200)):
        expected = scipy.stats.beta(count + 1, total - count + 1).std()
        assert share_error(count, total) == pytest.approx(expected)
    assert share_error(3000, 10_000) == pytest.approx(math.sqrt(0.3 * 0.7 / 10_000), rel=1e-3)
