import json
import math

import numpy as np
import pytest

from flow_gan import UserError, data
from flow_gan.evaluation import mixture
from flow_gan.evaluation.bandwidth import COARSE_GRID, BandwidthSearch, search_bandwidth
from flow_gan.evaluation.mixture import IsotropicMixture

RNG = np.random.default_rng(0)


def test_the_coarse_grid_is_that_of_the_paper_s_range():
    assert COARSE_GRID[-1] == 1 and COARSE_GRID[0] == pytest.approx(1e-3)


def test_best_bandwidth_of_one_centre_is_its_closed_form():
    """The likelihood of one Gaussian is highest at sigma^2 = mean |x - c|^2 / D."""
    validation, test = RNG.normal(0.5, 0.037, (50, 20)), RNG.normal(0.5, 0.037, (30, 20))
    result = search_bandwidth(IsotropicMixture(np.full((1, 20), 0.5), "float64"), validation, test)
    sigma = math.sqrt(np.mean((validation - 0.5) ** 2))
    assert result.best_bandwidth == pytest.approx(sigma, rel=1e-3)
    lowest = 10 * math.log(2 * math.pi * math.e * sigma**2)
    assert lowest <= result.validation_nll[result.best] < lowest + 20 * 1e-3**2
    assert not result.warnings


def test_best_bandwidth_on_samples_of_a_known_mixture():
    """The estimate of sigma from n D values has a relative standard error of 1 / sqrt(2 n D)."""
    gaussians = IsotropicMixture(RNG.uniform(0.3, 0.7, (30, 4, 4, 1)))
    images = gaussians.sample(2000, 0.05, seed=1)
    result = search_bandwidth(gaussians, images[:1500], images[1500:])
    assert abs(result.best_bandwidth / 0.05 - 1) < 4 / math.sqrt(2 * 1500 * 16) + 1e-3
    test_nll, error = result.test_nll[result.best], result.test_standard_error[result.best]
    assert abs(test_nll - result.validation_nll[result.best]) < 4 * error
    assert (result.num_centres, result.num_validation, result.num_test, result.size) == (30, 1500, 500, 16)


def test_every_figure_is_the_mean_over_images_at_its_bandwidth():
    dataset, noise = data.load("digits"), RNG.uniform(size=(2, 100, 8, 8, 1))
    gaussians = IsotropicMixture.of_images(dataset.train.images, 17)
    validation, test = (
        (split.images[:100] + u) / 17 for split, u in zip((dataset.validation, dataset.test), noise, strict=True)
    )
    result = search_bandwidth(gaussians, validation, test)
    assert result.bandwidths == sorted(result.bandwidths) and set(COARSE_GRID) <= set(result.bandwidths)
    assert result.best_bandwidth not in COARSE_GRID and 0.05 < result.best_bandwidth < 0.3
    assert result.validation_nll[result.best] == min(result.validation_nll)
    for images, nll, errors in (
        (validation, result.validation_nll, result.validation_standard_error),
        (test, result.test_nll, result.test_standard_error),
    ):
        log_prob = gaussians.log_prob(images, result.bandwidths)
        np.testing.assert_allclose(nll, -log_prob.mean(1), 1e-6)
        np.testing.assert_allclose(errors, log_prob.std(1, ddof=1) / 10, 1e-6)
        best = {"validation": result.best_validation_nll_per_image, "test": result.best_test_nll_per_image}
        np.testing.assert_allclose(best["validation" if images is validation else "test"], -log_prob[result.best], 1e-6)
    np.testing.assert_allclose(result.validation_nll_per_image.mean(1), result.validation_nll, 1e-12)


def test_the_distances_of_the_validation_images_are_computed_once(monkeypatch):
    calls, nearest = [], mixture._nearest
    monkeypatch.setattr(mixture, "_nearest", lambda *args: calls.append(0) or nearest(*args))
    search_bandwidth(IsotropicMixture(RNG.uniform(size=(5, 3))), RNG.uniform(size=(9, 3)), RNG.uniform(size=(9, 3)))
    assert len(calls) == 2


def test_a_best_bandwidth_at_an_end_is_said():
    """Images that are centres would have the bandwidth 0."""
    centres = RNG.uniform(size=(5, 3))
    result = search_bandwidth(IsotropicMixture(centres), centres, centres, grid=[1.0, 0.1, 0.5])
    assert result.best_bandwidth == 0.1
    assert result.warnings == ["the best bandwidth, 0.1, is at an end of the range that was searched"]
    assert str(result).endswith("\nwarning: " + result.warnings[0])


def test_the_figures_as_text_and_as_a_dictionary():
    result = BandwidthSearch(
        bandwidths=[0.1, 0.2, 0.3],
        validation_nll=[5.0, -7.0, 6.0],
        validation_standard_error=[0.1, 0.2, 0.3],
        test_nll=[8.0, -9.0, 7.0],
        test_standard_error=[0.4, 0.5, 0.6],
        num_centres=4,
        num_validation=10,
        num_test=20,
        size=3,
        num_available=[10, 50],
        best_validation_nll_per_image=[-8.0, -6.0],
        best_test_nll_per_image=[-9.0],
        validation_nll_per_image=np.zeros([3, 10]),
    )
    assert str(result) == (
        "bandwidth 0.2: validation NLL -7.00 +- 0.20 nats (10 images), "
        "test NLL -9.00 +- 0.50 nats (20 of 50 images), 4 centres"
    )
    figures = json.loads(json.dumps(result.to_dict()))
    assert figures == result.to_dict()
    best = {name: value for name, value in figures.items() if name.startswith("best_")}
    assert best == {
        "best_bandwidth": 0.2,
        "best_validation_nll": -7.0,
        "best_validation_standard_error": 0.2,
        "best_test_nll": -9.0,
        "best_test_standard_error": 0.5,
        "best_validation_nll_per_image": [-8.0, -6.0],
        "best_test_nll_per_image": [-9.0],
    }


def test_a_search_s_figures_are_json():
    centres = RNG.uniform(size=(5, 3))
    result = search_bandwidth(IsotropicMixture(centres), centres, centres, grid=[0.1, 1.0])
    assert json.loads(json.dumps(result.to_dict())) == result.to_dict()


@pytest.mark.parametrize("grid, message", [([0.1], "expected two bandwidths"), ([0.1, 0.0], "bandwidth=0.0; expected")])
def test_mistaken_grids(grid, message):
    with pytest.raises(UserError, match=message):
        search_bandwidth(IsotropicMixture(np.zeros((1, 2))), np.zeros((1, 2)), np.zeros((1, 2)), grid)
