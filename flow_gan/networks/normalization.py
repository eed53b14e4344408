"""Batch normalisation as the original release has it."""

import keras
import tensorflow as tf

from flow_gan.networks.replicas import mean_over_replicas, num_replicas

# What a moving average keeps of itself in an update.
MOMENTUM = 0.9


def moments(x, axes):
    """Return mean and biased variance over `axes` and all replicas."""
    mean = mean_over_replicas(tf.reduce_mean(x, axes))
    # Written out, since second derivatives of tf.nn.moments are inexact (a critic needs them).
    return mean, mean_over_replicas(tf.reduce_mean(tf.square(x - mean), axes))


def normalize(x, mean, variance, epsilon, scale=None, shift=None):
    """Return (x - mean) / sqrt(variance + epsilon) * scale + shift; without a scale and a shift they are 1 and 0."""
    factor = tf.math.rsqrt(variance + epsilon)
    if scale is None:
        return (x - mean) * factor
    factor = scale * factor
    return x * factor + (shift - mean * factor)


def channel_batch_norm(x, epsilon, scale=None, shift=None):
    """Normalise [batch, H, W, channels] by the statistics of each channel; see `normalize`.

    Returns:
      The result, and (mean, biased variance), [channels], through which no gradient flows.
    """
    if x.dtype != tf.float32 or num_replicas() > 1:
        statistics = moments(x, [0, 1, 2])
        return normalize(x, *statistics, epsilon, scale, shift), statistics
    # A pass over memory instead of four, forwards and backwards: a Real-NVP step takes 0.89 of the time. XLA's variance
    # is E[x^2] - E[x]^2, and so inexact in a channel whose mean is some thousand times its deviation; to take a shift
    # off first would cost a third of the gain.
    ones = tf.ones([x.shape[-1]])
    y, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=x,
        scale=ones if scale is None else scale,
        offset=0 * ones if shift is None else shift,
        mean=[],
        variance=[],
        epsilon=epsilon,
        is_training=True,
    )
    # TensorFlow returns the unbiased variance.
    count = tf.cast(tf.size(x) // x.shape[-1], tf.float32)
    return y, (mean, variance * ((count - 1) / count))


def whole_batch_norm(x, epsilon=1e-6):
    """Normalise `x` by one mean and one biased variance over the whole tensor.

    The statistics are those of the batch (of all replicas) in training and evaluation alike, so what one example
    becomes depends on the others: the release's "simple" batch norm. `x` is [batch, ..., channels].
    """
    return normalize(x, *moments(x, list(range(x.shape.rank))), epsilon)


def update_average(average, statistic, updates):
    """Let the variable `average` take the statistic `updates` times.

    n updates by the same statistic s end at MOMENTUM^n * average + (1 - MOMENTUM^n) * s.
    """
    keep = MOMENTUM**updates
    average.assign(average * keep + tf.stop_gradient(statistic) * (1.0 - keep))


class BatchNorm(keras.layers.Layer):
    """Batch normalisation with one statistic per channel, and with updates that can be counted.

        y = (x - mean) / sqrt(var + epsilon) * scale + shift

    With `training=True` the mean and the biased variance are those of the batch (of all replicas), and gradients flow
    through them; otherwise they are the moving averages. The second derivatives of Keras's own layer are inexact.

    Args:
      epsilon: float, added to the variance.
      **kwargs: of `keras.layers.Layer`.
    """

    def __init__(self, epsilon=1e-5, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def build(self, input_shape):
        """Create scale, shift and the two moving averages, [channels]."""
        shape = (input_shape[-1],)
        self.scale = self.add_weight(shape=shape, initializer="ones", name="scale")
        self.shift = self.add_weight(shape=shape, initializer="zeros", name="shift")
        self.moving_mean = add_moving_average(self, shape, "zeros", "moving_mean")
        self.moving_variance = add_moving_average(self, shape, "ones", "moving_variance")

    def call(self, x, training=False, updates=1):
        """Normalise `x`.

        Args:
          x: [batch, ..., channels].
          training: bool, use the batch's statistics.
          updates: int, how often the moving averages take this batch's statistics when training; see
            `update_average`.
        """
        if training:
            mean, variance = moments(x, list(range(x.shape.rank - 1)))
            if updates:
                update_average(self.moving_mean, mean, updates)
                update_average(self.moving_variance, variance, updates)
        else:
            mean, variance = (tf.convert_to_tensor(v) for v in (self.moving_mean, self.moving_variance))
        return normalize(x, mean, variance, self.epsilon, self.scale, self.shift)

    def compute_output_shape(self, input_shape):
        """Return the input's shape."""
        return input_shape

    def get_config(self):
        """Return the constructor's arguments."""
        return super().get_config() | {"epsilon": self.epsilon}


def add_moving_average(layer, shape, initializer, name):
    """Add a moving average to a Keras layer: a weight that is not trained, and averaged over replicas."""
    return layer.add_weight(shape=shape, initializer=initializer, trainable=False, aggregation="mean", name=name)
