import json
import math

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from scipy import stats

import flow_gan
from flow_gan.errors import UserError
from flow_gan.evaluation import ais
from flow_gan.evaluation.statistics import log_mean_exp

LATENTS, SHAPE, SIGMA = 10, (4, 5, 1), 0.5
SIZE = math.prod(SHAPE)
_RNG = np.random.default_rng(0)
WEIGHTS = _RNG.standard_normal((LATENTS, SIZE)) / math.sqrt(LATENTS)
SHIFT = _RNG.standard_normal(SIZE)
SHORT = ais.AISSettings(temperatures=20, chains=2)


def gaussian_prior(dtype=np.float64):
    return tfp.distributions.Sample(tfp.distributions.Normal(dtype(0), dtype(1)), [LATENTS])


def decode(z):
    """A linear G: x = z A + b + noise is Gaussian."""
    return tf.reshape(z @ tf.cast(WEIGHTS, z.dtype) + tf.cast(SHIFT, z.dtype), [-1, *SHAPE])


def images_of(count, sigma=SIGMA):
    rng = np.random.default_rng(1)
    x = rng.standard_normal((count, LATENTS)) @ WEIGHTS + SHIFT + sigma * rng.standard_normal((count, SIZE))
    return x.reshape(count, *SHAPE)


def exact_log_prob(images, sigma=SIGMA):
    """log N(x; b, A^T A + sigma^2 I), [n]."""
    covariance = WEIGHTS.T @ WEIGHTS + sigma**2 * np.eye(SIZE)
    return stats.multivariate_normal(SHIFT, covariance).logpdf(np.reshape(images, [-1, SIZE]))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_linear_gaussian_model(dtype):
    images = images_of(20)
    settings = ais.AISSettings(temperatures=1000, chains=16, batch_size=20)
    result = ais.evaluate_ais(decode, gaussian_prior(dtype), images, SIGMA, settings)
    errors = np.array(result.log_prob) - exact_log_prob(images)
    assert abs(errors.mean()) < min(0.5, 3 * errors.std() / math.sqrt(19))
    np.testing.assert_allclose(result.nats, -np.mean(result.log_prob))
    np.testing.assert_allclose(result.nats_standard_error, np.std(result.log_prob) / math.sqrt(19))
    assert result.converged and result.gap.nats < 0.5 and result.warnings == []
    assert 0.6 < result.acceptance < 0.7 and 0.6 < result.final_acceptance < 0.7
    assert 1 < result.effective_sample_size <= 16
    assert result.pilot_share == ais.PILOT_CHAINS / (20 * 16) and "pilot run 1.56 % extra" in str(result)


def test_the_mean_weight_is_the_density():
    """E[w] = p(x), of reverse chains 1 / p(x). Where step sizes adapt on the way it is 1.04 p(x), 5 errors off."""
    settings = ais.AISSettings(temperatures=150, chains=1)
    annealer = ais._Annealer(decode, gaussian_prior(), settings)
    # So much noise that the weights' spread is about their mean.
    sigma = 1.0
    z, images = annealer.simulate(8000, sigma)
    truth = exact_log_prob(images, sigma)
    log_steps = annealer.pilot(images, sigma, "")
    *_, bounds = annealer.estimate(images[:1], sigma, log_steps, "", (z, images))
    for log_prob, sign in zip(bounds, (1, -1), strict=True):
        ratios = np.exp(sign * (log_prob - truth))
        error = ratios.std() / math.sqrt(len(ratios))
        assert error < 0.03 and abs(ratios.mean() - 1) < 3 * error


@pytest.mark.parametrize(("gap", "error", "converged"), [(0.59, 0.33, False), (0.59, 0.15, True), (0.9, 0.2, False)])
def test_a_gap_that_may_be_above_the_limit_has_not_converged(gap, error, converged):
    """Of ten images the 95 % interval is 2.26 standard errors to either side."""
    result = ais.Gap(nats=gap, standard_error=error, lower=[0.0] * 10, upper=[gap] * 10, limit=1.0)
    assert result.at_most == pytest.approx(gap + 2.262 * error, abs=1e-3)
    assert result.converged == converged == (not result.warnings)
    assert result.to_dict()["converged"] == converged
    if not converged:
        assert f"are {gap:.1f} +- {error:.1f} nats apart, at most {gap + 2.262 * error:.1f}" in result.warnings[0]


def bounds_and_truth(monkeypatch, settings, num_images):
    simulated, simulate = [], ais._simulate

    def recorded(*args):
        simulated.append(simulate(*args))
        return simulated[-1]

    monkeypatch.setattr(ais, "_simulate", recorded)
    gap = ais.evaluate_ais(decode, gaussian_prior(), images_of(2), SIGMA, settings, gap_images=num_images).gap
    ((_, images),) = simulated
    return gap, exact_log_prob(images)


def test_the_bounds_bracket_the_truth(monkeypatch):
    # So few temperatures that both errors stand out.
    gap, truth = bounds_and_truth(monkeypatch, ais.AISSettings(temperatures=20), 40)
    for error in (truth - gap.lower, np.array(gap.upper) - truth):
        assert error.mean() > 3 * error.std() / math.sqrt(39)
    np.testing.assert_allclose(gap.nats, np.mean(gap.upper) - np.mean(gap.lower))
    np.testing.assert_allclose(gap.standard_error, np.std(np.subtract(gap.upper, gap.lower)) / math.sqrt(39))


def test_a_short_run_has_not_converged():
    result = ais.evaluate_ais(decode, gaussian_prior(), images_of(3), SIGMA, SHORT)
    assert not result.converged and result.gap.nats > ais.GAP_LIMIT
    (warning,) = result.warnings
    assert "has not converged" in warning and warning in str(result)
    assert not ais.Gap(nats=math.nan, standard_error=0.0, lower=[], upper=[], limit=1.0).converged


def test_schedule():
    for temperatures in (1, 2, 1000):
        b = ais.sigmoid_schedule(temperatures)
        assert len(b) == temperatures + 1 and b[0] == 0 and b[-1] == 1
        assert (np.diff(b) > 0).all()
    np.testing.assert_allclose(b + b[::-1], 1)
    assert b[1] < 1 / 5000 < 1 / 600 < b[501] - b[500]


def test_seed():
    def log_prob(seed):
        settings = ais.AISSettings(temperatures=20, chains=2, seed=seed)
        return ais.evaluate_ais(decode, gaussian_prior(), images_of(2), SIGMA, settings, gap_images=2)

    first = log_prob(0)
    assert first == log_prob(0)
    assert np.abs(np.subtract(first.log_prob, log_prob(1).log_prob)).min() > 1e-3


@pytest.mark.parametrize("step_size", [0.02, 10.0])
def test_step_sizes_adapt_to_the_target(step_size):
    # A rejection shortens the step fourfold as fast as an acceptance lengthens it.
    settings = ais.AISSettings(temperatures=400, target_acceptance=0.8, step_size=step_size, leapfrog_steps=2)
    result = ais.evaluate_ais(decode, gaussian_prior(), images_of(10), SIGMA, settings, gap_images=2)
    assert 0.75 < result.final_acceptance < 0.85


def test_images_that_are_not_finite_have_probability_0():
    """Where z_0 > 1 the images are NaN, which leaves p(x) P(z_0 < 1 | x); the posterior of z is Gaussian."""

    def decode_or_nan(z):
        return decode(z) + tf.reshape(tf.sqrt(1 - z[:, 0]) * 0, [-1, 1, 1, 1])

    images = images_of(20)
    annealer = ais._Annealer(decode_or_nan, gaussian_prior(), ais.AISSettings(temperatures=1000, chains=16))
    log_weights, *_ = annealer.estimate(images, SIGMA, annealer.pilot(images, SIGMA, ""), "")
    without = np.isneginf(log_weights)
    assert 0.05 < without.mean() < 0.3 and np.isfinite(log_weights[~without]).all()
    covariance = np.linalg.inv(np.eye(LATENTS) + WEIGHTS @ WEIGHTS.T / SIGMA**2)
    mean = (images.reshape(-1, SIZE) - SHIFT) @ WEIGHTS.T / SIGMA**2 @ covariance
    truth = exact_log_prob(images) + stats.norm.logcdf((1 - mean[:, 0]) / math.sqrt(covariance[0, 0]))
    errors = log_mean_exp(log_weights, axis=1) - truth
    assert abs(errors.mean()) < min(0.5, 3 * errors.std() / math.sqrt(19))


def test_a_decoder_that_is_never_finite():
    settings = ais.AISSettings(temperatures=3)
    result = ais.evaluate_ais(lambda z: decode(z) * math.nan, gaussian_prior(), images_of(2), SIGMA, settings)
    assert result.nats == math.inf and result.acceptance == 0 and result.effective_sample_size == 0
    assert not result.converged


def test_a_transition_costs_one_gradient_for_each_leapfrog_step():
    passes, traces = tf.Variable(0), []

    def counted(z):
        traces.append(z)
        passes.assign_add(1)
        return decode(z)

    settings = ais.AISSettings(temperatures=30, leapfrog_steps=3, batch_size=2)
    annealer = ais._Annealer(counted, gaussian_prior(), settings)
    log_steps = annealer.pilot(images_of(2), SIGMA, "")
    assert passes.numpy() == 30 * 3 + 1
    annealer.estimate(images_of(2), SIGMA, log_steps, "")
    assert passes.numpy() == 2 * (30 * 3 + 1)
    count = len(traces)
    annealer.estimate(images_of(6), 2 * SIGMA, log_steps, "")
    assert len(traces) == count
    assert passes.numpy() == 5 * (30 * 3 + 1)
    # The bounds come with the last batch, at no trace and no pass more but the one that simulates.
    annealer.estimate(images_of(6), SIGMA, log_steps, "", annealer.simulate(4, SIGMA))
    assert passes.numpy() == 8 * (30 * 3 + 1) + 1 and len(traces) == count + 1


def test_the_pilot_run_alone_adapts():
    annealer = ais._Annealer(decode, gaussian_prior(), ais.AISSettings(temperatures=12, step_size=0.02))
    log_steps = annealer.pilot(images_of(2), SIGMA, "")
    assert np.unique(log_steps).size == 12, "all but the first two differ"
    key = annealer._key(0)
    _, kept, _ = annealer._run(annealer._from_prior(images_of(2), key), SIGMA, log_steps, key, "")
    np.testing.assert_array_equal(kept, log_steps)


@pytest.mark.parametrize("is_reverse", [False, True])
def test_step_sizes_belong_to_temperatures(is_reverse):
    """Steps at the low inverse temperatures alone are so small that all are accepted; reverse chains end there."""
    annealer = ais._Annealer(decode, gaussian_prior(), ais.AISSettings(temperatures=40))
    chains = annealer._from_prior(images_of(3), annealer._key(0))
    log_steps = tf.constant(np.where(np.arange(41) <= 20, math.log(1e-6), math.log(1e3)))
    _, _, acceptances = annealer._run(
        chains._replace(is_reverse=tf.fill([3], is_reverse)), SIGMA, log_steps, annealer._key(1), ""
    )
    halves = np.array(acceptances).reshape(2, 2, 3).mean(axis=(1, 2))
    small, large = halves[::-1] if is_reverse else halves
    assert small > 0.94 and large < 0.06


def test_batches():
    annealer = ais._Annealer(decode, gaussian_prior(), ais.AISSettings(temperatures=300, chains=4, batch_size=3))
    images = images_of(7)
    log_steps = annealer.pilot(images, SIGMA, "")
    log_weights, acceptances, bounds = annealer.estimate(images, SIGMA, log_steps, "")
    assert log_weights.shape == (7, 4) and acceptances.shape == (30,) and bounds is None
    # The chains of the bounds change nothing of the others.
    *both, (lower, upper) = annealer.estimate(images, SIGMA, log_steps, "", annealer.simulate(2, SIGMA))
    np.testing.assert_allclose(both[0], log_weights, rtol=1e-9)
    np.testing.assert_allclose(both[1], acceptances, rtol=1e-9)
    assert lower.shape == upper.shape == (2,)
    np.testing.assert_allclose(log_mean_exp(log_weights, axis=1), exact_log_prob(images), atol=5)


def test_choose_sigma():
    sigmas = (0.1, 0.5, 2.0)
    choice = ais.choose_sigma(decode, gaussian_prior(), images_of(5), sigmas)
    assert choice.sigma == 0.5 and choice.nats[1] == min(choice.nats)
    assert choice.candidates == list(sigmas) and choice.num_images == 5 and choice.warnings == []
    result = ais.evaluate_ais(decode, gaussian_prior(), images_of(2), choice, SHORT)
    assert result.sigma == 0.5 and result.sigma_choice == choice
    assert json.loads(json.dumps(result.to_dict()))["sigma_choice"]["nats"] == choice.nats
    choice = ais.SigmaChoice(sigma=0.1, candidates=[0.1, 0.5, 2.0], nats=[1.0, 2.0, 3.0], num_images=5, settings=SHORT)
    (warning,) = choice.warnings
    assert "end of the list" in warning


def test_a_flow():
    """A flow of few pixels at its initial weights, float32 with the logistic prior."""
    generator = flow_gan.NICE((2, 2, 1), hidden_units=8, num_hidden_layers=1)
    images = generator.sample(10, seed=1).numpy()
    images = images[np.abs(images - 0.5).max((1, 2, 3)) < 0.4]
    assert len(images) >= 3
    # For small noise the observation model's density is the flow's own; 0.02 is small beside these images' spread.
    settings = ais.AISSettings(temperatures=300, chains=128)
    result = ais.evaluate_ais(generator.decode, generator.prior, images, 0.02, settings, gap_images=5)
    assert result.converged
    np.testing.assert_allclose(result.log_prob, generator.log_prob(images), atol=0.5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"images": np.zeros((2, SIZE))}, r"images have the shape \(2, 20\); expected"),
        ({"images": np.zeros((0, *SHAPE))}, "with n of 1 or more"),
        ({"sigma": 0.0}, "sigma=0.0; expected"),
        ({"gap_images": 1}, "gap_images=1; expected 2 or more"),
        (
            {"prior": tfp.distributions.Sample(tfp.distributions.Uniform(-1.0, 1.0), [LATENTS])},
            "bounded support",
        ),
    ],
)
def test_errors(arguments, message):
    given = {"prior": gaussian_prior(), "images": images_of(2), "sigma": SIGMA} | arguments
    with pytest.raises(UserError, match=message):
        ais.evaluate_ais(decode, settings=SHORT, **given)


@pytest.mark.parametrize(
    ("name", "value"),
    [("chains", 0), ("temperatures", 0), ("leapfrog_steps", 0), ("batch_size", 0), ("step_size", 0.0)]
    + [("target_acceptance", value) for value in (0.0, 1.0)],
)
def test_settings(name, value):
    with pytest.raises(UserError, match=f"{name}={value}; expected"):
        ais.AISSettings(**{name: value})
