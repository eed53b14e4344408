"""Choice of a mixture's bandwidth on validation images."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from scipy import optimize

from flow_gan.errors import UserError
from flow_gan.evaluation.mixture import Distances, IsotropicMixture, check_bandwidths
from flow_gan.evaluation.statistics import kept_per_image, mean_and_error
from flow_gan.evaluation.text import out_of, with_error, with_warnings

# The interval (0, 1] of the paper's line search on a log axis, six steps to the decade. It begins at the standard
# deviation of the dequantisation noise of 256 grey levels, 1 / (256 sqrt(12)) = 0.0011.
COARSE_GRID = tuple(np.geomspace(1e-3, 1, 19).tolist())
# Tolerance of log sigma. Around the best bandwidth the NLL grows by about D (log sigma - log best)^2, which is
# 0.003 nats for D = 3,072.
_TOLERANCE = 1e-3


@dataclasses.dataclass(frozen=True, kw_only=True)
class BandwidthSearch:
    """NLL of a mixture over its bandwidth, in nats per image (paper, Figures 3 and 6).

    Attributes:
      bandwidths: K, ascending.
      validation_nll, validation_standard_error: at each bandwidth the mean over images and its standard error.
      test_nll, test_standard_error: the same for the test images.
      num_available: numbers of validation and of test images in the data set; `num_validation` and `num_test` of them
        were used.
      size: D.
      best_validation_nll_per_image, best_test_nll_per_image: the NLL of each image at the best bandwidth; see
        `kept_per_image` for their length.
      validation_nll_per_image: float64 [K, n], that of each validation image at each bandwidth; not in `to_dict`,
        because of its size.
    """

    bandwidths: list[float]
    validation_nll: list[float]
    validation_standard_error: list[float]
    test_nll: list[float]
    test_standard_error: list[float]
    num_centres: int
    num_validation: int
    num_test: int
    size: int
    num_available: list[int]
    best_validation_nll_per_image: list[float] = dataclasses.field(repr=False)
    best_test_nll_per_image: list[float] = dataclasses.field(repr=False)
    validation_nll_per_image: np.ndarray = dataclasses.field(repr=False, compare=False)

    @property
    def best(self) -> int:
        """Index of the bandwidth with the lowest validation NLL."""
        return int(np.argmin(self.validation_nll))

    @property
    def best_bandwidth(self) -> float:
        """The bandwidth of the lowest validation NLL."""
        return self.bandwidths[self.best]

    @property
    def warnings(self) -> list[str]:
        """Sentences to show with the numbers; none if they are sound."""
        if self.best not in (0, len(self.bandwidths) - 1):
            return []
        return [f"the best bandwidth, {self.best_bandwidth:.4g}, is at an end of the range that was searched"]

    def __str__(self) -> str:
        i = self.best
        validation_available, test_available = self.num_available
        text = (
            f"bandwidth {self.best_bandwidth:.4g}: "
            f"validation NLL {with_error(self.validation_nll[i], self.validation_standard_error[i], 2)} nats "
            f"({out_of(self.num_validation, validation_available)} images), "
            f"test NLL {with_error(self.test_nll[i], self.test_standard_error[i], 2)} nats "
            f"({out_of(self.num_test, test_available)} images), "
            f"{self.num_centres} centres"
        )
        return with_warnings(text, self.warnings)

    def to_dict(self) -> dict:
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


def search_bandwidth(
    mixture: IsotropicMixture,
    validation_images: np.ndarray,
    test_images: np.ndarray,
    grid: Sequence[float] = COARSE_GRID,
    num_available: list[int] | None = None,
) -> BandwidthSearch:
    """Return the `BandwidthSearch` of a mixture: the line search of the paper's Section 3.4.

    The validation NLL is computed at every bandwidth of the grid, then minimised between the two neighbours of the
    grid's best by Brent's method over log sigma, to 0.1 % of sigma. The distances of the validation images are kept
    for that (see `Distances`). The test NLL is computed once, at all bandwidths that were tried; the choice does not
    depend on it.

    Args:
      mixture: its centres are training images, or samples of a generator.
      validation_images, test_images: floats [n, H, W, C] or [n, D], dequantised.
      grid: two or more bandwidths > 0.
      num_available: see `BandwidthSearch`; if None, the numbers of images given.

    Raises:
      UserError: an argument is outside its range; see `IsotropicMixture.log_prob`.
    """
    coarse = np.unique(check_bandwidths(grid))
    if len(coarse) < 2:
        raise UserError(f"grid={coarse.tolist()}; expected two bandwidths or more")
    by_bandwidth = _validate(mixture, validation_images, coarse)
    bandwidths = sorted(by_bandwidth)
    validation = np.stack([by_bandwidth[bandwidth] for bandwidth in bandwidths])
    test = -Distances(mixture, test_images).log_prob(bandwidths, "bandwidth, test")
    validation_nll, validation_error = zip(*map(mean_and_error, validation), strict=True)
    test_nll, test_error = zip(*map(mean_and_error, test), strict=True)
    best = int(np.argmin(validation_nll))
    return BandwidthSearch(
        bandwidths=bandwidths,
        validation_nll=list(validation_nll),
        validation_standard_error=list(validation_error),
        test_nll=list(test_nll),
        test_standard_error=list(test_error),
        num_centres=mixture.num_centres,
        num_validation=len(validation_images),
        num_test=len(test_images),
        size=mixture.size,
        num_available=num_available or [len(validation_images), len(test_images)],
        best_validation_nll_per_image=kept_per_image(validation[best]),
        best_test_nll_per_image=kept_per_image(test[best]),
        validation_nll_per_image=validation,
    )


def _validate(mixture, images, grid):
    """Return {bandwidth: NLL of each image, [n]} for all bandwidths that the search tries."""
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
      other_nll, other_score: of the other model. The mixture is always better than an NLL that is not finite.
    """
    other_nll = other_nll if math.isfinite(other_nll) else math.inf
    found = zip(bandwidths, nll, scores, strict=True)
    return sorted(bandwidth for bandwidth, own, score in found if own < other_nll and score > other_score)
