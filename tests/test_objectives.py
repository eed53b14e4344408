import numpy as np
import pytest
import tensorflow as tf

import flow_gan
from flow_gan import objectives

R, K = np.array([[0.3], [-1.2]]), np.array([[0.7], [2.0]])


def softplus(x):
    return np.log1p(np.exp(x))


EXPECTED = {
    "wgan": (-R, K, -K),
    "ce": (softplus(-R), softplus(K), softplus(-K)),
    "lsgan": ((R - 1) ** 2 / 2, K**2 / 2, (K - 1) ** 2 / 2),
    "kl": (-R, np.exp(K - 1), -K),
    "rkl": (np.exp(R), -K - 1, K + 1),
    "tv": (-np.tanh(R) / 2, np.tanh(K) / 2, -np.tanh(K) / 2),
    "hellinger": (np.exp(-R), np.exp(K) - 2, np.exp(-K)),
}


@pytest.mark.parametrize("divergence", objectives.DIVERGENCES)
def test_terms(divergence):
    real, fake, generator = EXPECTED[divergence]
    actual_real, actual_fake = objectives.critic_loss(divergence, tf.constant(R), tf.constant(K))
    np.testing.assert_allclose(actual_real, real.mean())
    np.testing.assert_allclose(actual_fake, fake.mean())
    np.testing.assert_allclose(objectives.generator_loss(divergence, tf.constant(K)), generator.mean())


@pytest.mark.parametrize("divergence", objectives.DIVERGENCES)
def test_on_which_side_of_the_critic_real_images_are(divergence):
    """Where its own loss pushes their logits, which the generator's loss must agree with."""
    logits = tf.Variable([[0.0]])
    with tf.GradientTape() as tape:
        loss = objectives.critic_loss(divergence, logits, tf.constant([[0.0]]))[0]
    is_high = tape.gradient(loss, logits).numpy()[0, 0] < 0
    assert objectives.is_real_high(divergence) == is_high == (divergence != "rkl")


def test_an_own_divergence_says_where_real_images_are():
    assert objectives.is_real_high((lambda real, fake: fake - real, lambda fake: -fake))
    assert not objectives.is_real_high((lambda real, fake: real - fake, lambda fake: fake))


def linear_critic(weights):
    return lambda x: tf.reduce_sum(x * weights, [1, 2, 3])[:, None]


def test_penalty_of_a_linear_critic_is_exact():
    weights = np.random.default_rng(0).normal(size=(3, 4, 2))
    images = tf.constant(np.random.default_rng(1).normal(size=(5, 3, 4, 2)))
    whole = objectives.gradient_penalty(linear_critic(weights), images)
    np.testing.assert_allclose(whole, (np.sqrt((weights**2).sum()) - 1) ** 2, rtol=1e-12)
    column = objectives.gradient_penalty(linear_critic(weights), images, "column")
    np.testing.assert_allclose(column, ((np.sqrt((weights**2).sum(0)) - 1) ** 2).mean(), rtol=1e-12)


@pytest.mark.parametrize("norm", objectives.GRADIENT_PENALTY_NORMS)
def test_penalty_at_a_zero_gradient(norm):
    weights = tf.Variable(np.zeros((3, 4, 2)))
    images = tf.constant(np.ones((5, 3, 4, 2)))
    with tf.GradientTape() as tape:
        penalty = objectives.gradient_penalty(linear_critic(weights), images, norm)
    np.testing.assert_allclose(penalty, 1)
    assert np.isfinite(tape.gradient(penalty, weights)).all()


def test_interpolate():
    real, fake = np.zeros((2, 1, 1, 1)), np.ones((2, 1, 1, 1))
    points = objectives.interpolate(real, fake, np.array([0.25, 1.0]))
    np.testing.assert_allclose(np.ravel(points), [0.25, 1])


def test_generator_objective():
    assert objectives.generator_objective(None, 3.0, 1.0) == 3
    assert objectives.generator_objective(2.0, None, 0.0) == 2
    assert objectives.generator_objective(2.0, 3.0, 4.0) == 3.5


@pytest.mark.parametrize(
    "call",
    [
        lambda: objectives.critic_loss("js", R, K),
        lambda: objectives.generator_loss("js", K),
        lambda: objectives.gradient_penalty(linear_critic(1.0), tf.ones([1, 1, 1, 1]), "js"),
    ],
)
def test_unknown_names(call):
    with pytest.raises(flow_gan.UserError, match="'js' is unknown; expected one of: "):
        call()
