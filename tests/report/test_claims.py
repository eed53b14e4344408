"""Verdicts on made-up numbers: they hold, do not, are undecided, and cannot be told where a number is missing."""

import math

import numpy as np
import pytest
import scipy.stats

from flow_gan.report.claims import (
    FAILS,
    HOLDS,
    UNDECIDED,
    UNKNOWN,
    all_above,
    ascending,
    at_most,
    largest_distance,
    rank_correlation,
    rank_correlation_interval,
    rank_correlation_p_value,
    same_ranking,
    some,
    trend,
    uncorrelated,
)
from flow_gan.report.values import Value, over_seeds


def values(*numbers, error=None):
    return [(name, Value(number, error)) for name, number in zip("abc", numbers, strict=False)]


def seeds(*numbers):
    return over_seeds([Value(number) for number in numbers])


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


def test_all_above():
    """The lower of the others being above is not enough where another may be below."""
    (lowest, *others) = values(1, 3, 2, error=0.1)
    verdict = all_above("claim", lowest, others)
    assert (verdict.claim, verdict.status) == ("claim", HOLDS)
    assert verdict.detail == "a 1.00, b 3.00, c 2.00; b − a = 2 ± 0.14; c − a = 1 ± 0.14"
    unsure = ("d", Value(9, error=30.0))
    assert all_above("", lowest, [others[0], unsure]).status == UNDECIDED
    assert all_above("", lowest, [unsure, ("e", Value(0, error=0.1))]).status == FAILS
    assert all_above("", lowest, [others[0], ("f", Value())]).status == UNKNOWN


def test_ascending_says_what_decides():
    detail = ascending("", values(1, 3, 2, error=0.1)).detail
    assert detail == "a 1.00 < c 2.00 < b 3.00; b − a = 2 ± 0.14; c − b = -1 ± 0.14"
    assert ascending("", values(1, None, None)).detail == "no finite number of b, c"


def test_what_is_not_beyond_the_error_is_undecided():
    assert ascending("", values(1, 2, 9, error=1.0)).status == UNDECIDED
    assert ascending("", values(2, 1, 9, error=1.0)).status == UNDECIDED
    assert ascending("", values(1, 4, 9, error=1.0)).status == HOLDS
    # One pair that is clearly the other way round is enough, whatever the others are.
    assert ascending("", values(5, 6, 1, error=1.0)).status == FAILS


def test_only_several_seeds_are_clear_about_training():
    assert not ascending("", values(1, 4, 9, error=1.0)).is_clear
    low, high = ("low", seeds(1.0, 1.1, 1.2)), ("high", seeds(2.0, 2.1, 2.3))
    assert ascending("", [low, high]).is_clear and ascending("", [low, high]).status == HOLDS
    assert ascending("", [high, low]).is_clear and ascending("", [high, low]).status == FAILS
    # Twice the error apart, and not 4.3 times.
    near = ascending("", [("low", seeds(0.0, 0.0, 0.0)), ("high", seeds(0.1, 1.0, 1.6))])
    assert near.status == UNDECIDED and not near.is_clear
    assert not ascending("", [low, ("one", Value(9.0, 0.1))]).is_clear


def test_same_ranking():
    names, low, high = "xyz", *([Value(n) for n in part] for part in ((1, 2, 3), (5, 4, 9)))
    assert same_ranking("", names, low, low).status == HOLDS
    assert same_ranking("", names, low, high).status == FAILS
    differs = same_ranking("", names, low, high, differ=True)
    assert differs.status == HOLDS and differs.detail == "x < y < z against y < x < z"
    assert same_ranking("", names, low, low, differ=True).status == FAILS
    unknown = same_ranking("", names, low, [*high[:2], Value()])
    assert unknown.status == UNKNOWN and unknown.detail == "no finite number of z"


def test_rankings_differ_by_what_is_beyond_the_errors_alone():
    def status(low, high, differ):
        return same_ranking("", "xy", low, high, differ).status

    apart, swapped = [Value(1, 0.1), Value(2, 0.1)], [Value(2, 0.1), Value(1, 0.1)]
    near, near_swapped = [Value(1, 5.0), Value(2, 5.0)], [Value(2, 5.0), Value(1, 5.0)]
    assert status(apart, swapped, True) == status(apart, apart, False) == HOLDS
    assert status(apart, near_swapped, True) == status(near, apart, False) == UNDECIDED
    assert "of 1 of 1 pairs" in same_ranking("", "xy", apart, near_swapped).detail


def test_trend():
    rising = [0.0, 5.0, 6.0, 8.0, 9.0, 9.5]
    steps = list(range(6))
    assert trend("", steps, rising).status == HOLDS
    assert trend("", steps, rising, falls=True).status == FAILS
    assert trend("", steps, rising[::-1]).status == FAILS
    assert trend("", steps, rising[::-1], falls=True).status == HOLDS
    assert trend("", [1, 2, 3], [0.0, None, 6.0]).status == UNKNOWN
    assert trend("", [*steps, 6], [*rising, math.inf]).status == HOLDS
    assert trend("", [], []).status == UNKNOWN


def test_a_trend_of_few_points_is_undecided():
    """Three points in order are so by chance once in three, and a correlation of 0.52 of ten once in eight."""
    assert trend("", [1, 2, 3], [0.0, 5.0, 6.0]).status == UNDECIDED
    ten = [4, 1, 2, 7, 3, 10, 9, 6, 8, 5]
    assert rank_correlation(range(10), ten) == pytest.approx(0.53, abs=0.03)
    verdict = trend("", range(10), [float(n) for n in ten])
    assert verdict.status == UNDECIDED and "p 0.1" in verdict.detail
    rng = np.random.default_rng(0)
    weak = np.arange(300) / 300 + rng.normal(size=300)
    # Beyond chance, but clearly less than what is asked for.
    assert rank_correlation_p_value(range(300), weak) < 0.01 and trend("", range(300), weak.tolist()).status == FAILS


def test_p_values_and_intervals():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 30)) + 0.4 * rng.normal(size=30)
    exact = scipy.stats.spearmanr(x, y)
    np.testing.assert_allclose(rank_correlation(x, y), exact.statistic)
    np.testing.assert_allclose(rank_correlation_p_value(x, y), exact.pvalue, atol=0.02)
    # Of all 120 orders of five points two are as far from chance as theirs.
    assert rank_correlation_p_value(range(5), range(5)) == pytest.approx(2 / 120)
    assert rank_correlation([1, 2, 3], [10, 20, 400]) == 1 and rank_correlation([1, 2, 3], [1, 1, 1]) == 0
    low, high = rank_correlation_interval(0.5, 30)
    assert (low, high) == (pytest.approx(0.16, abs=0.02), pytest.approx(0.73, abs=0.02))
    assert rank_correlation_interval(0.5, 3) == (-1, 1)
    # Four points that fall may do so by chance, six hardly.
    assert trend("", range(4), [4.0, 3.0, 2.0, 1.0]).status == UNDECIDED
    assert trend("", range(6), [6.0, 5.0, 4.0, 3.0, 2.0, 1.0]).status == FAILS
    assert uncorrelated("", range(4), range(4)).status == UNDECIDED


def test_uncorrelated():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 100))
    assert uncorrelated("", x, y).status == HOLDS
    assert uncorrelated("", x, x + 0.1 * y).status == FAILS
    few = uncorrelated("", x[:6], y[:6])
    assert few.status == UNDECIDED and "95 % interval" in few.detail
    assert uncorrelated("", x[:2], y[:2]).status == UNKNOWN


def test_ties_share_their_rank():
    x, y = [1, 2, 3, 4], [5, 5, 5, 9]
    np.testing.assert_allclose(rank_correlation(x, y), scipy.stats.spearmanr(x, y).statistic)


def test_at_most():
    assert at_most("", Value(1), Value(2), "gap").status == HOLDS
    assert at_most("", Value(2), Value(2), "gap").status == HOLDS
    assert at_most("", Value(3), Value(2), "gap").status == FAILS
    assert at_most("", Value(), Value(2), "gap").status == UNKNOWN
    assert at_most("", Value(1, 1.0), Value(2), "gap").status == UNDECIDED
    assert at_most("", Value(1, 0.1), Value(2), "gap").detail == "gap 1, limit 2; limit − gap = 1 ± 0.1"


def test_some():
    won, near, lost = ([(Value(n, 0.1), Value(0.0))] for n in (1.0, 0.15, -1.0))
    verdict = some("", {0.1: won, 0.2: near, 0.3: won}, "bandwidths")
    assert verdict.status == HOLDS
    assert verdict.detail == "bandwidths: 2 of 3, from 0.1 to 0.3, beyond the error at level 0.05 / 3"
    assert some("", {0.1: near, 0.3: lost}, "bandwidths").status == UNDECIDED
    failed = some("", {0.1: lost, 0.3: lost}, "bandwidths")
    assert failed.status == FAILS and failed.detail == "none of the 2 bandwidths that were tried"
    nearly = [(Value(-0.05, 0.1), Value(0.0))]
    unsure = some("", {0.1: nearly, 0.3: lost}, "bandwidths")
    assert unsure.status == UNDECIDED
    assert unsure.detail == "none of the 2 bandwidths that were tried; 1 of them by less than the error"
    assert some("", {}, "bandwidths").status == some("", None, "bandwidths").status == UNKNOWN
    # Each comparison of a candidate must be won.
    assert some("", {0.1: won + lost}, "bandwidths").status == FAILS
    assert some("", {0.1: won + near}, "bandwidths").status == UNDECIDED
    # The luckiest of many: 2.1 errors are enough for one candidate, not for twenty.
    lucky = [(Value(0.21, 0.1), Value(0.0))]
    assert some("", {1: lucky}, "tries").status == HOLDS
    assert some("", dict.fromkeys(range(20), lucky), "tries").status == UNDECIDED


def test_largest_distance():
    assert largest_distance([[1, 2], [3, 4]], [1, 2, 3, 4]) == 0
    assert largest_distance([1, 2], [3, 4]) == 1
    assert largest_distance([1, 2, 3, 4], [3, 4, 5, 6]) == 0.5


def test_a_deviation_over_parts_is_no_error_of_the_mean():
    assert Value(1.0, 3.0, 9).standard_error == 1.0 and Value(1.0).standard_error is None
    far = [("a", Value(0.0, 3.0, 9)), ("b", Value(4.0, 3.0, 9))]
    assert ascending("", far).status == HOLDS
    assert ascending("", [(name, Value(value.number, 3.0)) for name, value in far]).status == UNDECIDED
