"""Real-NVP against the original release's numbers."""

import numpy as np
import pytest
import tensorflow as tf

from tests.helpers.golden import (
    Golden,
    assert_close_to_largest,
    assert_log_prob,
)

FILES = ["real_nvp_cifar_adaptive", "real_nvp_cifar_simple", "real_nvp_cifar_channels64"]


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", FILES)
def test_outputs(name, training):
    golden = Golden(name)
    mode = "train" if training else "eval"
    generator = golden.real_nvp()
    images = golden.dequantized()
    z = generator.encode(images, training=training)
    released = golden[f"{mode}/z"]
    assert_close_to_largest(z, released.reshape(len(released), -1), 2e-4)
    assert_log_prob(generator.bijector(training=training).inverse_log_det_jacobian(images), golden[f"{mode}/logdet"])
    log_prob = generator.log_prob(images, training=training)
    assert_log_prob(log_prob, golden[f"{mode}/logp"])
    nll = -tf.reduce_mean(log_prob)
    if mode == "train":
        np.testing.assert_allclose(nll, golden["train/nll"], rtol=3e-5)
    else:
        np.testing.assert_allclose(8 + nll / (generator.size * np.log(2)), golden["eval/metric"], rtol=3e-5)
        np.testing.assert_allclose(generator.decode(golden["z_in"]), golden["eval/G_sampler"], atol=2e-5)
    np.testing.assert_allclose(generator.decode(golden["z_in"], training=training), golden[f"{mode}/G"], atol=2e-5)


def layers_of(bijector, image):
    """Yield (layer of the release or "pre", activation, log-determinant so far) for every layer of the flow."""
    chain = list(bijector.bijector.bijectors[::-1])
    x, log_det, squeezes = image, 0, 0
    while chain:
        layer = chain.pop(0)
        if layer.name.startswith("factor_out"):
            scale = int(layer.name[-1])
            x = tf.split(x, 2, axis=-1)[1]
            yield f"FactorOut{scale}", x, log_det
            _, joint, _ = layer.bijectors
            chain = list(joint.bijectors[1].bijectors[::-1])
            continue
        if layer.name == "reshape":
            return
        log_det += layer.forward_log_det_jacobian(x, 3)
        x = layer.forward(x)
        if layer.name == "alpha_logit":
            label = "pre"
        elif layer.name == "squeeze":
            label, squeezes = f"Squeeze{squeezes}", squeezes + 1
        else:
            kind, scale, number = layer.name.split("_")
            label = f"{kind.capitalize()}{scale}_{number}"
        yield label, x, log_det


@pytest.mark.parametrize("name", FILES)
def test_every_layer(name):
    golden = Golden(name)
    seen = []
    for mode in ("eval", "train"):
        for label, x, log_det in layers_of(golden.real_nvp().bijector(training=mode == "train"), golden.dequantized()):
            if label == "pre":
                assert_close_to_largest(x, golden[f"{mode}/pre/y"], 2e-4)
                assert_log_prob(log_det, golden[f"{mode}/pre/logdet"])
            elif f"{mode}/act/{label}" in golden.keys:
                assert_close_to_largest(x, golden[f"{mode}/act/{label}"], 2e-4, label)
                assert_log_prob(log_det, golden[f"{mode}/ld/{label}"])
            seen.append(f"{mode}/act/{label}")
    # The release's last layer splits and joins again, which nothing here needs to do.
    released = {k for k in golden.keys if "/act/" in k} - {"eval/act/FactorOut1", "train/act/FactorOut1"}
    assert set(seen) >= released and len(seen) >= 13
