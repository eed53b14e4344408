"""Held-out negative log-likelihood."""

import dataclasses
import math

import numpy as np
import tensorflow as tf

from flow_gan import data
from flow_gan.errors import UserError
from flow_gan.evaluation.checks import (
    ROUND_TRIP_LIMIT_LEVELS,
    Checks,
    batch_dependence,
    largest_difference,
    num_batch_checked,
    round_trip_errors,
)
from flow_gan.evaluation.float64 import in_float64
from flow_gan.evaluation.progress import progress
from flow_gan.evaluation.statistics import kept_per_image, mean_and_error, with_error
from flow_gan.generators import NO_PER_IMAGE_LIKELIHOOD

# Images whose round trip is made; each costs twice a likelihood.
CHECKED_IMAGES = 1000
# Images that are evaluated in float64 too.
ROUNDING_IMAGES = 100
_DEQUANTIZED_AT_ONCE = 1000


@dataclasses.dataclass(frozen=True)
class NLL:
    """Mean negative log-likelihood of images and its standard error over images.

    The density is that of dequantised pixels in [0, 1]:

        bits/dim = NLL / (D ln 2) + log2(levels)

    Attributes:
      nats: float, per image, the mean over images and noise draws. Not finite where one value is not.
      nats_standard_error: float, over images.
      num_images: int.
      size: int, D = H W C.
      levels: int, grey levels.
      is_per_image: bool, whether each image's likelihood depends on that image alone.
      noise_draws: int K, draws of the dequantisation noise for each image.
      bound_nats, bound_standard_error: float, the importance-weighted bound -log 1/K sum_k p(x_k) in nats and its
        standard error; None for one draw. It is at most `nats`, and nearer to the NLL of the discrete image.
      num_available: int, images in the split; more than `num_images` says that the figure is of a part. None: all.
      checks: `Checks`, or None where none were made.
      nats_per_image: list of float, the value of each image whose mean `nats` is; see `kept_per_image` for its length.
      bound_nats_per_image: the same of `bound_nats`, None for one draw.
    """

    nats: float
    nats_standard_error: float
    num_images: int
    size: int
    levels: int
    is_per_image: bool = True
    noise_draws: int = 1
    bound_nats: float | None = None
    bound_standard_error: float | None = None
    num_available: int | None = None
    checks: Checks | None = None
    nats_per_image: list | None = None
    bound_nats_per_image: list | None = None

    @property
    def bits_per_dim(self):
        """The NLL in bits per pixel value, of the discrete images."""
        return data.bits_per_dim(self.nats, self.size, self.levels)

    @property
    def bits_per_dim_standard_error(self):
        """The standard error in the same unit."""
        return self.nats_standard_error / (self.size * math.log(2))

    @property
    def bound_bits_per_dim(self):
        """The importance-weighted bound in bits/dim, None for one draw."""
        return None if self.bound_nats is None else data.bits_per_dim(self.bound_nats, self.size, self.levels)

    @property
    def warnings(self):
        """Sentences that must stand beside the figure, none where it is sound."""
        found = [] if self.is_per_image else [NO_PER_IMAGE_LIKELIHOOD]
        return found + (self.checks.warnings if self.checks else [])

    def __str__(self):
        of = f" of {self.num_available}" if self.num_available not in (None, self.num_images) else ""
        text = (
            f"{with_error(self.nats, self.nats_standard_error, 2)} nats, "
            f"{with_error(self.bits_per_dim, self.bits_per_dim_standard_error, 4)} bits/dim "
            f"({self.num_images}{of} images)"
        )
        if self.bound_nats is not None:
            text += (
                f"\nimportance-weighted bound, {self.noise_draws} noise draws: "
                f"{with_error(self.bound_nats, self.bound_standard_error, 2)} nats, "
                f"{self.bound_bits_per_dim:.4f} bits/dim"
            )
        if self.checks is not None:
            text += f"\n{self.checks}"
        return text + "".join(f"\nwarning: {warning}" for warning in self.warnings)

    def to_dict(self):
        """Return all figures by name."""
        return dataclasses.asdict(self) | {
            "bits_per_dim": self.bits_per_dim,
            "bits_per_dim_standard_error": self.bits_per_dim_standard_error,
            "bound_bits_per_dim": self.bound_bits_per_dim,
            "warnings": self.warnings,
        }


def evaluate_nll(model, dataset, split, batch_size, noise_draws=1, num_examples=None):
    """Return the `NLL` of a split's images, with noise keyed by (seed, split, image, draw), and its checks.

    The first draw is that of the validations during training.

    Args:
      model: `FlowGAN`.
      dataset: `data.Dataset`.
      split: "train", "validation" or "test".
      batch_size: int, that of training. It counts where it is no per-image likelihood; others are evaluated in what
        batches are fast.
      noise_draws: int >= 1.
      num_examples: int, use the first images alone; all if None.

    Raises:
      UserError: the generator has no likelihood, the data have other grey levels than the model, or there are fewer
        images than asked for.
    """
    model.generator.require_likelihood("NLL")
    if model.levels != dataset.levels:
        raise UserError(f"the data have levels={dataset.levels}; expected the model's, {model.levels}")
    images = dataset.split(split).images
    available = len(images)
    count = num_images(num_examples, available, split)
    generator = model.generator
    batch_size = data.evaluation_batch_size(batch_size, generator.fast_batch_size, count)
    log_prob = tf.function(generator.log_prob, autograph=False)
    errors = tf.function(lambda x: round_trip_errors(generator, x), autograph=False)
    values, round_trip, first = [], [], None
    batches = progress(data.evaluation_batches(images, split, batch_size, count), f"NLL, {split}")
    for batch in _read(batches):
        kept = batch["weight"].numpy() > 0
        draws = []
        for draw in range(noise_draws):
            x = model.draws.evaluation_images(batch, draw)
            draws.append(log_prob(x).numpy()[kept])
            if draw == 0 and len(values) * batch_size < CHECKED_IMAGES:
                error = errors(x).numpy()[kept].reshape(np.sum(kept), -1)
                # Of large images no more is kept than what is told of them.
                round_trip.append((error.max(axis=1), error.mean(axis=1, dtype=np.float64)))
            if first is None:
                first = x, draws[0]
        values.append(np.stack(draws))
    values = np.concatenate(values, axis=1).astype(np.float64)
    largest, mean = (np.concatenate(parts) for parts in zip(*round_trip, strict=True))
    checks = Checks(
        float(np.mean(np.isfinite(values).all(axis=0))),
        float(np.max(largest)),
        float(np.mean(mean)),
        ROUND_TRIP_LIMIT_LEVELS / dataset.levels,
        batch_dependence(log_prob, first[0][: len(first[1])]),
        len(largest),
        num_batch_checked(len(first[1])),
        *_rounding(generator, *first),
    )
    with np.errstate(invalid="ignore"):
        nats = -np.mean(values, axis=0)
        bound = None if noise_draws == 1 else -_log_mean_exp(values)
    bound_mean, bound_error = (None, None) if bound is None else mean_and_error(bound)
    return NLL(
        *mean_and_error(nats),
        num_images=count,
        size=generator.size,
        levels=dataset.levels,
        is_per_image=generator.has_per_image_likelihood,
        noise_draws=noise_draws,
        bound_nats=bound_mean,
        bound_standard_error=bound_error,
        num_available=available,
        checks=checks,
        nats_per_image=kept_per_image(nats),
        bound_nats_per_image=None if bound is None else kept_per_image(bound),
    )


def _rounding(generator, images, log_prob):
    """Return the largest difference of log p(x) in nats to that in float64, and of how many images.

    Args:
      generator: `FlowGenerator`.
      images: [batch, H, W, C], a batch as it was evaluated.
      log_prob: [n], what was found of its first n images.
    """
    if generator.has_per_image_likelihood:
        images = images[:ROUNDING_IMAGES]
    exact = in_float64(generator).log_prob(images).numpy()
    count = min(ROUNDING_IMAGES, len(log_prob))
    return largest_difference(log_prob[:count], exact[:count]), count


def dequantized_images(model, dataset, split, count=None):
    """Return the first images of a split as `evaluate_nll` dequantises them, float [count, H, W, C].

    Args:
      model: `FlowGAN`.
      dataset: `data.Dataset`.
      split: "train", "validation" or "test".
      count: int; all if None.
    """
    images = dataset.split(split).images
    count = num_images(count, len(images), split)
    batches = data.evaluation_batches(images, split, _DEQUANTIZED_AT_ONCE, count)
    return np.concatenate([model.draws.evaluation_images(batch).numpy() for batch in _read(batches)])[:count]


def _read(batches):
    with data.reading_errors():
        yield from batches


def num_images(asked, available, what):
    """Return how many images to use: `asked`, or all of them if it is None.

    Raises:
      UserError: there are fewer.
    """
    if asked is not None and asked > available:
        raise UserError(f"--num_examples={asked}; the {what} images are {available}")
    return asked or available


def _log_mean_exp(values):
    largest = np.max(values, axis=0)
    return largest + np.log(np.mean(np.exp(values - largest), axis=0))
