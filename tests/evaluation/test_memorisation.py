"""Nearest neighbours and authenticity, against what is known in closed form."""

import math

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from flow_gan import UserError, data
from flow_gan.errors import NotFiniteError
from flow_gan.evaluation import IsotropicMixture, closeness, features
from flow_gan.evaluation.memorisation import nearest_neighbours
from flow_gan.evaluation.statistics import share_error

RNG = np.random.default_rng(0)
LINE = np.array([[0.0], [1.0], [3.0], [10.0]])


def test_nearest_neighbours_are_those_of_all_distances():
    points, references = RNG.normal(size=(30, 2, 3)), RNG.normal(size=(50, 2, 3))
    distances, indices = nearest_neighbours(points, references, 4)
    every = cdist(points.reshape(30, 6), references.reshape(50, 6))
    np.testing.assert_array_equal(indices, np.argsort(every, axis=1)[:, :4])
    np.testing.assert_allclose(distances, np.sort(every, axis=1)[:, :4], rtol=1e-12)


@pytest.mark.parametrize("rows", [7, 25, 50])
def test_images_are_read_in_blocks_that_change_nothing(rows, monkeypatch):
    images = RNG.integers(0, 256, (50, 4, 4, 1), dtype=np.uint8)
    whole = nearest_neighbours(images[:20], images, 3)
    monkeypatch.setattr(features, "_BLOCK_NUMBERS", rows * 16)
    read = []

    class Images:
        shape = images.shape

        def __len__(self):
            return len(images)

        def __getitem__(self, key):
            read.append(len(key))
            return images[key]

    blocks = nearest_neighbours(images[:20], Images(), 3)
    for one, other in zip(whole, blocks, strict=True):
        np.testing.assert_array_equal(one, other)
    assert max(read) <= rows and sum(read) == 50


def test_distances_of_grey_levels_are_exact():
    """A copy is at 0, and what is as far is as far: no rounding decides."""
    images = RNG.integers(0, 256, (40, 32, 32, 3), dtype=np.uint8)
    moved = images.copy()
    moved[:, 0, 0, 0] ^= 1
    assert (nearest_neighbours(images, images, 1)[0] == 0).all()
    distances, indices = nearest_neighbours(moved, images, 1)
    assert (distances == 1).all() and (indices[:, 0] == np.arange(40)).all()


def test_authenticity_on_a_line():
    """References at 0, 1, 3 and 10 have radii 1, 1, 2 and 7."""
    close = closeness(np.array([[0.4], [1.0], [5.0], [6.0], [-1.5], [17.5]]), LINE, 2)
    np.testing.assert_array_equal(close.indices[:, 0], [0, 1, 2, 2, 0, 3])
    np.testing.assert_allclose(close.distances[:, 0], [0.4, 0, 2, 3, 1.5, 7.5])
    np.testing.assert_allclose(close.radii, [1, 1, 2, 2, 1, 7])
    # As far as the radius is not further.
    np.testing.assert_array_equal(close.margins > 0, [False, False, False, True, True, True])
    assert close.authenticity == 0.5 and close[3:].authenticity == 1 and len(close[3:]) == 3
    assert close.to_dict() == {
        "authenticity": 0.5,
        "standard_error": share_error(3, 6),
        "num_images": 6,
        "median_distance": pytest.approx(1.75),
    }


def test_a_copy_of_an_image_that_is_there_twice_is_one():
    twice = np.array([[0.0], [0.0], [0.0], [5.0]])
    assert closeness(np.array([[0.0]]), twice).authenticity == 0
    assert closeness(np.array([[0.1]]), twice).authenticity == 1


@pytest.mark.parametrize("size, mutual", [(1, 2 / 3), (2, 6 * math.pi / (8 * math.pi + 3 * 3**0.5))])
def test_of_independent_draws_it_is_the_probability_not_to_be_each_other_s_nearest(size, mutual):
    """A point is within the radius of its nearest one if the two are nearest to each other (Clark and Evans 1955)."""
    references, points = np.random.default_rng(1).uniform(size=(2, 20_000, size))
    close = closeness(points[:4000], references)
    assert abs(close.authenticity - (1 - mutual)) < 3.5 * close.standard_error


def test_copies_with_little_noise_are_not_authentic_and_other_images_are():
    dataset = data.load("digits")
    mixture = IsotropicMixture.of_images(dataset.train.images, dataset.levels)
    train = dataset.train.images

    def share(images):
        return closeness(data.quantize(images, dataset.levels), train).authenticity

    assert share(mixture.sample(500, 1e-3).numpy()) == 0
    assert share(mixture.sample(500, 0.07).numpy()) < 0.05
    assert share(mixture.sample(500, 1.0).numpy()) == 1
    assert 0.3 < closeness(dataset.test.images, train).authenticity < 0.7


@pytest.mark.parametrize(
    "points, references, count, message",
    [
        (np.zeros((2, 3)), np.zeros((5, 4)), 1, r"points are \[2, 3\], references \[5, 4\]; expected"),
        (np.zeros((0, 3)), np.zeros((5, 3)), 1, r"points are \[0, 3\]"),
        (np.zeros((2, 3)), np.zeros((5, 3)), 6, "count=6 of 5 references; expected 1 to their number"),
        (np.zeros((2, 3)), np.zeros((5, 3)), 0, "count=0 of 5 references"),
        (np.full((2, 3), np.nan), np.zeros((5, 3)), 1, "points hold values that are not finite"),
        (np.zeros((2, 3)), np.full((5, 3), np.inf), 1, "references hold values that are not finite"),
    ],
)
def test_bad_input(points, references, count, message):
    with pytest.raises(UserError, match=message) as raised:
        nearest_neighbours(points, references, count)
    assert "\n" not in str(raised.value)
    assert isinstance(raised.value, NotFiniteError) == ("finite" in message)


def test_references_without_others_have_no_radius():
    with pytest.raises(UserError, match="count=2 of 1 references"):
        closeness(np.zeros((2, 3)), np.zeros((1, 3)))
