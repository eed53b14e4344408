"""Real-NVP (Dinh, Sohl-Dickstein, Bengio 2017), the paper's generator for CIFAR-10."""

import functools
import itertools
from typing import Any

import keras
import numpy as np

from flow_gan import bijectors
from flow_gan.config import Config
from flow_gan.errors import check_choice, check_number
from flow_gan.generators.coupling_network import MakeNetwork
from flow_gan.generators.multi_scale import MultiScaleFlow
from flow_gan.networks.initializers import GENERATOR, SeededInitializers
from flow_gan.networks.residual import BATCH_NORMS, ResidualNetwork

# What the coupling layers pass unchanged, in turn: pixels whose row + column is odd, even, ...
CHECKERBOARD = ("odd", "even", "odd", "even")
# ... or the first, the second, ... half of the channels.
CHANNEL = ("first", "second", "first")


@keras.saving.register_keras_serializable("flow_gan")
class RealNVP(MultiScaleFlow):
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
      learned_prior, num_classes: see `FlowGenerator`.
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

    TITLE = "Real-NVP"
    SQUEEZES_LAST = False

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
        learned_prior: bool = False,
        num_classes: int | None = None,
        recompute: bool = False,
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
        check_choice("batch_norm", batch_norm, BATCH_NORMS)
        for name, value, lowest in (("filters", filters, 1), ("residual_blocks", residual_blocks, 0)):
            check_number(name, value, lowest)
        self.residual_blocks = residual_blocks
        self.filters = filters
        self.batch_norm = batch_norm
        self.recompute = recompute
        self.seed = seed
        self.masks: list[np.ndarray] = []
        self._coupling_names: list[str] = []
        for scale, (shape, squeezed) in enumerate(self.scale_shapes):
            is_last = scale == scales - 1
            for passes in CHECKERBOARD if is_last else CHECKERBOARD[:3]:
                mask = bijectors.checkerboard_mask(*shape[:2], passes)
                self._add_coupling(f"checkerboard_{scale}", mask, shape, initial_tanh_scale=0.0)
            for passes in () if is_last else CHANNEL:
                mask = bijectors.channel_mask(squeezed[-1], passes)
                self._add_coupling(f"channel_{scale}", mask, squeezed, initial_tanh_scale=1.0)
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
        own = [v for network in networks for v in (network.tanh_scale, network.scale_shift)]
        return own + super().log_scale_variables

    def scale_layers(self, training: bool, validate_args: bool) -> list[bijectors.Scale]:
        """See `MultiScaleFlow.scale_layers`."""
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

        def take(count):
            return list(itertools.islice(layers, count))

        return [*((take(3), take(3)) for _ in range(self.scales - 1)), (take(4), None)]

    def get_config(self) -> dict:
        """Return the constructor's arguments."""
        return super().get_config() | {
            "residual_blocks": self.residual_blocks,
            "filters": self.filters,
            "batch_norm": self.batch_norm,
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
        learned_prior=config.learned_prior,
        recompute=config.recompute,
        num_classes=config.num_classes,
        name="generator",
    )
