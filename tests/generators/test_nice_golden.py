"""NICE against the original release's numbers."""

import numpy as np
import pytest
import tensorflow as tf

from flow_gan.bijectors import even_odd_split
from tests.helpers.golden import (
    Golden,
    assert_close_to_largest,
    assert_log_prob,
)

FILES = ["nice_mnist", "nice_gaussian"]


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name, prefix", [("nice_mnist", ""), ("nice_mnist", "alpha1e-6/"), ("nice_gaussian", "")])
def test_outputs(name, prefix, training):
    golden = Golden(name)
    mode = prefix + ("train" if training else "eval")
    generator = golden.nice(alpha=1e-6 if prefix else None)
    images = golden.dequantized()
    z = generator.encode(images, training=training)
    assert_close_to_largest(z, golden[f"{mode}/z"], 2e-4)
    bijector = generator.bijector(training=training)
    assert_log_prob(bijector.inverse_log_det_jacobian(images), golden[f"{mode}/logdet"])
    log_prob = generator.log_prob(images, training=training)
    assert_log_prob(log_prob, golden[f"{mode}/logp"])
    nll = -tf.reduce_mean(log_prob)
    expected = golden[f"{mode}/nll" if training else f"{mode}/metric"]
    np.testing.assert_allclose(nll, expected, rtol=3e-5)
    decoded = generator.decode(golden["z_in"], training=training)
    np.testing.assert_allclose(decoded, golden[f"{mode}/G"], atol=2e-5)
    if not training:
        np.testing.assert_allclose(tf.clip_by_value(decoded, 0, 1), golden[f"{mode}/G_sampler"], atol=2e-5)


@pytest.mark.parametrize("name", FILES)
def test_every_layer(name):
    golden = Golden(name)
    for mode, training in (("eval", False), ("train", True)):
        chain = golden.nice().bijector(training=training).bijector.bijectors[::-1]
        x = golden.dequantized()
        log_det = 0
        for layer, bijector in zip(["logit", "pre", *range(4), "scaling"], chain, strict=True):
            event_ndims = 3 if layer in ("logit", "pre") else 1
            log_det += bijector.forward_log_det_jacobian(x, event_ndims)
            x = bijector.forward(x)
            if layer == "logit":
                continue
            label = {"pre": "pre", "scaling": "Scaling"}.get(layer, f"Checkerboard_{layer!s}")
            if isinstance(layer, int):
                label = f"Checkerboard_{layer + 1}"
            activation = "pre/y" if label == "pre" else f"act/{label}"
            log_det_key = "pre/logdet" if label == "pre" else f"ld/{label}"
            assert_close_to_largest(x, golden[f"{mode}/{activation}"], 2e-4, label)
            assert_log_prob(log_det * tf.ones(x.shape[0]), golden[f"{mode}/{log_det_key}"])


@pytest.mark.parametrize("name", FILES)
def test_permutation(name):
    golden = Golden(name)
    shape = golden.meta["image"]
    positions = np.arange(np.prod(shape), dtype=np.float32).reshape(1, *shape)
    np.testing.assert_array_equal(even_odd_split(shape).forward(positions)[0], golden["permutation"].astype(np.float32))
