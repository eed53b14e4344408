"""Scores of single images: log p(x), typicality, and the critic's logit."""

import dataclasses

import numpy as np
import tensorflow as tf

from flow_gan import data
from flow_gan.generators import NO_PER_IMAGE_LIKELIHOOD
from flow_gan.model import FlowGAN
from flow_gan.progress import progress


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageScores:
    """Scores of each of N images, dequantised once.

    Attributes:
      log_prob: log p(x) in nats, float64 [N].
      bits_per_dim: the same as an NLL in bits/dim of the discrete image, [N].
      typicality: see `typicality`, in nats, [N]; NaN where the entropy is not known.
      critic_logit: the critic's logit of the image, [N]; None without a critic.
      entropy: in nats.
      is_per_image: whether each image's log p(x) depends on that image alone.
    """

    log_prob: np.ndarray = dataclasses.field(repr=False)
    bits_per_dim: np.ndarray = dataclasses.field(repr=False)
    typicality: np.ndarray = dataclasses.field(repr=False)
    critic_logit: np.ndarray | None = dataclasses.field(repr=False)
    entropy: float
    is_per_image: bool

    @property
    def warnings(self) -> list[str]:
        """Sentences to show with the scores; none if they are sound."""
        return [] if self.is_per_image else [NO_PER_IMAGE_LIKELIHOOD]


def score_images(
    model: FlowGAN,
    images: data.Images,
    batch_size: int,
    entropy: float,
    split: str = "test",
    seed: int | None = None,
) -> ImageScores:
    """Return the `ImageScores` of images, with noise keyed by (seed, split, image) as that of `evaluate_nll`.

    Args:
      images: uint8 [N, H, W, C], grey levels.
      batch_size: that of training; see `evaluate_nll`.
      entropy: in nats, from which the typicality is computed; NaN if unknown.
      split: see `data.evaluation_batches`.
      seed: of the noise; the model's if None.

    Raises:
      UserError: the generator has no likelihood, or an image cannot be read.
    """
    generator = model.generator
    generator.require_likelihood("log p(x)")
    critic = [] if model.critic is None else [_critic(model)]
    found = _of_each(model, images, batch_size, split, seed, [generator.log_prob, *critic])
    log_prob = found[:, 0]
    return ImageScores(
        log_prob=log_prob,
        bits_per_dim=np.array([data.bits_per_dim(-value, generator.size, model.levels) for value in log_prob]),
        typicality=typicality(log_prob, entropy),
        critic_logit=None if model.critic is None else found[:, 1],
        entropy=entropy,
        is_per_image=generator.has_per_image_likelihood,
    )


def critic_logits(
    model: FlowGAN, images: data.Images, batch_size: int, split: str = "test", seed: int | None = None
) -> np.ndarray:
    """Return the critic's logit of each image, [N]: those of `score_images`, whose arguments these are.

    The generator needs no likelihood, and the model a critic.
    """
    return _of_each(model, images, batch_size, split, seed, [_critic(model)])[:, 0]


def _critic(model):
    return lambda x: tf.cast(model.critic(x, training=False)[:, 0], x.dtype)


def _of_each(model, images, batch_size, split, seed, functions):
    """Return what functions of dequantised images, to [batch], say of each image, float64 [N, functions]."""
    count = len(images)
    batch_size = data.evaluation_batch_size(batch_size, model.generator.fast_batch_size, count)

    @tf.function(autograph=False)
    def score(batch):
        x = model.draws.evaluation_images(batch, seed=seed)
        return tf.stack([function(x) for function in functions], 1)

    found = np.empty((count, len(functions)))
    first = 0
    with data.reading_errors():
        for batch in progress(data.evaluation_batches(images, split, batch_size, count), "scores of images"):
            kept = batch["weight"].numpy() > 0
            part = score(batch).numpy()[kept]
            found[first : first + len(part)] = part
            first += len(part)
    return found


def typicality(log_prob: np.ndarray, entropy: float) -> np.ndarray:
    """Return |log p(x) + H|: how far each image is from the typical set of a density, in nats (Nalisnick et al. 2019).

    In many dimensions a draw from p has -log p(x) close to the entropy H = E[-log p(x)]. An image whose log p(x) is far
    higher is therefore as unlike the draws as one whose log p(x) is far lower: a flat grey image often has the highest
    density of all. A small value is typical.

    Args:
      log_prob: [N], log p(x) in nats.
      entropy: H in nats. The images on which it is estimated define what is typical; Nalisnick et al. ("Detecting
        out-of-distribution inputs to deep generative models using typicality") take images of the data.
    """
    with np.errstate(invalid="ignore"):
        return np.abs(np.asarray(log_prob, np.float64) + entropy)
