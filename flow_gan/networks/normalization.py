"""Batch normalisation as the original release has it, and layer normalisation."""

import contextlib
import contextvars
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

from flow_gan.networks.gradients import takes_own_gradients
from flow_gan.networks.norm_gradients import normalize_layer, normalize_whole
from flow_gan.networks.replicas import mean_over_replicas, num_replicas

# Share of its old value that a moving average keeps in an update.
MOMENTUM = 0.9

# Pairs (moving average, statistic of the batch) of training passes.
Statistics = list[tuple[keras.Variable, tf.Tensor]]

# Those of the current `batch_statistics` context, if there is one.
_open_statistics: contextvars.ContextVar[Statistics | None] = contextvars.ContextVar("open_statistics", default=None)


@contextlib.contextmanager
def batch_statistics() -> Iterator[Statistics]:
    """Context that yields the list of (moving average, statistic of the batch) of the training passes within it.

    The passes do not change the moving averages. Outside of such a context each pass updates them once.
    """
    statistics: Statistics = []
    token = _open_statistics.set(statistics)
    try:
        yield statistics
    finally:
        _open_statistics.reset(token)


@contextlib.contextmanager
def moving_average_updates(times: int) -> Iterator[None]:
    """Context in which a training pass updates the moving averages `times` times with its statistics.

    n updates with the same statistic s give MOMENTUM^n * average + (1 - MOMENTUM^n) * s.
    """
    with batch_statistics() as statistics:
        yield
    if times:
        _update(statistics, times)


def take_statistic(average: keras.Variable, statistic: tf.Tensor) -> None:
    """Add a statistic to the current `batch_statistics` context; outside of one, update its moving average."""
    statistics = _open_statistics.get()
    if statistics is None:
        _update([(average, statistic)], 1)
    else:
        statistics.append((average, statistic))


def _update(statistics, times):
    keep = MOMENTUM**times
    dtypes = {average.dtype for average, _ in statistics}
    # The same two constants for all.
    shares = {dtype: (tf.constant(keep, dtype), tf.constant(1.0 - keep, dtype)) for dtype in dtypes}
    for average, statistic in statistics:
        old, new = shares[average.dtype]
        average.assign(average * old + statistic * new)


def moments(x: tf.Tensor, axes: list[int]) -> tuple[tf.Tensor, tf.Tensor]:
    """Return mean and biased variance over `axes` and all replicas."""
    mean = mean_over_replicas(tf.reduce_mean(x, axes))
    # Written out, since second derivatives of tf.nn.moments are inexact (a critic needs them).
    return mean, mean_over_replicas(tf.reduce_mean(tf.math.squared_difference(x, mean), axes))


def normalize(
    x: tf.Tensor,
    mean: tf.Tensor,
    variance: tf.Tensor,
    epsilon: float,
    scale: tf.Tensor | None = None,
    shift: tf.Tensor | None = None,
) -> tf.Tensor:
    """Return (x - mean) / sqrt(variance + epsilon) * scale + shift; scale and shift default to 1 and 0."""
    factor = tf.math.rsqrt(variance + epsilon)
    if scale is None:
        return (x - mean) * factor
    factor = scale * factor
    return x * factor + (shift - mean * factor)


def channel_batch_norm(
    x: tf.Tensor, epsilon: float, scale: tf.Tensor | None = None, shift: tf.Tensor | None = None
) -> tuple[tf.Tensor, tuple[tf.Tensor, tf.Tensor]]:
    """Normalise [batch, H, W, channels] by the statistics of each channel; see `normalize`.

    Returns:
      The result, and (mean, biased variance), [channels], through which no gradient flows.
    """
    if x.dtype != tf.float32 or num_replicas() > 1:
        statistics = moments(x, [0, 1, 2])
        return normalize(x, *statistics, epsilon, scale, shift), statistics
    # One pass over memory instead of four, forwards and backwards: a Real-NVP step takes 0.89 of the time. XLA's
    # variance is E[x^2] - E[x]^2, and so inexact in a channel whose mean is some thousand times its deviation; first
    # subtracting a shift would cost a third of the gain.
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


def whole_batch_norm(
    x: tf.Tensor, epsilon: float, scale: tf.Tensor | None = None, shift: tf.Tensor | None = None
) -> tuple[tf.Tensor, tuple[tf.Tensor, tf.Tensor]]:
    """Normalise `x` by one mean and one biased variance over the whole tensor; see `normalize`.

    The statistics are those of the batch (of all replicas), so the result for one example depends on the others.

    Args:
      x: [batch, ...].
      epsilon: float.
      scale, shift: scalars, or None.

    Returns:
      The result, and (mean, biased variance), scalars, through which no gradient flows.
    """
    if takes_own_gradients(x) and num_replicas() == 1:
        return normalize_whole(tf.convert_to_tensor(x), epsilon, scale, shift)
    mean, variance = moments(x, list(range(x.shape.rank)))
    y = normalize(x, mean, variance, epsilon, scale, shift)
    return y, (tf.stop_gradient(mean), tf.stop_gradient(variance))


@keras.saving.register_keras_serializable("flow_gan")
class BatchNorm(keras.layers.Layer):
    """Batch normalisation with one statistic per channel.

        y = (x - mean) / sqrt(var + epsilon) * scale + shift

    With `training=True` the mean and the biased variance are those of the batch (of all replicas), and gradients flow
    through them; otherwise they are the moving averages, which a training pass updates (see
    `moving_average_updates`). Keras's own layer is not used because its second derivatives are inexact.

    Args:
      epsilon: float, added to the variance.
      **kwargs: of `keras.layers.Layer`.
    """

    def __init__(self, epsilon: float = 1e-5, **kwargs: Any):
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def build(self, input_shape: tuple) -> None:
        """Create scale, shift and the two moving averages, [channels]."""
        shape = (input_shape[-1],)
        self.scale = self.add_weight(shape=shape, initializer="ones", name="scale")
        self.shift = self.add_weight(shape=shape, initializer="zeros", name="shift")
        self.moving_mean = add_moving_average(self, shape, "zeros", "moving_mean")
        self.moving_variance = add_moving_average(self, shape, "ones", "moving_variance")

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Normalise `x`, [batch, ..., channels]; with `training` by the batch's statistics."""
        if training:
            mean, variance = moments(x, list(range(x.shape.rank - 1)))
            take_statistic(self.moving_mean, mean)
            take_statistic(self.moving_variance, variance)
        else:
            mean, variance = (tf.convert_to_tensor(v) for v in (self.moving_mean, self.moving_variance))
        return normalize(x, mean, variance, self.epsilon, self.scale, self.shift)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Return the input's shape."""
        return input_shape

    def get_config(self) -> dict:
        """Return the constructor's arguments."""
        return super().get_config() | {"epsilon": self.epsilon}


@keras.saving.register_keras_serializable("flow_gan")
class LayerNorm(keras.layers.Layer):
    """Layer normalisation over height, width and channels, with an affine map per channel.

        y = (x - mean) / sqrt(var + epsilon) * scale + offset

    with one mean and one biased variance per example. Keras's own layer stops the gradient of the mean inside the
    variance, which makes the second derivatives that a gradient penalty needs wrong by 1 to 3 %.
    """

    epsilon = 1e-5

    def build(self, input_shape: tuple) -> None:
        """Create scale and offset, [channels]."""
        self.scale = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="scale")
        self.offset = self.add_weight(shape=(input_shape[-1],), initializer="zeros", name="offset")

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Normalise [batch, H, W, C], of which only the batch may be unknown."""
        if takes_own_gradients(x):
            return normalize_layer(x, self.epsilon, tf.convert_to_tensor(self.scale), tf.convert_to_tensor(self.offset))
        centred = x - tf.reduce_mean(x, [1, 2, 3], keepdims=True)
        variance = tf.reduce_mean(tf.square(centred), [1, 2, 3], keepdims=True)
        return centred * tf.math.rsqrt(variance + self.epsilon) * self.scale + self.offset

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Return the input's shape."""
        return input_shape

    def get_config(self) -> dict:
        """Return the constructor's arguments."""
        return super().get_config()


def add_moving_average(layer: keras.layers.Layer, shape: tuple, initializer: str, name: str) -> keras.Variable:
    """Add a moving average to a Keras layer: a weight that is not trained, and averaged over replicas."""
    return layer.add_weight(shape=shape, initializer=initializer, trainable=False, aggregation="mean", name=name)


def moving_averages(layer: keras.layers.Layer) -> list[keras.Variable]:
    """Return the moving averages among a Keras layer's weights: those whose names tell it."""
    return [v for v in layer.non_trainable_variables if "moving_" in v.path.split("/")[-1]]
