"""Precision, recall, density and coverage of two sets of features, by nearest neighbours."""

import dataclasses

import numpy as np

from flow_gan.errors import UserError
from flow_gan.evaluation.features import check_features, row_blocks
from flow_gan.progress import progress


@dataclasses.dataclass(frozen=True, kw_only=True)
class PRDC:
    """How samples lie among real images. All but the density are in [0, 1].

    A ball is around an image, and reaches up to its k-th nearest neighbour in its own set.

    Attributes:
      precision: share of the samples that lie in the ball of some real image: are they like real ones?
      recall: share of the real images that lie in the ball of some sample: are all kinds of real ones sampled?
      density: number of real images' balls that a sample lies in, the mean over k. It is about 1 where samples are as
        real images, and unlike precision not 1 because of a few real images far from all others.
      coverage: share of the real images whose ball has a sample in it; unlike recall it does not rise with samples that
        are far from all others.
      neighbours: k.
    """

    precision: float
    recall: float
    density: float
    coverage: float
    neighbours: int

    def __str__(self) -> str:
        return (
            f"precision {self.precision:.3f}, recall {self.recall:.3f}, density {self.density:.3f}, "
            f"coverage {self.coverage:.3f}"
        )

    def to_dict(self) -> dict:
        """Return all figures by name."""
        return dataclasses.asdict(self)


def evaluate_prdc(features: np.ndarray, reference_features: np.ndarray, neighbours: int = 5) -> PRDC:
    """Return the `PRDC` of samples' features x_i, against those of real images, y_j.

        precision = 1/n sum_i [some j: |x_i - y_j| < r_k(y_j)]     recall   = 1/m sum_j [some i: |x_i - y_j| < r_k(x_i)]
        density   = 1/(k n) sum_ij [|x_i - y_j| < r_k(y_j)]        coverage = 1/m sum_j [min_i |x_i - y_j| < r_k(y_j)]

    r_k is the distance to the k-th nearest neighbour in the same set, without the image itself. Precision and recall
    are those of Kynkaanniemi et al. (2019), density and coverage those of Naeem et al. (2020). The values depend on the
    numbers of images, so that only those of equally many can be compared.

    Args:
      features: x, [n, F].
      reference_features: y, [m, F].
      neighbours: k, below n and m.

    Raises:
      UserError: the shapes do not match, a value is not finite, or there are not that many neighbours.
    """
    x, y = check_features(features, reference_features)
    if not 1 <= neighbours < min(len(x), len(y)):
        raise UserError(
            f"neighbours={neighbours} of {len(x)} and {len(y)} images; expected 1 or more, and less than either number"
        )
    own, real = _square_radii(x, neighbours), _square_radii(y, neighbours)
    balls = np.zeros(len(x), int)
    recalled, covered = np.empty(len(y), bool), np.empty(len(y), bool)
    for rows in progress(row_blocks(len(y), len(x)), "neighbours"):
        distances = _square_distances(y[rows], x)
        inside = distances < real[rows, None]
        balls += inside.sum(0)
        covered[rows] = inside.any(1)
        recalled[rows] = (distances < own).any(1)
    return PRDC(
        precision=float(np.mean(balls > 0)),
        recall=float(np.mean(recalled)),
        density=float(np.mean(balls)) / neighbours,
        coverage=float(np.mean(covered)),
        neighbours=neighbours,
    )


def _square_radii(x, neighbours):
    """Return r_k^2, [n]."""
    radii = np.empty(len(x))
    for rows in progress(row_blocks(len(x), len(x)), "neighbours"):
        distances = _square_distances(x[rows], x)
        own = np.arange(len(distances))
        distances[own, rows.start + own] = np.inf
        radii[rows] = np.partition(distances, neighbours - 1, axis=1)[:, neighbours - 1]
    return radii


def _square_distances(x, y):
    return np.maximum(np.sum(x * x, axis=1)[:, None] - 2 * (x @ y.T) + np.sum(y * y, axis=1), 0)
