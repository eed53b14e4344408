"""Base classes of generators and of flows."""

import math
from collections.abc import Callable
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

from flow_gan import keras_internals, random
from flow_gan import probability as tfp
from flow_gan.bijectors import Chain, standardization
from flow_gan.errors import UserError, check_number
from flow_gan.generators.coupling_network import MakeNetwork, make_network
from flow_gan.generators.labels import arguments, as_labels
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
    are implicit models, for which `log_prob`, `encode` and `distribution` are not defined. Of these only flows can be
    conditional, that is, models p(x | y) whose methods take labels y.

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
    # The number of classes of a conditional generator, else None.
    num_classes: int | None = None

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
        if len(image_shape) != 3:
            raise UserError(f"image_shape={tuple(image_shape)}; expected (height, width, channels)")
        for entry in image_shape:
            check_number("an entry of image_shape", entry, 1)
        height, width, channels = map(int, image_shape)
        self.image_shape = height, width, channels
        keras_internals.show_shapes(self, (None, *self.image_shape))
        self.size = math.prod(self.image_shape)
        if latent_size is not None:
            check_number("latent_size", latent_size, 1)
        self.latent_size = self.size if latent_size is None else int(latent_size)
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

    def decode(self, z: tf.Tensor, labels: Any = None, training: bool = False) -> tf.Tensor:
        """Return x = G(z), [batch, H, W, C], of latents [batch, k]. The images are not clipped.

        Args:
          z: [batch, k].
          labels: int [batch], of a conditional generator.
          training: bool, whether batch norm uses the statistics of the batch and updates its moving averages; if not,
            it uses the moving averages.
        """
        raise NotImplementedError

    def sample(self, num_images: int, labels: Any = None, seed: int = 0, temperature: float = 1.0) -> tf.Tensor:
        """Draw images from the model.

        Args:
          num_images: int.
          labels: int [num_images], of a conditional generator; drawn from p(y) if None.
          seed: int; the same seed gives the same images.
          temperature: float, scales z. 1 samples from the model, smaller values nearer to its mode.

        Returns:
          [num_images, H, W, C], clipped to [0, 1].

        Raises:
          UserError: a number or labels that are out of range. A tensor's value is not checked.
        """
        for name, number in {"num_images": num_images, "seed": seed}.items():
            if not tf.is_tensor(number):
                check_number(name, number, 0)
        z = self.sample_latent(random.key(seed, random.Stream.SAMPLE), 0, num_images)
        if self.num_classes is not None and labels is None:
            labels = self.sample_labels(random.key(seed, random.Stream.LABEL, random.Stream.SAMPLE), 0, num_images)
        labels = as_labels("sample", labels, self.num_classes, num_images)
        return tf.clip_by_value(self.decode(temperature * z, **arguments(labels)), 0.0, 1.0)

    def sample_latent(self, key: tf.Tensor, first: int | tf.Tensor, count: int | tf.Tensor) -> tf.Tensor:
        """Draw z ~ p(z), [count, k], for the examples `first` to `first + count - 1` of a random key."""
        uniform = random.open_uniform(key, first, count, [self.latent_size], tf.as_dtype(self.compute_dtype))
        return self.prior.distribution.quantile(uniform)

    def sample_labels(self, key: tf.Tensor, first: int | tf.Tensor, count: int | tf.Tensor) -> tf.Tensor | None:
        """Draw y ~ p(y), int32 [count], as `sample_latent` draws z; None of a generator without classes."""
        return None

    def require_likelihood(self, what: str) -> None:
        """Raise `UserError` if the generator has no likelihood, which `what`, a str, needs."""
        if not self.has_likelihood:
            raise UserError(
                f"{type(self).__name__} has no likelihood: it has no inverse z = f(x), so there is no {what}; "
                "expected a flow, such as NICE"
            )

    def distribution(self, labels: Any = None, training: bool = False) -> tfp.distributions.Distribution:
        """Return p(x); only of a flow, others raise `UserError`."""
        self.require_likelihood("distribution")

    def log_prob(self, images: tf.Tensor, labels: Any = None, training: bool = False) -> tf.Tensor:
        """Return log p(x); only of a flow, others raise `UserError`."""
        self.require_likelihood("log_prob")

    def encode(self, images: tf.Tensor, labels: Any = None, training: bool = False) -> tf.Tensor:
        """Return z = f(x); only of a flow, others raise `UserError`."""
        self.require_likelihood("encode")

    def call(self, images: tf.Tensor, labels: Any = None, training: bool = False) -> tf.Tensor:
        """Return `log_prob(images, labels)`."""
        return self.log_prob(images, labels, training)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Return the shape of the images that are generated."""
        return (input_shape[0], *self.image_shape)

    def _float(self, value):
        return tf.cast(value, self.compute_dtype)

    def _latents(self, z):
        z = self._float(z)
        if not z.shape.is_compatible_with([None, self.latent_size]):
            raise UserError(f"z is {list(z.shape)}; expected [N, {self.latent_size}]")
        return z

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

    and f ends with z = (u - mean) exp(-log_scale), so that z has the prior of a fixed one. With `num_classes` it is a
    conditional model p(x | y): mean and log-scale are those of the class y, and f and G depend on y in nothing else.
    All classes begin equal; only its own images give one a gradient.

    Args:
      image_shape: (H, W, C).
      prior: "logistic", "gaussian" or "uniform".
      logit_alpha: float in (0, 0.5), see `bijectors.alpha_logit`.
      coupling_network: function that makes the network of each coupling, in place of the flow's own. It maps the shape
        of the network's input, without the batch, to a Keras layer whose outputs have that shape. Networks for the
        same shape must differ only in their weights.
      learned_prior: bool, whether the prior has a learned mean and log-scale for each entry.
      num_classes: int >= 1, if it has them for each class, whatever `learned_prior` is. Labels are then 0 to
        num_classes - 1. None for a model without classes.
      **kwargs: of `keras.Model`.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        prior: str,
        logit_alpha: float,
        coupling_network: MakeNetwork | None = None,
        learned_prior: bool = False,
        num_classes: int | None = None,
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
        if num_classes is not None:
            check_number("num_classes", num_classes, 1)
            self.num_classes = int(num_classes)
            self.class_shares = self.add_weight(
                shape=(num_classes,),
                initializer=keras.initializers.Constant(1 / num_classes),
                trainable=False,
                aggregation="only_first_replica",
                name="class_shares",
            )
        if self.has_prior_weights:
            shape = (self.size,) if num_classes is None else (num_classes, self.size)
            self.prior_mean = self.add_weight(shape=shape, initializer="zeros", name="prior_mean")
            self.prior_log_scale = self.add_weight(shape=shape, initializer="zeros", name="prior_log_scale")

    has_likelihood = True
    # So many images are fast to evaluate at once, but no more pixel values than that.
    FAST_BATCH: ClassVar[tuple[int, int]] = (1, 1)

    @property
    def fast_batch_size(self) -> int:
        """See `Generator.fast_batch_size`; 1 where an image's likelihood depends on the others."""
        images, values = self.FAST_BATCH
        return max(min(images, values // self.size), 1) if self.has_per_image_likelihood else 1

    @property
    def has_prior_weights(self) -> bool:
        """Whether the prior has a learned mean and log-scale, of each class or of all images."""
        return self.learned_prior or self.num_classes is not None

    @property
    def prior_variables(self) -> list[keras.Variable]:
        """The weights of a learned prior, its mean and log-scale, of each class where there are classes."""
        return [self.prior_mean, self.prior_log_scale] if self.has_prior_weights else []

    @property
    def class_variables(self) -> list[keras.Variable]:
        """The weights that belong to classes: mean, log-scale and share of each."""
        return [] if self.num_classes is None else [*self.prior_variables, self.class_shares]

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
        return [self.prior_log_scale] if self.has_prior_weights else []

    def flow_layers(self, training: bool, validate_args: bool) -> list[tfp.bijectors.Bijector]:
        """Return the layers of f, from the logit of an image [batch, H, W, C] to u [batch, D]; see `bijector`."""
        raise NotImplementedError

    def flow(self, training: bool = False, validate_args: bool | None = None) -> tfp.bijectors.Bijector:
        """Return the bijector forward from u [batch, D] to x [batch, H, W, C]: G without a learned prior's part.

        Args:
          training: bool, as in `decode`.
          validate_args: bool, raise `tf.errors.InvalidArgumentError` with the coupling layer's name where its result
            is not finite. The default is the value of `training`.
        """
        return self.bijector_of(self.flow_layers(training, training if validate_args is None else validate_args))

    def bijector(
        self, labels: Any = None, training: bool = False, validate_args: bool | None = None
    ) -> tfp.bijectors.Bijector:
        """Return the tfp bijector G, forward from z [batch, D] to x [batch, H, W, C].

        Args:
          labels: int [batch], of a conditional generator.
          training, validate_args: as in `flow`.
        """
        labels = as_labels("bijector", labels, self.num_classes)
        layers = self.flow_layers(training, training if validate_args is None else validate_args)
        return self.bijector_of([*layers, *self._prior_layers(labels)])

    @staticmethod
    def bijector_of(flow_layers: list[tfp.bijectors.Bijector]) -> tfp.bijectors.Bijector:
        """Return the bijector G of a flow f with these layers."""
        return tfp.bijectors.Invert(Chain(flow_layers[::-1]), name="flow")

    def _prior_layers(self, labels):
        """Return the layers of f from u to z."""
        if not self.has_prior_weights:
            return []
        weights = (v.value for v in self.prior_variables)
        return [standardization(*(v if labels is None else tf.gather(v, labels) for v in weights))]

    def distribution(self, labels: Any = None, training: bool = False) -> tfp.distributions.Distribution:
        """Return p(x), or p(x | y), over images [H, W, C], a `tfp.distributions.TransformedDistribution`."""
        return tfp.distributions.TransformedDistribution(self.prior, self.bijector(labels, training), name="flow")

    def log_prob(self, images: tf.Tensor, labels: Any = None, training: bool = False) -> tf.Tensor:
        """Return log p(x), [batch], in nats; of a conditional generator log p(x | y).

        Args:
          images: float [batch, H, W, C] in [0, 1], dequantised.
          labels: int [batch], of a conditional generator.
          training: bool, as in `decode`.

        Raises:
          UserError: images have an integer dtype or another shape; labels are missing, not expected, out of range, or
            not one for each image.
        """
        images = self._images(images)
        labels = as_labels("log_prob", labels, self.num_classes, images.shape[0])
        return self.distribution(labels, training).log_prob(images)

    def log_prob_by_class(self, images: tf.Tensor) -> tf.Tensor:
        """Return log p(x | y), [batch, num_classes], for each class y; it takes one pass through the flow.

        Raises:
          UserError: the generator has no classes.
        """
        self._require_classes()
        images = self._images(images)
        flow = self.flow()
        # Neither depends on y. tfp keeps what it computed with u only as long as there is u.
        u, log_det = flow.inverse(images), flow.inverse_log_det_jacobian(images, event_ndims=3)
        return self.log_prior_by_class(u) + log_det[:, tf.newaxis]

    def log_prior_by_class(self, u: tf.Tensor) -> tf.Tensor:
        """Return log p(u | y), [batch, num_classes], for each class y, of u [batch, D]; see `flow`."""
        self._require_classes()

        def of_class(mean_and_log_scale):
            mean, log_scale = mean_and_log_scale
            return self.prior.log_prob((u - mean) * tf.exp(-log_scale)) - tf.reduce_sum(log_scale)

        weights = tuple(tf.convert_to_tensor(v.value) for v in self.prior_variables)
        return tf.transpose(tf.map_fn(of_class, weights, fn_output_signature=u.dtype))

    def marginal_log_prior(self, u: tf.Tensor) -> tf.Tensor:
        """Return log p(u) = logsumexp_y (log p(u | y) + log p(y)), [batch], of u [batch, D]; see `flow`."""
        return tf.reduce_logsumexp(self.log_prior_by_class(u) + self.log_class_shares, axis=1)

    @property
    def log_class_shares(self) -> tf.Tensor:
        """log p(y), [num_classes]; -inf of a class without a share."""
        return tf.math.log(self.class_shares.value)

    def _require_classes(self):
        if self.num_classes is None:
            raise UserError(f"{type(self).__name__} has no classes; expected a generator with num_classes")

    def joint_log_prob(self, images: tf.Tensor) -> tf.Tensor:
        """Return log p(x, y) = log p(x | y) + log p(y), [batch, num_classes], for each class y.

        Its `tf.reduce_logsumexp` over classes is log p(x). p(y) are the shares of `set_class_shares`; of a class
        without any it is -inf.
        """
        return self.log_prob_by_class(images) + self.log_class_shares

    def set_class_shares(self, counts: Any) -> None:
        """Set p(y) to the shares of classes of which there are `counts`, numbers [num_classes]. At first all are equal.

        `FlowGAN.fit` sets those of its labels, where they are an array.

        Raises:
          UserError: the generator has no classes, or not so many, or a number is negative, or all are 0.
        """
        self._require_classes()
        try:
            values = np.asarray(counts, np.float64)
        except (TypeError, ValueError):
            values = np.zeros(0)
        is_good = values.shape == (self.num_classes,) and np.isfinite(values).all() and values.min() >= 0
        if not is_good or not values.any():
            shown = counts.tolist() if isinstance(counts, np.ndarray) else counts
            raise UserError(f"counts={shown!r}; expected {self.num_classes} numbers of 0 or more, not all 0")
        self.class_shares.assign(values / values.sum())

    def sample_labels(self, key: tf.Tensor, first: int | tf.Tensor, count: int | tf.Tensor) -> tf.Tensor | None:
        """See `Generator.sample_labels`."""
        if self.num_classes is None:
            return None
        ends = tf.cumsum(tf.cast(self.class_shares.value, tf.float64))
        uniform = random.uniform(key, first, count, [], tf.float64)
        # Divided by the sum: the last class that has a share ends at 1 exactly.
        return tf.searchsorted(ends[:-1] / ends[-1], uniform, side="right")

    def encode(self, images: tf.Tensor, labels: Any = None, training: bool = False) -> tf.Tensor:
        """Return z = f(x), [batch, D], of float images [batch, H, W, C], and of their labels; see `log_prob`."""
        images = self._images(images)
        labels = as_labels("encode", labels, self.num_classes, images.shape[0])
        return self.bijector(labels, training).inverse(images)

    def _images(self, images):
        check_float("images", images)
        images = self._float(images)
        if not images.shape.is_compatible_with([None, *self.image_shape]):
            expected = ", ".join(map(str, ["N", *self.image_shape]))
            raise UserError(f"images are {list(images.shape)}; expected [{expected}]")
        return images

    def decode(self, z: tf.Tensor, labels: Any = None, training: bool = False) -> tf.Tensor:
        """Return x = G(z), [batch, H, W, C], of latents [batch, D]; see `Generator.decode`."""
        z = self._latents(z)
        labels = as_labels("decode", labels, self.num_classes, z.shape[0])
        return self.bijector(labels, training).forward(z)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Return the shape of log p(x)."""
        return (input_shape[0],)

    def get_config(self) -> dict:
        """Return the constructor's arguments; networks that `coupling_network` made are in it themselves."""
        config = super().get_config() | {
            "logit_alpha": self.logit_alpha,
            "learned_prior": self.learned_prior,
            "num_classes": self.num_classes,
        }
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
