"""Numbers with their errors, and their differences."""

import dataclasses
import math
import statistics
from collections.abc import Callable, Sequence

import numpy as np
import scipy.stats

# A difference is significant where its two-sided test has a p-value below this.
LEVEL = 0.05


@dataclasses.dataclass(frozen=True)
class Value:
    """A number with its error.

    Attributes:
      number: None where there is none.
      error: its standard error or, where it is a mean of `parts` values, their standard deviation; None where unknown.
      parts: number of values with the deviation `error` whose mean the number is.
      samples: the values whose mean the number is, NaN where one is missing; None where they are unknown. Two numbers
        whose samples belong to the same images, seeds or z are compared in pairs.
      over: what the samples belong to: "images", "seeds", "z".
      resamples: for a number that is not a mean, its values in many bootstrap resamples of `parts` items. Two numbers
        with equally many resamples are compared in pairs.
    """

    number: float | None = None
    error: float | None = None
    parts: int = 1
    _: dataclasses.KW_ONLY
    samples: tuple[float, ...] | None = dataclasses.field(default=None, repr=False)
    over: str | None = None
    resamples: tuple[float, ...] | None = dataclasses.field(default=None, repr=False)

    @property
    def standard_error(self) -> float | None:
        """The error of the number itself; None where unknown."""
        return None if self.error is None else self.error / math.sqrt(self.parts)

    @property
    def is_known(self) -> bool:
        """Whether there is a finite number."""
        return self.number is not None and math.isfinite(self.number)


@dataclasses.dataclass(frozen=True)
class Difference:
    """The difference of two `Value`s.

    Attributes:
      error: its standard error; None where neither value's is known.
      freedom: degrees of freedom of Student's distribution that number / error follows; infinite for a normal one.
      pairs: what was compared in pairs ("250 images"); None where the errors are taken as independent.
    """

    number: float
    error: float | None
    freedom: float = math.inf
    pairs: str | None = None

    def margin(self, level: float = LEVEL) -> float:
        """Return what the number must exceed to differ from 0: Student's quantile times the error."""
        return 0.0 if self.error is None else float(scipy.stats.t.ppf(1 - level / 2, self.freedom)) * self.error

    def is_above(self, level: float = LEVEL) -> bool:
        """Whether it is above 0 by more than its error; without an error, whether the number is above 0."""
        return self.number > self.margin(level)

    def is_below(self, level: float = LEVEL) -> bool:
        """Whether it is below 0 by more than its error; without an error, whether the number is 0 or below."""
        margin = self.margin(level)
        return self.number < -margin or (margin == 0 and self.number == 0)

    def __str__(self) -> str:
        error = "error not known" if self.error is None else f"± {self.error:.2g}"
        return f"{self.number:.3g} {error}" + (f" (paired over {self.pairs})" if self.pairs else "")


def difference(high: Value, low: Value) -> Difference:
    """Return high - low of two known values.

    Where both have samples over the same images, seeds or z, it is the mean of the differences of n pairs, with the
    error sd / sqrt(n) and n - 1 degrees of freedom: the part of the spread that both share, such as an image that all
    models find hard, cancels. Where both have resamples of n items, its error is the deviation of the differences times
    sqrt(n / (n - 1)). Otherwise the errors are taken as independent, with Welch's degrees of freedom, and an unknown
    one as 0.
    """
    if high.number is None or low.number is None:
        raise ValueError("a difference of values of which one is unknown; expected two known values")
    number = high.number - low.number
    count = high.parts
    if high.resamples is not None and low.resamples is not None and count == low.parts > 1:
        error = float(np.std(np.subtract(high.resamples, low.resamples), ddof=1)) * math.sqrt(count / (count - 1))
        return Difference(number, error, count - 1, f"{count} {high.over}")
    pairs = _pairs(high, low)
    if pairs is not None:
        differences = np.subtract(*pairs)
        differences = differences[np.isfinite(differences)]
        count = len(differences)
        if count > 1:
            error = float(np.std(differences, ddof=1)) / math.sqrt(count)
            return Difference(float(np.mean(differences)), error, count - 1, f"{count} {high.over}")
    errors = [(value.standard_error, value.parts) for value in (high, low)]
    variances = [(error**2, parts) for error, parts in errors if error is not None]
    if not variances:
        return Difference(number, None)
    total = sum(variance for variance, _ in variances)
    spread = sum(variance**2 / (parts - 1) for variance, parts in variances if parts > 1)
    return Difference(number, math.sqrt(total), total**2 / spread if spread else math.inf)


def _pairs(high, low):
    """Return the samples of both values where they belong to the same items, or None."""
    if high.samples is None or low.samples is None or high.over != low.over or len(high.samples) != len(low.samples):
        return None
    return high.samples, low.samples


def over_splits(number: float | None, deviation: float | None, splits: int) -> Value:
    """Return the `Value` of a score that is a mean over `splits` parts of the samples.

    Args:
      deviation: of the parts' scores, with the divisor n.
    """
    if deviation is None or splits < 2:
        return Value(number)
    return Value(number, deviation * math.sqrt(splits / (splits - 1)), splits)


def over_images(
    number: float | None,
    error: float | None,
    nats_per_image: Sequence[float | None],
    convert: Callable[[float], float] = float,
) -> Value:
    """Return the `Value` of an NLL with the NLL of each image as samples.

    Args:
      number, error: the NLL and its standard error, in the unit of `convert`.
      nats_per_image: as results store them, None where not finite.
      convert: from nats to that unit.
    """
    samples = tuple(math.nan if nats is None else convert(nats) for nats in nats_per_image)
    return Value(number, error, samples=samples, over="images")


def over_seeds(values: list[Value]) -> Value:
    """Return the mean over seeds, with the standard deviation, of the finite values; a single finite one as it is."""
    numbers = tuple(math.nan if v.number is None or not math.isfinite(v.number) else v.number for v in values)
    known = [number for number in numbers if not math.isnan(number)]
    if len(known) < 2:
        return next((value for value in values if value.is_known), Value())
    return Value(statistics.fmean(known), statistics.stdev(known), len(known), samples=numbers, over="seeds")
