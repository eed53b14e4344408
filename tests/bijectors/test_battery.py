"""One set of checks over every bijector, in float64."""

import numpy as np
import pytest
import tensorflow as tf

from flow_gan import bijectors

IMAGE = (2, 3, 1)


def shift_fn(x):
    weights = np.random.default_rng(1).normal(size=(3, 3))
    return tf.tanh(x @ weights)


BIJECTORS = {
    "additive_coupling_second": (lambda: bijectors.AdditiveCoupling(shift_fn, "second"), (6,)),
    "additive_coupling_first": (lambda: bijectors.AdditiveCoupling(shift_fn, "first"), (6,)),
    "diagonal_scaling": (lambda: bijectors.diagonal_scaling(np.linspace(-1, 1, 6)), (6,)),
    "even_odd_split": (lambda: bijectors.even_odd_split(IMAGE), IMAGE),
    "alpha_logit_small": (lambda: bijectors.alpha_logit(1e-7, np.float64), IMAGE),
    "alpha_logit_large": (lambda: bijectors.alpha_logit(0.05, np.float64), IMAGE),
}


@pytest.fixture(params=BIJECTORS)
def case(request):
    make, shape = BIJECTORS[request.param]
    x = tf.constant(np.random.default_rng(0).uniform(0.02, 0.98, size=(5, *shape)))
    return make, x


def test_round_trip(case):
    make, x = case
    # tf.identity, and another instance: tfp's cache would hand back x itself.
    y = tf.identity(make().forward(x))
    np.testing.assert_allclose(make().inverse(y), x, atol=1e-9)


def test_log_determinant(case):
    make, x = case
    ndims_in, ndims_out = x.shape.rank - 1, make().forward_event_ndims(x.shape.rank - 1)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = make().forward(x)
        flat = tf.reshape(y, [5, 6])
    jacobian = tf.reshape(tape.batch_jacobian(flat, x), [5, 6, 6])
    expected = np.linalg.slogdet(jacobian)[1]
    forward = make().forward_log_det_jacobian(x, ndims_in) + tf.zeros(5, x.dtype)
    np.testing.assert_allclose(forward, expected, rtol=1e-8, atol=1e-12)
    inverse = make().inverse_log_det_jacobian(tf.identity(y), ndims_out) + tf.zeros(5, x.dtype)
    np.testing.assert_allclose(inverse, -expected, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("alpha", [1e-7, 1e-3, 0.2])
def test_alpha_logit_formula(alpha):
    x = np.linspace(0, 1, 11)
    w = alpha + (1 - 2 * alpha) * x
    bijector = bijectors.alpha_logit(alpha, np.float64)
    np.testing.assert_allclose(bijector.forward(x), np.log(w) - np.log(1 - w), rtol=1e-8, atol=1e-12)
    expected = np.sum(-np.log(w) - np.log(1 - w) + np.log(1 - 2 * alpha))
    np.testing.assert_allclose(bijector.forward_log_det_jacobian(x, 1), expected, rtol=1e-8)


@pytest.mark.parametrize("alpha", [1e-7, 1e-6])
def test_alpha_logit_is_finite_at_black_and_white_in_float32(alpha):
    x = tf.constant([0.0, 1.0])
    bijector = bijectors.alpha_logit(alpha, np.float32)
    assert np.isfinite(bijector.forward(x)).all()
    assert np.isfinite(bijector.forward_log_det_jacobian(x, 1))


def test_coupling_keeps_one_half_and_rejects_other_names():
    x = np.random.default_rng(0).normal(size=(2, 6))
    np.testing.assert_array_equal(bijectors.AdditiveCoupling(shift_fn, "second").forward(x)[:, :3], x[:, :3])
    np.testing.assert_array_equal(bijectors.AdditiveCoupling(shift_fn, "first").forward(x)[:, 3:], x[:, 3:])
    with pytest.raises(ValueError, match=r"shifted_half='third'.*'first' or 'second'"):
        bijectors.AdditiveCoupling(shift_fn, "third")


def test_even_odd_split_order():
    image = np.arange(6).reshape(1, *IMAGE)
    np.testing.assert_array_equal(bijectors.even_odd_split(IMAGE).forward(image), [[0, 2, 4, 1, 3, 5]])
    with pytest.raises(ValueError, match=r"image_shape=\(3, 3, 1\) has 9 entries; expected an even number"):
        bijectors.even_odd_split((3, 3, 1))


def test_dequantize():
    images = np.array([0, 1, 16], np.uint8)
    np.testing.assert_allclose(bijectors.dequantize(images, 0.5, levels=17), [0.5 / 17, 1.5 / 17, 16.5 / 17])
    noise = np.array(0.25, np.float64)
    assert bijectors.dequantize(images, noise).dtype == tf.float64
    np.testing.assert_allclose(bijectors.dequantize(np.uint8(255), noise), 255.25 / 256)
    largest = np.float32(1 - 2.0**-24)
    for levels in (17, 256):
        assert bijectors.dequantize(np.uint8(levels - 1), largest, levels) < 1
