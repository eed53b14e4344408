import math

import numpy as np
import pytest
import scipy.special

import flow_gan
from flow_gan import data
from flow_gan.evaluation import critic_logits, score_images, typicality
from tests.helpers.conditional import bright_by_class, bright_images


def test_typicality_of_a_gaussian():
    """In 1,000 dimensions draws are near the entropy, D/2 ln(2 pi e); the mode, the most likely of all, is D/2 away."""
    size = 1000
    entropy = size / 2 * math.log(2 * math.pi * math.e)
    log_prob = lambda x: -size / 2 * math.log(2 * math.pi) - np.sum(x**2, axis=-1) / 2  # noqa: E731
    draws = typicality(log_prob(np.random.default_rng(0).normal(size=(200, size))), entropy)
    assert np.mean(draws) == pytest.approx(math.sqrt(size / 2) * math.sqrt(2 / math.pi), rel=0.2)
    (mode,) = typicality(log_prob(np.zeros((1, size))), entropy)
    assert mode == pytest.approx(size / 2) and mode > 4 * draws.max()


def test_typicality_of_what_is_not_known():
    found = typicality(np.array([-math.inf, 1.0]), 2.0)
    np.testing.assert_array_equal(found, [math.inf, 3.0])
    assert np.isnan(typicality(np.array([1.0]), math.nan)).all()


@pytest.mark.parametrize("batch_size", [3, 20])
def test_scores_do_not_depend_on_the_batch(batch_size):
    """They are `predict`'s, and the critic's of the same dequantised images."""
    images = np.random.default_rng(0).integers(0, 256, (7, 4, 4, 1)).astype(np.uint8)
    generator = flow_gan.NICE((4, 4, 1), hidden_units=8, num_hidden_layers=0)
    critic = flow_gan.critics.two_convolutions((4, 4, 1), filters=2, dense_units=4)
    model = flow_gan.FlowGAN(generator, critic, seed=5)
    scores = score_images(model, images, batch_size, entropy=-3.0, split="train")
    expected = model(images).numpy()
    np.testing.assert_allclose(scores.log_prob, expected, atol=1e-4)
    np.testing.assert_allclose(scores.bits_per_dim, [data.bits_per_dim(-p, 16, 256) for p in expected], atol=1e-5)
    np.testing.assert_allclose(scores.typicality, np.abs(expected - 3), atol=1e-4)
    assert scores.critic_logit.shape == (7,) and np.ptp(scores.critic_logit) > 0 and scores.warnings == []


def test_scores_of_a_conditional_model():
    """log p(x) is the sum over classes; typicality and critic are those of the most likely class."""
    labels = np.array([0, 2, 1, 1, 2])
    images, generator = bright_images(labels), bright_by_class()
    generator.set_class_shares([1, 2, 3])
    critic = flow_gan.critics.two_convolutions((4, 4, 1), filters=2, dense_units=4, num_classes=3)
    critic.embedding.assign(1e6 * np.random.default_rng(0).normal(size=critic.embedding.shape))
    model = flow_gan.FlowGAN(generator, critic, levels=17, seed=5)
    scores = score_images(model, images, 2, entropy=-3.0)
    x = model.draws.evaluation_images(next(iter(data.evaluation_batches(images, "test", 5))))
    joint = generator.joint_log_prob(x).numpy()
    np.testing.assert_array_equal(scores.most_likely_class, labels)
    np.testing.assert_allclose(scores.log_prob, scipy.special.logsumexp(joint, axis=1), rtol=1e-5)
    np.testing.assert_allclose(scores.typicality, np.abs(generator.log_prob(x, labels) - 3), rtol=1e-5)
    np.testing.assert_allclose(scores.critic_logit, critic((x, labels))[:, 0], rtol=1e-4)
    others = critic((x, (labels + 1) % 3))[:, 0]
    assert np.abs(scores.critic_logit - others).min() > 0.01


def test_the_critics_logits_alone():
    """Of a flow they are those of its scores; of a model without a likelihood they are all that there is."""
    images = np.random.default_rng(0).integers(0, 256, (7, 4, 4, 1)).astype(np.uint8)
    critic = flow_gan.critics.two_convolutions((4, 4, 1), filters=2, dense_units=4)
    flow = flow_gan.FlowGAN(flow_gan.NICE((4, 4, 1), hidden_units=8, num_hidden_layers=0), critic, seed=5)
    expected = score_images(flow, images, 3, entropy=0.0).critic_logit
    np.testing.assert_allclose(critic_logits(flow, images, 7), expected, rtol=1e-5)
    dcgan = flow_gan.FlowGAN(flow_gan.DCGAN((4, 4, 1), filters=2), critic, like_reg=0.0, seed=5)
    np.testing.assert_allclose(critic_logits(dcgan, images, 3), expected, rtol=1e-5)


def test_scores_of_no_per_image_likelihood_say_so():
    generator = flow_gan.RealNVP((4, 4, 1), filters=2, residual_blocks=1, batch_norm="batch")
    scores = score_images(flow_gan.FlowGAN(generator, n_critic=0), np.zeros((2, 4, 4, 1), np.uint8), 2, 0.0)
    assert scores.critic_logit is None and "not a per-image likelihood" in scores.warnings[0]


def test_a_model_without_a_likelihood_has_no_scores():
    critic = flow_gan.critics.two_convolutions((4, 4, 1), filters=2, dense_units=4)
    model = flow_gan.FlowGAN(flow_gan.DCGAN((4, 4, 1), filters=2), critic, like_reg=0.0)
    with pytest.raises(flow_gan.UserError, match=r"DCGAN has no likelihood: .* there is no log p\(x\)"):
        score_images(model, np.zeros((2, 4, 4, 1), np.uint8), 2, 0.0)
