"""Stateless random draws, one independent sequence for every (seed, stream, index, example).

Every draw is a function of its key and of the example's number alone. A batch that is split over replicas, or a run
that is resumed or compiled by XLA, therefore sees the numbers that the whole batch or the uninterrupted run sees.
"""

import enum
import math
from collections.abc import Sequence

import tensorflow as tf

# Philox, a counter-based generator, yields four 32-bit words for every value of its counter. An example is given a
# whole number of counter values, so that its draws do not depend on which examples stand beside it.
_WORDS_PER_COUNTER = 4
_PHILOX = 1
# The key with which TensorFlow scrambles a seed.
_SCRAMBLER = 0x02461E293EC8F720

# Draws are multiples of 2^-bits.
_BITS = {tf.float32: 23, tf.float64: 52}


class Stream(enum.IntEnum):
    """What a draw is for; two streams never share a number."""

    LATENT = 0
    NOISE_CRITIC = 1
    NOISE_LIKELIHOOD = 2
    INTERPOLATION = 3
    FLIP = 4
    EVALUATION = 5
    SAMPLE = 6
    MIXTURE = 7
    SELECTION = 8
    MOVING_AVERAGES = 9
    INPAINTING = 10
    INITIALIZATION = 11
    LABEL = 12


def key(seed: int | tf.Tensor, stream: Stream, *indices: int | tf.Tensor) -> tf.Tensor:
    """Return the key, int32 [2], of a stream at integer `indices` such as the step and the critic run."""
    result = tf.stack([tf.cast(seed, tf.int32), tf.constant(int(stream), tf.int32)])
    for index in indices:
        result = _fold_in(result, tf.cast(index, tf.int32))
    return result


def _fold_in(key, index):
    """Return the key that `tf.random.experimental.stateless_fold_in` returns with Philox.

    It makes a third of the operations, which a training step has some dozen times.
    """
    mixed = _words([4], tf.constant([_SCRAMBLER], tf.uint64), tf.cast(key, tf.uint64), tf.uint32)
    scrambled, counter = tf.split(tf.bitcast(tf.reshape(mixed, [2, 2]), tf.uint64), 2)
    drawn = _words([], scrambled, tf.concat([tf.zeros([1], tf.uint64), counter], 0), tf.int32)
    return tf.stack([drawn, index])


def _words(shape, key, counter, dtype):
    """Return random integers, uniform over all values of `dtype`."""
    # Philox is named, since XLA would choose another algorithm.
    return tf.raw_ops.StatelessRandomUniformFullIntV2(shape=shape, key=key, counter=counter, alg=_PHILOX, dtype=dtype)


def uniform(
    key: tf.Tensor,
    first: int | tf.Tensor,
    count: int | tf.Tensor,
    shape: Sequence[int],
    dtype: tf.DType = tf.float32,
) -> tf.Tensor:
    """Draw from the uniform density on [0, 1) for the examples `first` to `first + count - 1`.

    Args:
      key: int32 [2], from `key`.
      first: the number of the first example.
      count: the number of examples.
      shape: of one example's draws.
      dtype: float32 or float64.

    Returns:
      [count, *shape]. Row i depends on `key` and on `first + i` only, whatever `count` is.
    """
    size = math.prod(shape)
    word = tf.uint64 if dtype == tf.float64 else tf.uint32
    counters = -(-size * word.size // (4 * _WORDS_PER_COUNTER))
    drawn = counters * 4 * _WORDS_PER_COUNTER // word.size
    start = tf.cast(first, tf.uint64) * tf.constant(counters, tf.uint64)
    # Random words rather than TensorFlow's random floats, which differ under XLA.
    counter = tf.stack([start, tf.constant(0, tf.uint64)])
    words = _words([count, drawn], tf.reshape(tf.bitcast(key, tf.uint64), [1]), counter, word)
    words = tf.ensure_shape(words, [count if isinstance(count, int) else None, drawn])
    if drawn > size:
        words = words[:, :size]
    bits = _BITS[dtype]
    values = tf.cast(tf.bitwise.right_shift(words, tf.constant(8 * word.size - bits, word)), dtype) * 2.0**-bits
    return tf.reshape(values, [-1 if values.shape[0] is None else values.shape[0], *shape])


def open_uniform(
    key: tf.Tensor,
    first: int | tf.Tensor,
    count: int | tf.Tensor,
    shape: Sequence[int],
    dtype: tf.DType = tf.float32,
) -> tf.Tensor:
    """Draw as `uniform` does, from the open interval (0, 1), where every quantile is finite."""
    # The middle of each draw's cell; the sum is exact.
    return uniform(key, first, count, shape, dtype) + tf.constant(2.0 ** -(_BITS[dtype] + 1), dtype)
