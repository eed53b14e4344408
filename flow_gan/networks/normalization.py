"""Batch normalisation as the original release has it."""

import keras
import tensorflow as tf

from flow_gan.networks.replicas import mean_over_replicas


class BatchNorm(keras.layers.Layer):
    """Batch normalisation over the axes that the release uses, with updates that can be counted.

        y = (x - mean) / sqrt(var + epsilon) * g_scale + g_shift

    With `training=True` the mean and the biased variance are those of the batch (of all replicas), and
    gradients flow through them; otherwise they are the moving averages. Keras's own layer cannot
    take one statistic over batch and features, and its second derivatives are inexact.

    Args:
      axis: -1 for one statistic per channel, None for one scalar statistic over the whole tensor (NICE).
      epsilon: float, added to the variance.
      momentum: float, what a moving average keeps of itself in an update.
      **kwargs: of `keras.layers.Layer`.
    """

    def __init__(self, axis=-1, epsilon=1e-6, momentum=0.9, **kwargs):
        super().__init__(**kwargs)
        if axis not in (-1, None):
            raise ValueError(f"axis={axis!r}; expected -1 (per channel) or None (scalar)")
        self.axis = axis
        self.epsilon = epsilon
        self.momentum = momentum

    def build(self, input_shape):
        """Create the two affine weights and the two moving averages."""
        shape = () if self.axis is None else (input_shape[-1],)
        self.scale = self.add_weight(shape=shape, initializer="ones", name="scale")
        self.shift = self.add_weight(shape=shape, initializer="zeros", name="shift")
        moving = {"shape": shape, "trainable": False, "aggregation": "mean"}
        self.moving_mean = self.add_weight(initializer="zeros", name="moving_mean", **moving)
        self.moving_variance = self.add_weight(initializer="ones", name="moving_variance", **moving)

    def call(self, x, training=False, updates=1):
        """Normalise `x`.

        Args:
          x: [batch, ..., channels].
          training: bool, use the batch's statistics.
          updates: int, how often the moving averages take this batch's statistics when training.
            n updates by the same statistic s end at momentum^n * average + (1 - momentum^n) * s.
        """
        if training:
            axes = list(range(x.shape.rank if self.axis is None else x.shape.rank - 1))
            mean = mean_over_replicas(tf.reduce_mean(x, axes))
            # Written out, since second derivatives of tf.nn.moments are inexact (a critic needs them).
            variance = mean_over_replicas(tf.reduce_mean(tf.square(x - mean), axes))
            if updates:
                self._update(self.moving_mean, mean, updates)
                self._update(self.moving_variance, variance, updates)
        else:
            mean, variance = (tf.convert_to_tensor(v) for v in (self.moving_mean, self.moving_variance))
        scale = self.scale * tf.math.rsqrt(variance + self.epsilon)
        return x * scale + (self.shift - mean * scale)

    def _update(self, average, statistic, updates):
        keep = self.momentum**updates
        average.assign(average * keep + tf.stop_gradient(statistic) * (1.0 - keep))

    def compute_output_shape(self, input_shape):
        """Return the input's shape."""
        return input_shape

    def get_config(self):
        """Return the constructor's arguments."""
        return super().get_config() | {
            "axis": self.axis,
            "epsilon": self.epsilon,
            "momentum": self.momentum,
        }
