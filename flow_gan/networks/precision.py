"""The precision in which networks multiply matrices."""

import keras
import tensorflow as tf

from flow_gan.errors import UserError, check_choice

PRECISIONS = ("float32", "bfloat16")


def product_policy(precision, policy):
    """Return the Keras dtype policy of layers that are a matrix product or a convolution.

    With "bfloat16" they take their inputs and weights rounded to it and sum in float32; their weights are kept, and
    everything between them (statistics, norms, activations) is computed, in float32.

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


def product_dtype(policy):
    """Return the tf.DType in which a layer with such a policy multiplies."""
    return tf.as_dtype(keras.dtype_policies.get(policy).compute_dtype)
