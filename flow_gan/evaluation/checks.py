"""Checks of a flow's likelihood: exact inverse, finite values, rounding, dependence on the batch."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from flow_gan.generators import FlowGenerator
from flow_gan.generators.labels import arguments

# In grey levels: with an error above one half the inverse does not return the image.
ROUND_TRIP_LIMIT_LEVELS = 0.5
# Nats. Rounding of float32 changes a log-density of a few thousand dimensions by less.
BATCH_LIMIT = ROUNDING_LIMIT = 0.1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Checks:
    """How exact a likelihood is.

    Attributes:
      finite_fraction: share of all evaluated images whose value is finite for every draw of the noise.
      round_trip_largest: largest |x - G(f(x))| over all pixel values of the checked images, in [0, 1]; NaN or infinity
        where the inverse is not finite.
      round_trip_mean: mean of the same.
      round_trip_limit: half a grey level.
      batch_dependence: largest change of an image's log p(x) in nats when the other images of its batch change.
      num_checked: images in the round trip.
      num_batch_checked: images whose dependence on the batch was measured.
      rounding: largest difference of an image's log p(x) in nats from that computed in float64, with the same weights
        and the same x.
      num_rounding_checked: images that were computed in float64.
    """

    finite_fraction: float
    round_trip_largest: float
    round_trip_mean: float
    round_trip_limit: float
    batch_dependence: float
    num_checked: int
    num_batch_checked: int
    rounding: float
    num_rounding_checked: int

    def __str__(self) -> str:
        return (
            f"round trip |x - G(f(x))| {self.round_trip_largest:.2g} at most, {self.round_trip_mean:.2g} in the mean "
            f"({self.num_checked} images); {100 * self.finite_fraction:g} % finite; changes by "
            f"{self.batch_dependence:.2g} nats at most with the rest of the batch ({self.num_batch_checked} images), "
            f"by {self.rounding:.2g} nats at most in float64 ({self.num_rounding_checked} images)"
        )

    @property
    def warnings(self) -> list[str]:
        """A sentence for each check that failed."""
        found = finite_warnings(self.finite_fraction)
        if not self.round_trip_largest <= self.round_trip_limit:
            found.append(
                f"the inverse is inexact: G(f(x)) is off by up to {self.round_trip_largest:.2g} "
                f"(limit {self.round_trip_limit:.2g}, half a grey level)"
            )
        if not self.batch_dependence <= BATCH_LIMIT:
            found.append(
                f"an image's log-likelihood changes by up to {self.batch_dependence:.2g} nats with the other images of "
                f"its batch (limit {BATCH_LIMIT}), so it is not a per-image likelihood"
            )
        if not self.rounding <= ROUNDING_LIMIT:
            found.append(
                f"an image's log-likelihood differs by up to {self.rounding:.2g} nats from that computed in float64 "
                f"(limit {ROUNDING_LIMIT})"
            )
        return found


def finite_warnings(fraction: float) -> list[str]:
    """Return the warning that only this share of the images has finite values; none if the share is 1."""
    return [f"only {100 * fraction:.2f} % of the images have a finite log-likelihood"] if fraction < 1 else []


def round_trip_errors(generator: FlowGenerator, images: tf.Tensor, labels: Any = None) -> tf.Tensor:
    """Return |x - G(f(x))|, [batch, H, W, C], of float images, and of their labels if the generator is conditional.

    The latents are copied and each pass has its own bijectors, so that the inverse is computed, not taken from a cache.
    """
    given = arguments(labels)
    z = tf.identity(generator.encode(images, **given))
    return tf.abs(images - generator.decode(z, **given))


def batch_dependence(log_prob: Callable[..., tf.Tensor], images: np.ndarray, labels: Any = None) -> float:
    """Return the largest change of log p(x) in nats when half of a batch is replaced by its negative.

    Args:
      log_prob: from images [batch, H, W, C], and from labels if there are any, to [batch].
      images: float [batch, H, W, C] in [0, 1]. The first half is kept, the second half changes; a single image is
        evaluated beside itself and beside its negative.
      labels: int [batch], of a conditional generator.

    Returns:
      Infinity where a value is finite in only one of the batches.
    """
    images = np.asarray(images)
    half = num_batch_checked(len(images))
    first, companions = images[:half], images[-half:]
    batches = [np.concatenate([first, beside]) for beside in (companions, 1 - companions)]
    beside = None if labels is None else np.concatenate([labels[:half], labels[-half:]])
    return largest_difference(*(np.asarray(log_prob(batch, **arguments(beside)))[:half] for batch in batches))


def num_batch_checked(count: int) -> int:
    """Return how many images of a batch of `count` are checked by `batch_dependence`."""
    return max(count // 2, 1)


def largest_difference(first: np.ndarray, second: np.ndarray) -> float:
    """Return the largest |first - second| of two arrays [n]; infinity where only one of a pair is finite."""
    with np.errstate(invalid="ignore"):
        difference = np.abs(first - second)
    # Two values that are not finite count as equal.
    same = ~np.isfinite(first) & ~np.isfinite(second)
    difference = np.where(same, 0.0, np.where(np.isfinite(difference), difference, np.inf))
    return float(difference.max())
