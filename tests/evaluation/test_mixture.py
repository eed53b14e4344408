import math

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from sklearn.neighbors import KernelDensity

from flow_gan import UserError, data
from flow_gan.evaluation import mixture
from flow_gan.evaluation.mixture import Distances, IsotropicMixture

RNG = np.random.default_rng(0)
CENTRES = RNG.uniform(size=(40, 4, 3, 2))
IMAGES = np.concatenate([RNG.uniform(size=(29, 4, 3, 2)), CENTRES[:1]])
BANDWIDTHS = (0.01, 0.1, 0.5, 1.0)


@pytest.mark.parametrize("dtype, relative, absolute", [("float64", 1e-13, 1e-11), ("float32", 1e-6, 1e-4)])
def test_log_prob_is_that_of_tfp_and_of_scikit_learn(dtype, relative, absolute):
    log_prob = IsotropicMixture(CENTRES, dtype).log_prob(IMAGES, BANDWIDTHS)
    assert log_prob.shape == (4, 30) and log_prob.dtype == np.float64
    for bandwidth, values in zip(BANDWIDTHS, log_prob, strict=True):
        reference = tfp.distributions.MixtureSameFamily(
            tfp.distributions.Categorical(logits=tf.zeros(40, tf.float64)),
            tfp.distributions.MultivariateNormalDiag(CENTRES.reshape(40, 24), np.full(24, bandwidth)),
        )
        np.testing.assert_allclose(values, reference.log_prob(IMAGES.reshape(30, 24)), relative, absolute)
        estimate = KernelDensity(bandwidth=bandwidth).fit(CENTRES.reshape(40, 24))
        np.testing.assert_allclose(values, estimate.score_samples(IMAGES.reshape(30, 24)), relative, absolute)


def test_the_density_integrates_to_one():
    axis = np.linspace(-8, 9, 400)
    points = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
    log_prob = IsotropicMixture(CENTRES.reshape(-1, 2), "float64").log_prob(points, [0.7])
    np.testing.assert_allclose(np.exp(log_prob).sum() * (axis[1] - axis[0]) ** 2, 1, rtol=1e-12)


def test_flat_images_are_the_same_images():
    values = IsotropicMixture(CENTRES).log_prob(IMAGES, BANDWIDTHS)
    for centres, images in [(CENTRES, IMAGES.reshape(30, 24)), (CENTRES.reshape(40, 24), IMAGES)]:
        np.testing.assert_array_equal(IsotropicMixture(centres).log_prob(images, BANDWIDTHS), values)


def test_centres_of_images_are_the_middles_of_their_grey_levels():
    dataset = data.load("digits")
    images = dataset.validation.images[:5]
    log_prob = IsotropicMixture.of_images(dataset.train.images, 17, "float64").log_prob(images / 17, [0.2])
    centres = (dataset.train.images[:] + 0.5) / 17
    np.testing.assert_allclose(log_prob, IsotropicMixture(centres, "float64").log_prob(images / 17, [0.2]), 1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_one_centre_is_one_gaussian(dtype):
    log_prob = IsotropicMixture(CENTRES[:1], dtype).log_prob(IMAGES, [0.3])[0]
    reference = tfp.distributions.MultivariateNormalDiag(CENTRES[0].reshape(24), np.full(24, 0.3))
    np.testing.assert_allclose(
        log_prob, reference.log_prob(IMAGES.reshape(30, 24)), 1e-6 if dtype == "float32" else 1e-13
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_image_equal_to_a_centre_has_the_density_of_that_gaussian_s_peak(dtype):
    """The others are far at a small bandwidth; no digit is lost, however small it is."""
    for bandwidth in (1e-15, 1e-3):
        log_prob = IsotropicMixture(CENTRES, dtype).log_prob(CENTRES, [bandwidth])
        np.testing.assert_allclose(log_prob, -math.log(40) - 12 * math.log(2 * math.pi * bandwidth**2), 1e-14)


def test_equal_centres_count_each():
    twice = IsotropicMixture(np.concatenate([CENTRES, CENTRES])).log_prob(IMAGES, BANDWIDTHS)
    np.testing.assert_allclose(twice, IsotropicMixture(CENTRES).log_prob(IMAGES, BANDWIDTHS), 1e-6, 1e-5)


@pytest.mark.parametrize("rows", [1, 7, 10])
def test_blocks_do_not_change_the_result(rows, monkeypatch):
    whole = IsotropicMixture(CENTRES, "float64").log_prob(IMAGES, BANDWIDTHS)
    monkeypatch.setattr(mixture, "_BLOCK_BYTES", rows * 40 * 8)
    blocks = IsotropicMixture(CENTRES, "float64").log_prob(IMAGES, BANDWIDTHS)
    np.testing.assert_allclose(blocks, whole, 1e-13)


@pytest.mark.parametrize(
    "keep, kept_bytes, computed", [(True, 30 * 40 * 8, 3), (True, 30 * 40 * 8 - 1, 6), (False, 1e9, 6)]
)
def test_distances_are_kept_where_they_fit(keep, kept_bytes, computed, monkeypatch):
    monkeypatch.setattr(mixture, "_BLOCK_BYTES", 12 * 40 * 8)
    monkeypatch.setattr(mixture, "_KEPT_BYTES", kept_bytes)
    calls, nearest = [], mixture._nearest
    monkeypatch.setattr(mixture, "_nearest", lambda *args: calls.append(0) or nearest(*args))
    gaussians = IsotropicMixture(CENTRES, "float64")
    distances = Distances(gaussians, IMAGES, keep)
    values = [distances.log_prob([bandwidth])[0] for bandwidth in BANDWIDTHS[:2]]
    assert len(calls) == computed
    np.testing.assert_array_equal(values, gaussians.log_prob(IMAGES, BANDWIDTHS[:2]))


def test_float32_is_exact_at_small_bandwidths():
    """In MNIST's size and grey levels, for new images and for dequantised copies of centres, 500 nats from the peak.

    |x|^2 + |c|^2 - 2 x.c alone would be off by 70 nats at 0.001, since |x|^2 is up to some hundreds. Here the nearest
    centre's distance is exact, and the others' excess is off by two steps of float32, 1.5e-5, over 2 sigma^2.
    """
    dataset, noise = data.load("digits"), np.random.default_rng(1)

    def large(images):
        return 15 * np.kron(images, np.ones((1, 4, 4, 1), np.uint8))[:, 2:-2, 2:-2]

    centres = large(dataset.train.images[:1000])
    images = np.concatenate([large(dataset.test.images[:100]), centres[:100]])
    images = ((images + noise.uniform(size=images.shape)) / 256).astype(np.float32)
    bandwidths = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0]
    single, double = (
        IsotropicMixture.of_images(centres, 256, dtype).log_prob(images, bandwidths) for dtype in ("float32", "float64")
    )
    new, copies = slice(0, 100), slice(100, 200)
    assert np.abs(double[0, new]).max() > 1e7 > 1e4 > np.abs(double[:, copies]).max()
    np.testing.assert_allclose(single[:4, new], double[:4, new], rtol=1e-7)
    np.testing.assert_allclose(single[4:, new], double[4:, new], rtol=0, atol=1e-3)
    np.testing.assert_allclose(single[:, copies], double[:, copies], rtol=0, atol=2e-3)


def test_samples():
    count, bandwidth = 20000, 0.02
    centres = np.array([[[[0.3], [0.7]]], [[[0.7], [0.3]]], [[[0.5], [0.5]]]])
    samples = IsotropicMixture(centres, "float64").sample(count, bandwidth, seed=3).numpy()
    assert samples.shape == (count, 1, 2, 1)
    differences = (samples[:, None] - centres).reshape(count, 3, 2)
    chosen = np.argmin(np.sum(differences**2, -1), 1)
    # Five standard deviations of each count and of the noise's moments.
    frequency = np.bincount(chosen, minlength=3) / count
    assert np.abs(frequency - 1 / 3).max() < 5 * math.sqrt(2 / 9 / count)
    noise = differences[np.arange(count), chosen] / bandwidth
    moments = noise.T @ noise / count
    assert np.abs(noise.mean(0)).max() < 5 / math.sqrt(count)
    assert np.abs(moments - np.eye(2)).max() < 5 * math.sqrt(2 / count)


def test_the_nll_of_samples_is_the_entropy():
    """Of Gaussians far apart it is log m + D/2 log(2 pi e sigma^2), and its variance D/2."""
    gaussians = IsotropicMixture(0.2 + 0.6 * CENTRES)
    nll = -gaussians.log_prob(gaussians.sample(2000, 0.01), [0.01])
    entropy = math.log(40) + 12 * math.log(2 * math.pi * math.e * 0.01**2)
    assert abs(nll.mean() - entropy) < 4 * math.sqrt(12 / 2000)


def test_samples_depend_on_seed_and_number_alone():
    gaussians = IsotropicMixture(CENTRES)
    samples = gaussians.sample(6, 0.5, seed=1).numpy()
    assert samples.shape == (6, 4, 3, 2) and samples.dtype == np.float32
    assert samples.min() == 0 and samples.max() == 1
    np.testing.assert_array_equal(gaussians.sample(4, 0.5, seed=1), samples[:4])
    assert np.abs(gaussians.sample(6, 0.5, seed=2) - samples).mean() > 0.1
    flat = IsotropicMixture(CENTRES.reshape(40, 24)).sample(6, 0.5, seed=1)
    np.testing.assert_array_equal(flat, samples.reshape(6, 24))


@pytest.mark.parametrize("bandwidth", [0.0, -1.0, math.nan, math.inf])
def test_bandwidths_outside_their_range(bandwidth):
    gaussians = IsotropicMixture(CENTRES)
    for use in (lambda: gaussians.log_prob(IMAGES, [0.1, bandwidth]), lambda: gaussians.sample(1, bandwidth)):
        with pytest.raises(UserError, match=f"bandwidth={bandwidth}; expected a finite number above 0"):
            use()


def test_other_mistakes():
    gaussians = IsotropicMixture(CENTRES)
    with pytest.raises(UserError, match=r"centres has shape \[0, 4\]; expected .* m >= 1"):
        IsotropicMixture(np.zeros((0, 4)))
    with pytest.raises(UserError, match=r"centres has shape \[5\]; expected"):
        IsotropicMixture(np.zeros(5))
    with pytest.raises(UserError, match="centres has 2 values that are not finite"):
        IsotropicMixture([[0.0, math.nan, math.inf]])
    with pytest.raises(UserError, match="images has 1 values that are not finite"):
        gaussians.log_prob(np.full((1, 24), [*[0.5] * 23, math.nan]), [0.1])
    for shape in [(3, 25), (0, 24), (3, 3, 4, 2), (24,)]:
        with pytest.raises(UserError, match=r"images has shape .*; expected \[n, 4, 3, 2\] or \[n, 24\] with n >= 1"):
            gaussians.log_prob(np.zeros(shape), [0.1])
    for bandwidths in ([], 0.1, [[0.1]]):
        with pytest.raises(UserError, match=r"bandwidths has shape .*; expected a list"):
            gaussians.log_prob(IMAGES, bandwidths)
    with pytest.raises(UserError, match="count=0; expected 1 or more"):
        gaussians.sample(0, 0.1)
