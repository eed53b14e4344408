"""Verdicts on made-up numbers: they hold, they do not, and they cannot be told where a number is missing."""

import math

import numpy as np
import pytest
from scipy.stats import spearmanr

from flow_gan.report.orderings import (
    FAILS,
    HOLDS,
    UNKNOWN,
    Value,
    ascending,
    at_most,
    largest_distance,
    rank_correlation,
    same_ranking,
    some,
    trend,
)


def values(*numbers, error=None):
    return [(name, Value(number, error)) for name, number in zip("abc", numbers, strict=False)]


@pytest.mark.parametrize(
    "numbers, status",
    [
        ((1, 2, 3), HOLDS),
        ((1, 3, 2), FAILS),
        ((1, 1, 2), FAILS),
        ((1, None, 3), UNKNOWN),
        ((1, math.inf, 3), UNKNOWN),
        ((math.nan, 2, 3), UNKNOWN),
    ],
)
def test_ascending(numbers, status):
    verdict = ascending("claim", values(*numbers))
    assert (verdict.claim, verdict.status) == ("claim", status)


def test_ascending_says_what_decides():
    assert ascending("", values(1, 3, 2)).detail == "a 1.00 < c 2.00 < b 3.00"
    assert ascending("", values(1, None, None)).detail == "no finite number of b, c"


def test_what_is_not_beyond_the_error_is_named():
    near = ascending("", values(1, 2, 9, error=1.0))
    assert near.status == HOLDS and not near.is_clear
    assert near.detail.endswith("; not beyond twice the error: a and b")
    assert ascending("", values(1, 4, 9, error=1.0)).is_clear
    assert ascending("", values(1, 1.1)).is_clear  # No error is known.
    # What fails by one pair that is far apart fails clearly, whatever the others are.
    assert not ascending("", values(2, 1, 9, error=1.0)).is_clear
    assert ascending("", values(5, 6, 1, error=1.0)).is_clear


def test_same_ranking():
    names, low, high = "xyz", *([Value(n) for n in part] for part in ((1, 2, 3), (5, 4, 9)))
    assert same_ranking("", names, low, low).status == HOLDS
    assert same_ranking("", names, low, high).status == FAILS
    differs = same_ranking("", names, low, high, differ=True)
    assert differs.status == HOLDS and differs.detail == "x < y < z against y < x < z"
    assert same_ranking("", names, low, low, differ=True).status == FAILS
    unknown = same_ranking("", names, low, [*high[:2], Value()])
    assert unknown.status == UNKNOWN and unknown.detail == "no finite number of z"


def test_trend():
    assert trend("", [1, 2, 3], [0.0, 5.0, 6.0]).status == HOLDS
    assert trend("", [1, 2, 3], [0.0, 5.0, 6.0], falls=True).status == FAILS
    assert trend("", [1, 2, 3], [6.0, 5.0, 1.0]).status == FAILS
    assert trend("", [1, 2, 3], [6.0, 5.0, 1.0], falls=True).status == HOLDS
    assert trend("", [1, 2, 3, 4], [1.0, 1.0, 1.0, 1.0]).status == FAILS
    assert trend("", [1, 2, 3], [0.0, None, 6.0]).status == UNKNOWN
    assert trend("", [1, 2, 3, 4], [0.0, math.inf, 6.0, 7.0]).status == HOLDS
    assert trend("", [], []).status == UNKNOWN


def test_rank_correlation():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 30))
    np.testing.assert_allclose(rank_correlation(x, y), spearmanr(x, y).statistic)
    assert rank_correlation([1, 2, 3], [10, 20, 400]) == 1


def test_ties_share_their_rank():
    x, y = [1, 2, 3, 4], [5, 5, 5, 9]
    np.testing.assert_allclose(rank_correlation(x, y), spearmanr(x, y).statistic)


def test_at_most_and_some():
    assert at_most("", Value(1), Value(2), "gap").status == HOLDS
    assert at_most("", Value(3), Value(2), "gap").status == FAILS
    assert at_most("", Value(), Value(2), "gap").status == UNKNOWN
    assert some("", [0.1, 0.3], "bandwidths").detail == "bandwidths: 2, from 0.1 to 0.3"
    assert some("", [0.1], "bandwidths").status == HOLDS
    assert some("", [], "bandwidths").status == FAILS
    assert some("", None, "bandwidths").status == UNKNOWN


def test_largest_distance():
    assert largest_distance([[1, 2], [3, 4]], [1, 2, 3, 4]) == 0
    assert largest_distance([1, 2], [3, 4]) == 1
    assert largest_distance([1, 2, 3, 4], [3, 4, 5, 6]) == 0.5


def test_rankings_are_clear_beyond_the_errors_alone():
    names = "xy"

    def clear(low, high, differ):
        return same_ranking("", names, low, high, differ).is_clear

    apart, swapped = [Value(1, 0.1), Value(2, 0.1)], [Value(2, 0.1), Value(1, 0.1)]
    near, near_swapped = [Value(1, 5.0), Value(2, 5.0)], [Value(2, 5.0), Value(1, 5.0)]
    assert clear(apart, swapped, True) and clear(apart, apart, False)
    assert not clear(apart, near_swapped, True) and not clear(near, apart, False)


def test_a_deviation_over_parts_is_no_error_of_the_mean():
    assert Value(1.0, 3.0, 9).standard_error == 1.0 and Value(1.0).standard_error is None
    far = [("a", Value(0.0, 3.0, 9)), ("b", Value(4.0, 3.0, 9))]
    assert ascending("", far).is_clear
    assert not ascending("", [(name, Value(value.number, 3.0)) for name, value in far]).is_clear
