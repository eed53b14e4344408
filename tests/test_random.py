import numpy as np
import pytest
import tensorflow as tf

from flow_gan import random

KEY = random.key(3, random.Stream.LATENT, 7)


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
@pytest.mark.parametrize("shape", [[], [3], [5, 7, 1]])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_an_example_s_draws_depend_on_its_number_alone(shape, dtype, jit_compile):
    @tf.function(jit_compile=jit_compile)
    def draw(first, count=3):
        return random.uniform(KEY, first, count, shape, dtype)

    whole = random.uniform(KEY, 0, 9, shape, dtype)
    assert whole.shape == [9, *shape] and whole.dtype == dtype
    parts = tf.concat([draw(tf.constant(first)) for first in (0, 3, 6)], 0)
    np.testing.assert_array_equal(whole, parts)


def test_streams_indices_and_seeds_differ():
    keys = [
        KEY,
        random.key(4, random.Stream.LATENT, 7),
        random.key(3, random.Stream.FLIP, 7),
        random.key(3, random.Stream.LATENT, 8),
        random.key(3, random.Stream.LATENT, 7, 0),
    ]
    draws = [random.uniform(key, 0, 4, [16]).numpy() for key in keys]
    for i, draw in enumerate(draws):
        for other in draws[:i]:
            assert np.abs(np.corrcoef(draw.ravel(), other.ravel())[0, 1]) < 0.5


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
def test_uniform(dtype):
    draws = random.uniform(KEY, 0, 1000, [100], dtype).numpy()
    assert draws.min() >= 0 and draws.max() < 1
    # A Kolmogorov-Smirnov distance beyond 2 / sqrt(n) has a probability below 0.001.
    distance = np.abs(np.sort(draws.ravel()) - (np.arange(draws.size) + 0.5) / draws.size).max()
    assert distance < 2 / np.sqrt(draws.size)
    assert np.abs(np.corrcoef(draws[:, 0], draws[:, 1])[0, 1]) < 0.1


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
def test_open_uniform_never_reaches_its_ends(dtype):
    draws = random.open_uniform(KEY, 0, 1000, [1000], dtype).numpy()
    assert draws.min() > 0 and draws.max() < 1
    bits = random._BITS[dtype]
    half_cell = np.asarray(2.0 ** -(bits + 1), dtype.as_numpy_dtype)
    assert np.asarray(1 - 2.0**-bits, dtype.as_numpy_dtype) + half_cell < 1


def test_keys_are_the_same_under_xla():
    def keys(step):
        return [random.key(seed, stream, step, 0) for seed in (0, 7) for stream in random.Stream]

    compiled = tf.function(keys, jit_compile=True, autograph=False)
    for step in (0, 5):
        np.testing.assert_array_equal(compiled(tf.constant(step)), keys(tf.constant(step)))


@pytest.mark.parametrize("jit_compile", [False, True])
def test_indices_are_folded_in_as_tensorflow_does(jit_compile):
    @tf.function(jit_compile=jit_compile)
    def ours(key, index):
        return random._fold_in(key, index)

    for key in ([0, 0], [3, 1], [-5, 2**31 - 1]):
        for index in (0, 1, -7, 123456789):
            expected = tf.random.experimental.stateless_fold_in(key, index, alg="philox")
            np.testing.assert_array_equal(ours(tf.constant(key), tf.constant(index)), expected)
