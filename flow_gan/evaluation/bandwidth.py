"""Choice of a mixture's bandwidth on validation images."""

import dataclasses
import math

import numpy as np
from scipy import optimize

from flow_gan.errors import UserError
from flow_gan.evaluation.mixture import Distances, check_bandwidths
from flow_gan.evaluation.statistics import kept_per_image, mean_and_error, with_error

# (0, 1] of the paper's line search on a log axis, six steps to the decade. Below lies the spread of the dequantisation
# noise of 256 grey levels, 1 / (256 sqrt(12)) = 0.0011.
COARSE_GRID = tuple(np.geomspace(1e-3, 1, 19).tolist())
# Of log sigma. Around the best bandwidth the NLL grows by about D (log sigma - log best)^2: 0.003 nats for D = 3,072.
_TOLERANCE = 1e-3


@dataclasses.dataclass(frozen=True)
class BandwidthSearch:
    """NLL of a mixture over its bandwidth, in nats per image (paper, Figures 3 and 6).

    Attributes:
      bandwidths: list of K floats, ascending.
      validation_nll, validation_standard_error: lists of K floats, mean over images and its standard error.
      test_nll, test_standard_error: the same for the test images.
      num_centres, num_validation, num_test: int.
      num_available: [int, int], validation and test images that there are; more than were used where the figures are of
        a part.
      size: int, D.
      best_validation_nll_per_image, best_test_nll_per_image: lists of float, the NLL of each image at the best
        bandwidth; see `kept_per_image` for their length.
      validation_nll_per_image: float64 [K, n], that of each validation image at each bandwidth. It is no part of
        `to_dict`, for its size.
    """

    bandwidths: list
    validation_nll: list
    validation_standard_error: list
    test_nll: list
    test_standard_error: list
    num_centres: int
    num_validation: int
    num_test: int
    size: int
    num_available: list
    best_validation_nll_per_image: list
    best_test_nll_per_image: list
    validation_nll_per_image: np.ndarray = dataclasses.field(repr=False, compare=False)

    @property
    def best(self):
        """Index of the bandwidth with the lowest validation NLL."""
        return int(np.argmin(self.validation_nll))

    @property
    def best_bandwidth(self):
        """The bandwidth of the lowest validation NLL."""
        return self.bandwidths[self.best]

    @property
    def warnings(self):
        """Sentences that must stand beside the figures, none where they are sound."""
        if self.best not in (0, len(self.bandwidths) - 1):
            return []
        return [f"the best bandwidth, {self.best_bandwidth:.4g}, is an end of the range that was searched"]

    def __str__(self):
        i = self.best
        used = [
            f"{count} of {available}" if count < available else f"{count}"
            for count, available in zip((self.num_validation, self.num_test), self.num_available, strict=True)
        ]
        return (
            f"bandwidth {self.best_bandwidth:.4g}: "
            f"validation NLL {with_error(self.validation_nll[i], self.validation_standard_error[i], 2)} nats "
            f"({used[0]} images), "
            f"test NLL {with_error(self.test_nll[i], self.test_standard_error[i], 2)} nats ({used[1]} images), "
            f"{self.num_centres} centres"
        ) + "".join(f"\nwarning: {warning}" for warning in self.warnings)

    def to_dict(self):
        """Return all figures by name."""
        i = self.best
        kept = {name: value for name, value in vars(self).items() if name != "validation_nll_per_image"}
        return kept | {
            "best_bandwidth": self.best_bandwidth,
            "best_validation_nll": self.validation_nll[i],
            "best_validation_standard_error": self.validation_standard_error[i],
            "best_test_nll": self.test_nll[i],
            "best_test_standard_error": self.test_standard_error[i],
            "warnings": self.warnings,
        }


def search_bandwidth(mixture, validation_images, test_images, grid=COARSE_GRID, num_available=None):
    """Return the `BandwidthSearch` of a mixture: the line search of the paper's Section 3.4.

    The validation NLL is computed at every bandwidth of the grid, then minimised between the two neighbours of the
    grid's best by Brent's method over log sigma, to 0.1 % of sigma. The distances of the validation images are kept
    for that (see `Distances`). The test NLL is computed once, at all bandwidths that were tried; it chooses nothing.

    Args:
      mixture: `IsotropicMixture`; its centres are training images, or samples of a generator.
      validation_images, test_images: floats [n, H, W, C] or [n, D], dequantised.
      grid: floats > 0, two or more.
      num_available: [int, int], images in either split; those given if None.

    Raises:
      UserError: an argument is outside its range; see `IsotropicMixture.log_prob`.
    """
    grid = np.unique(check_bandwidths(grid))
    if len(grid) < 2:
        raise UserError(f"grid={grid.tolist()}; expected two bandwidths or more")
    validation = _validate(mixture, validation_images, grid)
    bandwidths = sorted(validation)
    validation = np.stack([validation[bandwidth] for bandwidth in bandwidths])
    test = -Distances(mixture, test_images).log_prob(bandwidths, "bandwidth, test")
    validation_nll, validation_error = zip(*map(mean_and_error, validation), strict=True)
    test_nll, test_error = zip(*map(mean_and_error, test), strict=True)
    best = int(np.argmin(validation_nll))
    return BandwidthSearch(
        bandwidths,
        list(validation_nll),
        list(validation_error),
        list(test_nll),
        list(test_error),
        mixture.num_centres,
        len(validation_images),
        len(test_images),
        mixture.size,
        num_available or [len(validation_images), len(test_images)],
        kept_per_image(validation[best]),
        kept_per_image(test[best]),
        validation,
    )


def _validate(mixture, images, grid):
    """Return {bandwidth: NLL of each image, [n]} of all bandwidths that the search tries."""
    distances = Distances(mixture, images, keep=True)
    log_prob = distances.log_prob(grid, "bandwidth, coarse grid")
    found = dict(zip(grid.tolist(), -log_prob, strict=True))

    def nll(log_bandwidth):
        bandwidth = math.exp(log_bandwidth)
        found[bandwidth] = -distances.log_prob([bandwidth], "bandwidth, refinement")[0]
        return np.mean(found[bandwidth])

    best = min(range(len(grid)), key=lambda i: np.mean(found[grid[i]]))
    bounds = np.log([grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]])
    optimize.minimize_scalar(nll, bounds=bounds, method="bounded", options={"xatol": _TOLERANCE})
    return found


def winning_bandwidths(
    bandwidths: list[float], nll: list[float], scores: list[float], other_nll: float, other_score: float
) -> list[float]:
    """Return the bandwidths, ascending, at which a mixture has both a lower NLL and a higher score than another model.

    Args:
      bandwidths, nll, scores: lists of K floats, of the mixture.
      other_nll, other_score: the other model's. One without a finite likelihood loses to any.
    """
    other_nll = other_nll if math.isfinite(other_nll) else math.inf
    found = zip(bandwidths, nll, scores, strict=True)
    return sorted(bandwidth for bandwidth, own, score in found if own < other_nll and score > other_score)
