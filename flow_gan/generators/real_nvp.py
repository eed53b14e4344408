"""Real-NVP (Dinh, Sohl-Dickstein, Bengio 2017), the paper's generator for CIFAR-10."""

import functools
from typing import Any

import keras
import numpy as np

from flow_gan import bijectors
from flow_gan import probability as tfp
from flow_gan.config import Config
from flow_gan.errors import UserError, check_choice
from flow_gan.generators.base import FlowGenerator
from flow_gan.generators.coupling_network import MakeNetwork
from flow_gan.networks.initializers import GENERATOR, SeededInitializers
from flow_gan.networks.residual import BATCH_NORMS, ResidualNetwork

tfb = tfp.bijectors

# What the coupling layers pass unchanged, in turn: pixels whose row + column is odd, even, ...
CHECKERBOARD = ("odd", "even", "odd", "even")
# ... or the first, the second, ... half of the channels.
CHANNEL = ("first", "second", "first")


@keras.saving.register_keras_serializable("flow_gan")
class RealNVP(FlowGenerator):
    """Logit, then affine couplings at several scales, as in the release.

    Every scale except the last: three couplings with checkerboard masks on [H, W, C], squeeze to [H/2, W/2, 4C], three
    couplings with channel masks, and the first half of the channels is factored out. The last scale: four couplings
    with checkerboard masks on the remaining channels.

        log |det df/dx| = sum of all log-scales + log-determinant of the logit

    z is the flattened tensor [H/2, W/2, 4C] of the first squeeze. Its first 2C channels are those factored out there;
    the others are the output of the later scales, with their squeezes inverted. With one scale z is the flattened
    [H, W, C].

    Args:
      image_shape: (H, W, C) with H and W divisible by 2^(scales - 1).
      residual_blocks: int, in each coupling network (the release's `--no_of_layers`).
      filters: int, channels in the coupling networks, at every scale (64 in the release).
      prior: "logistic", "gaussian" or "uniform".
      batch_norm: "moving" (moving averages in evaluation), "batch" (the statistics of the current batch, in evaluation
        too, so that `log_prob` is not a per-image likelihood), or "none"; see `networks.residual`.
      logit_alpha: float in (0, 0.5), see `bijectors.alpha_logit`.
      scales: int >= 1.
      seed: int, from which the initial weights derive.
      precision: of the networks' matrix products and convolutions, see `networks.precision`.
      coupling_network: function from a coupling's shape (H, W, C) to a Keras layer that maps [batch, H, W, C], with
        zeros where the coupling changes the image, to a tuple (shift, log-scale), each of that shape; see
        `FlowGenerator`. The arguments of the flow's own networks (`residual_blocks`, `filters`, `batch_norm`, `seed`,
        `precision`, `recompute`) then have no effect.
      recompute: bool, compute a part of the networks again in the backward pass instead of keeping it, which saves
        memory; see `networks.residual`.
      **kwargs: of `keras.Model`.

    Raises:
      UserError: a shape that cannot be squeezed, an argument out of its range, or an unknown name.

    Example:
      >>> import flow_gan
      >>> generator = flow_gan.RealNVP(image_shape=(8, 8, 3), residual_blocks=1, filters=4)
      >>> images = generator.sample(4, seed=0)
      >>> images.shape, generator.log_prob(images).shape
      (TensorShape([4, 8, 8, 3]), TensorShape([4]))
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (32, 32, 3),
        residual_blocks: int = 8,
        filters: int = 64,
        prior: str = "gaussian",
        batch_norm: str = "moving",
        logit_alpha: float = 1e-7,
        scales: int = 2,
        seed: int = 0,
        precision: str = "float32",
        coupling_network: MakeNetwork | None = None,
        recompute: bool = False,
        **kwargs: Any,
    ):
        super().__init__(image_shape, prior, logit_alpha, coupling_network, precision=precision, **kwargs)
        check_choice("batch_norm", batch_norm, BATCH_NORMS)
        for name, value, lowest in (
            ("scales", scales, 1),
            ("filters", filters, 1),
            ("residual_blocks", residual_blocks, 0),
        ):
            if value < lowest:
                raise UserError(f"{name}={value}; expected {lowest} or more")
        factor = 2 ** (scales - 1)
        if self.image_shape[0] % factor or self.image_shape[1] % factor:
            raise UserError(
                f"image_shape={self.image_shape}: Real-NVP with scales={scales} needs a height and a width divisible "
                f"by {factor}, since it halves both {scales - 1} times"
            )
        self.residual_blocks = residual_blocks
        self.filters = filters
        self.batch_norm = batch_norm
        self.recompute = recompute
        self.scales = scales
        self.seed = seed
        self.masks: list[np.ndarray] = []
        self._coupling_names: list[str] = []
        height, width, channels = self.image_shape
        for scale in range(scales):
            is_last = scale == scales - 1
            for passes in CHECKERBOARD if is_last else CHECKERBOARD[:3]:
                mask = bijectors.checkerboard_mask(height, width, passes)
                self._add_coupling(f"checkerboard_{scale}", mask, (height, width, channels), initial_tanh_scale=0.0)
            if not is_last:
                height, width, channels = height // 2, width // 2, 4 * channels
                for passes in CHANNEL:
                    mask = bijectors.channel_mask(channels, passes)
                    self._add_coupling(f"channel_{scale}", mask, (height, width, channels), initial_tanh_scale=1.0)
                channels //= 2
        self.built = True

    def _add_coupling(self, prefix, mask, shape, initial_tanh_scale):
        name = f"{prefix}_{1 + sum(name.startswith(prefix) for name in self._coupling_names)}"

        def make_residual_network():
            return ResidualNetwork(
                shape[-1],
                self.filters,
                self.residual_blocks,
                self.batch_norm,
                initial_tanh_scale,
                SeededInitializers("xavier", self.seed, GENERATOR, len(self.networks)),
                self.precision,
                self.recompute,
                name=name,
                dtype=self.dtype_policy,
            )

        self.add_network(make_residual_network, shape, ("shift", "log-scale"))
        self.masks.append(mask)
        self._coupling_names.append(name)

    @property
    def has_per_image_likelihood(self) -> bool:
        """Whether `log_prob` of an image depends on that image alone."""
        return self.has_own_networks or self.batch_norm != "batch"

    @property
    def log_scale_variables(self) -> list[keras.Variable]:
        """See `FlowGenerator.log_scale_variables`; two scalars per coupling, none with `coupling_network`."""
        networks = [network for network in self.networks if isinstance(network, ResidualNetwork)]
        return [v for network in networks for v in (network.tanh_scale, network.scale_shift)]

    def bijector(self, training: bool = False, validate_args: bool | None = None) -> tfp.bijectors.Bijector:
        """See `FlowGenerator.bijector`."""
        validate_args = training if validate_args is None else validate_args
        layers = iter(
            [
                bijectors.AffineCoupling(
                    functools.partial(self.run_network, network, training=training),
                    mask,
                    validate_args=validate_args,
                    name=name,
                )
                for network, mask, name in zip(self.networks, self.masks, self._coupling_names, strict=True)
            ]
        )
        flow = self._scale(layers, self.image_shape, 0)
        height, width, channels = self.image_shape
        z_shape = [height, width, channels] if self.scales == 1 else [height // 2, width // 2, 4 * channels]
        f = [
            bijectors.alpha_logit(self.logit_alpha, self.compute_dtype),
            *flow,
            tfb.Reshape(event_shape_in=z_shape, event_shape_out=[self.size]),
        ]
        return tfb.Invert(bijectors.Chain(f[::-1]), name="real_nvp")

    def _scale(self, layers, shape, scale):
        """Return the bijectors, in order, of the scales from `scale` on, whose input has the shape `shape`."""
        if scale == self.scales - 1:
            return list(layers)
        checkerboards = [next(layers) for _ in range(3)]
        channels = [next(layers) for _ in range(3)]
        height, width, squeezed = shape[0] // 2, shape[1] // 2, 4 * shape[2]
        rest_shape = (height, width, squeezed // 2)
        rest = self._scale(layers, rest_shape, scale + 1)
        if scale + 1 < self.scales - 1:
            rest.append(tfb.Invert(bijectors.squeeze(rest_shape)))
        factor_out = bijectors.factor_out(bijectors.Chain(rest[::-1]), name=f"factor_out_{scale}")
        return [*checkerboards, bijectors.squeeze(shape), *channels, factor_out]

    def get_config(self) -> dict:
        """Return the constructor's arguments."""
        return super().get_config() | {
            "residual_blocks": self.residual_blocks,
            "filters": self.filters,
            "batch_norm": self.batch_norm,
            "scales": self.scales,
            "seed": self.seed,
            "recompute": self.recompute,
        }


def from_settings(config: Config, image_shape: tuple) -> RealNVP:
    """Return the generator of a configuration; see `generators.make_generator`."""
    batch_norm = "moving" if config.batch_norm_adaptive else "batch"
    return RealNVP(
        image_shape,
        residual_blocks=config.no_of_layers,
        filters=config.filters,
        prior=config.prior,
        batch_norm=batch_norm if config.batch_norm else "none",
        logit_alpha=config.alpha,
        scales=config.scales,
        seed=config.seed,
        precision=config.precision,
        recompute=config.recompute,
        name="generator",
    )
