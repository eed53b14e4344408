"""One set of checks over every bijector, in float64."""

import gc
import weakref

import numpy as np
import pytest
import tensorflow as tf

from flow_gan import bijectors

IMAGE = (2, 3, 1)


def shift_fn(x):
    weights = np.random.default_rng(1).normal(size=(3, 3))
    return tf.tanh(x @ weights)


def conditioner(x):
    weights = np.random.default_rng(1).normal(size=(2, x.shape[-1], x.shape[-1]))
    rows = tf.reduce_sum(x, axis=-3, keepdims=True)
    return tf.tanh(rows @ weights[0]) + 0 * x, tf.sin(rows @ weights[1]) + 0 * x


def affine_coupling(mask):
    return bijectors.AffineCoupling(conditioner, mask, validate_args=True)


class ChannelMaps:
    """Two maps of 4 channels."""

    matrices = np.random.default_rng(2).normal(size=(2, 4, 4)) + 3 * np.eye(4)

    def forward_maps(self):
        return tf.constant(self.matrices), tf.constant(np.arange(8.0).reshape(2, 4))

    def inverse_maps(self):
        inverse = np.linalg.inv(self.matrices)
        return tf.constant(inverse), -tf.einsum("kc,kcd->kd", self.forward_maps()[1], tf.constant(inverse))

    def log_det(self):
        return tf.constant(np.linalg.slogdet(self.matrices)[1].sum())


BIJECTORS = {
    "glow_steps": (
        lambda: bijectors.GlowSteps(ChannelMaps(), [conditioner] * 2, ["one", "two"], validate_args=True),
        (2, 3, 4),
    ),
    "standardization": (lambda: bijectors.standardization(np.linspace(0, 2, 6), np.linspace(-1, 1, 6)), (6,)),
    "additive_coupling_second": (lambda: bijectors.AdditiveCoupling(shift_fn, "second"), (6,)),
    "additive_coupling_first": (lambda: bijectors.AdditiveCoupling(shift_fn, "first"), (6,)),
    "diagonal_scaling": (lambda: bijectors.diagonal_scaling(np.linspace(-1, 1, 6)), (6,)),
    "even_odd_split": (lambda: bijectors.even_odd_split(IMAGE), IMAGE),
    "alpha_logit_small": (lambda: bijectors.alpha_logit(1e-7, np.float64), IMAGE),
    "alpha_logit_large": (lambda: bijectors.alpha_logit(0.05, np.float64), IMAGE),
    "affine_coupling_odd": (lambda: affine_coupling(bijectors.checkerboard_mask(2, 3, "odd")), IMAGE),
    "affine_coupling_even": (lambda: affine_coupling(bijectors.checkerboard_mask(2, 3, "even")), IMAGE),
    "affine_coupling_first": (lambda: affine_coupling(bijectors.channel_mask(4, "first")), (2, 1, 4)),
    "affine_coupling_second": (lambda: affine_coupling(bijectors.channel_mask(4, "second")), (2, 1, 4)),
    "squeeze": (lambda: bijectors.squeeze((4, 2, 1)), (4, 2, 1)),
    "factor_out": (
        lambda: bijectors.factor_out(affine_coupling(bijectors.checkerboard_mask(2, 2, "odd"))),
        (2, 2, 2),
    ),
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
    size = np.prod(x.shape[1:])
    ndims_in, ndims_out = x.shape.rank - 1, make().forward_event_ndims(x.shape.rank - 1)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = make().forward(x)
        flat = tf.reshape(y, [5, size])
    jacobian = tf.reshape(tape.batch_jacobian(flat, x), [5, size, size])
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


@pytest.mark.parametrize("passes", ["odd", "even"])
def test_affine_coupling_formula(passes):
    b = bijectors.checkerboard_mask(3, 4, passes)
    row, column = 1, 2
    assert b.shape == (3, 4, 1) and b[row, column, 0] == (passes == "odd") and b.sum() == 6
    x = np.random.default_rng(0).normal(size=(5, 3, 4, 2))
    shift, log_scale = (part.numpy() for part in conditioner(tf.constant(b * x)))
    y = bijectors.AffineCoupling(conditioner, b).forward(x)
    np.testing.assert_allclose(y, b * x + (1 - b) * (x * np.exp(log_scale) + shift), rtol=1e-12)
    log_det = bijectors.AffineCoupling(conditioner, b).forward_log_det_jacobian(x, 3)
    np.testing.assert_allclose(log_det, np.sum((1 - b) * log_scale, (1, 2, 3)), rtol=1e-12)


def test_channel_mask():
    np.testing.assert_array_equal(bijectors.channel_mask(4, "first"), [[[1, 1, 0, 0]]])
    np.testing.assert_array_equal(bijectors.channel_mask(4, "second"), [[[0, 0, 1, 1]]])


@pytest.mark.parametrize("first_call", ["forward", "inverse"])
def test_conditioner_runs_once_per_pass(first_call):
    calls = []
    mask = bijectors.checkerboard_mask(2, 3, "odd")
    bijector = bijectors.AffineCoupling(lambda x: calls.append(1) or conditioner(x), mask)
    x = tf.constant(np.random.default_rng(0).normal(size=(5, *IMAGE)))
    getattr(bijector, first_call)(x)
    getattr(bijector, f"{first_call}_log_det_jacobian")(x, 3)
    assert len(calls) == 1
    getattr(bijector, first_call)(tf.identity(x))
    assert len(calls) == 2


def test_log_scales_are_not_clamped():
    mask = bijectors.checkerboard_mask(2, 2, "odd")
    bijector = bijectors.AffineCoupling(lambda x: (0 * x, 0 * x + 80.0), mask)
    np.testing.assert_allclose(tf.reduce_max(bijector.forward(np.ones((1, 2, 2, 1)))), np.exp(80.0))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_result_that_is_not_finite_names_its_layer(bad):
    x = np.ones((1, 2, 2, 1))
    mask = bijectors.checkerboard_mask(2, 2, "odd")
    for make, value in (
        (lambda **k: bijectors.AffineCoupling(lambda x: (x + bad, x), mask, **k), x),
        (lambda **k: bijectors.AdditiveCoupling(lambda x: x + bad, "first", **k), x.reshape(1, 4)),
    ):
        for method in ("forward", "inverse"):
            with pytest.raises(tf.errors.InvalidArgumentError) as error:
                tf.function(getattr(make(validate_args=True, name="middle_2"), method))(value)
            assert bijectors.layer_not_finite(error.value) == "the result of layer middle_2 is not finite"
            assert not np.isfinite(getattr(make(), method)(value)).all()
    assert bijectors.layer_not_finite(ValueError("something else")) is None


def test_a_gradient_that_is_not_finite_names_the_layer_that_it_reaches():
    x = tf.zeros((1, 4))
    layer = bijectors.AdditiveCoupling(lambda x: x, "first", validate_args=True, name="middle_2")
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.sqrt(layer.forward(x))
    with pytest.raises(tf.errors.InvalidArgumentError) as error:
        tape.gradient(y, x)
    assert bijectors.layer_not_finite(error.value) == "the gradient of layer middle_2 is not finite"


def test_a_pass_leaves_nothing_behind():
    """tfp's cache holds a bijector while its tensors live; the coupling must not keep them alive in turn."""
    bijector = bijectors.AffineCoupling(conditioner, bijectors.checkerboard_mask(2, 3, "odd"))
    y = bijector.forward(tf.ones((1, *IMAGE), tf.float64))
    dead = weakref.ref(bijector)
    del bijector, y
    gc.collect()
    assert dead() is None


def test_squeeze_order():
    x = np.arange(2 * 4 * 4 * 3, dtype=np.float32).reshape(2, 4, 4, 3)
    y = bijectors.squeeze((4, 4, 3)).forward(x)
    np.testing.assert_array_equal(y, tf.nn.space_to_depth(x, 2))
    np.testing.assert_array_equal(y[:, 1, 0, 7], x[:, 3, 0, 1])
    with pytest.raises(ValueError, match=r"image_shape=\(3, 4, 1\); expected an even height and width"):
        bijectors.squeeze((3, 4, 1))


def test_factor_out_keeps_the_first_half():
    x = np.random.default_rng(0).normal(size=(5, 2, 2, 4))
    y = bijectors.factor_out(affine_coupling(bijectors.checkerboard_mask(2, 2, "odd"))).forward(x)
    np.testing.assert_array_equal(y[..., :2], x[..., :2])
    assert np.abs(y[..., 2:] - x[..., 2:]).max() > 0.1


def test_even_odd_split_order():
    image = np.arange(6).reshape(1, *IMAGE)
    np.testing.assert_array_equal(bijectors.even_odd_split(IMAGE).forward(image), [[0, 2, 4, 1, 3, 5]])
    with pytest.raises(ValueError, match=r"image_shape=\(3, 3, 1\) has 9 entries; expected an even number"):
        bijectors.even_odd_split((3, 3, 1))
