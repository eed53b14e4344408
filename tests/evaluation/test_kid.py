"""KID against closed forms and torch-fidelity's formulas."""

import math

import numpy as np
import pytest

import flow_gan
from flow_gan.errors import NotFiniteError
from flow_gan.evaluation import KID, evaluate_kid
from flow_gan.evaluation import features as blocks
from flow_gan.evaluation.kid import squared_mmd


def test_squared_mmd_by_hand():
    """k(0, 1) = 1 and k(1, 2) = 27 within the sets; 1, 1, 8 and 27 between them."""
    np.testing.assert_allclose(squared_mmd([[0.0], [1.0]], [[1.0], [2.0]]), 1 + 27 - 2 * (1 + 1 + 8 + 27) / 4)


@pytest.mark.parametrize("mean, expected", [(0.0, 0.0), (1.0, 22.0)])
def test_squared_mmd_is_unbiased(mean, expected):
    """Of N(0, 1) and N(m, 1) it is the sum over p of C(3, p) (E x^p - E y^p)^2: 3 + 3 + 16 for m = 1."""
    rng = np.random.default_rng(0)
    values = [squared_mmd(rng.normal(size=(10, 1)), mean + rng.normal(size=(7, 1))) for _ in range(4000)]
    error = np.std(values) / math.sqrt(len(values))
    assert abs(np.mean(values) - expected) < 4 * error and error < 1


def polynomial_mmd(features_1, features_2):
    """torch-fidelity's `polynomial_mmd` with degree 3, gamma 1 / F and coef0 1, for as many rows in both."""
    gamma = 1.0 / features_1.shape[1]
    k_11, k_22, k_12 = (
        (np.matmul(a, b.T) * gamma + 1.0) ** 3
        for a, b in ((features_1, features_1), (features_2, features_2), (features_1, features_2))
    )
    m = k_11.shape[0]
    sums = (k_11.sum(axis=1) - np.diagonal(k_11)).sum() + (k_22.sum(axis=1) - np.diagonal(k_22)).sum()
    return sums / (m * (m - 1)) - 2 * k_12.sum() / (m * m)


def some_features(count, seed, shift=0.0):
    return np.random.default_rng(seed).normal(shift, size=(count, 5))


def test_it_is_torch_fidelity_s_mean_and_deviation_over_subsets():
    x, y = some_features(40, 1), some_features(60, 2, 0.3)
    rng = np.random.default_rng(0)
    values = []
    for _ in range(7):
        first = x[rng.choice(40, 25, replace=False)]
        values.append(polynomial_mmd(first, y[rng.choice(60, 25, replace=False)]))
    found = evaluate_kid(x, y, subsets=7, subset_size=25)
    np.testing.assert_allclose([found.kid, found.kid_std], [np.mean(values), np.std(values)], rtol=1e-10)
    assert str(found) == f"{np.mean(values):.4f} +- {np.std(values):.4f} (7 subsets of 25)"


@pytest.mark.parametrize("count, size", [(5000, 1000), (2000, 1000), (1000, 500), (3, 2), (2, 2)])
def test_subsets_fit_into_the_smaller_set(count, size):
    few = some_features(count, 1)[:, :1]
    assert evaluate_kid(few, np.zeros((6000, 1)), subsets=1).subset_size == size
    assert evaluate_kid(np.zeros((6000, 1)), few, subsets=1).subset_size == size


def test_the_deviation_of_one_subset_is_not_known():
    x, y = some_features(8, 1), some_features(8, 2)
    found = evaluate_kid(x, y, subsets=1, subset_size=8)
    np.testing.assert_allclose(found.kid, polynomial_mmd(x, y), rtol=1e-10)
    assert math.isnan(found.kid_std) and "+- unknown" in str(found)
    # Of all images each time, it is the same each time.
    np.testing.assert_allclose(evaluate_kid(x, y, subsets=3, subset_size=8).kid_std, 0, atol=1e-12)


def test_blocks_do_not_change_it(monkeypatch):
    x, y = some_features(31, 1), some_features(23, 2)
    whole = squared_mmd(x, y)
    monkeypatch.setattr(blocks, "_BLOCK_NUMBERS", 60)
    np.testing.assert_allclose(squared_mmd(x, y), whole, rtol=1e-12)


ONES = np.ones((4, 5))


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: evaluate_kid(ONES, ONES[:1]), r"reference_features are \[1, 5\], features \[4, 5\]; expected"),
        (lambda: squared_mmd(ONES, ONES[:, :2]), r"reference_features are \[4, 2\], features \[4, 5\]"),
        (
            lambda: evaluate_kid(ONES, ONES[:3], subset_size=4),
            "subset_size=4 of 4 and 3 images; expected 2 to the smal",
        ),
        (lambda: evaluate_kid(ONES, ONES, subset_size=1), "subset_size=1 of 4 and 4 images"),
        (lambda: evaluate_kid(ONES, ONES, subsets=0), "subsets=0; expected 1 or more"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(flow_gan.UserError, match=message):
        call()


def test_features_that_are_not_finite():
    with pytest.raises(NotFiniteError, match="features hold values that are not finite"):
        evaluate_kid(np.nan * ONES, ONES)


def test_what_is_stored():
    found = KID(kid=0.5, kid_std=0.25, subsets=3, subset_size=2)
    assert found.to_dict() == {"kid": 0.5, "kid_std": 0.25, "subsets": 3, "subset_size": 2}
