"""Coupling layers."""

import contextlib
import re
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from flow_gan import probability as tfp
from flow_gan.bijectors.identity import ByIdentity

_NOT_FINITE = "layer {} is not finite"
# {layer: (largest |input|, largest |result|)} of the passes in a `watched_layers` context; None outside of one.
_watched: dict[str, tuple[float, float]] | None = None


@contextlib.contextmanager
def watched_layers() -> Iterator[dict[str, tuple[float, float]]]:
    """Context that yields {layer: (largest |input|, largest |result|)} of the eager passes within it, floats."""
    global _watched
    _watched = {}
    try:
        yield _watched
    finally:
        _watched = None


def layer_not_finite(error: Exception) -> str | None:
    """Return a sentence naming the layer whose result or gradient is not finite by a TensorFlow error, or None."""
    found = re.search(_NOT_FINITE.format(r"(\w+)"), str(error))
    if not found:
        return None
    # The message of the gradient's check contains the same text, after a prefix.
    what = "gradient" if "detected in gradient" in str(error) else "result"
    return f"the {what} of layer {found[1]} is not finite"


def checked(value: tf.Tensor, result: tf.Tensor, layer: str, validate_args: bool) -> tf.Tensor:
    """Return the result of a layer; with `validate_args` through an operation that raises if it is not finite."""
    if _watched is not None:
        _watched[layer] = float(tf.reduce_max(tf.abs(value))), float(tf.reduce_max(tf.abs(result)))
    return tf.debugging.check_numerics(result, _NOT_FINITE.format(layer)) if validate_args else result


class OncePerPass:
    """Keeps what a pass computed beside its result, by the tensors that went in and came out.

    tfp asks a bijector for the transformation and for its log-determinant separately, with x or with y.
    """

    def __init__(self) -> None:
        self._tensors: tuple[weakref.ref, ...] = ()
        self._kept: Any = None

    def find(self, value: tf.Tensor) -> Any:
        """Return what was kept last if it was with this tensor, else None."""
        return self._kept if any(value is known() for known in self._tensors) else None

    def keep(self, kept: Any, *values: tf.Tensor) -> None:
        """Keep something with these tensors."""
        # Weak references: tfp's cache keeps the bijector alive as long as these tensors, which would never be freed.
        self._tensors, self._kept = tuple(map(weakref.ref, values)), kept


class AdditiveCoupling(ByIdentity, tfp.bijectors.Bijector):
    """Shift one half of a vector by a function of the other half (NICE; Dinh et al. 2014).

    With the halves a = x[..., :D/2] and b = x[..., D/2:],

        shifted_half="second":  forward y = [a, b + m(a)]    inverse x = [a, b - m(a)]
        shifted_half="first":   forward y = [a + m(b), b]    inverse x = [a - m(b), b]

    and log |det dy/dx| = 0 in both directions.

    Args:
      shift_fn: function m from [..., D/2] to [..., D/2]. It is called once per pass.
      shifted_half: "first" or "second".
      validate_args: bool, raise `tf.errors.InvalidArgumentError` with the layer's name where a result, or the
        gradient that reaches it, is not finite.
      name: str.
    """

    def __init__(
        self,
        shift_fn: Callable[[tf.Tensor], tf.Tensor],
        shifted_half: str,
        validate_args: bool = False,
        name: str = "additive_coupling",
    ):
        parameters = dict(locals())
        if shifted_half not in ("first", "second"):
            raise ValueError(f"shifted_half={shifted_half!r}; expected 'first' or 'second'")
        self._shift_fn = shift_fn
        self._shifted_half = shifted_half
        # Not self.name, to which tfp adds a number in the second pass of a graph.
        self._layer = name
        super().__init__(
            forward_min_event_ndims=1,
            is_constant_jacobian=True,
            validate_args=validate_args,
            parameters=parameters,
            name=name,
        )

    def _couple(self, x, sign):
        first, second = tf.split(x, 2, axis=-1)
        if self._shifted_half == "second":
            second = second + sign * self._shift_fn(first)
        else:
            first = first + sign * self._shift_fn(second)
        return checked(x, tf.concat([first, second], axis=-1), self._layer, self.validate_args)

    def _forward(self, x):
        return self._couple(x, 1.0)

    def _inverse(self, y):
        return self._couple(y, -1.0)

    def _forward_log_det_jacobian(self, x):
        return tf.zeros([], x.dtype)

    def _inverse_log_det_jacobian(self, y):
        return tf.zeros([], y.dtype)


class AffineCoupling(ByIdentity, tfp.bijectors.Bijector):
    """Scale and shift a part of an image by functions of the rest (Real-NVP; Dinh et al. 2017, Eq. 7 to 9).

        forward  y = b x + (1 - b) (x exp(l) + m)       with (m, l) = conditioner(b x)
        inverse  x = b y + (1 - b) (y - m) exp(-l)      with (m, l) = conditioner(b y)
        log |det dy/dx| = sum of (1 - b) l

    where the mask b is 1 at entries that pass unchanged. Log-scales are not clamped.

    Args:
      conditioner: function from [..., H, W, C] to (m, l), each of that shape: the shift and the log-scale. It is
        called once per pass, for the transformation and its log-determinant together.
      mask: b, broadcastable to [H, W, C].
      validate_args: bool, as in `AdditiveCoupling`.
      name: str.
    """

    def __init__(
        self,
        conditioner: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]],
        mask: np.ndarray,
        validate_args: bool = False,
        name: str = "affine_coupling",
    ):
        parameters = dict(locals())
        self._conditioner = conditioner
        self._mask = mask
        self._layer = name
        self._latest = OncePerPass()
        super().__init__(forward_min_event_ndims=3, validate_args=validate_args, parameters=parameters, name=name)

    def _shift_and_log_scale(self, value):
        # x and y have the same conditioning part, so that one call of the conditioner serves both.
        found = self._latest.find(value)
        if found is None:
            mask = tf.cast(self._mask, value.dtype)
            shift, log_scale = self._conditioner(mask * value)
            found = (1 - mask) * shift, (1 - mask) * log_scale
            self._latest.keep(found, value)
        return found

    def _finish(self, value, result):
        result = checked(value, result, self._layer, self.validate_args)
        self._latest.keep(self._latest.find(value), value, result)
        return result

    # Where b is 1 the shift and the log-scale are 0, so these are the formulas above.
    def _forward(self, x):
        shift, log_scale = self._shift_and_log_scale(x)
        return self._finish(x, x * tf.exp(log_scale) + shift)

    def _inverse(self, y):
        shift, log_scale = self._shift_and_log_scale(y)
        return self._finish(y, (y - shift) * tf.exp(-log_scale))

    def _forward_log_det_jacobian(self, x):
        return tf.reduce_sum(self._shift_and_log_scale(x)[1], [-3, -2, -1])

    def _inverse_log_det_jacobian(self, y):
        return -tf.reduce_sum(self._shift_and_log_scale(y)[1], [-3, -2, -1])
