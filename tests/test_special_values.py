"""Values and gradients at extreme and special values: 0, tiny, huge, in both dtypes, compiled and not.

Nothing may be NaN, and what float64 can hold of the formula must come out, to the dtype's accuracy.
"""

import numpy as np
import pytest
import scipy.special
import tensorflow as tf

import flow_gan
from flow_gan import bijectors, evaluation, objectives, random
from flow_gan.generators import make_prior
from flow_gan.networks import normalization, weight_norm

DTYPES = ("float32", "float64")
COMPILERS = {
    "eager": lambda function: function,
    "graph": lambda function: tf.function(function, autograph=False),
    "xla": lambda function: tf.function(function, autograph=False, jit_compile=True),
}
ALPHA = 1e-6
LOW, HIGH = -ALPHA / (1 - 2 * ALPHA), (1 - ALPHA) / (1 - 2 * ALPHA)


def special(dtype, largest=None):
    """Return 0, tiny, moderate, large and huge numbers of both signs."""
    info = np.finfo(dtype)
    sizes = [0, info.tiny, 1e-30, 1e-8, 0.5, 1, 8.9, 9.1, 19.9, 20.1, 60, 88.6, 88.8, 104, 147.9, 708, 710, 1500, 1e6]
    sizes = np.array([*sizes, 1e15, 1e18, 1e30, info.max / 4])
    sizes = sizes[sizes <= (largest or info.max)]
    return np.unique(np.concatenate([-sizes, sizes])).astype(dtype)


def with_gradient(function, compiler):
    """Return the function of x that returns function(x) and its gradient, compiled once for all x of a shape."""

    def both(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
        return y, tape.gradient(y, x)

    compiled = COMPILERS[compiler](both)
    return lambda x: [part.numpy() for part in compiled(tf.constant(x))]


def value_and_gradient(function, x, compiler):
    return with_gradient(function, compiler)(x)


def logistic(x):
    """sigmoid(x) (1 - sigmoid(x)) without cancellation."""
    e = np.exp(-np.abs(x))
    return e / (1 + e) ** 2


def log_sigmoid_derivative(x):
    return -np.abs(x) - 2 * np.log1p(np.exp(-np.abs(x)))


def coupling(log_scale):
    """The affine coupling of one pixel by a constant log-scale."""
    mask = np.zeros((1, 1, 1), np.float32)
    return bijectors.AffineCoupling(lambda x: (0 * x, 0 * x + log_scale), mask)


def pixels(function):
    """Apply a function of [N, 1, 1, 1] to [N]."""
    return lambda x: tf.reshape(function(tf.reshape(x, [-1, 1, 1, 1])), [-1])


def rows(function):
    """Apply a function of [N, 1] to [N]."""
    return lambda x: tf.reshape(function(x[:, tf.newaxis]), [-1])


def elementwise():
    """Return {name: (function of a tensor, its value, its derivative, numbers at which it is finite)}."""
    logit = lambda dtype: bijectors.alpha_logit(ALPHA, dtype)  # noqa: E731
    cases = {
        "decoded pixel": (
            lambda x: logit(x.dtype.as_numpy_dtype).inverse(x),
            lambda x: LOW + (HIGH - LOW) * scipy.special.expit(x),
            lambda x: (HIGH - LOW) * logistic(x),
            None,
        ),
        "log-determinant of a decoded pixel": (
            lambda x: logit(x.dtype.as_numpy_dtype).inverse_log_det_jacobian(x, 0),
            lambda x: np.log(HIGH - LOW) + log_sigmoid_derivative(x),
            lambda x: -np.tanh(x / 2),
            None,
        ),
        "coupling forward": (lambda x: pixels(coupling(3.0).forward)(x), lambda x: x * np.exp(3), np.exp(3), 1e30),
        "coupling inverse": (lambda x: pixels(coupling(3.0).inverse)(x), lambda x: x * np.exp(-3), np.exp(-3), None),
        "logistic prior": (
            rows(lambda z: make_prior("logistic", 1, z.dtype.as_numpy_dtype).log_prob(z)),
            log_sigmoid_derivative,
            lambda x: -np.tanh(x / 2),
            1e30,
        ),
        "gaussian prior": (
            rows(lambda z: make_prior("gaussian", 1, z.dtype.as_numpy_dtype).log_prob(z)),
            lambda x: -(x**2) / 2 - np.log(2 * np.pi) / 2,
            lambda x: -x,
            1e18,
        ),
        "uniform prior": (
            rows(lambda z: make_prior("uniform", 1, z.dtype.as_numpy_dtype).log_prob(z)),
            lambda x: np.where(np.abs(x) <= 1, -np.log(2), -np.inf),
            lambda x: 0 * x,
            None,
        ),
    }
    return cases | losses()


def losses():
    """The terms of the divergences, each of one logit; see the table in `objectives`."""
    sigmoid, softplus = scipy.special.expit, lambda x: np.logaddexp(0, x)
    real = {
        "wgan": (lambda r: -r, lambda r: -1 + 0 * r, None),
        "ce": (lambda r: softplus(-r), lambda r: -sigmoid(-r), None),
        "lsgan": (lambda r: (r - 1) ** 2 / 2, lambda r: r - 1, 1e18),
        "kl": (lambda r: -r, lambda r: -1 + 0 * r, None),
        "rkl": (np.exp, np.exp, 88.6),
        "tv": (lambda r: -np.tanh(r) / 2, lambda r: -2 * logistic(2 * r), None),
        "hellinger": (lambda r: np.exp(-r), lambda r: -np.exp(-r), 88.6),
    }
    generator = {
        "wgan": (lambda k: -k, lambda k: -1 + 0 * k, None),
        "ce": (lambda k: softplus(-k), lambda k: -sigmoid(-k), None),
        "lsgan": (lambda k: (k - 1) ** 2 / 2, lambda k: k - 1, 1e18),
        "kl": (lambda k: -k, lambda k: -1 + 0 * k, None),
        "rkl": (lambda k: k + 1, lambda k: 1 + 0 * k, None),
        "tv": (lambda k: -np.tanh(k) / 2, lambda k: -2 * logistic(2 * k), None),
        "hellinger": (lambda k: np.exp(-k), lambda k: -np.exp(-k), 88.6),
    }
    fake = {
        "wgan": (lambda k: k, lambda k: 1 + 0 * k, None),
        "ce": (softplus, sigmoid, None),
        "lsgan": (lambda k: k**2 / 2, lambda k: k, 1e18),
        "kl": (lambda k: np.exp(k - 1), lambda k: np.exp(k - 1), 88.6),
        "rkl": (lambda k: -k - 1, lambda k: -1 + 0 * k, None),
        "tv": (lambda k: np.tanh(k) / 2, lambda k: 2 * logistic(2 * k), None),
        "hellinger": (lambda k: np.exp(k) - 2, lambda k: np.exp(k), 88.6),
    }
    assert set(real) == set(generator) == set(fake) == set(objectives.DIVERGENCES)

    def each(loss):
        # A loss is a mean over the batch: of batches of one it is the term itself.
        return lambda x: tf.map_fn(lambda logit: loss(tf.reshape(logit, [1, 1])), x)

    cases = {}
    for name in objectives.DIVERGENCES:
        critic = lambda part, name=name: each(lambda x: objectives.critic_loss(name, x, x)[part])  # noqa: E731
        cases[f"{name}, real"] = (critic(0), *real[name])
        cases[f"{name}, fake"] = (critic(1), *fake[name])
        cases[f"{name}, generator"] = (each(lambda x, name=name: objectives.generator_loss(name, x)), *generator[name])
    return cases


ELEMENTWISE = elementwise()


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise_functions(name, dtype, compiler):
    function, value, derivative, largest = ELEMENTWISE[name]
    x = special(dtype, largest)
    y, gradient = value_and_gradient(function, x, compiler)
    assert np.isfinite(gradient).all()
    wide = x.astype(np.float64)
    with np.errstate(over="ignore"):
        expected, slope = (
            value(wide),
            np.broadcast_to(derivative(wide) if callable(derivative) else derivative, x.shape),
        )
    tolerance = {"float32": 4e-6, "float64": 1e-13}[dtype]
    smallest = 4 * np.finfo(dtype).tiny
    np.testing.assert_allclose(y, expected, rtol=tolerance, atol=tolerance * 1e-3)
    # Nearer to 0 than the smallest normal number, 0 is right, too.
    np.testing.assert_allclose(gradient, slope, rtol=tolerance, atol=max(smallest, tolerance * 0.05))


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_saturated_pixel_has_the_derivative_of_the_formula_and_at_last_0(dtype, compiler):
    x = np.array([-1500, -750, -80, 80, 88.8, 147.9, 750, 1500], dtype)
    _, gradient = value_and_gradient(ELEMENTWISE["decoded pixel"][0], x, compiler)
    expected = (HIGH - LOW) * logistic(x.astype(np.float64))
    np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=4 * np.finfo(dtype).tiny)
    assert (gradient[[0, 1, -2, -1]] == 0).all() and (gradient[[2, 3]] > 0).all()


GENERATORS = {
    **{f"nice, {'' if norm else 'no '}batch norm": (flow_gan.NICE, {"batch_norm": norm}) for norm in (True, False)},
    **{f"real_nvp, {norm}": (flow_gan.RealNVP, {"batch_norm": norm}) for norm in ("moving", "batch", "none")},
    "glow": (flow_gan.Glow, {}),
}
SMALL = {
    flow_gan.NICE: {"hidden_units": 8, "num_hidden_layers": 1},
    flow_gan.RealNVP: {"residual_blocks": 1, "filters": 4, "scales": 1},
    flow_gan.Glow: {"depth_per_scale": 2, "filters": 4, "scales": 2, "learned_prior": True},
}


@pytest.mark.parametrize("training", [pytest.param(False, marks=pytest.mark.slow), True])
@pytest.mark.parametrize("dtype", ["float32", pytest.param("float64", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", GENERATORS)
def test_gradients_of_generators_are_finite_where_pixels_saturate(name, dtype, training):
    kind, settings = GENERATORS[name]
    generator = kind((4, 4, 1), dtype=dtype, **SMALL[kind], **settings)
    weights = [variable.value for variable in generator.trainable_variables]

    @tf.function(autograph=False)
    def gradients(z, images):
        with tf.GradientTape(persistent=True) as tape:
            tape.watch([z, images])
            x, log_prob = generator.decode(z, training=training), generator.log_prob(images, training=training)
        # A generator's weights may have no way to x, as the last log-scales do.
        zero = tf.UnconnectedGradients.ZERO
        return x, log_prob, tape.gradient(x, [z, *weights], None, zero), tape.gradient(log_prob, [images, *weights])

    for size in (0, 1e-30, 60, 90, 200, 750, 1500):
        z = size * np.sign(np.random.default_rng(0).normal(size=(4, 16)))
        black_and_white = (z > 0).reshape(4, 4, 4, 1)
        found = gradients(*(tf.constant(value, dtype) for value in (z, black_and_white)))
        for tensor in tf.nest.flatten(found):
            assert np.isfinite(tensor).all(), size


@pytest.mark.parametrize("dtype", DTYPES)
def test_decode_has_the_gradient_of_the_formula_where_pixels_saturate(dtype):
    """Without couplings' shifts G is z -> sigmoid, pixel by pixel: at its initial weights NICE's nearly are 0."""
    generator = flow_gan.NICE((2, 2, 1), hidden_units=4, num_hidden_layers=0, batch_norm=False, dtype=dtype)
    for variable in generator.trainable_variables:
        variable.assign(0 * variable)
    z = special(dtype, 1e30)
    z = z[: len(z) // 4 * 4].reshape(-1, 4)
    _, gradient = value_and_gradient(generator.decode, z, "graph")
    low, high = -1e-7 / (1 - 2e-7), (1 - 1e-7) / (1 - 2e-7)
    expected = (high - low) * logistic(z.astype(np.float64))
    np.testing.assert_allclose(gradient, expected, rtol=4e-6, atol=4 * np.finfo(dtype).tiny)


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("norm", objectives.GRADIENT_PENALTY_NORMS)
def test_gradient_penalty_of_a_linear_critic(norm, dtype, compiler):
    """D(x) = w sum(x): the norm of an image's gradient is |w| sqrt(H W C), and that of a column |w| sqrt(H)."""
    images = tf.zeros((1, 2, 2, 1), dtype)
    root = {"image": 2, "column": np.sqrt(2)}[norm]

    def penalty(w):
        return objectives.gradient_penalty(lambda x: tf.reduce_sum(w * x, [1, 2, 3])[:, tf.newaxis], images, norm)

    tiny, value_and_slope = np.finfo(dtype).tiny, with_gradient(penalty, compiler)
    # Of these the square is below the smallest number, a denormal one, or normal.
    for w in (0, tiny, 3e-23, 5e-20, 1e-10, 0.5, -0.5, 1e4, 1e8):
        value, gradient = value_and_slope(np.array(w, dtype))
        norm_of_w = root * abs(w)
        np.testing.assert_allclose(value, (norm_of_w - 1) ** 2, rtol=1e-5)
        slope = 2 * (norm_of_w - 1) * root * np.sign(w)
        if abs(w) >= 1e-10:
            np.testing.assert_allclose(gradient, slope, rtol=1e-5, atol=1e-6)
        else:
            # Between the exact slope and flat, as the square is told from 0 or not.
            assert np.isfinite(gradient) and min(slope, 0) - 1e-5 <= gradient <= max(slope, 0) + 1e-5


def norm_functions(dtype):
    layer_norm = normalization.LayerNorm(dtype=dtype)
    layer_norm.build((8, 2, 2, 3))
    return {
        "moments": lambda x: normalization.normalize(x, *normalization.moments(x, [0, 1, 2]), 1e-4),
        "channels": lambda x: normalization.channel_batch_norm(x, 1e-4)[0],
        "whole batch": lambda x: normalization.whole_batch_norm(x, 1e-6)[0],
        "layer": layer_norm,
        "weights": lambda x: weight_norm.weight_norm_conv(tf.ones([1, 8, 2, 2], dtype), x, tf.ones(3, dtype)),
    }


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", norm_functions("float32"))
def test_norms_of_constant_tiny_and_large_activations(name, dtype, compiler):
    normal = np.random.default_rng(0).normal(size=(8, 2, 2, 3))
    norm = norm_functions(dtype)[name]

    def weighted(x):
        y = norm(x)
        # Not the plain sum, to which a norm is flat.
        return tf.reduce_sum(y * tf.cast(tf.reshape(tf.range(tf.size(y)), tf.shape(y)), x.dtype))

    activations = [0 * normal, 0 * normal + 7, 1e-30 * normal, 1e-8 * normal, 1e6 * normal]
    if (name, compiler) != ("channels", "xla"):
        activations.append(0 * normal + 1e6)
    both = with_gradient(weighted, compiler)
    for x in activations:
        value, gradient = both(x.astype(dtype))
        assert np.isfinite(value) and np.isfinite(gradient).all(), x.flat[0]


def test_hmc_moves_where_pixels_saturate():
    """AIS differentiates log p(x | z) through G: at a NaN every proposal would be rejected."""
    generator = flow_gan.NICE((2, 2, 1), hidden_units=4, num_hidden_layers=0, batch_norm=False)
    generator.log_scale.assign(tf.fill([4], -6.0))
    # Pre-activations are exp(6) z: of most z beyond what float32's exp can take.
    z = generator.sample_latent(random.key(0, random.Stream.SAMPLE), 0, 50)
    assert np.mean(403 * np.abs(z) > 88.7) > 0.8
    settings = evaluation.AISSettings(chains=2, temperatures=20, leapfrog_steps=2, batch_size=4)
    ais = evaluation.evaluate_ais(generator.decode, generator.prior, np.eye(4).reshape(4, 2, 2, 1), 0.5, settings)
    assert np.isfinite(ais.log_prob).all() and 0.1 < ais.acceptance <= 1
