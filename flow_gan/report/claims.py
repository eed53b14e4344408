"""Whether what the paper says about the order of its numbers holds of other numbers."""

import dataclasses
import itertools
import math
from collections.abc import Sequence

import numpy as np
import scipy.stats

from flow_gan.report.values import LEVEL, Value, difference

HOLDS = "holds"
FAILS = "does not hold"
UNDECIDED = "undecided"
UNKNOWN = "cannot be told"
# Orders in which a curve's points could stand, that are tried for a p-value; all of them where there are no more.
_PERMUTATIONS = 9_999


@dataclasses.dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether a claim holds.

    Attributes:
      claim: what the paper says, in words.
      status: `HOLDS` or `FAILS` beyond the errors, as far as they are known; `UNDECIDED`, the errors allow both; or
        `UNKNOWN`, a number is missing.
      detail: the numbers that decide it with their errors, or what is missing.
      is_clear: whether it is decided about the objectives, by the spread over several seeds. Otherwise it is
        about the weights at hand, and another seed's may differ by more.
    """

    claim: str
    status: str
    detail: str
    is_clear: bool = False


def _decide(claim, holds, fails, detail, values):
    status = HOLDS if holds else FAILS if fails else UNDECIDED
    return Verdict(
        claim=claim,
        status=status,
        detail=detail,
        is_clear=status != UNDECIDED and all(value.over == "seeds" for value in values),
    )


def ascending(claim: str, values: list, digits: int = 2) -> Verdict:
    """Return the `Verdict` on a strictly ascending order.

    It holds where every difference of neighbours is above 0 beyond its error, and fails where that of any two is below.

    Args:
      claim: str.
      values: [(name, `Value`)] in the order that the claim gives them.
      digits: int, decimals of the numbers in the detail.
    """
    missing = [name for name, value in values if not value.is_known]
    if missing:
        return Verdict(claim=claim, status=UNKNOWN, detail=f"no finite number of {', '.join(missing)}")
    steps = [(f"{b} − {a}", difference(high, low)) for (a, low), (b, high) in itertools.pairwise(values)]
    fails = any(difference(high, low).is_below() for (_, low), (_, high) in itertools.combinations(values, 2))
    ranked = sorted(values, key=lambda item: item[1].number)
    detail = " < ".join(f"{name} {value.number:.{digits}f}" for name, value in ranked)
    detail += "".join(f"; {name} = {step}" for name, step in steps)
    return _decide(claim, all(step.is_above() for _, step in steps), fails, detail, [value for _, value in values])


def all_above(claim: str, lowest: tuple[str, Value], others: list[tuple[str, Value]], digits: int = 2) -> Verdict:
    """Return the `Verdict` on whether each of several numbers is above one; their own order does not matter.

    It holds where every difference is above 0 beyond its error, and fails where one is below.

    Args:
      claim: str.
      lowest: (name, `Value`), what the others are to be above.
      others: [(name, `Value`)].
      digits: int, decimals of the numbers in the detail.
    """
    values = [lowest, *others]
    missing = [name for name, value in values if not value.is_known]
    if missing:
        return Verdict(claim=claim, status=UNKNOWN, detail=f"no finite number of {', '.join(missing)}")
    steps = [difference(value, lowest[1]) for _, value in others]
    detail = ", ".join(f"{name} {value.number:.{digits}f}" for name, value in values)
    detail += "".join(f"; {name} − {lowest[0]} = {step}" for (name, _), step in zip(others, steps, strict=True))
    holds, fails = all(step.is_above() for step in steps), any(step.is_below() for step in steps)
    return _decide(claim, holds, fails, detail, [value for _, value in values])


def same_ranking(claim: str, names: list, values: list, reference: list, differ: bool = False) -> Verdict:
    """Return the `Verdict` on whether two measures rank models alike, or, with `differ`, on whether they do not.

    They do not where one pair has one order in one of them and the other in the other, both beyond the error; they do
    where every pair has the same order in both, beyond the error.

    Args:
      claim: str.
      names: list of str.
      values, reference: lists of `Value`, as long.
      differ: bool, the claim is that the rankings differ.
    """
    missing = [name for name, *pair in zip(names, values, reference, strict=True) if not all(v.is_known for v in pair)]
    if missing:
        return Verdict(claim=claim, status=UNKNOWN, detail=f"no finite number of {', '.join(missing)}")
    ranks = [[names[i] for i in np.argsort([v.number for v in part])] for part in (values, reference)]
    signs = [
        [_sign(difference(part[i], part[j])) for part in (values, reference)]
        for i, j in itertools.combinations(range(len(names)), 2)
    ]
    differs, alike = any(a * b < 0 for a, b in signs), all(a * b > 0 for a, b in signs)
    detail = f"{' < '.join(ranks[0])} against {' < '.join(ranks[1])}"
    unsure = sum(a * b == 0 for a, b in signs)
    if unsure:
        detail += f"; of {unsure} of {len(signs)} pairs the order is within the error in one of them"
    holds, fails = (differs, alike) if differ else (alike, differs)
    return _decide(claim, holds, fails, detail, [*values, *reference])


def _sign(step):
    return 1 if step.is_above() else -1 if step.is_below() else 0


def trend(
    claim: str,
    steps: list,
    values: list,
    falls: bool = False,
    least: float = 0.5,
    names: list[str] | None = None,
) -> Verdict:
    """Return the `Verdict` on whether a curve rises, or falls, by its rank correlation with the step.

    It holds where the correlation is `least` or more with a p-value below 0.05, and fails where the upper end of its
    95 % interval is below `least`. The p-value, two-sided, is that of exchangeable points.

    Args:
      claim: str.
      steps: list of numbers.
      values: list of floats or None, as long; what is not finite is left out.
      falls: bool, the claim is that it falls.
      least: float, of the correlation's size.
      names: list of str, what the detail calls the steps; themselves if None.
    """
    names = [f"step {step:g}" for step in steps] if names is None else names
    known = [
        (s, v, name) for s, v, name in zip(steps, values, names, strict=True) if v is not None and math.isfinite(v)
    ]
    if len(known) < 3:
        return Verdict(claim=claim, status=UNKNOWN, detail=f"{len(known)} points, at least 3 are needed")
    x, y, _ = zip(*known, strict=True)
    correlation, p_value = rank_correlation(x, y), rank_correlation_p_value(x, y)
    towards = -correlation if falls else correlation
    first, last = known[0], known[-1]
    bound = f"at most {-least:g}" if falls else f"at least {least:g}"
    detail = (
        f"rank correlation {correlation:.2f}, p {p_value:.2g}, over {len(known)} points ({bound} and p below {LEVEL} "
        f"are asked for), from {first[1]:.2f} at {first[2]} to {last[1]:.2f} at {last[2]}"
    )
    fails = rank_correlation_interval(towards, len(known))[1] < least
    return _decide(claim, towards >= least and p_value < LEVEL, fails, detail, [Value()])


def uncorrelated(claim: str, x: list, y: list, limit: float = 0.5) -> Verdict:
    """Return the `Verdict` on whether two series tell little of each other: |rank correlation| of `limit` at most.

    It holds where the whole 95 % interval of the correlation lies within +-limit, and fails where all of it is outside.
    """
    if len(x) < 3:
        return Verdict(claim=claim, status=UNKNOWN, detail=f"{len(x)} points, at least 3 are needed")
    correlation = rank_correlation(x, y)
    low, high = rank_correlation_interval(correlation, len(x))
    detail = (
        f"rank correlation {correlation:.2f}, 95 % interval {low:.2f} to {high:.2f}, over {len(x)} points; limit "
        f"±{limit:g}"
    )
    return _decide(claim, -limit <= low and high <= limit, high < -limit or low > limit, detail, [Value()])


def rank_correlation(x: Sequence[float], y: Sequence[float]) -> float:
    """Return Spearman's rank correlation, 0 where one of them is constant."""
    if any(len(set(values)) == 1 for values in (x, y)):
        return 0.0
    return float(scipy.stats.spearmanr(x, y).statistic)


def rank_correlation_p_value(x: Sequence[float], y: Sequence[float]) -> float:
    """Return the two-sided p-value of Spearman's rank correlation: exact, or of random orders of more than 7 points."""
    ranks, others = scipy.stats.rankdata(x), scipy.stats.rankdata(y)
    result = scipy.stats.permutation_test(
        (ranks,),
        lambda ranks, axis: np.sum((ranks - ranks.mean(axis, keepdims=True)) * others, axis),
        permutation_type="pairings",
        n_resamples=_PERMUTATIONS,
        rng=0,
    )
    return float(result.pvalue)


def rank_correlation_interval(correlation: float, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a rank correlation of `count` points, by Fieller's error of its arctanh.

    A perfect one counts as 1 - 1 / count.
    """
    if count <= 3:
        return -1.0, 1.0
    # Of a perfect one the arctanh is infinite, though few points are so by chance.
    correlation = math.copysign(min(abs(correlation), 1 - 1 / count), correlation)
    reach = scipy.stats.norm.ppf(1 - LEVEL / 2) * 1.03 / math.sqrt(count - 3)
    centre = np.arctanh(correlation)
    return float(np.tanh(centre - reach)), float(np.tanh(centre + reach))


def at_most(claim: str, value: Value, limit: Value, what: str) -> Verdict:
    """Return the `Verdict` on whether a number is at most a limit; `what` names it in the detail."""
    if not (value.is_known and limit.is_known):
        return Verdict(claim=claim, status=UNKNOWN, detail=f"no finite {what}")
    step = difference(limit, value)
    detail = f"{what} {value.number:.3g}, limit {limit.number:.3g}; limit − {what} = {step}"
    exact = step.margin() == 0
    return _decide(claim, step.is_above() or (exact and step.number == 0), step.is_below(), detail, [value, limit])


def some(claim: str, candidates: dict | None, what: str) -> Verdict:
    """Return the `Verdict` on whether any candidate passes all of its comparisons.

    It holds where one has every difference above 0 beyond its error, at a level divided by the number of candidates,
    since the luckiest of many is looked for; it fails where each has one that is below.

    Args:
      claim: str.
      candidates: {number: [(high, low)]}, pairs of known `Value`s of which the first is to be above the second; None
        or empty: they were not measured.
      what: str, what the candidates are.
    """
    if not candidates:
        return Verdict(claim=claim, status=UNKNOWN, detail=f"{what}: not measured")
    steps = {name: [difference(*pair) for pair in pairs] for name, pairs in candidates.items()}
    level = LEVEL / len(steps)
    better = [name for name, parts in steps.items() if all(part.number > 0 for part in parts)]
    winners = [name for name, parts in steps.items() if all(part.is_above(level) for part in parts)]
    losers = [name for name, parts in steps.items() if any(part.is_below() for part in parts)]
    if not better:
        detail = f"none of the {len(steps)} {what} that were tried"
        unsure = len(steps) - len(losers)
        detail += f"; {unsure} of them by less than the error" if unsure else ""
    else:
        shown = winners or better
        detail = f"{what}: {len(shown)} of {len(steps)}, from {min(shown):.3g} to {max(shown):.3g}"
        detail += f", beyond the error at level {LEVEL:g} / {len(steps)}" if winners else ", all within the error"
    values = [value for pairs in candidates.values() for pair in pairs for value in pair]
    return _decide(claim, winners, len(losers) == len(steps), detail, values)


def largest_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Return the largest difference of two empirical distribution functions (Kolmogorov and Smirnov), 0 to 1."""
    first, second = np.sort(np.ravel(first)), np.sort(np.ravel(second))
    points = np.concatenate([first, second])
    shares = [np.searchsorted(values, points, side="right") / len(values) for values in (first, second)]
    return float(np.abs(shares[0] - shares[1]).max())
