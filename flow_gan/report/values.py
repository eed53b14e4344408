"""Numbers with their errors, and the difference of two of them."""

import dataclasses
import math
import statistics
from collections.abc import Callable

import numpy as np
import scipy.stats

# A difference counts where its two-sided test has a p-value below this.
LEVEL = 0.05


@dataclasses.dataclass(frozen=True)
class Value:
    """A number with its error.

    Attributes:
      number: float, or None where there is none.
      error: float, or None where it is not known: a standard error, or the deviation of `parts` values whose mean the
        number is.
      parts: int, how many values of deviation `error` the number is the mean of.
      samples: the values whose mean the number is, NaN where one is missing; None where they are not known. Two numbers
        whose samples are over the same things are compared in pairs.
      over: str, what the samples are over: "images", "seeds", "z".
      resamples: the number itself of each of many resamples of `parts` things, by the bootstrap, for what is no mean.
        Two numbers' are of the same resamples where there are as many.
    """

    number: float | None = None
    error: float | None = None
    parts: int = 1
    samples: tuple | None = dataclasses.field(default=None, repr=False)
    over: str | None = None
    resamples: tuple | None = dataclasses.field(default=None, repr=False)

    @property
    def standard_error(self) -> float | None:
        """The error of the number itself, None where it is not known."""
        return None if self.error is None else self.error / math.sqrt(self.parts)

    @property
    def is_known(self) -> bool:
        """Whether there is a finite number."""
        return self.number is not None and math.isfinite(self.number)


@dataclasses.dataclass(frozen=True)
class Difference:
    """The difference of two `Value`s.

    Attributes:
      number: float.
      error: float, its standard error; None where neither value's is known.
      freedom: float, degrees of freedom of Student's distribution that number / error follows; infinite where the
        errors are of many.
      pairs: str, over what it was taken in pairs ("250 images"); None where the errors count as independent.
    """

    number: float
    error: float | None
    freedom: float = math.inf
    pairs: str | None = None

    def margin(self, level: float = LEVEL) -> float:
        """Return what the number must exceed to differ from 0: Student's quantile times the error."""
        return 0.0 if self.error is None else float(scipy.stats.t.ppf(1 - level / 2, self.freedom)) * self.error

    def is_above(self, level: float = LEVEL) -> bool:
        """Whether it is above 0 beyond its error; without one, whether the number is."""
        return self.number > self.margin(level)

    def is_below(self, level: float = LEVEL) -> bool:
        """Whether it is below 0 beyond its error; where there is none, whether the number is not above 0."""
        margin = self.margin(level)
        return self.number < -margin or (margin == 0 and self.number == 0)

    def __str__(self):
        error = "error not known" if self.error is None else f"± {self.error:.2g}"
        return f"{self.number:.3g} {error}" + (f" (paired over {self.pairs})" if self.pairs else "")


def difference(high: Value, low: Value) -> Difference:
    """Return high - low of two known values.

    Where both have samples over the same things it is the mean of the differences of n pairs, with the error
    sd / sqrt(n) and n - 1 degrees of freedom: what all models find hard, an image or a seed, then counts for nothing.
    Where both have resamples of n things, its error is the deviation of the differences, times sqrt(n / (n - 1)).
    Otherwise the errors are taken as independent, with Welch's degrees of freedom, and one that is not known as 0.
    """
    number = high.number - low.number
    count = high.parts
    if None not in (high.resamples, low.resamples) and count == low.parts > 1:
        error = float(np.std(np.subtract(high.resamples, low.resamples), ddof=1)) * math.sqrt(count / (count - 1))
        return Difference(number, error, count - 1, f"{count} {high.over}")
    if _are_pairs(high, low):
        differences = np.subtract(high.samples, low.samples)
        differences = differences[np.isfinite(differences)]
        count = len(differences)
        if count > 1:
            error = float(np.std(differences, ddof=1)) / math.sqrt(count)
            return Difference(float(np.mean(differences)), error, count - 1, f"{count} {high.over}")
    known = [value for value in (high, low) if value.standard_error is not None]
    if not known:
        return Difference(number, None)
    variances = [value.standard_error**2 for value in known]
    spread = sum(v**2 / (value.parts - 1) for v, value in zip(variances, known, strict=True) if value.parts > 1)
    return Difference(number, math.sqrt(sum(variances)), sum(variances) ** 2 / spread if spread else math.inf)


def _are_pairs(high, low):
    return None not in (high.samples, low.samples) and high.over == low.over and len(high.samples) == len(low.samples)


def over_splits(number: float | None, deviation: float | None, splits: int) -> Value:
    """Return the `Value` of a score: the mean over splits of the samples, with their deviation of the divisor n."""
    if deviation is None or splits < 2:
        return Value(number)
    return Value(number, deviation * math.sqrt(splits / (splits - 1)), splits)


def over_images(
    number: float | None, error: float | None, nats_per_image: list, convert: Callable[[float], float] = float
) -> Value:
    """Return the `Value` of an NLL with those of its images.

    Args:
      number, error: the NLL and its standard error, in the unit of `convert`.
      nats_per_image: list of float as results store it, None where not finite.
      convert: function from nats to that unit.
    """
    samples = tuple(math.nan if nats is None else convert(nats) for nats in nats_per_image)
    return Value(number, error, samples=samples, over="images")


def over_seeds(values: list[Value]) -> Value:
    """Return one `Value` of those of several seeds: mean and standard deviation of the finite ones; of one itself."""
    known = [value.number for value in values if value.is_known]
    if len(known) < 2:
        return next((value for value in values if value.is_known), Value())
    numbers = tuple(value.number if value.is_known else math.nan for value in values)
    return Value(statistics.fmean(known), statistics.stdev(known), len(known), numbers, "seeds")
