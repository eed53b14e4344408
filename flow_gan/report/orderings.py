"""Whether what the paper says about the order of its numbers holds of other numbers."""

import dataclasses
import itertools
import math

import numpy as np
import scipy.stats

HOLDS = "holds"
FAILS = "does not hold"
UNKNOWN = "cannot be told"
# Two numbers nearer than so many errors of their difference are called close.
_CLOSE = 2.0


@dataclasses.dataclass(frozen=True)
class Value:
    """A number with its error.

    Attributes:
      number: float, or None where there is none.
      error: float, or None where it is not known: a standard error, or the deviation of `parts` values whose mean the
        number is.
      parts: int, how many values of deviation `error` the number is the mean of.
    """

    number: float | None = None
    error: float | None = None
    parts: int = 1

    @property
    def standard_error(self):
        """The error of the number itself, None where it is not known."""
        return None if self.error is None else self.error / math.sqrt(self.parts)

    @property
    def is_known(self):
        """Whether there is a finite number."""
        return self.number is not None and math.isfinite(self.number)


@dataclasses.dataclass(frozen=True)
class Verdict:
    """Whether a claim holds.

    Attributes:
      claim: str, what the paper says, in words.
      status: `HOLDS`, `FAILS` or `UNKNOWN`.
      detail: str, the numbers that decide it, or what is missing.
      is_clear: bool, whether more than the errors, as far as they are known, would have to change for another verdict:
        False where numbers that decide it are apart by less than twice their error.
    """

    claim: str
    status: str
    detail: str
    is_clear: bool = True


def ascending(claim, values, digits=2):
    """Return the `Verdict` on a strictly ascending order.

    Args:
      claim: str.
      values: [(name, `Value`)] in the order that the claim gives them.
      digits: int, decimals of the numbers in the detail.
    """
    missing = [name for name, value in values if not value.is_known]
    if missing:
        return Verdict(claim, UNKNOWN, f"no finite number of {', '.join(missing)}")
    pairs = list(itertools.pairwise(values))
    holds = all(low.number < high.number for (_, low), (_, high) in pairs)
    ranked = sorted(values, key=lambda item: item[1].number)
    detail = " < ".join(f"{name} {value.number:.{digits}f}" for name, value in ranked)
    close = [f"{a} and {b}" for (a, low), (b, high) in itertools.pairwise(ranked) if are_close(low, high)]
    if close:
        detail += f"; not beyond twice the error: {', '.join(close)}"
    if holds:
        return Verdict(claim, HOLDS, detail, is_clear=not close)
    against = [(low, high) for (_, low), (_, high) in itertools.combinations(values, 2) if low.number >= high.number]
    return Verdict(claim, FAILS, detail, is_clear=not all(are_close(high, low) for low, high in against))


def are_close(first, second):
    """Whether two known `Value`s are apart by less than twice the error of their difference, as far as it is known.

    Their errors are taken as independent, which those of two models on the same images are not: they are apart more
    clearly than this says.
    """
    errors = [value.standard_error for value in (first, second) if value.standard_error is not None]
    return bool(errors) and abs(first.number - second.number) < _CLOSE * math.hypot(*errors)


def same_ranking(claim, names, values, reference, differ=False):
    """Return the `Verdict` on whether two measures rank models alike, or, with `differ`, on whether they do not.

    It is clear where they do not if one pair has one order in one of them and the other in the other, both beyond the
    error; where they do, if every pair is apart in both.

    Args:
      claim: str.
      names: list of str.
      values, reference: lists of `Value`, as long.
      differ: bool, the claim is that the rankings differ.
    """
    missing = [name for name, *pair in zip(names, values, reference, strict=True) if not all(v.is_known for v in pair)]
    if missing:
        return Verdict(claim, UNKNOWN, f"no finite number of {', '.join(missing)}")
    ranks = [[names[i] for i in np.argsort([v.number for v in part])] for part in (values, reference)]
    alike = ranks[0] == ranks[1]
    pairs = list(itertools.combinations(range(len(names)), 2))
    apart = [not any(are_close(part[i], part[j]) for part in (values, reference)) for i, j in pairs]
    swapped = [
        (values[i].number - values[j].number) * (reference[i].number - reference[j].number) < 0 for i, j in pairs
    ]
    is_clear = all(apart) if alike else any(a and s for a, s in zip(apart, swapped, strict=True))
    detail = f"{' < '.join(ranks[0])} against {' < '.join(ranks[1])}"
    return Verdict(claim, HOLDS if alike != differ else FAILS, detail, is_clear)


def trend(claim, steps, values, falls=False, least=0.5, names=None):
    """Return the `Verdict` on whether a curve rises, or falls: its rank correlation with the step is `least` or more.

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
        return Verdict(claim, UNKNOWN, f"{len(known)} points, at least 3 are needed")
    correlation = rank_correlation(*zip(*(point[:2] for point in known), strict=True))
    first, last = known[0], known[-1]
    bound = f"at most {-least:g}" if falls else f"at least {least:g}"
    detail = (
        f"rank correlation {correlation:.2f} over {len(known)} points ({bound} is asked for), from {first[1]:.2f} at "
        f"{first[2]} to {last[1]:.2f} at {last[2]}"
    )
    return Verdict(claim, HOLDS if (-correlation if falls else correlation) >= least else FAILS, detail)


def rank_correlation(x, y):
    """Return Spearman's rank correlation, 0 where one of them is constant."""
    if any(len(set(values)) == 1 for values in (x, y)):
        return 0.0
    return float(scipy.stats.spearmanr(x, y).statistic)


def at_most(claim, value, limit, what):
    """Return the `Verdict` on whether a number is at most a limit; `what` names it in the detail."""
    if not (value.is_known and limit.is_known):
        return Verdict(claim, UNKNOWN, f"no finite {what}")
    detail = f"{what} {value.number:.3g}, limit {limit.number:.3g}"
    return Verdict(claim, HOLDS if value.number <= limit.number else FAILS, detail)


def some(claim, values, what, is_clear=True):
    """Return the `Verdict` on whether there is any of what is named `what`; None: it was not measured."""
    if values is None:
        return Verdict(claim, UNKNOWN, f"{what}: not measured")
    if not values:
        return Verdict(claim, FAILS, f"none of the {what} that were tried", is_clear)
    return Verdict(claim, HOLDS, f"{what}: {len(values)}, from {min(values):.3g} to {max(values):.3g}", is_clear)


def largest_distance(first, second):
    """Return the largest difference of two empirical distribution functions (Kolmogorov and Smirnov), 0 to 1."""
    first, second = np.sort(np.ravel(first)), np.sort(np.ravel(second))
    points = np.concatenate([first, second])
    shares = [np.searchsorted(values, points, side="right") / len(values) for values in (first, second)]
    return float(np.abs(shares[0] - shares[1]).max())
