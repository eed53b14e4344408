"""Held-out negative log-likelihood."""

import dataclasses
import math

from flow_gan import data
from flow_gan.generators import NO_PER_IMAGE_LIKELIHOOD


@dataclasses.dataclass(frozen=True)
class NLL:
    """Mean negative log-likelihood of images and its standard error over images.

    The density is that of dequantised pixels in [0, 1]:

        bits/dim = NLL / (D ln 2) + log2(levels)

    Attributes:
      nats: float, per image.
      nats_standard_error: float.
      num_images: int.
      size: int, D = H W C.
      levels: int, grey levels.
      is_per_image: bool, whether each image's likelihood depends on that image alone.
    """

    nats: float
    nats_standard_error: float
    num_images: int
    size: int
    levels: int
    is_per_image: bool = True

    @property
    def bits_per_dim(self):
        """The NLL in bits per pixel value, of the discrete images."""
        return data.bits_per_dim(self.nats, self.size, self.levels)

    @property
    def bits_per_dim_standard_error(self):
        """The standard error in the same unit."""
        return self.nats_standard_error / (self.size * math.log(2))

    def __str__(self):
        return (
            f"{self.nats:.2f} +- {self.nats_standard_error:.2f} nats, "
            f"{self.bits_per_dim:.4f} +- {self.bits_per_dim_standard_error:.4f} bits/dim "
            f"({self.num_images} images)" + ("" if self.is_per_image else f"\nwarning: {NO_PER_IMAGE_LIKELIHOOD}")
        )

    def to_dict(self):
        """Return all figures by name."""
        figures = dataclasses.asdict(self) | {
            "bits_per_dim": self.bits_per_dim,
            "bits_per_dim_standard_error": self.bits_per_dim_standard_error,
        }
        return figures if self.is_per_image else figures | {"warning": NO_PER_IMAGE_LIKELIHOOD}


def evaluate_nll(model, dataset, split, batch_size):
    """Return the `NLL` of all images of a split, with noise keyed by (seed, split, image).

    Args:
      model: `FlowGAN`.
      dataset: `data.Dataset`.
      split: "train", "validation" or "test".
      batch_size: int; the result does not depend on it but for rounding, unless it is no per-image likelihood.
    """
    images = dataset.split(split).images
    batches = data.evaluation_batches(images, split, batch_size)
    result = model.evaluate(batches, verbose=0, return_dict=True)
    return NLL(
        float(result["nll"]),
        float(result["nll_standard_error"]),
        len(images),
        model.generator.size,
        dataset.levels,
        model.generator.has_per_image_likelihood,
    )
