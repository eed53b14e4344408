import math

import numpy as np

from flow_gan import config, evaluation, training
from flow_gan.data import digits


def test_units():
    nll = evaluation.NLL(nats=-100.0, nats_standard_error=2.0, num_images=5, size=64, levels=17)
    np.testing.assert_allclose(nll.bits_per_dim, -100 / (64 * math.log(2)) + math.log2(17))
    np.testing.assert_allclose(nll.bits_per_dim_standard_error, 2 / (64 * math.log(2)))
    assert str(nll) == "-100.00 +- 2.00 nats, 1.8333 +- 0.0451 bits/dim (5 images)"
    assert nll.to_dict()["bits_per_dim"] == nll.bits_per_dim


def test_a_uniform_density_has_log2_levels_bits_per_dim():
    assert evaluation.NLL(0.0, 0.0, 1, 64, 17).bits_per_dim == math.log2(17)


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
