"""The coupling network of Glow."""

from typing import Any

import keras
import tensorflow as tf

from flow_gan.networks.initializers import SeededInitializers, SeededLayer
from flow_gan.networks.precision import product_dtype, product_policy

# Largest |log-scale| of a coupling.
LARGEST_LOG_SCALE = 2.0


@keras.saving.register_keras_serializable("flow_gan")
class CouplingCNN(SeededLayer):
    """Shift and log-scale of an affine coupling by convolutions.

    conv 3x3 - ReLU, then `num_hidden_layers` times conv 1x1 - ReLU, then conv 3x3, whose channels are o1 and o2:

        log_scale = 2 tanh(o1 / 2)
        shift = o2

    so that no coupling scales an entry by more than e^2 or less than e^-2. The last convolution begins as zeros, and
    the coupling as the identity.

    Args:
      channels: int, of the input, the shift and the log-scale.
      filters: int, channels of the hidden convolutions.
      num_hidden_layers: int, hidden-to-hidden convolutions.
      initializers: `SeededInitializers` for all convolutions but the last.
      precision: of the convolutions, see `precision.product_policy`.
      **kwargs: of `keras.layers.Layer`.
    """

    def __init__(
        self,
        channels: int,
        filters: int,
        num_hidden_layers: int,
        initializers: SeededInitializers,
        precision: str = "float32",
        **kwargs: Any,
    ):
        super().__init__(initializers, **kwargs)
        self._product_dtype = product_dtype(product_policy(precision, self.dtype_policy))
        self.channels = channels
        self.filters = filters
        self.num_hidden_layers = num_hidden_layers
        self.precision = precision
        shapes = [(3, 3, channels, filters), *num_hidden_layers * [(1, 1, filters, filters)]]
        self.hidden = [self._add(f"conv_{i}", shape, initializers.next()) for i, shape in enumerate(shapes)]
        self.conv_out = self._add("conv_out", (3, 3, filters, 2 * channels), "zeros")
        self.built = True

    def _add(self, name, shape, initializer):
        kernel = self.add_weight(shape=shape, initializer=initializer, name=f"{name}_kernel")
        return kernel, self.add_weight(shape=shape[-1:], initializer="zeros", name=f"{name}_bias")

    def _convolve(self, x, kernel, bias):
        y = tf.nn.conv2d(tf.cast(x, self._product_dtype), tf.cast(kernel, self._product_dtype), 1, "SAME")
        return tf.nn.bias_add(tf.cast(y, self.compute_dtype), bias)

    def call(self, x: tf.Tensor, training: bool = False) -> tuple[tf.Tensor, tf.Tensor]:
        """Return (shift, log_scale), each [batch, H, W, channels], of `x` of that shape, whatever `training` is."""
        for weights in self.hidden:
            x = tf.nn.relu(self._convolve(x, *weights))
        log_scale, shift = tf.split(self._convolve(x, *self.conv_out), 2, axis=-1)
        return shift, LARGEST_LOG_SCALE * tf.tanh(log_scale / LARGEST_LOG_SCALE)

    def compute_output_shape(self, input_shape: tuple) -> tuple[tuple, tuple]:
        """Return the shapes of the shift and the log-scale, those of the input."""
        return input_shape, input_shape

    def get_config(self) -> dict:
        """Return the constructor's arguments."""
        return super().get_config() | {
            "channels": self.channels,
            "filters": self.filters,
            "num_hidden_layers": self.num_hidden_layers,
            "precision": self.precision,
        }
