"""Inpainting against closed forms: a Gaussian, and the conditional distributions of one over pixels."""

import numpy as np
import pytest
import scipy.special
import tensorflow as tf
import tensorflow_probability as tfp

import flow_gan
from flow_gan.bijectors import Chain, alpha_logit
from flow_gan.evaluation import inpaint
from flow_gan.evaluation.inpainting import ascend, sample_chain
from flow_gan.generators.base import FlowGenerator
from tests.helpers.conditional import bright_by_class

SHAPE = (2, 2, 1)
# z = L y, so that y is Gaussian with the precision L^T L.
LOWER = np.array([[1.0, 0, 0, 0], [0.8, 1.5, 0, 0], [-0.5, 0.3, 1.0, 0], [0.2, -1.0, 0.7, 2.0]])
HIDDEN = np.array([[True, False], [True, True]])[..., np.newaxis]


class Correlated(FlowGenerator):
    """A Gaussian over the logits of four pixels."""

    def bijector(self, training=False, validate_args=None):
        f = [
            alpha_logit(self.logit_alpha, self.compute_dtype),
            tfp.bijectors.Reshape([self.size], self.image_shape),
            tfp.bijectors.ScaleMatvecTriL(LOWER.astype(self.compute_dtype)),
        ]
        return tfp.bijectors.Invert(Chain(f[::-1]))


@pytest.fixture(scope="module")
def flow():
    return Correlated(SHAPE, "gaussian", 1e-6)


def conditional(y):
    """Return (mean [n, 3], covariance [3, 3]) of the hidden logits given the known one."""
    precision, hidden = LOWER.T @ LOWER, HIDDEN.ravel()
    covariance = np.linalg.inv(precision[np.ix_(hidden, hidden)])
    return -(covariance @ precision[np.ix_(hidden, ~hidden)] @ y[:, ~hidden].T).T, covariance


def logits(images):
    return np.log(images / (1 - images)).reshape(*images.shape[:-3], 4)


def test_ascend_finds_the_maximum():
    mean = np.array([[1.0, -2.0], [30.0, 0.5]], np.float32)
    density = lambda y: -tf.reduce_sum((y - mean) ** 2 * [1.0, 9.0], 1)  # noqa: E731
    found = ascend(density, tf.zeros([2, 2]), 400, 3, rate=0.5)
    assert found.steps == [0, 200, 400] and found.acceptance is None
    np.testing.assert_array_equal(found.states[0], np.zeros([2, 2]))
    np.testing.assert_allclose(found.states[-1], mean, atol=0.01)


def test_the_chain_samples_its_density():
    """300 chains, of densities of two scales, end as independent draws: mean and variance within 4 standard errors."""
    scale = np.repeat(np.float32([0.1, 10]), 150)
    density = lambda y: -tf.reduce_sum((y - 3) ** 2, 1) / (2 * scale**2)  # noqa: E731
    found = sample_chain(density, tf.zeros([300, 2]), 200, 2, num_leapfrog=5, seed=1)
    assert found.steps == [0, 200] and 0.6 < found.acceptance < 0.95
    for part, sd in ((found.states[-1][:150], 0.1), (found.states[-1][150:], 10)):
        assert abs(np.mean(part) - 3) < 4 * sd / np.sqrt(300)
        assert abs(np.var(part) / sd**2 - 1) < 4 * np.sqrt(2 / 300)


def test_a_chain_follows_from_its_seed():
    density = lambda y: -tf.reduce_sum(y**2, 1)  # noqa: E731
    first, again, other = (sample_chain(density, tf.ones([2, 3]), 10, 2, seed=seed).states[-1] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.01


def test_map_is_the_conditional_mean(flow):
    images = np.random.default_rng(0).uniform(0.1, 0.9, (3, *SHAPE)).astype(np.float32)
    found = inpaint(flow, images, HIDDEN, num_steps=600, num_frames=4)
    assert found.images.shape == (4, 3, *SHAPE) and found.steps == [0, 200, 400, 600] and found.acceptance is None
    known = ~HIDDEN
    for frame in found.images:
        np.testing.assert_array_equal(frame[:, known], images[:, known])
    expected, _ = conditional(logits(images))
    np.testing.assert_allclose(logits(found.images[-1])[:, HIDDEN.ravel()], expected, atol=0.01)
    np.testing.assert_allclose(found.log_prob[-1], flow.log_prob(found.images[-1]), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found.log_prob[0], flow.log_prob(found.images[0]), rtol=1e-4, atol=1e-4)


def test_hmc_draws_from_the_conditional_distribution(flow):
    """300 copies of one image: mean within 5 standard errors, covariance within 5 of the largest one's."""
    image = np.random.default_rng(1).uniform(0.1, 0.9, (1, *SHAPE)).astype(np.float32)
    found = inpaint(flow, np.repeat(image, 300, axis=0), HIDDEN, "hmc", num_steps=150, num_frames=2)
    y = logits(found.images[-1])[:, HIDDEN.ravel()]
    (mean,), covariance = conditional(logits(image))
    error = np.sqrt(np.diag(covariance) / 300)
    assert np.all(np.abs(y.mean(0) - mean) < 5 * error)
    np.testing.assert_allclose(np.cov(y.T), covariance, atol=5 * covariance.max() * np.sqrt(2 / 300))
    assert 0.6 < found.acceptance < 0.95


def test_all_pixels_may_be_hidden(flow):
    """What is drawn then are samples of the model."""
    images = np.full((200, *SHAPE), 0.5, np.float32)
    y = logits(inpaint(flow, images, np.full(SHAPE, True), "hmc", num_steps=60, num_frames=2).images[-1])
    z = y @ LOWER.T
    np.testing.assert_allclose(np.cov(z.T), np.eye(4), atol=5 * np.sqrt(2 / 200))


def test_of_a_conditional_flow_it_is_without_the_label():
    """log p(x) is the sum over classes."""
    conditional_flow = bright_by_class(logit_alpha=1e-3)
    conditional_flow.set_class_shares([1, 2, 3])
    images = conditional_flow.sample(2, [0, 1], temperature=0.5).numpy()
    found = inpaint(conditional_flow, images, np.arange(16).reshape(4, 4, 1) < 8, num_steps=3, num_frames=2)
    for frame, log_prob in zip(found.images, found.log_prob, strict=True):
        joint = conditional_flow.joint_log_prob(frame)
        np.testing.assert_allclose(log_prob, scipy.special.logsumexp(joint, axis=1), rtol=1e-3)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"hidden": np.zeros(SHAPE, bool)}, "no pixel is hidden"),
        ({"method": "median"}, "method='median' is unknown; expected one of: map, hmc"),
        ({"num_steps": 0}, "num_steps=0; expected an integer, 1 to"),
        ({"num_frames": 1}, "num_frames=1; expected an integer, 2 to"),
        ({"generator": flow_gan.DCGAN((2, 2, 1), filters=2)}, "DCGAN has no likelihood"),
        ({"generator": Correlated(SHAPE, "uniform", 1e-6)}, "prior=uniform has bounded support"),
    ],
)
def test_bad_arguments(flow, changes, message):
    with pytest.raises(flow_gan.UserError, match=message):
        inpaint(**({"generator": flow, "images": np.full((1, *SHAPE), 0.5), "hidden": HIDDEN} | changes))
