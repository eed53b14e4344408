"""DCGAN (Radford et al. 2015), the implicit generator that the paper compares its flows with (Section 5.1)."""

from typing import Any

import keras
import tensorflow as tf

from flow_gan import keras_internals
from flow_gan.config import Config
from flow_gan.errors import check_number
from flow_gan.generators.base import Generator
from flow_gan.generators.labels import as_labels
from flow_gan.networks.dcgan import UpsamplingNetwork
from flow_gan.networks.initializers import GENERATOR, SeededInitializers


@keras.saving.register_keras_serializable("flow_gan")
class DCGAN(Generator):
    """Transposed convolutions from z ~ p(z) to images, see `networks.dcgan.UpsamplingNetwork`.

    It has no inverse and no likelihood, and can only be trained against a critic. By default z has as many entries as
    an image, k = d, as in the paper.

    Args:
      image_shape: (H, W, C), of any size.
      filters: int, channels of the last convolution's input; those before it have 2, 4, ... times as many.
      prior: "logistic", "gaussian" or "uniform".
      latent_size: int, k; H W C if None.
      seed: int, from which the initial weights derive.
      precision: of the networks' matrix products and convolutions, see `networks.precision`.
      **kwargs: of `keras.Model`.

    Raises:
      UserError: an argument out of its range, or `prior` is unknown.

    Example:
      >>> import flow_gan
      >>> generator = flow_gan.DCGAN(image_shape=(8, 8, 1), filters=4)
      >>> generator.sample(4, seed=0).shape
      TensorShape([4, 8, 8, 1])
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (28, 28, 1),
        filters: int = 64,
        prior: str = "logistic",
        latent_size: int | None = None,
        seed: int = 0,
        precision: str = "float32",
        **kwargs: Any,
    ):
        super().__init__(image_shape, prior, latent_size, precision=precision, **kwargs)
        check_number("filters", filters, 1)
        self.filters = filters
        self.seed = seed
        self.network = UpsamplingNetwork(
            self.latent_size,
            self.image_shape,
            filters,
            SeededInitializers("normal", seed, GENERATOR),
            precision,
            name="upsampling",
            dtype=self.dtype_policy,
        )
        keras_internals.show_shapes(self.network, (None, self.latent_size))
        self.built = True

    def decode(self, z: tf.Tensor, labels: Any = None, training: bool = False) -> tf.Tensor:
        """Return x = G(z), [batch, H, W, C] in [0, 1]; see `Generator.decode`. It has no classes."""
        as_labels("decode", labels, self.num_classes)
        return self.network(self._latents(z), training=training)

    def get_config(self) -> dict:
        """Return the constructor's arguments."""
        return super().get_config() | {
            "filters": self.filters,
            "latent_size": self.latent_size,
            "seed": self.seed,
        }


def from_settings(config: Config, image_shape: tuple) -> DCGAN:
    """Return the generator of a configuration; see `generators.make_generator`."""
    return DCGAN(
        image_shape,
        filters=config.filters,
        prior=config.prior,
        seed=config.seed,
        precision=config.precision,
        name="generator",
    )
