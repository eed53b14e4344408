"""Base classes of generators and of flows."""

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from flow_gan import keras_internals, random
from flow_gan import probability as tfp
from flow_gan.bijectors import Chain, standardization
from flow_gan.errors import UserError
from flow_gan.generators.coupling_network import MakeNetwork, make_network
from flow_gan.generators.priors import make_prior
from flow_gan.networks.precision import check_float, network_policy
from flow_gan.networks.shared_traces import SharedTraces

NO_PER_IMAGE_LIKELIHOOD = (
    "with --batch_norm_adaptive=0 an image's log p depends on the other images of its batch, so an NLL is not a "
    "per-image likelihood and cannot be compared with other models'"
)


class Generator(keras.Model):
    """A generator x = G(z) with a prior p(z) over its latents z.

    Subclasses own the weights and define `decode`. Those with a density over images are `FlowGenerator`s; the others
    are implicit models, for which `log_prob`, `encode` and `distribution` are not defined.

    Args:
      image_shape: (H, W, C).
      prior: "logistic", "gaussian" or "uniform".
      latent_size: int, entries of z; H W C if None.
      dtype: "float32", the default whatever Keras's global dtype is, or "float64".
      precision: of the networks' matrix products and convolutions, see `networks.precision`.
      **kwargs: of `keras.Model`.
    """

    # Whether log_prob, encode and distribution are defined.
    has_likelihood = False

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        prior: str,
        latent_size: int | None = None,
        dtype: str | keras.DTypePolicy | None = None,
        precision: str = "float32",
        **kwargs: Any,
    ):
        super().__init__(dtype=network_policy(dtype), **kwargs)
        self.precision = precision
        height, width, channels = map(int, image_shape)
        self.image_shape = height, width, channels
        keras_internals.show_shapes(self, (None, *self.image_shape))
        self.size = math.prod(self.image_shape)
        self.latent_size = self.size if latent_size is None else int(latent_size)
        if self.latent_size < 1:
            raise UserError(f"latent_size={latent_size}; expected 1 or more")
        self.prior_name = prior
        self.prior = make_prior(prior, self.latent_size, np.dtype(self.compute_dtype).type)

    @property
    def is_initialized(self) -> bool:
        """Whether `initialize` has been called, or has nothing to do."""
        return True

    @property
    def has_per_image_likelihood(self) -> bool:
        """Whether `log_prob` of an image depends on that image alone."""
        return self.has_likelihood

    @property
    def fast_batch_size(self) -> int:
        """Batch size that is fast in evaluation; 1 if batches larger than those of training gain nothing."""
        return 1

    def initialize(self, images: tf.Tensor) -> None:
        """Set the weights whose initial values depend on images, if there are any and they are not set yet.

        `FlowGAN.initialize` calls it with a fixed sample of the training images. That it was done is a weight itself,
        so that it is not done again after loading.

        Args:
          images: float [n, H, W, C] in [0, 1], dequantised.
        """

    def decode(self, z: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Return x = G(z), [batch, H, W, C], of latents [batch, k]. The images are not clipped.

        Args:
          z: [batch, k].
          training: bool, whether batch norm uses the statistics of the batch and updates its moving averages; if not,
            it uses the moving averages.
        """
        raise NotImplementedError

    def sample(self, num_images: int, seed: int = 0, temperature: float = 1.0) -> tf.Tensor:
        """Draw images from the model.

        Args:
          num_images: int.
          seed: int; the same seed gives the same images.
          temperature: float, scales z. 1 samples from the model, smaller values nearer to its mode.

        Returns:
          [num_images, H, W, C], clipped to [0, 1].
        """
        z = self.sample_latent(random.key(seed, random.Stream.SAMPLE), 0, num_images)
        return tf.clip_by_value(self.decode(temperature * z), 0.0, 1.0)

    def sample_latent(self, key: tf.Tensor, first: int | tf.Tensor, count: int | tf.Tensor) -> tf.Tensor:
        """Draw z ~ p(z), [count, k], for the examples `first` to `first + count - 1` of a random key."""
        uniform = random.open_uniform(key, first, count, [self.latent_size], tf.as_dtype(self.compute_dtype))
        return self.prior.distribution.quantile(uniform)

    def require_likelihood(self, what: str) -> None:
        """Raise `UserError` if the generator has no likelihood, which `what`, a str, needs."""
        if not self.has_likelihood:
            raise UserError(
                f"{type(self).__name__} has no likelihood: it has no inverse z = f(x), so there is no {what}; "
                "expected a flow, such as NICE"
            )

    def distribution(self, training: bool = False) -> tfp.distributions.Distribution:
        """Return p(x); only of a flow, others raise `UserError`."""
        self.require_likelihood("distribution")

    def log_prob(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Return log p(x); only of a flow, others raise `UserError`."""
        self.require_likelihood("log_prob")

    def encode(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Return z = f(x); only of a flow, others raise `UserError`."""
        self.require_likelihood("encode")

    def call(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Return `log_prob(images)`."""
        return self.log_prob(images, training)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Return the shape of the images that are generated."""
        return (input_shape[0], *self.image_shape)

    def _float(self, value):
        return tf.cast(value, self.compute_dtype)

    def get_config(self) -> dict:
        """Return the constructor's arguments."""
        return super().get_config() | {
            "image_shape": list(self.image_shape),
            "prior": self.prior_name,
            "precision": self.precision,
        }


class FlowGenerator(Generator):
    """A generator x = G(z) with the exact inverse z = f(x) (paper, Section 3 and Eq. 6).

        log p(x) = log p(z) + log |det df(x)/dx|,  z = f(x)

    Subclasses own the weights and build `flow_layers` around them. Bijectors are built anew for every pass,
    so that tfp's cache never returns a result of an earlier pass.

    With a learned prior the entries u of the flow's last layer have a learned mean and log-scale each,

        u = mean + exp(log_scale) z,  z ~ p(z)

    and f ends with z = (u - mean) exp(-log_scale), so that z has the prior of a fixed one.

    Args:
      image_shape: (H, W, C).
      prior: "logistic", "gaussian" or "uniform".
      logit_alpha: float in (0, 0.5), see `bijectors.alpha_logit`.
      coupling_network: function that makes the network of each coupling, in place of the flow's own. It maps the shape
        of the network's input, without the batch, to a Keras layer whose outputs have that shape. Networks for the
        same shape must differ only in their weights.
      learned_prior: bool, whether the prior has a learned mean and log-scale for each entry.
      **kwargs: of `keras.Model`.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        prior: str,
        logit_alpha: float,
        coupling_network: MakeNetwork | None = None,
        learned_prior: bool = False,
        **kwargs: Any,
    ):
        super().__init__(image_shape, prior, **kwargs)
        if not 0 < logit_alpha < 0.5:
            raise UserError(f"logit_alpha={logit_alpha}; expected more than 0 and less than 0.5")
        self.logit_alpha = logit_alpha
        # How the couplings call their networks.
        self.run_network = SharedTraces()
        self._coupling_network = coupling_network
        self.networks: list[keras.layers.Layer] = []
        self.learned_prior = learned_prior
        if learned_prior:
            self.prior_mean = self.add_weight(shape=(self.size,), initializer="zeros", name="prior_mean")
            self.prior_log_scale = self.add_weight(shape=(self.size,), initializer="zeros", name="prior_log_scale")

    has_likelihood = True

    @property
    def has_own_networks(self) -> bool:
        """Whether the coupling networks are made by the argument `coupling_network`."""
        return self._coupling_network is not None

    def add_network(
        self, make_default: Callable[[], keras.layers.Layer], shape: tuple[int, ...], outputs: tuple[str, ...]
    ) -> keras.layers.Layer:
        """Make and add the network of the next coupling, by `coupling_network` where it is given.

        Args:
          make_default: makes the flow's own network.
          shape: of the network's input and of each of its outputs, without the batch.
          outputs: their names: ("shift",), or ("shift", "log-scale").
        """
        if self._coupling_network is None:
            network = make_default()
        else:
            network = make_network(self._coupling_network, shape, outputs)
        keras_internals.show_shapes(network, (None, *shape))
        self.networks.append(network)
        return network

    @property
    def log_scale_variables(self) -> list[keras.Variable]:
        """The weights that are log-scales; `--log_scale_rate` multiplies their learning rate.

        A subclass adds its own to the prior's.
        """
        return [self.prior_log_scale] if self.learned_prior else []

    def flow_layers(self, training: bool, validate_args: bool) -> list[tfp.bijectors.Bijector]:
        """Return the layers of f, from the logit of an image [batch, H, W, C] to u [batch, D]; see `bijector`."""
        raise NotImplementedError

    def bijector(self, training: bool = False, validate_args: bool | None = None) -> tfp.bijectors.Bijector:
        """Return the tfp bijector G, forward from z [batch, D] to x [batch, H, W, C].

        Args:
          training: bool, as in `decode`.
          validate_args: bool, raise `tf.errors.InvalidArgumentError` with the coupling layer's name where its result
            is not finite. The default is the value of `training`.
        """
        return self.generator_of(self.flow_layers(training, training if validate_args is None else validate_args))

    def generator_of(self, flow_layers: list[tfp.bijectors.Bijector]) -> tfp.bijectors.Bijector:
        """Return the bijector G of the flow with these layers, to which the prior's is added."""
        prior = [standardization(self.prior_mean.value, self.prior_log_scale.value)] if self.learned_prior else []
        return tfp.bijectors.Invert(Chain([*prior, *flow_layers[::-1]]), name="flow")

    def distribution(self, training: bool = False) -> tfp.distributions.Distribution:
        """Return p(x) over images [H, W, C], a `tfp.distributions.TransformedDistribution`."""
        return tfp.distributions.TransformedDistribution(self.prior, self.bijector(training), name="flow")

    def log_prob(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Return log p(x), [batch], in nats; images are float [batch, H, W, C] in [0, 1], dequantised.

        Raises:
          UserError: images have an integer dtype or another shape.
        """
        return self.distribution(training).log_prob(self._images(images))

    def encode(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Return z = f(x), [batch, D], of float images [batch, H, W, C]."""
        return self.bijector(training).inverse(self._images(images))

    def _images(self, images):
        check_float("images", images)
        images = self._float(images)
        if not images.shape.is_compatible_with([None, *self.image_shape]):
            expected = ", ".join(map(str, ["N", *self.image_shape]))
            raise UserError(f"images are {list(images.shape)}; expected [{expected}]")
        return images

    def decode(self, z: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Return x = G(z), [batch, H, W, C], of latents [batch, D]; see `Generator.decode`."""
        return self.bijector(training).forward(self._float(z))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Return the shape of log p(x)."""
        return (input_shape[0],)

    def get_config(self) -> dict:
        """Return the constructor's arguments; networks that `coupling_network` made are in it themselves."""
        config = super().get_config() | {"logit_alpha": self.logit_alpha, "learned_prior": self.learned_prior}
        if self.has_own_networks:
            config["networks"] = [keras.saving.serialize_keras_object(network) for network in self.networks]
        return config

    @classmethod
    def from_config(cls, config: dict) -> "FlowGenerator":
        """Return the generator of `get_config`."""
        config = dict(config)
        if "networks" in config:
            networks = map(keras.saving.deserialize_keras_object, config.pop("networks"))
            config["coupling_network"] = lambda shape: next(networks)
        return super().from_config(config)
