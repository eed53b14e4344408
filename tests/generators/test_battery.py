"""One set of checks over every generator, at perturbed weights."""

import gc

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

import flow_gan
from flow_gan.bijectors import layer_not_finite
from flow_gan.evaluation.layers import logit_and_rest
from flow_gan.networks.normalization import moving_averages

GENERATORS = {
    f"nice_{prior}": lambda shape, dtype, prior=prior: flow_gan.NICE(
        shape, hidden_units=12, num_hidden_layers=2, prior=prior, dtype=dtype
    )
    for prior in ("logistic", "gaussian", "uniform")
} | {
    "nice_no_norm": lambda shape, dtype: flow_gan.NICE(
        shape, hidden_units=12, num_hidden_layers=2, batch_norm=False, dtype=dtype
    ),
    **{
        f"real_nvp_{scales}_{batch_norm}": lambda shape, dtype, scales=scales, batch_norm=batch_norm: flow_gan.RealNVP(
            shape, residual_blocks=1, filters=5, batch_norm=batch_norm, scales=scales, dtype=dtype
        )
        for scales, batch_norm in ((1, "moving"), (2, "moving"), (3, "moving"), (2, "batch"), (2, "none"))
    },
    "nice_learned": lambda shape, dtype: flow_gan.NICE(
        shape, hidden_units=12, num_hidden_layers=2, learned_prior=True, dtype=dtype
    ),
    "real_nvp_1_learned": lambda shape, dtype: flow_gan.RealNVP(
        shape, residual_blocks=1, filters=5, scales=1, learned_prior=True, dtype=dtype
    ),
    **{
        f"glow_{scales}{name}": lambda shape, dtype, scales=scales, arguments=arguments: flow_gan.Glow(
            shape, depth_per_scale=4 - scales, scales=scales, filters=5, dtype=dtype, **arguments
        )
        for scales, name, arguments in (
            (1, "", {"num_hidden_layers": 2, "prior": "logistic"}),
            (2, "_learned", {"learned_prior": True}),
        )
    },
}
PER_IMAGE = [name for name in GENERATORS if not name.endswith("batch")]


def perturbed(make, shape, dtype, alpha=1e-7):
    generator = make(shape, dtype)
    generator.logit_alpha = alpha
    rng = np.random.default_rng(0)
    # Of 24 x 24 entries 0.3 would make a matrix of Glow all but singular.
    size = 0.1 if isinstance(generator, flow_gan.Glow) else 0.3
    fixed = {id(v) for v in generator.non_trainable_variables} - {id(v) for v in moving_averages(generator)}
    for variable in (v for v in generator.weights if id(v) not in fixed):
        noise = size * rng.normal(size=variable.shape)
        is_variance = "variance" in variable.path
        variable.assign(np.exp(noise) if is_variance else variable.numpy() + noise)
    return generator


@pytest.fixture(params=GENERATORS)
def make(request):
    return GENERATORS[request.param]


def images_of(shape, dtype, count=5):
    return np.random.default_rng(0).uniform(0.02, 0.98, size=(count, *shape)).astype(dtype)


@pytest.mark.parametrize(
    "which, dtype, tolerance",
    [
        (0, "float32", 1e-4),
        (1, "float64", 1e-9),
        pytest.param(0, "float64", 1e-9, marks=pytest.mark.slow),
        pytest.param(1, "float32", 1e-4, marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("name", GENERATORS)
def test_round_trip(name, which, dtype, tolerance):
    shape = ((4, 4, 1), (2, 3, 3) if name.startswith("nice") else (4, 8, 3))[which]
    generator = perturbed(GENERATORS[name], shape, dtype)
    x = images_of(shape, dtype)
    z = generator.encode(x)
    assert z.shape == [5, np.prod(shape)] and z.dtype == dtype
    np.testing.assert_allclose(generator.decode(z), x, atol=tolerance)
    # The other way round, from latents inside every prior's support.
    z = np.random.default_rng(1).uniform(-0.9, 0.9, size=z.shape).astype(dtype)
    np.testing.assert_allclose(generator.encode(generator.decode(z)), z, atol=100 * tolerance)


@pytest.mark.parametrize("name", PER_IMAGE)
def test_log_determinant(name):
    shape = (2, 4, 1) if name.startswith("nice") else (8, 8, 3)
    size = np.prod(shape)
    generator = perturbed(GENERATORS[name], shape, "float64")
    for image in images_of(shape, "float64", count=2):
        # The gradient of z[i, i] summed over equal images is row i of the Jacobian at image i.
        x = tf.constant(np.repeat(image[np.newaxis], size, 0))
        with tf.GradientTape() as tape:
            tape.watch(x)
            trace = tf.linalg.trace(generator.encode(x))
        jacobian = tf.reshape(tape.gradient(trace, x), [size, size])
        log_det = generator.bijector().inverse_log_det_jacobian(x[:1])[0]
        np.testing.assert_allclose(log_det, np.linalg.slogdet(jacobian)[1], rtol=1e-8)


@pytest.mark.parametrize("name", ["nice_logistic", "nice_gaussian", "real_nvp_1_moving"])
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


def test_the_density_of_four_pixels_integrates_to_one():
    """By importance sampling, since a grid would have too many points; Glow needs 2x2 pixels."""
    generator = perturbed(GENERATORS["glow_1"], (2, 2, 1), "float64")
    rest = logit_and_rest(generator)[1]
    latents = generator.sample_latent(flow_gan.random.key(0, 0), 0, 5000)
    samples = rest.inverse(latents).numpy().reshape(-1, 4)
    proposal = scipy.stats.multivariate_t(samples.mean(0), np.cov(samples.T), df=3, seed=1)
    y = proposal.rvs(40_000)
    images = y.reshape(-1, 2, 2, 1)
    log_prob = generator.prior.log_prob(rest.forward(images)) + rest.forward_log_det_jacobian(images, event_ndims=3)
    ratio = np.exp(log_prob - proposal.logpdf(y))
    error = ratio.std() / np.sqrt(len(y))
    assert error < 0.005 and abs(ratio.mean() - 1) < 4 * error


def test_an_image_does_not_depend_on_its_batch(make):
    generator = perturbed(make, (4, 4, 1), "float64")
    x = images_of((4, 4, 1), "float64")
    whole = generator.log_prob(x)
    alone = tf.concat([generator.log_prob(x[i : i + 1]) for i in range(5)], 0)
    if generator.has_per_image_likelihood:
        np.testing.assert_allclose(whole, alone, rtol=1e-12)
    else:
        # The release's batch statistics are no moving averages, and say so.
        assert np.abs(whole - alone).min() > 1e-3 and generator.batch_norm == "batch"


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
    if generator.has_per_image_likelihood:
        np.testing.assert_array_equal(images[:4], generator.sample(4, seed=3))
        mode = generator.sample(16, seed=3, temperature=1e-6)
        assert np.std(mode, axis=0).max() < 1e-3
    assert np.abs(images - generator.sample(16, seed=4)).max() > 0.1


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
    """For the transformation and its log-determinant together, in either direction."""
    generator = make((4, 4, 1), "float32")
    kind = type(generator.networks[0])
    calls = []
    call = kind.call
    monkeypatch.setattr(kind, "call", lambda self, *args, **kwargs: calls.append(self) or call(self, *args, **kwargs))
    generator.log_prob(images_of((4, 4, 1), "float32"), training=True)
    assert calls == list(generator.networks)
    calls.clear()
    generator.decode(np.zeros((3, 16), np.float32), training=True)
    assert calls == list(generator.networks)[::-1]
    calls.clear()
    generator.distribution().experimental_sample_and_log_prob(3, seed=0)
    assert calls == list(generator.networks)[::-1]


def test_a_distribution_follows_its_weights(make):
    """What was computed for an image does not outlive a change of the weights."""
    generator = make((4, 4, 1), "float64")
    distribution = generator.distribution()
    x = tf.constant(images_of((4, 4, 1), "float64"))
    before = distribution.log_prob(x).numpy()
    for variable in generator.networks[0].trainable_variables:
        variable.assign_add(tf.ones_like(variable.value))
    gc.collect()
    np.testing.assert_allclose(distribution.log_prob(x), generator.log_prob(x), rtol=1e-12)
    if np.isfinite(before).all():  # Outside the uniform prior's support nothing changes.
        assert np.abs(distribution.log_prob(x) - before).max() > 1e-6


def test_a_spoilt_weight_names_its_layer(make):
    generator = make((4, 4, 1), "float32")
    kernel = next(v for v in generator.networks[2].trainable_variables if v.path.endswith("kernel"))
    kernel.assign(np.full(kernel.shape, np.nan))
    for training, validate_args in ((True, None), (False, True)):
        with pytest.raises(tf.errors.InvalidArgumentError) as error:
            generator.bijector(training=training, validate_args=validate_args).inverse(images_of((4, 4, 1), "float32"))
        assert layer_not_finite(error.value) == f"the result of layer {generator.networks[2].name} is not finite"
    assert np.isnan(generator.log_prob(images_of((4, 4, 1), "float32"))).all()


@pytest.mark.parametrize("shape, hidden, layers", [((4, 4, 1), 12, 2), ((28, 28, 1), 30, 5), ((8, 8, 3), 7, 0)])
def test_nice_number_of_variables_and_weights(shape, hidden, layers):
    generator = flow_gan.NICE(shape, hidden, layers)
    half = np.prod(shape) // 2
    matrices = half * hidden + layers * hidden**2 + hidden * half
    biases = (layers + 1) * hidden + half
    norms = 2 * (layers + 2)
    assert len(generator.trainable_variables) == 4 * (2 * (layers + 2) + 2) + 1
    assert sum(np.prod(v.shape) for v in generator.trainable_variables) == (4 * (matrices + biases + norms) + 2 * half)
    assert [v.shape for v in generator.non_trainable_variables] == 4 * 2 * [(layers + 2,)]


def test_first_matrices_differ():
    generator = flow_gan.NICE((4, 4, 1), 12, 3)
    kernels = [dense.kernel.numpy() for network in generator.networks for dense in network.dense[1:4]]
    for critic in (flow_gan.critics.two_convolutions, flow_gan.critics.dcgan):
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


def test_real_nvp_s_couplings():
    generator = flow_gan.RealNVP((8, 4, 3), residual_blocks=2, filters=5, scales=2)
    names = [f"checkerboard_0_{i}" for i in (1, 2, 3)] + [f"channel_0_{i}" for i in (1, 2, 3)]
    assert [network.name for network in generator.networks] == names + [f"checkerboard_1_{i}" for i in (1, 2, 3, 4)]
    assert [network.channels for network in generator.networks] == [3] * 3 + [12] * 3 + [6] * 4
    scales = [float(network.tanh_scale.numpy()[0]) for network in generator.networks]
    assert scales == [0.0] * 3 + [1.0] * 3 + [0.0] * 4
    for network in generator.networks:
        assert network.conv_in.kernel.shape == (1, 1, network.channels, 5)
        assert network.block_convs.kernel.shape == (4, 3, 3, 5, 5)
        assert network.conv_out.kernel.shape == (1, 1, 5, 2 * network.channels)
    three = flow_gan.RealNVP((8, 4, 3), residual_blocks=0, filters=2, scales=3)
    assert len(three.networks) == 6 + 6 + 4 and three.networks[-1].channels == 12
    assert len(flow_gan.RealNVP((7, 5, 1), residual_blocks=0, filters=2, scales=1).networks) == 4


@pytest.mark.parametrize("batch_norm", ["moving", "batch"])
def test_real_nvp_s_initial_weights(batch_norm):
    def make(**arguments):
        arguments = {"residual_blocks": 1, "filters": 32, "batch_norm": batch_norm} | arguments
        return flow_gan.RealNVP((4, 4, 3), **arguments)

    generator = make()
    kernels = [kernel for network in generator.networks for kernel in network.block_convs.kernel.numpy()]
    for i, kernel in enumerate(kernels):
        assert np.abs(kernel).max() <= np.sqrt(6 / (2 * 9 * 32))
        assert all(np.abs(kernel - other).max() > 0.01 for other in kernels[:i])
    np.testing.assert_array_equal(kernels[0], make().networks[0].block_convs.kernel[0])
    assert np.abs(kernels[0] - make(seed=1).networks[0].block_convs.kernel[0]).max() > 0.01
    scale = make().networks[3].conv_in.scale.numpy()
    assert 0.2 < np.abs(scale).max() <= np.sqrt(3 / 32) and (scale < 0).any() and (scale > 0).any()


def test_real_nvp_s_latents_are_row_major():
    """At tanh scales of 0 and no shift the flow only moves numbers: z is the squeezed logit."""
    for scales in (1, 2, 3):
        generator = flow_gan.RealNVP((8, 4, 2), residual_blocks=0, filters=2, scales=scales, logit_alpha=0.01)
        for network in generator.networks:
            network.tanh_scale.assign([0.0])
            network.conv_out.scale.assign(np.zeros(network.conv_out.scale.shape))
        x = images_of((8, 4, 2), "float32")
        w = 0.01 + 0.98 * x
        logit = np.log(w) - np.log(1 - w)
        expected = logit if scales == 1 else tf.nn.space_to_depth(logit, 2).numpy()
        np.testing.assert_allclose(generator.encode(x), expected.reshape(5, -1), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (
            {"image_shape": (9, 8, 1)},
            r"image_shape=\(9, 8, 1\): Real-NVP with scales=2 needs a height and a width divisible by 2",
        ),
        ({"image_shape": (28, 28, 1), "scales": 4}, "scales=4 needs a height and a width divisible by 8"),
        ({"filters": 1.5}, "filters=1.5; expected an integer, 1 to"),
        ({"scales": 0}, "scales=0; expected an integer, 1 to"),
        ({"filters": 0}, "filters=0; expected an integer, 1 to"),
        ({"residual_blocks": -1}, "residual_blocks=-1; expected an integer, 0 to"),
        ({"batch_norm": "layer"}, "batch_norm='layer' is unknown; expected one of: moving, batch"),
        ({"prior": "cauchy"}, "prior='cauchy' is unknown"),
        ({"logit_alpha": 0.5}, "logit_alpha=0.5; expected more than 0 and less than 0.5"),
    ],
)
def test_real_nvp_rejects(arguments, message):
    with pytest.raises(flow_gan.UserError, match=message):
        flow_gan.RealNVP(**({"image_shape": (8, 8, 3), "filters": 2, "residual_blocks": 0} | arguments))
