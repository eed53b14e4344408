"""AUROC against closed forms and scikit-learn's."""

import math

import numpy as np
import pytest
import scipy.stats
from sklearn.metrics import roc_auc_score

from flow_gan.evaluation import evaluate_auroc
from flow_gan.report.values import Value, difference


def gaussians(shift, own=2000, other=1000):
    rng = np.random.default_rng(0)
    return rng.normal(size=own), rng.normal(size=other) + shift


@pytest.mark.parametrize("shift", [0.0, 0.5, 1.0, 2.0])
def test_two_gaussians(shift):
    """Phi(d / sqrt 2), as the difference of the two is a Gaussian of variance 2."""
    found = evaluate_auroc(*gaussians(shift))
    expected = scipy.stats.norm.cdf(shift / math.sqrt(2))
    assert abs(found.value - expected) < 3 * found.standard_error < 0.04


@pytest.mark.parametrize("sizes", [(2000, 1000), (300, 300)])
def test_the_error_is_that_of_the_placements(sizes):
    """DeLong et al. 1988: the variances over the own and over the other images of an image's share of lower ones."""
    own, other = gaussians(1.0, *sizes)
    is_lower = own[:, None] < other
    expected = math.sqrt(is_lower.mean(1).var(ddof=1) / len(own) + is_lower.mean(0).var(ddof=1) / len(other))
    assert evaluate_auroc(own, other, times=2000).standard_error == pytest.approx(expected, rel=0.06)


@pytest.mark.parametrize("digits", [0, 8])
def test_scikit_learns(digits):
    """With ties and without."""
    own, other = (np.round(values, digits) for values in gaussians(0.7, 90, 40))
    is_other = np.repeat([0, 1], [90, 40])
    expected = roc_auc_score(is_other, np.concatenate([own, other]))
    assert evaluate_auroc(own, other).value == pytest.approx(expected, rel=1e-12)
    assert evaluate_auroc(other, own).value == pytest.approx(1 - expected, rel=1e-12)


def test_ends():
    scores = np.arange(10.0)
    alike = evaluate_auroc(scores, scores)
    assert alike.value == 0.5 and 0 < alike.standard_error < 0.2
    apart = evaluate_auroc(scores, scores + 10)
    assert (apart.value, apart.standard_error, str(apart)) == (1.0, 0.0, "1.000 +- 0.000")
    assert evaluate_auroc(scores + 10, scores).value == 0.0


def test_values_that_are_not_finite_have_their_place():
    assert evaluate_auroc(np.array([0.0, 1.0, math.inf]), np.array([-math.inf, math.inf])).value == pytest.approx(
        2.5 / 6
    )
    assert evaluate_auroc(np.array([0.0, math.inf]), np.array([math.nan, math.nan])).value == 1.0
    assert evaluate_auroc(np.array([0.0, math.nan]), np.array([math.nan, math.nan])).value == 0.75


def test_two_scores_of_the_same_images_are_compared_in_pairs():
    """Of one and the same order the difference is known exactly; of two that share much, far better than either."""
    own, other = gaussians(1.0, 200, 200)
    first, same = evaluate_auroc(own, other), evaluate_auroc(np.exp(own), np.exp(other))
    np.testing.assert_array_equal(first.resamples, same.resamples)
    rng = np.random.default_rng(1)
    near = evaluate_auroc(*(values + 0.1 * rng.normal(size=200) for values in (own, other)))

    def value(auroc):
        error = auroc.standard_error * math.sqrt(200)
        return Value(auroc.value, error, 200, over="images", resamples=tuple(auroc.resamples))

    paired = difference(value(first), value(near))
    assert paired.pairs == "200 images" and paired.error < first.standard_error / 3
