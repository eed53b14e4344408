"""Glow (Kingma and Dhariwal 2018), the flow that followed Real-NVP."""

import functools
from typing import Any

import keras
import tensorflow as tf

from flow_gan import bijectors, keras_internals
from flow_gan.config import Config
from flow_gan.errors import check_number
from flow_gan.generators.coupling_network import MakeNetwork
from flow_gan.generators.multi_scale import MultiScaleFlow
from flow_gan.networks.cnn import CouplingCNN
from flow_gan.networks.initializers import GENERATOR, SeededInitializers
from flow_gan.networks.invertible_convolution import InvertibleConvolutions


@keras.saving.register_keras_serializable("flow_gan")
class Glow(MultiScaleFlow):
    """Logit, then at each scale a squeeze and `depth_per_scale` steps, as in the Glow of Kingma and Dhariwal (2018).

    A step: activation norm, invertible 1x1 convolution, affine coupling of the two halves of the channels. All scales
    except the last factor out the first half of the channels.

        log |det df/dx| = sum of the log-scales of couplings and norms + H W log |det W| of each convolution
                          + log-determinant of the logit

    z is ordered as Real-NVP's: the flattened tensor [H/2, W/2, 4C] of the first squeeze.

    The activation norms get their first values from images, by `initialize`, which `FlowGAN.fit` calls. Without it they
    begin as the identity.

    Args:
      image_shape: (H, W, C) with H and W divisible by 2^scales.
      depth_per_scale: int >= 1, steps at each scale (32 in the paper).
      scales: int >= 1 (3 in the paper).
      filters: int, channels in the coupling networks (512 in the paper).
      num_hidden_layers: int, 1x1 convolutions in each coupling network (1 in the paper).
      prior: "logistic", "gaussian" or "uniform".
      logit_alpha: float in (0, 0.5), see `bijectors.alpha_logit`.
      seed: int, from which the initial weights derive.
      precision: of the coupling networks' convolutions, see `networks.precision`. All else is computed in `dtype`.
      coupling_network: function from the shape (H, W, C/2) of half a coupling's channels to a Keras layer that maps
        [batch, H, W, C/2] to a tuple (shift, log-scale), each of that shape; see `FlowGenerator`. The arguments of
        the flow's own networks (`filters`, `num_hidden_layers`, `precision`) then have no effect.
      learned_prior, num_classes: see `FlowGenerator`.
      **kwargs: of `keras.Model`.

    Raises:
      UserError: a shape that cannot be squeezed, an argument out of its range, or an unknown name.

    Example:
      >>> import flow_gan
      >>> generator = flow_gan.Glow(image_shape=(8, 8, 3), depth_per_scale=2, filters=4)
      >>> images = generator.sample(4, seed=0)
      >>> images.shape, generator.log_prob(images).shape
      (TensorShape([4, 8, 8, 3]), TensorShape([4]))
    """

    TITLE = "Glow"
    SQUEEZES_LAST = True

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (32, 32, 3),
        depth_per_scale: int = 8,
        scales: int = 2,
        filters: int = 64,
        num_hidden_layers: int = 1,
        prior: str = "gaussian",
        logit_alpha: float = 1e-7,
        seed: int = 0,
        precision: str = "float32",
        coupling_network: MakeNetwork | None = None,
        learned_prior: bool = False,
        num_classes: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(
            image_shape,
            prior,
            logit_alpha,
            scales,
            coupling_network,
            learned_prior,
            num_classes,
            precision=precision,
            **kwargs,
        )
        for name, value, lowest in (
            ("depth_per_scale", depth_per_scale, 1),
            ("filters", filters, 1),
            ("num_hidden_layers", num_hidden_layers, 0),
        ):
            check_number(name, value, lowest)
        self.depth_per_scale = depth_per_scale
        self.filters = filters
        self.num_hidden_layers = num_hidden_layers
        self.seed = seed
        self._coupling_names = [
            [f"coupling_{scale}_{step}" for step in range(1, depth_per_scale + 1)] for scale in range(scales)
        ]
        self.convolutions: list[InvertibleConvolutions] = []
        for scale, (_, (height, width, channels)) in enumerate(self.scale_shapes):
            for name in self._coupling_names[scale]:
                half = height, width, channels // 2
                self.add_network(functools.partial(self._make_cnn, name, half), half, ("shift", "log-scale"))
            # The numbers after those of all coupling networks.
            place = GENERATOR, scales * depth_per_scale + scale
            maps = InvertibleConvolutions(
                depth_per_scale,
                channels,
                SeededInitializers("orthogonal", seed, *place),
                name=f"convolutions_{scale}",
                dtype=self.dtype_policy,
            )
            keras_internals.show_shapes(maps, (None, height, width, channels))
            self.convolutions.append(maps)
        self._is_initialized = self.add_weight(
            shape=(),
            dtype="int32",
            initializer="zeros",
            trainable=False,
            aggregation="only_first_replica",
            name="is_initialized",
        )
        self.built = True

    def _make_cnn(self, name, shape):
        return CouplingCNN(
            shape[-1],
            self.filters,
            self.num_hidden_layers,
            SeededInitializers("xavier", self.seed, GENERATOR, len(self.networks)),
            self.precision,
            name=name,
            dtype=self.dtype_policy,
        )

    @property
    def log_scale_variables(self) -> list[keras.Variable]:
        """See `FlowGenerator.log_scale_variables`: those of the norms, the convolutions and the prior."""
        own = [v for maps in self.convolutions for v in maps.log_scale_variables]
        return own + super().log_scale_variables

    @property
    def is_initialized(self) -> bool:
        """Whether the activation norms have got their first values."""
        return bool(self._is_initialized.numpy())

    def initialize(self, images: tf.Tensor) -> None:
        """Give the activation norms their first values; see `Generator.initialize`.

        At each step, in turn, every channel of the norm's result gets mean 0 and variance 1 over these images.
        """
        if self.is_initialized:
            return
        normalizing = self._steps(training=False, validate_args=False, normalizes=True)
        self.bijector_of(self.layers_of(normalizing)).inverse(self._images(images))
        self._is_initialized.assign(1)

    def scale_layers(self, training: bool, validate_args: bool) -> list[bijectors.Scale]:
        """See `MultiScaleFlow.scale_layers`."""
        return self._steps(training, validate_args)

    def _steps(self, training, validate_args, normalizes=False):
        """Return the layers; with `normalizes` each norm is given its first values before it is used."""
        networks = iter(self.networks)
        return [
            (
                [],
                [
                    bijectors.GlowSteps(
                        maps,
                        [functools.partial(self.run_network, next(networks), training=training) for _ in names],
                        names,
                        maps.normalize if normalizes else None,
                        validate_args=validate_args,
                        name=f"steps_{scale}",
                    )
                ],
            )
            for scale, (maps, names) in enumerate(zip(self.convolutions, self._coupling_names, strict=True))
        ]

    def get_config(self) -> dict:
        """Return the constructor's arguments."""
        return super().get_config() | {
            "depth_per_scale": self.depth_per_scale,
            "filters": self.filters,
            "num_hidden_layers": self.num_hidden_layers,
            "seed": self.seed,
        }


def from_settings(config: Config, image_shape: tuple) -> Glow:
    """Return the generator of a configuration; see `generators.make_generator`."""
    return Glow(
        image_shape,
        depth_per_scale=config.depth_per_scale,
        scales=config.scales,
        filters=config.filters,
        num_hidden_layers=config.no_of_layers,
        prior=config.prior,
        logit_alpha=config.alpha,
        seed=config.seed,
        precision=config.precision,
        learned_prior=config.learned_prior,
        num_classes=config.num_classes,
        name="generator",
    )
