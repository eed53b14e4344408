"""Scores of single images: log p(x), typicality, and the critic's logit."""

import dataclasses

import numpy as np
import tensorflow as tf

from flow_gan import data
from flow_gan.generators import NO_PER_IMAGE_LIKELIHOOD, FlowGenerator
from flow_gan.model import FlowGAN
from flow_gan.progress import progress


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageScores:
    """Scores of each of N images, dequantised once.

    Attributes:
      log_prob: log p(x) in nats, float64 [N].
      bits_per_dim: the same as an NLL in bits/dim of the discrete image, [N].
      typicality: see `typicality`, in nats, [N]; NaN where the entropy is not known. Of a conditional model it is that
        of log p(x | y) of the most likely class, since the entropy is given the label, too.
      critic_logit: the critic's logit of the image, [N]; None without a critic. Of a conditional model it is given the
        most likely class.
      most_likely_class: argmax_y p(x | y) p(y), int [N]; None of a model without classes. log_prob is then
        log p(x) = logsumexp_y (log p(x | y) + log p(y)).
      entropy: in nats.
      is_per_image: whether each image's log p(x) depends on that image alone.
    """

    log_prob: np.ndarray = dataclasses.field(repr=False)
    bits_per_dim: np.ndarray = dataclasses.field(repr=False)
    typicality: np.ndarray = dataclasses.field(repr=False)
    critic_logit: np.ndarray | None = dataclasses.field(repr=False)
    most_likely_class: np.ndarray | None = dataclasses.field(default=None, repr=False)
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

    def score(x):
        if generator.num_classes is None:
            labels, values = None, {"log_prob": generator.log_prob(x)}
        else:
            by_class = generator.log_prob_by_class(x)
            joint = by_class + generator.log_class_shares
            labels = tf.argmax(joint, 1)
            given = tf.gather(by_class, labels, batch_dims=1)
            values = {"log_prob": tf.reduce_logsumexp(joint, 1), "given_class": given, "class": labels}
        return values if model.critic is None else values | {"critic": _critic(model, x, labels)}

    found = _of_each(model, images, batch_size, split, seed, score)
    log_prob = found["log_prob"]
    return ImageScores(
        log_prob=log_prob,
        bits_per_dim=np.array([data.bits_per_dim(-value, generator.size, model.levels) for value in log_prob]),
        typicality=typicality(found.get("given_class", log_prob), entropy),
        critic_logit=found.get("critic"),
        most_likely_class=found["class"].astype(int) if "class" in found else None,
        entropy=entropy,
        is_per_image=generator.has_per_image_likelihood,
    )


def critic_logits(
    model: FlowGAN, images: data.Images, batch_size: int, split: str = "test", seed: int | None = None
) -> np.ndarray:
    """Return the critic's logit of each image, [N]: those of `score_images`, whose arguments these are.

    The generator needs no likelihood, and the model a critic.
    """
    return _of_each(model, images, batch_size, split, seed, lambda x: {"critic": _critic(model, x, None)})["critic"]


def most_likely_class(generator: FlowGenerator, images: np.ndarray) -> np.ndarray | None:
    """Return argmax_y p(x | y) p(y), int [n], of dequantised images; None of a generator without classes."""
    return None if generator.num_classes is None else np.argmax(generator.joint_log_prob(images), axis=1)


def _critic(model, x, labels):
    return model.critic_logits(x, labels)[:, 0]


def _of_each(model, images, batch_size, split, seed, function):
    """Return what a function of dequantised images, to {name: [batch]}, says of each image, {name: float64 [N]}."""
    count = len(images)
    batch_size = data.evaluation_batch_size(batch_size, model.generator.fast_batch_size, count)

    @tf.function(autograph=False)
    def score(batch):
        return function(model.draws.evaluation_images(batch, seed=seed))

    found: dict[str, np.ndarray] = {}
    first = 0
    with data.reading_errors():
        for batch in progress(data.evaluation_batches(images, split, batch_size, count), "scores of images"):
            kept = batch["weight"].numpy() > 0
            for name, values in score(batch).items():
                part = values.numpy()[kept]
                found.setdefault(name, np.empty(count))[first : first + len(part)] = part
            first += int(np.sum(kept))
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
