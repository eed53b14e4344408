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


def test_quantize_takes_dequantize_back():
    for levels in (2, 17, 256):
        images = np.arange(levels, dtype=np.uint8)
        for noise in np.float32([0, 0.5, 0.9999]):
            np.testing.assert_array_equal(data.quantize(data.dequantize(images, noise, levels), levels), images)
    np.testing.assert_array_equal(data.quantize([-0.1, 1, 1.5, np.nan, np.inf, -np.inf]), [0, 255, 255, 0, 255, 0])


def test_levels_are_shown_from_black_to_white():
    np.testing.assert_array_equal(data.shown_levels(256), np.arange(256))
    np.testing.assert_array_equal(data.shown_levels(2), [0, 255])
    shown = data.shown_levels(17)
    assert shown[0] == 0 and shown[16] == 255 and shown[8] == 128 and len(set(shown)) == 17
