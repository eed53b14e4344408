"""Stateless random draws, one independent sequence for every (seed, stream, index, example).

Every draw is a function of its key and of the example's number alone. A batch that is split over replicas,
or a run that is resumed, therefore sees the numbers that the whole batch or the uninterrupted run sees.
"""

import enum
import math

import tensorflow as tf

# Philox yields four 32-bit words for every value of its counter. An example is given a whole number of
# counter values, so that its draws do not depend on which examples stand beside it.
_WORDS_PER_COUNTER = 4
_PHILOX = 1


class Stream(enum.IntEnum):
    """What a draw is for; two streams never share a number."""

    LATENT = 0
    NOISE_CRITIC = 1
    NOISE_LIKELIHOOD = 2
    INTERPOLATION = 3
    FLIP = 4
    EVALUATION = 5
    SAMPLE = 6


def key(seed, stream, *indices):
    """Return the key, int32 [2], of a stream at integer `indices` such as the step and the critic run."""
    result = tf.stack([tf.cast(seed, tf.int32), tf.constant(int(stream), tf.int32)])
    for index in indices:
        result = tf.random.experimental.stateless_fold_in(result, tf.cast(index, tf.int32))
    return result


def uniform(key, first, count, shape, dtype=tf.float32):
    """Draw from the uniform density on [0, 1) for the examples `first` to `first + count - 1`.

    Args:
      key: int32 [2], from `key`.
      first: integer scalar (tensor), the number of the first example.
      count: integer (tensor), the number of examples.
      shape: static shape of one example's draws.
      dtype: float32 or float64.

    Returns:
      [count, *shape]. Row i depends on `key` and on `first + i` only, whatever `count` is.
    """
    # A float64 draw uses two words, a float32 draw one.
    words = math.prod(shape) * (2 if dtype == tf.float64 else 1)
    counters = -(-words // _WORDS_PER_COUNTER)
    drawn = counters * _WORDS_PER_COUNTER // (2 if dtype == tf.float64 else 1)
    philox_key, _ = tf.raw_ops.StatelessRandomGetKeyCounter(seed=key)
    start = tf.cast(first, tf.uint64) * tf.constant(counters, tf.uint64)
    values = tf.raw_ops.StatelessRandomUniformV2(
        shape=tf.stack([count, drawn]),
        key=philox_key,
        counter=tf.stack([start, tf.zeros_like(start)]),
        alg=_PHILOX,
        dtype=dtype,
    )
    static = count if isinstance(count, int) else None
    values = tf.ensure_shape(values, [static, drawn])
    return tf.reshape(values[:, : math.prod(shape)], [-1 if static is None else static, *shape])


def open_uniform(key, first, count, shape, dtype=tf.float32):
    """Draw as `uniform` does, from the open interval (0, 1), where every quantile is finite."""
    # float32 draws are multiples of 2^-23 and float64 draws of 2^-52: move them to the middle of their cell.
    half_cell = 2.0**-53 if dtype == tf.float64 else 2.0**-24
    return uniform(key, first, count, shape, dtype) + tf.constant(half_cell, dtype)
