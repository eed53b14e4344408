"""Activations."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("flow_gan")
class LeakyReLU(keras.layers.Layer):
    """x where x > 0, and 0.2 x elsewhere.

    The gradient treats the slope as a constant, which it is almost everywhere. In the library's own layer the slope's
    derivative is a tensor of zeros, which a gradient penalty carries through a whole backward pass of the critic.
    """

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Return a tensor of the shape of `x`."""
        return x * tf.stop_gradient(tf.where(x > 0, tf.ones([], x.dtype), tf.constant(0.2, x.dtype)))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Return the input's shape."""
        return input_shape

    def get_config(self) -> dict:
        """Return the constructor's arguments."""
        return super().get_config()
