"""What a conditional flow's likelihoods of all classes say: log p(x), and the class of an image."""

import dataclasses

import numpy as np
import scipy.special
import tensorflow as tf

from flow_gan import data
from flow_gan.errors import UserError
from flow_gan.evaluation.checks import finite_warnings
from flow_gan.evaluation.nll import MeanNLL, given_labels, num_images
from flow_gan.evaluation.statistics import kept_per_image, mean_and_error, share_error
from flow_gan.evaluation.text import out_of, with_error, with_warnings
from flow_gan.generators import NO_PER_IMAGE_LIKELIHOOD
from flow_gan.model import FlowGAN
from flow_gan.progress import progress


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClassLikelihoods(MeanNLL):
    """The NLL of images without their labels, and the accuracy of the classifier that the likelihoods make.

        log p(x) = logsumexp_y (log p(x | y) + log p(y))
        class of x = argmax_y p(x | y) p(y)

    where p(y) are the shares of the classes among the training images.

    Attributes:
      nats, nats_standard_error: mean of -log p(x) over images, and its standard error.
      given_label, given_label_standard_error: the same of -log p(x | y) with the true y; `evaluate_nll` has it, too.
      accuracy: share of the images whose class is the true one. Images that are not finite count as errors.
      accuracy_standard_error: see `share_error`.
      accuracy_by_class: the accuracy on the images of each class; None for a class without images.
      num_images, num_available: as of `NLL`.
      size, levels: as of `NLL`.
      finite_fraction: share of the images with a finite log p(x).
      is_per_image: whether each image's likelihood depends on that image alone.
      nats_per_image: -log p(x) of each image; see `kept_per_image` for its length.
    """

    nats: float
    nats_standard_error: float
    given_label: float
    given_label_standard_error: float
    accuracy: float
    accuracy_standard_error: float
    accuracy_by_class: list[float | None]
    num_images: int
    num_available: int
    size: int
    levels: int
    finite_fraction: float
    is_per_image: bool
    nats_per_image: list[float] | None = dataclasses.field(default=None, repr=False)

    @property
    def warnings(self) -> list[str]:
        """Sentences to show with the figures; none if they are sound."""
        found = [] if self.is_per_image else [NO_PER_IMAGE_LIKELIHOOD]
        return found + finite_warnings(self.finite_fraction)

    def __str__(self) -> str:
        text = (
            f"-log p(x)        {with_error(self.nats, self.nats_standard_error, 2)} nats, "
            f"{with_error(self.bits_per_dim, self.bits_per_dim_standard_error, 4)} bits/dim "
            f"({out_of(self.num_images, self.num_available)} images)\n"
            f"-log p(x | y)    {with_error(self.given_label, self.given_label_standard_error, 2)} nats\n"
            f"accuracy         {with_error(100 * self.accuracy, 100 * self.accuracy_standard_error, 2)} % of argmax_y "
            f"p(x | y) p(y), of {len(self.accuracy_by_class)} classes"
        )
        return with_warnings(text, self.warnings)

    def to_dict(self) -> dict:
        """Return all figures by name."""
        return dataclasses.asdict(self) | {
            "bits_per_dim": self.bits_per_dim,
            "bits_per_dim_standard_error": self.bits_per_dim_standard_error,
            "warnings": self.warnings,
        }


def evaluate_class_likelihoods(
    model: FlowGAN, dataset: data.Dataset, split: str, batch_size: int, num_examples: int | None = None
) -> ClassLikelihoods:
    """Return the `ClassLikelihoods` of a split's images, dequantised as `evaluate_nll` does.

    One pass through the flow gives an image's likelihoods of all classes.

    Args:
      split: "train", "validation" or "test".
      batch_size: that of training; see `evaluate_nll`.
      num_examples: use the first images only; all if None.

    Raises:
      UserError: the generator is not conditional, or there are no labels or fewer images than `num_examples`.
    """
    generator = model.generator
    if generator.num_classes is None:
        raise UserError("the generator has no classes; expected a conditional one")
    images, labels = dataset.split(split).images, given_labels(generator, dataset, split)
    assert labels is not None
    count = num_images(num_examples, len(images), split)
    labels = labels[:count]
    batch_size = data.evaluation_batch_size(batch_size, generator.fast_batch_size, count)
    log_prob = tf.function(generator.log_prob_by_class, autograph=False)
    parts = []
    with data.reading_errors():
        for batch in progress(data.evaluation_batches(images, split, batch_size, count), f"classes, {split}"):
            kept = batch["weight"].numpy() > 0
            parts.append(log_prob(model.draws.evaluation_images(batch)).numpy()[kept])
    by_class = np.concatenate(parts).astype(np.float64)
    joint = by_class + np.asarray(generator.log_class_shares, np.float64)
    marginal = scipy.special.logsumexp(joint, axis=1)
    is_right = (np.argmax(joint, 1) == labels) & np.isfinite(marginal)
    accuracy = float(np.mean(is_right))
    nats, error = mean_and_error(-marginal)
    given_nats, given_error = mean_and_error(-by_class[np.arange(count), labels])
    return ClassLikelihoods(
        nats=nats,
        nats_standard_error=error,
        given_label=given_nats,
        given_label_standard_error=given_error,
        accuracy=accuracy,
        accuracy_standard_error=share_error(int(np.sum(is_right)), count),
        accuracy_by_class=[
            float(np.mean(is_right[labels == y])) if (labels == y).any() else None for y in range(generator.num_classes)
        ],
        num_images=count,
        num_available=len(images),
        size=generator.size,
        levels=dataset.levels,
        finite_fraction=float(np.mean(np.isfinite(marginal))),
        is_per_image=generator.has_per_image_likelihood,
        nats_per_image=kept_per_image(-marginal),
    )
