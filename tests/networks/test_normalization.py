import numpy as np
import pytest
import tensorflow as tf

from flow_gan.networks.normalization import BatchNorm, LayerNorm, batch_statistics, moving_average_updates


def built(norm, shape):
    norm.build(shape)
    rng = np.random.default_rng(2)
    for variable in norm.trainable_variables:
        variable.assign(rng.normal(size=variable.shape))
    return norm


def test_batch_statistics_and_moving_averages():
    x = np.random.default_rng(0).normal(2, 3, size=(6, 4, 5))
    norm = built(BatchNorm(epsilon=1e-3, dtype="float64"), (None, 4, 5))
    mean, variance = x.mean((0, 1)), x.var((0, 1))
    scale, shift = norm.scale.numpy(), norm.shift.numpy()
    y = norm(x, training=True)
    np.testing.assert_allclose(y, (x - mean) / np.sqrt(variance + 1e-3) * scale + shift, rtol=1e-10)
    np.testing.assert_allclose(norm.moving_mean, 0.1 * mean, rtol=1e-12)
    np.testing.assert_allclose(norm.moving_variance, 0.9 + 0.1 * variance, rtol=1e-12)
    y = norm(x, training=False)
    expected = (x - 0.1 * mean) / np.sqrt(0.9 + 0.1 * variance + 1e-3) * scale + shift
    np.testing.assert_allclose(y, expected, rtol=1e-10)
    np.testing.assert_allclose(norm.moving_mean, 0.1 * mean, rtol=1e-12)


def test_several_updates_at_once_equal_updates_one_by_one():
    x = np.random.default_rng(0).normal(2, 3, size=(6, 5))
    once, thrice = (built(BatchNorm(dtype="float64"), (None, 5)) for _ in range(2))
    with moving_average_updates(3):
        once(x, training=True)
    for _ in range(3):
        thrice(x, training=True)
    np.testing.assert_allclose(once.moving_mean, thrice.moving_mean, rtol=1e-12)
    np.testing.assert_allclose(once.moving_variance, thrice.moving_variance, rtol=1e-12)
    none = built(BatchNorm(dtype="float64"), (None, 5))
    with moving_average_updates(0):
        none(x, training=True)
    np.testing.assert_array_equal(none.moving_mean, np.zeros(5))


def test_batch_statistics_are_collected_in_place_of_an_update():
    """Of training passes alone, of the innermost context, and no longer than it is open."""
    x = np.random.default_rng(0).normal(size=(6, 5))
    norm = built(BatchNorm(dtype="float64"), (None, 5))
    with batch_statistics() as outer:
        with batch_statistics() as inner:
            norm(x)
            assert inner == []
            norm(x, training=True)
        assert outer == []
    (mean, of_mean), (variance, of_variance) = inner
    assert mean is norm.moving_mean and variance is norm.moving_variance
    np.testing.assert_allclose(of_mean, x.mean(0), rtol=1e-12)
    np.testing.assert_allclose(of_variance, x.var(0), rtol=1e-12)
    np.testing.assert_array_equal(norm.moving_mean, np.zeros(5))
    with pytest.raises(ZeroDivisionError), moving_average_updates(3):
        norm(x, training=True)
        raise ZeroDivisionError
    np.testing.assert_array_equal(norm.moving_mean, np.zeros(5))
    norm(x, training=True)
    np.testing.assert_allclose(norm.moving_mean, 0.1 * x.mean(0), rtol=1e-12)


@pytest.mark.parametrize("layer", ["layer_norm", "batch_norm"])
def test_second_derivatives(layer):
    """The gradient of a function of the gradient, as a gradient penalty needs it, against differences."""
    norm, call = {
        "layer_norm": (LayerNorm(dtype="float64"), {}),
        "batch_norm": (BatchNorm(dtype="float64"), {"training": True}),
    }[layer]
    built(norm, (None, 3, 2, 4))
    rng = np.random.default_rng(0)
    x, direction = rng.normal(size=(2, 2, 3, 2, 4))
    weights = rng.normal(size=x.shape)

    def penalty_and_gradient(x):
        x = tf.constant(x)
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                y = tf.reduce_sum(tf.sin(norm(x, **call)) * weights)
            penalty = tf.reduce_sum(inner.gradient(y, x) ** 2)
        return penalty.numpy(), outer.gradient(penalty, x).numpy()

    analytic = np.sum(penalty_and_gradient(x)[1] * direction)
    h = 1e-5
    numeric = (penalty_and_gradient(x + h * direction)[0] - penalty_and_gradient(x - h * direction)[0]) / (2 * h)
    np.testing.assert_allclose(analytic, numeric, rtol=1e-6)
