import dataclasses
import functools
import math
import re

import numpy as np
import pytest
import tensorflow as tf

import flow_gan
from flow_gan import config, data, evaluation, training
from flow_gan.data import digits
from flow_gan.errors import UserError
from flow_gan.evaluation.float64 import in_float64


def test_units():
    nll = evaluation.NLL(nats=-100.0, nats_standard_error=2.0, num_images=5, size=64, levels=17)
    np.testing.assert_allclose(nll.bits_per_dim, -100 / (64 * math.log(2)) + math.log2(17))
    np.testing.assert_allclose(nll.bits_per_dim_standard_error, 2 / (64 * math.log(2)))
    assert str(nll) == "-100.00 +- 2.00 nats, 1.8333 +- 0.0451 bits/dim (5 images)"
    assert nll.to_dict()["bits_per_dim"] == nll.bits_per_dim


def test_the_bound_is_the_log_of_the_mean_likelihood(monkeypatch):
    """-log 1/K sum_k p(x_k), over the draws that `evaluation_images` gives, and in bits/dim."""
    settings = config.Config(hidden_layers=8, no_of_layers=0, n_critic=0, input_height=8, input_width=8, c_dim=1)
    model = training.build_model(dataclasses.replace(settings, critic="mnist"), 17)
    data = digits.load()
    nll = evaluation.evaluate_nll(model, data, "test", 100, noise_draws=3, num_examples=30)
    log_prob = []
    for draw in range(3):
        batch = {"images": data.test.images[:30], "index": np.arange(30), "split": np.full(30, 2)}
        images = model.draws.evaluation_images(batch, draw)
        log_prob.append(np.asarray(model.generator.log_prob(images), np.float64))
    bound = -np.log(np.mean(np.exp(log_prob), axis=0))
    np.testing.assert_allclose(nll.nats, -np.mean(log_prob), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(nll.bound_nats, bound.mean(), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(nll.bound_standard_error, bound.std(ddof=1) / math.sqrt(30), rtol=1e-3)
    np.testing.assert_allclose(nll.bound_bits_per_dim, bound.mean() / (64 * math.log(2)) + math.log2(17), rtol=1e-6)
    assert nll.bound_nats < nll.nats - 1e-4  # By far more than rounding.
    assert nll.to_dict()["bound_bits_per_dim"] == nll.bound_bits_per_dim
    np.testing.assert_allclose(nll.nats_per_image, -np.mean(log_prob, axis=0), rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(nll.bound_nats_per_image, bound, rtol=1e-5, atol=1e-4)


def test_the_values_of_the_first_images_are_kept(monkeypatch):
    monkeypatch.setattr(evaluation.statistics, "KEPT_PER_IMAGE", 3)
    values = np.array([-85.123456789, math.inf, -3297.80012345, 1.0])
    # Float32's digits, which a JSON file of thousands of them has no need to exceed.
    assert evaluation.statistics.kept_per_image(values) == [-85.12346, math.inf, -3297.8]


def test_what_is_wrong_shows(monkeypatch):
    """The checks are made on the model itself: an inverse that is off, values that depend on the batch."""
    settings = config.Config(hidden_layers=8, no_of_layers=0, n_critic=0, input_height=8, input_width=8, c_dim=1)
    model = training.build_model(dataclasses.replace(settings, critic="mnist"), 17)
    decode, log_prob = model.generator.decode, model.generator.log_prob
    monkeypatch.setattr(model.generator, "decode", lambda z: decode(z) + 0.1)
    monkeypatch.setattr(model.generator, "log_prob", lambda x: log_prob(x) + tf.reduce_sum(x))
    nll = evaluation.evaluate_nll(model, digits.load(), "test", 100, num_examples=50)
    assert [re.split(":| changes| differs", warning)[0] for warning in nll.warnings] == [
        "the inverse is inexact",
        "an image's log-likelihood",
        "an image's log-likelihood",
    ]
    assert nll.checks.num_checked == 50 and "warning: the inverse" in str(nll)


def test_a_uniform_density_has_log2_levels_bits_per_dim():
    assert evaluation.NLL(
        nats=0.0, nats_standard_error=0.0, num_images=1, size=64, levels=17
    ).bits_per_dim == math.log2(17)


def diagonal_gaussian_bits_per_dim():
    """Test bits/dim of a Gaussian with a diagonal covariance, fitted on the logits of the training digits."""
    data, rng, alpha = digits.load(), np.random.default_rng(0), 1e-7

    def logits(images):
        pixels = (images.reshape(len(images), -1) + rng.uniform(size=(len(images), 64))) / 17
        w = alpha + (1 - 2 * alpha) * pixels
        log_det = np.sum(-np.log(w) - np.log(1 - w) + np.log(1 - 2 * alpha), 1)
        return np.log(w) - np.log(1 - w), log_det

    train, _ = logits(np.repeat(data.train.images, 20, 0))
    mean, sd = train.mean(0), train.std(0)
    test, log_det = logits(data.test.images)
    log_prob = np.sum(-(((test - mean) / sd) ** 2) / 2 - np.log(sd) - math.log(2 * math.pi) / 2, 1) + log_det
    return -log_prob.mean() / (64 * math.log(2)) + math.log2(17)


def test_the_default_job_beats_a_diagonal_gaussian(tmp_path):
    """A fifth of the default job is enough for a clear margin: 0.3 bits/dim, over 15 standard errors."""
    settings = config.Config(run_dir=str(tmp_path / "run"), max_steps=150, eval_every=50)
    outcome = training.train(settings)
    nll = evaluation.evaluate_nll(outcome.model, outcome.dataset, "test", 100)
    baseline = diagonal_gaussian_bits_per_dim()
    assert 2.6 < baseline < 2.7
    assert nll.bits_per_dim < baseline - 0.3
    assert nll.bits_per_dim_standard_error < 0.02


GENERATORS = {
    "nice": lambda precision: flow_gan.NICE((4, 4, 1), hidden_units=16, num_hidden_layers=1, precision=precision),
    "real_nvp": lambda precision: flow_gan.RealNVP((4, 4, 1), residual_blocks=1, filters=4, precision=precision),
    "real_nvp, by the batch": lambda precision: flow_gan.RealNVP(
        (4, 4, 1), residual_blocks=1, filters=4, batch_norm="batch", precision=precision
    ),
}


@functools.lru_cache
def rounding_of(name, precision="float32", num_images=40, batch_size=25):
    """The NLL of a generator on random images, a fifth of whose pixels is white."""
    return evaluated(GENERATORS[name](precision), num_images, batch_size)


def evaluated(generator, num_images=40, batch_size=25):
    rng = np.random.default_rng(0)
    for variable in generator.trainable_variables:
        variable.assign(variable.numpy() + 0.1 * rng.normal(size=variable.shape))
    images = rng.integers(0, 256, (num_images, 4, 4, 1), np.uint8)
    images[rng.random(images.shape) < 0.2] = 255
    split = data.Split(images)
    model = flow_gan.FlowGAN(generator, n_critic=0)
    dataset = data.Dataset(name="random", image_shape=(4, 4, 1), levels=256, train=split, validation=split, test=split)
    return evaluation.evaluate_nll(model, dataset, "test", batch_size), model, images


@pytest.mark.parametrize("name", GENERATORS)
def test_the_error_of_float32_is_that_to_float64(name):
    nll, model, images = rounding_of(name)
    assert nll.checks.num_checked == 40 and nll.checks.num_rounding_checked in (25, 40)
    assert nll.checks.num_batch_checked == nll.checks.num_rounding_checked // 2
    assert 0 < nll.checks.rounding < 0.1
    assert bool(nll.warnings) == (name == "real_nvp, by the batch")
    double = in_float64(model.generator)
    assert double.compute_dtype == "float64"
    count = nll.checks.num_rounding_checked
    batch = {"images": images[:count], "index": np.arange(count), "split": np.full(count, 2)}
    exact = double.log_prob(model.draws.evaluation_images(batch)).numpy()
    difference = np.abs(-np.array(nll.nats_per_image[:count]) - exact).max()
    # The values that are kept are rounded once more.
    np.testing.assert_allclose(nll.checks.rounding, difference, atol=4e-6)


@pytest.mark.parametrize("name", ["nice", "real_nvp"])
def test_the_error_of_bfloat16_shows(name):
    """Its products have 8 bits, which tells beside the error that float32 has at white pixels."""
    rounding = {precision: rounding_of(name, precision)[0].checks.rounding for precision in ("float32", "bfloat16")}
    assert rounding["bfloat16"] > 5 * rounding["float32"] > 0


def test_an_error_in_float32_alone_is_found(monkeypatch):
    generator = GENERATORS["nice"]("float32")
    log_prob = generator.log_prob
    monkeypatch.setattr(generator, "log_prob", lambda x: log_prob(x) + 0.25)
    nll, *_ = evaluated(generator)
    np.testing.assert_allclose(nll.checks.rounding, 0.25, atol=0.01)
    (warning,) = nll.warnings
    assert warning.startswith("an image's log-likelihood differs by up to 0.25 nats from that computed in float64")


def test_an_image_is_finite_if_all_of_its_draws_are(monkeypatch):
    generator = GENERATORS["nice"]("float32")
    model = flow_gan.FlowGAN(generator, n_critic=0)
    images = np.zeros((4, 4, 4, 1), np.uint8)
    split = data.Split(images)
    draw = model.draws.evaluation_images
    # The second draw of the third image is NaN.
    bad = np.zeros((4, 1, 1, 1), np.float32)
    bad[2] = np.nan
    monkeypatch.setattr(model.draws, "evaluation_images", lambda batch, k=0: draw(batch, k) + (bad if k == 1 else 0))
    dataset = data.Dataset(name="black", image_shape=(4, 4, 1), levels=256, train=split, validation=split, test=split)
    nll = evaluation.evaluate_nll(model, dataset, "test", 4, noise_draws=2)
    assert nll.checks.finite_fraction == 0.75


def test_data_of_other_levels_than_the_model_s_are_refused():
    model = flow_gan.FlowGAN(flow_gan.NICE((8, 8, 1), hidden_units=4, num_hidden_layers=0), n_critic=0)
    with pytest.raises(UserError, match=r"the data have levels=17; expected the model's, 256"):
        evaluation.evaluate_nll(model, digits.load(), "test", 100)
