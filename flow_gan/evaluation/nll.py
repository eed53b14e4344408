"""Held-out negative log-likelihood."""

import dataclasses
import functools
import math
from typing import Any

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
from flow_gan.evaluation.statistics import kept_per_image, log_mean_exp, mean_and_error
from flow_gan.evaluation.text import out_of, with_error, with_warnings
from flow_gan.generators import NO_PER_IMAGE_LIKELIHOOD, Generator
from flow_gan.generators.labels import arguments, check_labels
from flow_gan.model import FlowGAN
from flow_gan.progress import progress

# Images whose round trip is checked; each costs as much as two likelihoods.
CHECKED_IMAGES = 1000
# Images that are also evaluated in float64.
ROUNDING_IMAGES = 100
_DEQUANTIZED_AT_ONCE = 1000


class MeanNLL:
    """A mean over images in nats, and what it is in bits/dim.

    Attributes:
      nats, nats_standard_error: per image.
      size: D = H W C.
      levels: number of grey levels.
    """

    nats: float
    nats_standard_error: float
    size: int
    levels: int

    @property
    def bits_per_dim(self) -> float:
        """The mean in bits per pixel value, of the discrete images."""
        return data.bits_per_dim(self.nats, self.size, self.levels)

    @property
    def bits_per_dim_standard_error(self) -> float:
        """The standard error in the same unit."""
        return self.nats_standard_error / (self.size * math.log(2))


@dataclasses.dataclass(frozen=True, kw_only=True)
class NLL(MeanNLL):
    """Mean negative log-likelihood of images and its standard error over images.

    The density is that of dequantised pixels in [0, 1]:

        bits/dim = NLL / (D ln 2) + log2(levels)

    Attributes:
      nats: per image, the mean over images and noise draws. Not finite if one value is not.
      nats_standard_error: over images.
      size: D = H W C.
      levels: number of grey levels.
      is_per_image: whether each image's likelihood depends on that image alone.
      is_given_label: whether it is -log p(x | y), of a conditional model.
      noise_draws: K, draws of the dequantisation noise for each image.
      bound_nats, bound_standard_error: the importance-weighted bound -log 1/K sum_k p(x_k) in nats and its standard
        error; None for one draw. It is at most `nats`, and closer to the NLL of the discrete image.
      num_available: images in the split, `num_images` of which were used. None: all were used.
      checks: None if none were made.
      nats_per_image: the value of each image, whose mean is `nats`; see `kept_per_image` for its length.
      bound_nats_per_image: likewise for `bound_nats`.
    """

    nats: float
    nats_standard_error: float
    num_images: int
    size: int
    levels: int
    is_per_image: bool = True
    is_given_label: bool = False
    noise_draws: int = 1
    bound_nats: float | None = None
    bound_standard_error: float | None = None
    num_available: int | None = None
    checks: Checks | None = None
    nats_per_image: list[float] | None = dataclasses.field(default=None, repr=False)
    bound_nats_per_image: list[float] | None = dataclasses.field(default=None, repr=False)

    @property
    def bound_bits_per_dim(self) -> float | None:
        """The importance-weighted bound in bits/dim, None for one draw."""
        return None if self.bound_nats is None else data.bits_per_dim(self.bound_nats, self.size, self.levels)

    @property
    def warnings(self) -> list[str]:
        """Sentences to show with the NLL; none if it is sound."""
        found = [] if self.is_per_image else [NO_PER_IMAGE_LIKELIHOOD]
        return found + (self.checks.warnings if self.checks else [])

    def __str__(self) -> str:
        text = (
            f"{with_error(self.nats, self.nats_standard_error, 2)} nats, "
            f"{with_error(self.bits_per_dim, self.bits_per_dim_standard_error, 4)} bits/dim "
            f"({out_of(self.num_images, self.num_available)} images{', given the label' * self.is_given_label})"
        )
        if self.bound_nats is not None and self.bound_standard_error is not None:
            text += (
                f"\nimportance-weighted bound, {self.noise_draws} noise draws: "
                f"{with_error(self.bound_nats, self.bound_standard_error, 2)} nats, "
                f"{self.bound_bits_per_dim:.4f} bits/dim"
            )
        if self.checks is not None:
            text += f"\n{self.checks}"
        return with_warnings(text, self.warnings)

    def to_dict(self) -> dict:
        """Return all figures by name."""
        return dataclasses.asdict(self) | {
            "bits_per_dim": self.bits_per_dim,
            "bits_per_dim_standard_error": self.bits_per_dim_standard_error,
            "bound_bits_per_dim": self.bound_bits_per_dim,
            "warnings": self.warnings,
        }


def evaluate_nll(
    model: FlowGAN,
    dataset: data.Dataset,
    split: str,
    batch_size: int,
    noise_draws: int = 1,
    num_examples: int | None = None,
) -> NLL:
    """Return the `NLL` of a split's images, with noise keyed by (seed, split, image, draw), and its checks.

    The first draw is that of the validations during training. Of a conditional model it is the NLL given the labels.

    Args:
      split: "train", "validation" or "test".
      batch_size: that of training. A likelihood that depends on the batch is evaluated in such batches, others in
        faster multiples of it.
      noise_draws: >= 1.
      num_examples: use the first images only; all if None.

    Raises:
      UserError: the generator has no likelihood, data and model differ in `levels`, or there are fewer images than
        `num_examples`.
    """
    model.generator.require_likelihood("NLL")
    if model.levels != dataset.levels:
        raise UserError(f"the data have levels={dataset.levels}; expected the model's, {model.levels}")
    generator = model.generator
    images, labels = dataset.split(split).images, given_labels(generator, dataset, split)
    available = len(images)
    count = num_images(num_examples, available, split)
    batch_size = data.evaluation_batch_size(batch_size, generator.fast_batch_size, count)
    log_prob = tf.function(generator.log_prob, autograph=False)
    errors = tf.function(functools.partial(round_trip_errors, generator), autograph=False)
    by_batch: list[np.ndarray] = []
    round_trip: list[tuple[np.ndarray, np.ndarray]] = []
    first: Any = None
    batches = data.evaluation_batches(images, split, batch_size, count, labels=labels)
    for batch in _read(progress(batches, f"NLL, {split}")):
        kept, given = batch["weight"].numpy() > 0, arguments(batch.get("labels"))
        draws = []
        for draw in range(noise_draws):
            x = model.draws.evaluation_images(batch, draw)
            draws.append(log_prob(x, **given).numpy()[kept])
            if draw == 0 and len(by_batch) * batch_size < CHECKED_IMAGES:
                error = errors(x, **given).numpy()[kept].reshape(np.sum(kept), -1)
                # Only numbers that `Checks` reports are kept, since images may be large.
                round_trip.append((error.max(axis=1), error.mean(axis=1, dtype=np.float64)))
            if first is None:
                first = x, batch.get("labels"), draws[0]
        by_batch.append(np.stack(draws))
    values = np.concatenate(by_batch, axis=1).astype(np.float64)
    largest, mean = (np.concatenate(parts) for parts in zip(*round_trip, strict=True))
    first_images, first_labels, first_log_prob = first
    rounding, num_rounding_checked = _rounding(generator, first_images, first_labels, first_log_prob)
    checked = len(first_log_prob)
    checks = Checks(
        finite_fraction=float(np.mean(np.isfinite(values).all(axis=0))),
        round_trip_largest=float(np.max(largest)),
        round_trip_mean=float(np.mean(mean)),
        round_trip_limit=ROUND_TRIP_LIMIT_LEVELS / dataset.levels,
        batch_dependence=batch_dependence(
            log_prob, first_images[:checked], None if first_labels is None else first_labels[:checked]
        ),
        num_checked=len(largest),
        num_batch_checked=num_batch_checked(checked),
        rounding=rounding,
        num_rounding_checked=num_rounding_checked,
    )
    with np.errstate(invalid="ignore"):
        nats = -np.mean(values, axis=0)
        bound = None if noise_draws == 1 else -log_mean_exp(values, axis=0)
    bound_mean, bound_error = (None, None) if bound is None else mean_and_error(bound)
    mean_nats, nats_error = mean_and_error(nats)
    return NLL(
        nats=mean_nats,
        nats_standard_error=nats_error,
        num_images=count,
        size=generator.size,
        levels=dataset.levels,
        is_per_image=generator.has_per_image_likelihood,
        is_given_label=generator.num_classes is not None,
        noise_draws=noise_draws,
        bound_nats=bound_mean,
        bound_standard_error=bound_error,
        num_available=available,
        checks=checks,
        nats_per_image=kept_per_image(nats),
        bound_nats_per_image=None if bound is None else kept_per_image(bound),
    )


def given_labels(generator: Generator, dataset: data.Dataset, split: str) -> np.ndarray | None:
    """Return the labels, int [N], of a split, which go into a conditional generator; None for one without classes.

    Raises:
      UserError: there are none, or one is out of range.
    """
    if generator.num_classes is None:
        return None
    labels = dataset.split(split).labels
    if labels is None:
        raise UserError(f"the {split} images of {dataset.name} have no labels, which a conditional generator needs")
    check_labels(f"the {split} images of {dataset.name}", labels, generator.num_classes)
    return labels


def _rounding(generator, images, labels, log_prob):
    """Return the largest difference of log p(x) in nats from that in float64, and the number of images compared.

    Args:
      generator: `FlowGenerator`.
      images: [batch, H, W, C], a batch that was evaluated.
      labels: [batch], or None.
      log_prob: [n], the results for its first n images.
    """
    if generator.has_per_image_likelihood:
        images = images[:ROUNDING_IMAGES]
        labels = None if labels is None else labels[:ROUNDING_IMAGES]
    exact = in_float64(generator).log_prob(images, **arguments(labels)).numpy()
    count = min(ROUNDING_IMAGES, len(log_prob))
    return largest_difference(log_prob[:count], exact[:count]), count


def dequantized_images(model: FlowGAN, dataset: data.Dataset, split: str, count: int | None = None) -> np.ndarray:
    """Return the first images of a split as `evaluate_nll` dequantises them, float [count, H, W, C].

    Args:
      split: "train", "validation" or "test".
      count: all if None.
    """
    images = dataset.split(split).images
    count = num_images(count, len(images), split)
    batches = data.evaluation_batches(images, split, _DEQUANTIZED_AT_ONCE, count)
    return np.concatenate([model.draws.evaluation_images(batch).numpy() for batch in _read(batches)])[:count]


def _read(batches):
    with data.reading_errors():
        yield from batches


def num_images(asked: int | None, available: int, what: str) -> int:
    """Return how many images to use: `asked`, or all of them if it is None.

    Raises:
      UserError: there are fewer.
    """
    if asked is not None and asked > available:
        raise UserError(f"--num_examples={asked}, but there are {available} {what} images")
    return asked or available
