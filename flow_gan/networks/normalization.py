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
      affine: bool, whether there are g_scale and g_shift; 1 and 0 otherwise.
      **kwargs: of `keras.layers.Layer`.
    """

    def __init__(self, axis=-1, epsilon=1e-6, momentum=0.9, affine=True, **kwargs):
        super().__init__(**kwargs)
        if axis not in (-1, None):
            raise ValueError(f"axis={axis!r}; expected -1 (per channel) or None (scalar)")
        self.axis = axis
        self.epsilon = epsilon
        self.momentum = momentum
        self.affine = affine

    def build(self, input_shape):
        """Create the affine weights and the two moving averages."""
        shape = () if self.axis is None else (input_shape[-1],)
        if self.affine:
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
            mean, variance = _moments(x, axes)
            if updates:
                self._update(self.moving_mean, mean, updates)
                self._update(self.moving_variance, variance, updates)
        else:
            mean, variance = (tf.convert_to_tensor(v) for v in (self.moving_mean, self.moving_variance))
        scale = tf.math.rsqrt(variance + self.epsilon)
        if not self.affine:
            return (x - mean) * scale
        scale = self.scale * scale
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
            "affine": self.affine,
        }


def whole_batch_norm(x, epsilon=1e-6):
    """Return (x - mean) / sqrt(var + epsilon) with one mean and one biased variance over the whole tensor.

    The statistics are those of the batch (of all replicas) in training and evaluation alike, so what one example
    becomes depends on the others: the release's "simple" batch norm. `x` is [batch, ..., channels].
    """
    mean, variance = _moments(x, list(range(x.shape.rank)))
    return (x - mean) * tf.math.rsqrt(variance + epsilon)


def _moments(x, axes):
    """Return mean and biased variance over `axes` and all replicas."""
    mean = mean_over_replicas(tf.reduce_mean(x, axes))
    # Written out, since second derivatives of tf.nn.moments are inexact (a critic needs them).
    return mean, mean_over_replicas(tf.reduce_mean(tf.square(x - mean), axes))
