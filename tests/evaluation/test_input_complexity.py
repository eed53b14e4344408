"""The likelihood beside the length of a PNG file."""

import math

import numpy as np
import PIL.Image
import pytest

from flow_gan.evaluation import evaluate_auroc, input_complexity, png_bits


def noise(count, *shape):
    return np.random.default_rng(0).integers(0, 256, (count, *shape)).astype(np.uint8)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_lengths_are_those_of_files(tmp_path, channels):
    images = noise(3, 5, 7, channels)
    for image, bits in zip(images, png_bits(images), strict=True):
        path = tmp_path / "image.png"
        PIL.Image.fromarray(image.squeeze()).save(path, compress_level=9)
        assert bits == 8 * path.stat().st_size
        np.testing.assert_array_equal(np.asarray(PIL.Image.open(path)), image.squeeze())


def test_what_is_simple_is_short():
    flat, random = png_bits(np.full((1, 32, 32, 1), 90, np.uint8)), png_bits(noise(1, 32, 32, 1))
    # The bytes of noise cannot be compressed, nor do they grow by more than the frame.
    assert 0 < random[0] - 8 * 32 * 32 < 8 * 150 and flat[0] < 8 * 100


def test_it_sees_simple_images_where_the_likelihood_does_not():
    """Of a uniform model: all images have log2 p = -8 D, and S = 8 D - L(x)."""
    own, other = noise(20, 16, 16, 1), np.repeat(np.arange(20, dtype=np.uint8), 256).reshape(20, 16, 16, 1)
    bits = np.full(20, 8.0 * 256)
    assert evaluate_auroc(bits, bits).value == 0.5
    scores = [input_complexity(bits, png_bits(images)) for images in (own, other)]
    np.testing.assert_array_equal(scores[1], 8 * 256 - png_bits(other))
    assert evaluate_auroc(*scores).value == 1.0


def test_the_difference_is_of_two_lengths():
    np.testing.assert_array_equal(input_complexity(np.array([10.0, math.inf]), np.array([4, 4])), [6, math.inf])
