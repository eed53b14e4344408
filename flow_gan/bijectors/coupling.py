"""Coupling layers."""

import tensorflow as tf
import tensorflow_probability as tfp


class AdditiveCoupling(tfp.bijectors.Bijector):
    """Shift one half of a vector by a function of the other half (NICE; Dinh et al. 2014).

    With the halves a = x[..., :D/2] and b = x[..., D/2:],

        shifted_half="second":  forward y = [a, b + m(a)]    inverse x = [a, b - m(a)]
        shifted_half="first":   forward y = [a + m(b), b]    inverse x = [a - m(b), b]

    and log |det dy/dx| = 0 in both directions.

    Args:
      shift_fn: function m from [..., D/2] to [..., D/2]. It is called once per pass.
      shifted_half: "first" or "second".
      name: str.
    """

    def __init__(self, shift_fn, shifted_half, name="additive_coupling"):
        parameters = dict(locals())
        if shifted_half not in ("first", "second"):
            raise ValueError(f"shifted_half={shifted_half!r}; expected 'first' or 'second'")
        self._shift_fn = shift_fn
        self._shifted_half = shifted_half
        super().__init__(
            forward_min_event_ndims=1,
            is_constant_jacobian=True,
            validate_args=False,
            parameters=parameters,
            name=name,
        )

    def _couple(self, x, sign):
        first, second = tf.split(x, 2, axis=-1)
        if self._shifted_half == "second":
            second = second + sign * self._shift_fn(first)
        else:
            first = first + sign * self._shift_fn(second)
        return tf.concat([first, second], axis=-1)

    def _forward(self, x):
        return self._couple(x, 1.0)

    def _inverse(self, y):
        return self._couple(y, -1.0)

    def _forward_log_det_jacobian(self, x):
        return tf.zeros([], x.dtype)

    def _inverse_log_det_jacobian(self, y):
        return tf.zeros([], y.dtype)
