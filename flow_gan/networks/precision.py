"""The precision of networks, and of their matrix products."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

from flow_gan.config.training import PRECISIONS
from flow_gan.errors import UserError, check_choice


def network_policy(dtype: str | keras.DTypePolicy | None = None) -> keras.DTypePolicy:
    """Return the Keras dtype policy of a network; None gives float32, whatever Keras's global policy is.

    Raises:
      UserError: the policy is neither float32 nor float64. Likelihoods need one of them everywhere.
    """
    try:
        policy = keras.dtype_policies.get(dtype or "float32")
    except (TypeError, ValueError):
        policy = None
    if policy is None or policy.name not in ("float32", "float64"):
        shown = dtype if policy is None else policy.name
        raise UserError(f"dtype={shown}; expected float32 or float64 (precision='bfloat16' is for matrix products)")
    return policy


def check_float(name: str, value: Any) -> None:
    """Raise `UserError` unless `value`, the argument called `name`, has a float dtype, as dequantised images do."""
    dtype = tf.as_dtype(getattr(value, "dtype", tf.float32))
    if not dtype.is_floating:
        raise UserError(
            f"{name} are {dtype.name}; expected dequantised ones, floats in [0, 1], as data.dequantize makes from grey "
            "levels (for grey levels themselves use a FlowGAN: model.predict(images))"
        )


@contextlib.contextmanager
def default_keras_settings() -> Iterator[None]:
    """Context, or decorator, in which Keras's global settings have their defaults: float32, channels last."""
    before = keras.config.dtype_policy(), keras.config.floatx(), keras.config.image_data_format()
    _set_keras("float32", "float32", "channels_last")
    try:
        yield
    finally:
        _set_keras(*before)


def _set_keras(policy, floatx, image_data_format):
    keras.config.set_dtype_policy(policy)
    keras.config.set_floatx(floatx)
    keras.config.set_image_data_format(image_data_format)


def product_policy(precision: str, policy: str | keras.DTypePolicy) -> str | keras.DTypePolicy:
    """Return the Keras dtype policy of layers that are a matrix product or a convolution.

    With "bfloat16" they round their inputs and weights to bfloat16 and sum in float32. Their weights are stored in
    float32, and everything between them (statistics, norms, activations) is computed in float32.

    Args:
      precision: one of `PRECISIONS`.
      policy: dtype or policy of the network that the layers belong to.

    Raises:
      UserError: an unknown precision, or bfloat16 in a network that is not float32.
    """
    check_choice("precision", precision, PRECISIONS)
    if precision == "float32":
        return policy
    if keras.dtype_policies.get(policy).compute_dtype != "float32":
        raise UserError(f"precision={precision} is for networks of dtype float32, not {policy}")
    return keras.dtype_policies.get("mixed_bfloat16")


def product_dtype(policy: str | keras.DTypePolicy) -> tf.DType:
    """Return the tf.DType in which a layer with such a policy multiplies."""
    return tf.as_dtype(keras.dtype_policies.get(policy).compute_dtype)
