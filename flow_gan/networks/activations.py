"""Activations."""

from typing import Any

import keras
import tensorflow as tf

from flow_gan.networks.gradients import takes_own_gradients

_SLOPE = 0.2


@keras.saving.register_keras_serializable("flow_gan")
class LeakyReLU(keras.layers.Layer):
    """x where x > 0, and 0.2 x elsewhere.

    The gradient treats the slope as a constant, which it is almost everywhere. In the library's own layer the slope's
    derivative is a tensor of zeros, which a gradient penalty carries through a whole backward pass of the critic.
    """

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Return a tensor of the shape of `x`."""
        if takes_own_gradients(x):
            return _leaky_relu(x)
        return x * tf.stop_gradient(tf.where(x > 0, tf.ones([], x.dtype), tf.constant(_SLOPE, x.dtype)))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Return the input's shape."""
        return input_shape

    def get_config(self) -> dict:
        """Return the constructor's arguments."""
        return super().get_config()


@tf.custom_gradient
def _leaky_relu(x: Any) -> Any:
    # One operation each way instead of three and one; `norm_gradients` has the gain.
    y = tf.nn.leaky_relu(x, _SLOPE)
    # The gradient needs the sign alone, which y has, too: TensorFlow can then join the activation with what is before
    # it. The derivative by the sign would be a tensor of zeros.
    sign = tf.stop_gradient(y)
    return y, lambda dy: tf.raw_ops.LeakyReluGrad(gradients=dy, features=sign, alpha=_SLOPE)
