"""KID, the kernel distance of two sets of features (Binkowski et al. 2018)."""

import dataclasses
import math

import numpy as np

from flow_gan.errors import UserError
from flow_gan.evaluation.features import check_features, row_blocks
from flow_gan.evaluation.text import with_error
from flow_gan.progress import progress

_SUBSET_SIZE = 1000


@dataclasses.dataclass(frozen=True, kw_only=True)
class KID:
    """KID of two sets of features.

    Attributes:
      kid: mean over the subsets. Unlike FID it does not depend on the numbers of images; it may be below 0.
      kid_std: standard deviation over the subsets (divisor `subsets`), NaN of a single one.
      subsets: their number.
      subset_size: images of each set in a subset.
    """

    kid: float
    kid_std: float
    subsets: int
    subset_size: int

    def __str__(self) -> str:
        return f"{with_error(self.kid, self.kid_std, 4)} ({self.subsets} subsets of {self.subset_size})"

    def to_dict(self) -> dict:
        """Return all figures by name."""
        return dataclasses.asdict(self)


def squared_mmd(features: np.ndarray, reference_features: np.ndarray) -> float:
    """Return the unbiased estimate of the squared maximum mean discrepancy of x_i and y_j, with a polynomial kernel.

        E_(i != j) k(x_i, x_j) + E_(i != j) k(y_i, y_j) - 2 E k(x_i, y_j),  k(x, y) = (x.y / F + 1)^3

    Args:
      features: x, [n, F], n of 2 or more.
      reference_features: y, [m, F], m of 2 or more.

    Raises:
      UserError: the shapes do not match, or a value is not finite.
    """
    return _squared_mmd(*check_features(features, reference_features))


def _squared_mmd(x, y):
    return _mean_of_pairs(x) + _mean_of_pairs(y) - 2 * _sum_kernel(x, y) / (len(x) * len(y))


def _mean_of_pairs(x):
    """Return the mean of k(x_i, x_j) over i != j."""
    diagonal = _sum_of_cubes(np.mean(x * x, axis=1) + 1)
    return (_sum_kernel(x, x) - diagonal) / (len(x) * (len(x) - 1))


def _sum_kernel(x, y):
    return sum(_sum_of_cubes(x[rows] @ y.T / x.shape[1] + 1) for rows in row_blocks(len(x), len(y)))


def _sum_of_cubes(values):
    # Many times faster than a power.
    return np.vdot(values * values, values)


def evaluate_kid(
    features: np.ndarray, reference_features: np.ndarray, subsets: int = 100, subset_size: int | None = None
) -> KID:
    """Return the `KID` of features, the mean of `squared_mmd` over random subsets and its deviation.

    Args:
      features: [n, F].
      reference_features: [m, F].
      subsets: pairs of subsets, each drawn without repetition. They are the same ones in all calls with the same n and
        m, so that models can be compared.
      subset_size: images of each set in a subset; if None 1000 or, where the smaller set has fewer than 2000, half of
        it, so that subsets differ.

    Raises:
      UserError: the shapes do not match, a value is not finite, or a subset is larger than one of the sets.
    """
    x, y = check_features(features, reference_features)
    count = min(len(x), len(y))
    size = min(_SUBSET_SIZE, max(count // 2, 2)) if subset_size is None else subset_size
    if not 2 <= size <= count:
        raise UserError(f"subset_size={size} of {len(x)} and {len(y)} images; expected 2 to the smaller number")
    if subsets < 1:
        raise UserError(f"subsets={subsets}; expected 1 or more")
    rng = np.random.default_rng(0)
    values = []
    for _ in progress(range(subsets), "KID"):
        own, other = (rng.choice(len(rows), size, replace=False) for rows in (x, y))
        values.append(_squared_mmd(x[own], y[other]))
    return KID(
        kid=float(np.mean(values)),
        kid_std=float(np.std(values)) if subsets > 1 else math.nan,
        subsets=subsets,
        subset_size=size,
    )
