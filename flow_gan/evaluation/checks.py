"""Whether a flow's likelihood can be trusted: its inverse, its range, and what an image's value depends on."""

import dataclasses

import numpy as np
import tensorflow as tf

# Half a grey level: an inverse that is further off does not give the image back.
ROUND_TRIP_LIMIT_LEVELS = 0.5
# Nats. Rounding alone moves the log-density of a few thousand dimensions in float32 by less.
BATCH_LIMIT = ROUNDING_LIMIT = 0.1


@dataclasses.dataclass(frozen=True)
class Checks:
    """How exact a likelihood is.

    Attributes:
      finite_fraction: float, share of all evaluated images whose value is finite in each draw of the noise.
      round_trip_largest: float, largest |x - G(f(x))| over all pixel values of the checked images, in [0, 1]; NaN or
        infinity where the inverse is not finite.
      round_trip_mean: float, mean of the same.
      round_trip_limit: float, half a grey level.
      batch_dependence: float, largest change of an image's log p(x) in nats when other images stand beside it.
      num_checked: int, images whose round trip was made.
      num_batch_checked: int, images whose dependence on the batch was measured.
      rounding: float, largest difference of an image's log p(x) in nats to that computed in float64, with the same
        weights and the same x.
      num_rounding_checked: int, images of which `rounding` is the largest difference.
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

    def __str__(self):
        return (
            f"round trip |x - G(f(x))| {self.round_trip_largest:.2g} at most, {self.round_trip_mean:.2g} in the mean "
            f"({self.num_checked} images); {100 * self.finite_fraction:g} % finite; changes by "
            f"{self.batch_dependence:.2g} nats at most with the rest of the batch ({self.num_batch_checked} images), "
            f"by {self.rounding:.2g} nats at most in float64 ({self.num_rounding_checked} images)"
        )

    @property
    def warnings(self):
        """Sentences, one for each check that failed."""
        found = finite_warnings(self.finite_fraction)
        if not self.round_trip_largest <= self.round_trip_limit:
            found.append(
                f"the inverse is inexact: G(f(x)) is off by up to {self.round_trip_largest:.2g} "
                f"(limit {self.round_trip_limit:.2g}, half a grey level)"
            )
        if not self.batch_dependence <= BATCH_LIMIT:
            found.append(
                f"an image's log-likelihood changes by up to {self.batch_dependence:.2g} nats with the other images of "
                f"its batch (limit {BATCH_LIMIT}), so it is no per-image likelihood"
            )
        if not self.rounding <= ROUNDING_LIMIT:
            found.append(
                f"an image's log-likelihood is off by up to {self.rounding:.2g} nats from that computed in float64 "
                f"(limit {ROUNDING_LIMIT})"
            )
        return found


def finite_warnings(fraction: float) -> list:
    """Return the sentence that says that only this share of the images has finite values, none where all have."""
    return [f"only {100 * fraction:.2f} % of the images have a finite log-likelihood"] if fraction < 1 else []


def round_trip_errors(generator, images):
    """Return |x - G(f(x))|, [batch, H, W, C], of float images.

    The latents leave the graph of the first pass by a copy, and each pass has bijectors of its own, so that no cache
    can hand back the image instead of computing it.
    """
    z = tf.identity(generator.encode(images))
    return tf.abs(images - generator.decode(z))


def batch_dependence(log_prob, images):
    """Return the largest change of log p(x) in nats when half of a batch is replaced, by its negative.

    Args:
      log_prob: function from images [batch, H, W, C] to [batch].
      images: float [batch, H, W, C] in [0, 1]. The first half of them keeps, the second half changes; a single image
        stands beside itself.

    Returns:
      float; infinity where a value is finite in one batch alone.
    """
    images = np.asarray(images)
    half = num_batch_checked(len(images))
    first, companions = images[:half], images[-half:]
    batches = [np.concatenate([first, beside]) for beside in (companions, 1 - companions)]
    return largest_difference(*(np.asarray(log_prob(batch))[:half] for batch in batches))


def num_batch_checked(count):
    """Return of how many images of a batch of `count` `batch_dependence` tells."""
    return max(count // 2, 1)


def largest_difference(first, second):
    """Return the largest |first - second| of two arrays [n]; infinity where one of a pair alone is finite."""
    with np.errstate(invalid="ignore"):
        difference = np.abs(first - second)
    # Two infinities or two NaNs are no change.
    same = ~np.isfinite(first) & ~np.isfinite(second)
    difference = np.where(same, 0.0, np.where(np.isfinite(difference), difference, np.inf))
    return float(difference.max())
