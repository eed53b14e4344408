"""DCGAN: its network against a formula, shapes, moving averages, and what it does not have."""

import numpy as np
import pytest
import tensorflow as tf

import flow_gan
from flow_gan import random
from flow_gan.networks.normalization import moving_average_updates


def make(shape=(8, 8, 1), dtype="float64", **arguments):
    """Return a small generator at perturbed weights."""
    generator = flow_gan.DCGAN(shape, **({"filters": 3, "dtype": dtype} | arguments))
    rng = np.random.default_rng(0)
    for variable in generator.weights:
        noise = 0.3 * rng.normal(size=variable.shape)
        variable.assign(np.exp(noise) if "variance" in variable.path else variable.numpy() + noise)
    return generator


def latents_of(generator, count=5):
    return np.random.default_rng(1).normal(size=(count, generator.latent_size)).astype(generator.compute_dtype)


@pytest.mark.parametrize("training", [False, True])
def test_decode_is_the_formula(training):
    """A transposed convolution is the adjoint of the convolution from the larger to the smaller image."""
    generator = make((7, 8, 2))
    network = generator.network
    z = latents_of(generator)
    x = (z @ network.dense.kernel.numpy()).reshape(5, 2, 2, 6)
    kernels = []
    for norm, conv, size in zip(network.norms, network.convs, [(4, 4), (7, 8)], strict=True):
        mean, variance = norm.moving_mean.numpy(), norm.moving_variance.numpy()
        if training:
            mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
        x = np.maximum((x - mean) / np.sqrt(variance + 1e-5) * norm.scale.numpy() + norm.shift.numpy(), 0)
        kernels.append(conv.kernel.numpy())
        image = tf.zeros((5, *size, kernels[-1].shape[2]), "float64")
        with tf.GradientTape() as tape:
            tape.watch(image)
            product = tf.reduce_sum(tf.nn.conv2d(image, kernels[-1], 2, "SAME") * x)
        x = tape.gradient(product, image).numpy()
        if conv.use_bias:
            x += conv.bias.numpy()
    assert [kernel.shape for kernel in kernels] == [(5, 5, 3, 6), (5, 5, 2, 3)]
    np.testing.assert_allclose(generator.decode(z, training=training), 1 / (1 + np.exp(-x)), rtol=1e-10)


@pytest.mark.parametrize(
    "shape, first",
    [
        ((28, 28, 1), (4, 4, 12)),
        ((32, 32, 3), (4, 4, 12)),
        ((8, 8, 1), (2, 2, 6)),
        ((64, 48, 3), (8, 6, 12)),
        ((9, 15, 2), (3, 4, 6)),
        ((1, 2, 1), (1, 1, 6)),
    ],
)
def test_shapes(shape, first):
    generator = flow_gan.DCGAN(shape, filters=3)
    assert generator.network.first_shape == first and generator.latent_size == np.prod(shape)
    assert generator.decode(np.zeros((2, generator.latent_size))).shape == (2, *shape)


def test_number_of_variables_and_weights():
    generator = flow_gan.DCGAN((28, 28, 1), filters=3)
    kernels = 784 * 16 * 12 + 25 * (12 * 6 + 6 * 3 + 3 * 1)
    assert sum(np.prod(v.shape) for v in generator.trainable_variables) == kernels + 1 + 2 * (12 + 6 + 3)
    assert len(generator.trainable_variables) == 1 + 3 * 3 + 1
    assert [v.shape for v in generator.non_trainable_variables] == [(n,) for n in (12, 12, 6, 6, 3, 3)]
    assert len({v.path for v in generator.weights}) == len(generator.weights)


def test_sample():
    generator = make(dtype="float32")
    images = generator.sample(16, seed=3)
    assert images.shape == [16, 8, 8, 1] and 0 <= np.min(images) < np.max(images) <= 1
    np.testing.assert_array_equal(images, generator.sample(16, seed=3))
    np.testing.assert_allclose(images[:4], generator.sample(4, seed=3), rtol=1e-5)
    assert np.abs(images - generator.sample(16, seed=4)).max() > 0.1
    assert np.std(generator.sample(16, seed=3, temperature=1e-6), axis=0).max() < 1e-3


def test_latents_follow_the_prior():
    generator = flow_gan.DCGAN((4, 4, 1), filters=2, prior="uniform", latent_size=6)
    z = generator.sample_latent(random.key(0, 0), 0, 4000).numpy()
    assert z.shape == (4000, 6) and generator.decode(z[:2]).shape == [2, 4, 4, 1]
    np.testing.assert_allclose([z.mean(), z.std(), z.min(), z.max()], [0, 3**-0.5, -1, 1], atol=0.02)


def test_moving_averages():
    """A training pass moves them as often as it is told to; evaluation uses and keeps them."""
    once, thrice, never = (make() for _ in range(3))
    z = latents_of(once)
    start = [v.numpy() for v in never.non_trainable_variables]
    images = once.decode(z, training=True)
    for _ in range(2):
        once.decode(z, training=True)
    for generator, times in ((thrice, 3), (never, 0)):
        with moving_average_updates(times):
            np.testing.assert_array_equal(generator.decode(z, training=True), images)
    for a, b in zip(once.non_trainable_variables, thrice.non_trainable_variables, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-12)
    alone = np.concatenate([never.decode(z[i : i + 1]) for i in range(5)])
    np.testing.assert_allclose(never.decode(z), alone, rtol=1e-12)
    assert np.abs(alone - images).max() > 1e-3
    for variable, value, moved in zip(never.non_trainable_variables, start, once.non_trainable_variables, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)
        assert np.abs(moved.numpy() - value).max() > 1e-3


def test_initial_weights():
    kernels = [w.numpy() for w in flow_gan.DCGAN((28, 28, 1), filters=8).trainable_variables if "kernel" in w.path]
    again = [w.numpy() for w in flow_gan.DCGAN((28, 28, 1), filters=8).trainable_variables if "kernel" in w.path]
    other = flow_gan.DCGAN((28, 28, 1), filters=8, seed=1)
    assert len(kernels) == 4
    for i, kernel in enumerate(kernels):
        assert 0.015 < kernel.std() < 0.02 and np.abs(kernel).max() < 0.05
        np.testing.assert_array_equal(kernel, again[i])
        assert all(np.abs(kernel.ravel()[:40] - k.ravel()[:40]).max() > 0.01 for k in kernels[:i])
    assert np.abs(other.network.dense.kernel.numpy() - kernels[0]).max() > 0.01


def test_config_makes_an_equal_generator():
    generator = flow_gan.DCGAN((4, 6, 1), filters=2, prior="gaussian", latent_size=7, seed=3, dtype="float64")
    again = flow_gan.DCGAN.from_config(generator.get_config())
    np.testing.assert_array_equal(generator.sample(3), again.sample(3))
    assert again.get_config() == generator.get_config()


@pytest.mark.parametrize(
    "what, call",
    [
        ("log_prob", lambda generator, images: generator.log_prob(images)),
        ("log_prob", lambda generator, images: generator(images)),
        ("encode", lambda generator, images: generator.encode(images)),
        ("distribution", lambda generator, images: generator.distribution()),
    ],
)
def test_what_needs_a_likelihood_is_refused(what, call):
    with pytest.raises(flow_gan.UserError, match=rf"DCGAN has no likelihood: .* no {what}; expected a flow, such as"):
        call(make(), np.zeros((2, 8, 8, 1)))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"filters": 0}, "filters=0; expected an integer, 1 to"),
        ({"latent_size": 0}, "latent_size=0; expected an integer, 1 to"),
        ({"prior": "cauchy"}, "prior='cauchy' is unknown; expected one of: logistic, gaussian, uniform"),
    ],
)
def test_rejects(arguments, message):
    with pytest.raises(flow_gan.UserError, match=message):
        flow_gan.DCGAN((8, 8, 1), **arguments)


@pytest.mark.parametrize("kind", [flow_gan.DCGAN, flow_gan.NICE])
def test_what_no_generator_takes(kind):
    for shape, message in (
        ((8, 8), r"image_shape=\(8, 8\); expected \(height, width, channels\)"),
        ((0, 8, 1), "an entry of image_shape=0; expected an integer, 1 to"),
        ((8.5, 8, 1), "an entry of image_shape=8.5; expected an integer, 1 to"),
    ):
        with pytest.raises(flow_gan.UserError, match=message):
            kind(shape)
    generator = kind((4, 4, 1))
    for z, found in ((np.zeros((2, 15)), r"\[2, 15\]"), (np.zeros(16), r"\[16\]")):
        with pytest.raises(flow_gan.UserError, match=rf"^z is {found}; expected \[N, 16\]$"):
            generator.decode(z)
    for arguments, message in (
        ({"num_images": -1}, "num_images=-1; expected an integer, 0 to"),
        ({"num_images": 2.5}, "num_images=2.5; expected an integer, 0 to"),
        ({"num_images": 2, "seed": 2**32}, "seed=4294967296; expected an integer, 0 to 2147483647"),
    ):
        with pytest.raises(flow_gan.UserError, match=message):
            generator.sample(**arguments)
