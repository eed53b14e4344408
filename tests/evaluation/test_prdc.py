"""Precision, recall, density and coverage against closed forms and the package prdc's formulas."""

import dataclasses
import math

import numpy as np
import pytest
from scipy.spatial.distance import cdist

import flow_gan
from flow_gan.errors import NotFiniteError
from flow_gan.evaluation import evaluate_prdc
from flow_gan.evaluation import features as blocks


def line(*places):
    return np.array(places, float)[:, None]


def found(samples, real, neighbours):
    """Return (precision, recall, density, coverage)."""
    values = evaluate_prdc(samples, real, neighbours)
    return values.precision, values.recall, values.density, values.coverage


TEN = line(*range(10))


@pytest.mark.parametrize("neighbours", [1, 2])
def test_copies_of_real_images_are_as_good_as_these(neighbours):
    """Each lies in its own ball and, of two neighbours, at the ends in one more; never on the edge of one."""
    density = {1: 1, 2: (10 + 2) / (2 * 10)}[neighbours]
    np.testing.assert_allclose(found(TEN, TEN, neighbours), [1, 1, density, 1])


def test_samples_between_real_images():
    """All balls have the radius 1: each sample is in two of them, but the last, beyond the end, in one."""
    np.testing.assert_allclose(found(TEN + 0.5, TEN, 1), [1, 1, (2 * 9 + 1) / 10, 1])


def test_samples_of_one_of_two_modes():
    two = np.concatenate([TEN, TEN + 1000])
    np.testing.assert_allclose(found(TEN + 0.5, two, 1), [1, 0.5, 1.9, 0.5])
    # As many samples of something else are not precise, and recall nothing more.
    np.testing.assert_allclose(found(np.concatenate([TEN + 0.5, TEN - 500]), two, 1), [0.5, 0.5, 0.95, 0.5])


def test_an_outlier_has_precision_but_little_density_and_coverage():
    """The second neighbour of a real image at 1000 is 992 away, and all samples about 500 lie in its ball alone."""
    real = np.concatenate([TEN, line(1000)])
    np.testing.assert_allclose(found(TEN + 495, real, 2), [1, 0, 0.5, 1 / 11])


def test_one_image_again_and_again_recalls_nothing():
    assert found(np.full((10, 1), 3.0), TEN, 1) == (1, 0, 1, 0.1)


def test_density_and_coverage_of_equal_distributions():
    """They are 1 and 1 - prod_(l = 1)^k (m - l) / (n + m - l) in the mean (Naeem et al. 2020, Section 3.2)."""
    rng, neighbours, n, m = np.random.default_rng(0), 3, 24, 18
    values = [found(rng.normal(size=(n, 2)), rng.normal(size=(m, 2)), neighbours)[2:] for _ in range(400)]
    coverage = 1 - math.prod((m - i) / (n + m - i) for i in range(1, neighbours + 1))
    errors = np.std(values, axis=0) / math.sqrt(len(values))
    assert np.all(np.abs(np.mean(values, axis=0) - [1, coverage]) < 4 * errors) and np.all(errors < 0.02)


def prdc(real, fake, nearest_k):
    """The package's `compute_prdc`; the nearest of all to an image is the image itself."""

    def radii(features):
        return np.partition(cdist(features, features), nearest_k, axis=-1)[:, nearest_k]

    distances = cdist(real, fake)
    inside = distances < radii(real)[:, None]
    return (
        inside.any(axis=0).mean(),
        (distances < radii(fake)[None]).any(axis=1).mean(),
        inside.sum(axis=0).mean() / nearest_k,
        (distances.min(axis=1) < radii(real)).mean(),
    )


@pytest.mark.parametrize("neighbours", [1, 5])
@pytest.mark.parametrize("block", [2**23, 100])
def test_they_are_those_of_the_package_in_blocks_of_any_size(neighbours, block, monkeypatch):
    monkeypatch.setattr(blocks, "_BLOCK_NUMBERS", block)
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(60, 4)), rng.normal(0.4, 0.7, size=(45, 4)) + 100 * (rng.uniform(size=(45, 1)) < 0.2)
    expected = prdc(real, fake, neighbours)
    np.testing.assert_allclose(found(fake, real, neighbours), expected, rtol=1e-12)
    assert min(expected) > 0 and max(expected[:2]) < 1


FOUR = np.arange(20.0).reshape(4, 5)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: evaluate_prdc(FOUR, FOUR[:, :2]), r"reference_features are \[4, 2\], features \[4, 5\]; expected"),
        (lambda: evaluate_prdc(FOUR, FOUR[:3], 3), "neighbours=3 of 4 and 3 images; expected 1 or more, and less than"),
        (lambda: evaluate_prdc(FOUR[:3], FOUR, 3), "neighbours=3 of 3 and 4 images"),
        (lambda: evaluate_prdc(FOUR, FOUR, 0), "neighbours=0 of 4 and 4 images"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(flow_gan.UserError, match=message):
        call()


def test_features_that_are_not_finite():
    with pytest.raises(NotFiniteError, match="reference_features hold values that are not finite"):
        evaluate_prdc(FOUR, np.full((4, 5), np.inf))


def test_what_is_printed_and_stored():
    values = evaluate_prdc(TEN + 0.5, TEN, 1)
    assert str(values) == "precision 1.000, recall 1.000, density 1.900, coverage 1.000"
    assert values.to_dict() == dataclasses.asdict(values) and values.neighbours == 1
