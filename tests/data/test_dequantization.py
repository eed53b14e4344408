"""From grey levels to a density."""

import numpy as np
import tensorflow as tf

from flow_gan import data


def test_dequantize():
    images = np.array([0, 1, 16], np.uint8)
    np.testing.assert_allclose(data.dequantize(images, 0.5, levels=17), [0.5 / 17, 1.5 / 17, 16.5 / 17])
    noise = np.array(0.25, np.float64)
    assert data.dequantize(images, noise).dtype == tf.float64
    np.testing.assert_allclose(data.dequantize(np.uint8(255), noise), 255.25 / 256)
    largest = np.float32(1 - 2.0**-24)
    for levels in (17, 256):
        assert data.dequantize(np.uint8(levels - 1), largest, levels) < 1
