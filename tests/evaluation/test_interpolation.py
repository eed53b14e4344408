import numpy as np
import pytest
import scipy.special
import scipy.stats

import flow_gan
from flow_gan.config.generator import PRIORS
from flow_gan.evaluation import interpolation
from flow_gan.evaluation.interpolation import latent_path
from tests.helpers.conditional import bright_by_class

DISTRIBUTIONS = {"gaussian": scipy.stats.norm, "logistic": scipy.stats.logistic, "uniform": scipy.stats.uniform(-1, 2)}


def ends(prior, size=20_000):
    rng = np.random.default_rng(0)
    return [DISTRIBUTIONS[prior].rvs(size=(1, size), random_state=rng) for _ in range(2)]


def test_every_prior_has_a_path():
    assert set(interpolation.PATHS) == set(PRIORS)


@pytest.mark.parametrize("prior", PRIORS)
def test_it_runs_from_one_end_to_the_other(prior):
    first, last = ends(prior, 7)
    path = latent_path(prior, first, last, 5)
    assert path.shape == (1, 5, 7)
    np.testing.assert_array_equal(path[:, 0], first)
    np.testing.assert_array_equal(path[:, -1], last)
    back = latent_path(prior, last, first, 5)
    np.testing.assert_allclose(back[:, ::-1], path, atol=1e-12)
    np.testing.assert_allclose(latent_path(prior, first, first, 3), np.stack([first] * 3, 1), atol=1e-9)


def test_a_circle_in_the_plane():
    """From (3, 0) to (0, 3), at thirds of the right angle."""
    path = latent_path("gaussian", [[3.0, 0.0]], [[0.0, 3.0]], 4)
    angles = np.pi / 2 * np.array([0, 1, 2, 3]) / 3
    np.testing.assert_allclose(path[0], 3 * np.stack([np.cos(angles), np.sin(angles)], 1), atol=1e-12)


@pytest.mark.parametrize("prior", ["gaussian", "logistic"])
def test_every_point_is_distributed_as_the_prior(prior):
    """If the ends are; the middle of a straight line has half of the variance."""
    first, last = ends(prior)
    for point in latent_path(prior, first, last, 5)[0]:
        assert scipy.stats.kstest(point, DISTRIBUTIONS[prior].cdf).pvalue > 0.001
    assert scipy.stats.kstest((first + last)[0] / 2, DISTRIBUTIONS[prior].cdf).pvalue < 1e-10


def test_a_uniform_prior_is_not_left():
    first, last = ends("uniform", 1000)
    path = latent_path("uniform", first, last, 7)
    assert np.abs(path).max() <= 1
    np.testing.assert_allclose(path[:, 3], (first + last) / 2)


def test_logistic_and_gaussian_are_one_to_one_far_out():
    """Where the distribution function is 1 in float64, and at 0."""
    z = np.array([-1e5, -800, -40, -1.5, -1e-9, 0, 1e-9, 1.5, 40, 800, 1e5])
    u = interpolation._gaussian_of_logistic(z)
    np.testing.assert_allclose(interpolation._logistic_of_gaussian(u), z, rtol=1e-7, atol=1e-14)
    np.testing.assert_allclose(scipy.stats.norm.cdf(u[2:8]), scipy.special.expit(z[2:8]), rtol=1e-9)


def test_opposite_ends():
    path = latent_path("gaussian", [[1.0, 0.0]], [[-1.0, 0.0]], 3)
    assert np.isfinite(path).all()


@pytest.mark.parametrize(
    "prior, count, message", [("cauchy", 3, "prior='cauchy' is unknown"), ("uniform", 1, "count=1")]
)
def test_bad_arguments(prior, count, message):
    with pytest.raises(flow_gan.UserError, match=message):
        latent_path(prior, np.zeros((1, 2)), np.ones((1, 2)), count)


def test_between_two_classes():
    """Each end is its image, under its own class, and log p(x) is the sum over classes."""
    flow = bright_by_class(logit_alpha=1e-3, dtype="float64")
    flow.set_class_shares([1, 2, 3])
    first, last = (flow.sample(2, [label] * 2, seed=label, temperature=0.3).numpy() for label in (1, 2))
    images, log_prob = interpolation.interpolate(flow, first, last, 4)
    np.testing.assert_allclose(images[:, 0], first, atol=1e-9)
    np.testing.assert_allclose(images[:, -1], last, atol=1e-9)
    assert (np.diff(images.mean((2, 3, 4)), axis=1) > 0.01).all()
    joint = flow.joint_log_prob(images.reshape(-1, 4, 4, 1))
    np.testing.assert_allclose(log_prob.ravel(), scipy.special.logsumexp(joint, axis=1), rtol=1e-9)
