"""The steps of one scale of Glow (Kingma and Dhariwal 2018)."""

from collections.abc import Callable, Sequence
from typing import Protocol

import tensorflow as tf

from flow_gan import probability as tfp
from flow_gan.bijectors.coupling import OncePerPass, checked
from flow_gan.bijectors.identity import ByIdentity


class ChannelMaps(Protocol):
    """K affine maps of C channels, u = x A_k + b_k, stacked. All are read when they are asked for."""

    def forward_maps(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Return A, [K, C, C], and b, [K, C]."""

    def inverse_maps(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Return those of the inverse, x = u A'_k + b'_k."""

    def log_det(self) -> tf.Tensor:
        """Return the sum over k of log |det A_k|, a scalar."""


class GlowSteps(ByIdentity, tfp.bijectors.Bijector):
    """K steps on [H, W, C]: an affine map of the channels, then an affine coupling of their two halves.

        u = x A_k + b_k   at each pixel
        y = [u1, u2 exp(l) + m],  (m, l) = conditioner_k(u1)
        log |det dy/dx| = sum over k of H W log |det A_k| + sum of l

    The map is an activation norm and an invertible 1x1 convolution in one. It is one bijector, not a chain of 2 K,
    so that the matrices of all steps are computed together, once per pass.

    Args:
      maps: the `ChannelMaps` of all steps.
      conditioners: of each step a function from [..., H, W, C/2] to (m, l), each of that shape: the shift and the
        log-scale. It is called once per pass, for the transformation and its log-determinant together.
      layers: names of the couplings.
      before_step: called with k and the input of step k before each step of the forward direction. It may change
        the maps.
      validate_args: bool, as in `AdditiveCoupling`.
      name: str.
    """

    def __init__(
        self,
        maps: ChannelMaps,
        conditioners: Sequence[Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]],
        layers: Sequence[str],
        before_step: Callable[[int, tf.Tensor], None] | None = None,
        validate_args: bool = False,
        name: str = "glow_steps",
    ):
        parameters = dict(locals())
        self._maps = maps
        self._steps = list(zip(conditioners, layers, strict=True))
        self._before_step = before_step
        # The forward log-determinant.
        self._latest = OncePerPass()
        super().__init__(forward_min_event_ndims=3, validate_args=validate_args, parameters=parameters, name=name)

    def _forward(self, x):
        y, maps = x, None
        log_dets = []
        for k, (conditioner, layer) in enumerate(self._steps):
            if self._before_step:
                self._before_step(k, y)
                maps = None
            maps = maps or _unstacked(self._maps.forward_maps())
            first, second = tf.split(_map(y, *maps[k]), 2, axis=-1)
            shift, log_scale = conditioner(first)
            log_dets.append(_sum(log_scale))
            result = tf.concat([first, second * tf.exp(log_scale) + shift], axis=-1)
            y = checked(y, result, layer, self.validate_args)
        self._keep(log_dets, x, y)
        return y

    def _inverse(self, y):
        x, maps = y, _unstacked(self._maps.inverse_maps())
        log_dets = []
        for (conditioner, layer), inverse_map in reversed(list(zip(self._steps, maps, strict=True))):
            first, second = tf.split(x, 2, axis=-1)
            shift, log_scale = conditioner(first)
            log_dets.append(_sum(log_scale))
            u = tf.concat([first, (second - shift) * tf.exp(-log_scale)], axis=-1)
            x = checked(x, _map(u, *inverse_map), layer, self.validate_args)
        self._keep(log_dets, x, y)
        return x

    def _keep(self, log_dets, x, y):
        pixels = tf.cast(x.shape[-3] * x.shape[-2], x.dtype)
        self._latest.keep(tf.add_n(log_dets) + pixels * self._maps.log_det(), x, y)

    def _forward_log_det_jacobian(self, x):
        if self._latest.find(x) is None:
            self._forward(x)
        return self._latest.find(x)

    def _inverse_log_det_jacobian(self, y):
        if self._latest.find(y) is None:
            self._inverse(y)
        return -self._latest.find(y)


def _unstacked(maps):
    return list(zip(*map(tf.unstack, maps), strict=True))


def _map(x, matrix, offset):
    # As one product of two matrices, whatever the batch.
    return tf.tensordot(x, matrix, 1) + offset


def _sum(log_scale):
    return tf.reduce_sum(log_scale, [-3, -2, -1])
