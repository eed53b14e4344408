"""One set of checks over every generator, at perturbed weights."""

import numpy as np
import pytest
import tensorflow as tf

import flow_gan
from flow_gan.bijectors import AdditiveCoupling

GENERATORS = {
    f"nice_{prior}": lambda shape, dtype, prior=prior: flow_gan.NICE(
        shape, hidden_units=12, num_hidden_layers=2, prior=prior, dtype=dtype
    )
    for prior in ("logistic", "gaussian", "uniform")
}


def perturbed(make, shape, dtype, alpha=1e-7):
    generator = make(shape, dtype)
    generator.logit_alpha = alpha
    rng = np.random.default_rng(0)
    for variable in generator.weights:
        noise = 0.3 * rng.normal(size=variable.shape)
        is_variance = "variance" in variable.path
        variable.assign(np.exp(noise) if is_variance else variable.numpy() + noise)
    return generator


@pytest.fixture(params=GENERATORS)
def make(request):
    return GENERATORS[request.param]


def images_of(shape, dtype, count=5):
    return np.random.default_rng(0).uniform(0.02, 0.98, size=(count, *shape)).astype(dtype)


@pytest.mark.parametrize("dtype, tolerance", [("float64", 1e-9), ("float32", 1e-4)])
@pytest.mark.parametrize("shape", [(4, 4, 1), (2, 3, 3)])
def test_round_trip(make, shape, dtype, tolerance):
    generator = perturbed(make, shape, dtype)
    x = images_of(shape, dtype)
    z = generator.encode(x)
    assert z.shape == [5, np.prod(shape)] and z.dtype == dtype
    np.testing.assert_allclose(generator.decode(z), x, atol=tolerance)
    # The other way round, from latents inside every prior's support.
    z = np.random.default_rng(1).uniform(-0.9, 0.9, size=z.shape).astype(dtype)
    np.testing.assert_allclose(generator.encode(generator.decode(z)), z, atol=100 * tolerance)


def test_log_determinant(make):
    generator = perturbed(make, (2, 4, 1), "float64")
    x = tf.constant(images_of((2, 4, 1), "float64"))
    with tf.GradientTape() as tape:
        tape.watch(x)
        z = generator.encode(x)
    jacobian = tf.reshape(tape.batch_jacobian(z, x), [5, 8, 8])
    log_det = generator.bijector().inverse_log_det_jacobian(x)
    np.testing.assert_allclose(log_det, np.linalg.slogdet(jacobian)[1], rtol=1e-8)


@pytest.mark.parametrize("name", ["nice_logistic", "nice_gaussian"])
def test_density_integrates_to_one(name):
    generator = perturbed(GENERATORS[name], (1, 2, 1), "float64", alpha=0.01)
    # On a grid in logit space; the density of x is turned into that of the logit y by dx/dy.
    y = np.arange(-40, 40, 0.1)
    sigmoid = 1 / (1 + np.exp(-y))
    x = (sigmoid - 0.01) / 0.98
    dx_dy = sigmoid * (1 - sigmoid) / 0.98
    images = np.stack(np.meshgrid(x, x, indexing="ij"), -1).reshape(-1, 1, 2, 1)
    weights = np.outer(dx_dy, dx_dy).ravel() * 0.1**2
    # Where the sigmoid rounds to 0 or 1 the density is 0 in exact arithmetic, too.
    log_prob = generator.log_prob(images).numpy()
    total = np.sum(np.where(weights > 0, np.exp(log_prob) * weights, 0))
    assert abs(total - 1) < 1e-3


def test_an_image_does_not_depend_on_its_batch(make):
    generator = perturbed(make, (4, 4, 1), "float64")
    x = images_of((4, 4, 1), "float64")
    whole = generator.log_prob(x)
    alone = tf.concat([generator.log_prob(x[i : i + 1]) for i in range(5)], 0)
    np.testing.assert_allclose(whole, alone, rtol=1e-12)


def test_distribution_and_log_prob_agree(make):
    generator = perturbed(make, (4, 4, 1), "float64")
    x = images_of((4, 4, 1), "float64")
    distribution = generator.distribution()
    assert distribution.event_shape == (4, 4, 1)
    np.testing.assert_array_equal(distribution.log_prob(x), generator.log_prob(x))
    # Defeat tfp's cache: a sample's density must hold for an equal tensor, too.
    sample = distribution.sample(3, seed=1)
    np.testing.assert_allclose(distribution.log_prob(sample), generator.log_prob(tf.identity(sample)), rtol=1e-6)


def test_log_prob_is_the_change_of_variables(make):
    generator = perturbed(make, (4, 4, 1), "float64")
    x = images_of((4, 4, 1), "float64")
    expected = generator.prior.log_prob(generator.encode(x))
    expected += generator.bijector().inverse_log_det_jacobian(x)
    np.testing.assert_allclose(generator.log_prob(x), expected, rtol=1e-12)


def test_sample(make):
    generator = perturbed(make, (4, 4, 1), "float32")
    images = generator.sample(16, seed=3)
    assert images.shape == [16, 4, 4, 1]
    assert np.min(images) >= 0 and np.max(images) <= 1
    np.testing.assert_array_equal(images, generator.sample(16, seed=3))
    np.testing.assert_array_equal(images[:4], generator.sample(4, seed=3))
    assert np.abs(images - generator.sample(16, seed=4)).max() > 0.1
    mode = generator.sample(16, seed=3, temperature=1e-6)
    assert np.std(mode, axis=0).max() < 1e-3


def test_latents_follow_the_prior(make):
    generator = make((4, 4, 1), "float32")
    z = generator.sample_latent(flow_gan.random.key(0, 0), 0, 4000).numpy()
    np.testing.assert_allclose(z.mean(0), 0, atol=6 * z.std() / np.sqrt(4000))
    np.testing.assert_allclose(z.std(), generator.prior.distribution.stddev(), rtol=0.02)


def test_config_makes_an_equal_generator(make):
    generator = make((4, 4, 1), "float64")
    again = type(generator).from_config(generator.get_config())
    x = images_of((4, 4, 1), "float64")
    np.testing.assert_array_equal(generator.log_prob(x), again.log_prob(x))


def test_network_runs_once_per_pass(make, monkeypatch):
    generator = make((4, 4, 1), "float32")
    calls = []
    couple = AdditiveCoupling._couple
    monkeypatch.setattr(AdditiveCoupling, "_couple", lambda *args: calls.append(1) or couple(*args))
    generator.log_prob(images_of((4, 4, 1), "float32"), training=True)
    assert len(calls) == 4
    generator.decode(np.zeros((3, 16), np.float32), training=True)
    assert len(calls) == 8


@pytest.mark.parametrize("shape, hidden, layers", [((4, 4, 1), 12, 2), ((28, 28, 1), 30, 5), ((8, 8, 3), 7, 0)])
def test_nice_number_of_variables_and_weights(shape, hidden, layers):
    generator = flow_gan.NICE(shape, hidden, layers)
    half = np.prod(shape) // 2
    matrices = half * hidden + layers * hidden**2 + hidden * half
    biases = (layers + 1) * hidden + half
    norms = 2 * (layers + 2)
    assert len(generator.trainable_variables) == 4 * 4 * (layers + 2) + 1
    assert sum(np.prod(v.shape) for v in generator.trainable_variables) == (4 * (matrices + biases + norms) + 2 * half)
    assert len(generator.non_trainable_variables) == 4 * 2 * (layers + 2)


def test_first_matrices_differ():
    generator = flow_gan.NICE((4, 4, 1), 12, 3)
    kernels = [dense.kernel.numpy() for network in generator.networks for dense in network.dense[1:4]]
    for critic in (flow_gan.critics.mnist, flow_gan.critics.dcgan):
        stack = critic((4, 4, 1), filters=2).stack
        kernels += [np.resize(layer.kernel, (12, 12)) for layer in stack if "conv_2" in layer.name]
    assert len(kernels) == 14
    for i, kernel in enumerate(kernels):
        assert 0.01 < kernel.std() < 0.03
        for other in kernels[:i]:
            assert np.abs(kernel.ravel()[:40] - other.ravel()[:40]).max() > 0.01
    np.testing.assert_array_equal(
        generator.networks[0].dense[0].kernel, flow_gan.NICE((4, 4, 1), 12, 3).networks[0].dense[0].kernel
    )
    other_seed = flow_gan.NICE((4, 4, 1), 12, 3, seed=1)
    assert np.abs(other_seed.networks[0].dense[0].kernel - generator.networks[0].dense[0].kernel).max() > 0.01


@pytest.mark.parametrize("init_type", ["normal", "uniform", "orthogonal", "xavier"])
def test_init_types(init_type):
    kernel = flow_gan.NICE((8, 8, 1), 32, 1, init_type=init_type).networks[0].dense[1].kernel.numpy()
    if init_type == "normal":
        assert np.abs(kernel).max() < 0.05 and 0.01 < kernel.std() < 0.02
    elif init_type == "uniform":
        assert 0.009 < np.abs(kernel).max() <= 0.01
    elif init_type == "orthogonal":
        np.testing.assert_allclose(kernel @ kernel.T, np.eye(32), atol=1e-5)
    else:
        assert np.abs(kernel).max() <= np.sqrt(6 / 64)


def test_uniform_prior_is_a_density():
    generator = GENERATORS["nice_uniform"]((2, 2, 1), "float64")
    np.testing.assert_allclose(generator.prior.log_prob(np.zeros(4)), -4 * np.log(2))
    assert generator.prior.log_prob(np.array([0, 0, 0, 1.5])) == -np.inf


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"image_shape": (3, 3, 1)}, r"image_shape=\(3, 3, 1\) has 9 pixel values; NICE needs an even number"),
        ({"prior": "cauchy"}, "prior='cauchy' is unknown; expected one of: logistic, gaussian, uniform"),
        ({"init_type": "zeros"}, "init_type='zeros' is unknown; expected one of: normal, uniform"),
    ],
)
def test_nice_rejects(arguments, message):
    with pytest.raises(flow_gan.UserError, match=message):
        flow_gan.NICE(**({"image_shape": (4, 4, 1), "hidden_units": 4} | arguments))
