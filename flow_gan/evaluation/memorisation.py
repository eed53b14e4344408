"""Whether images repeat training images: their nearest neighbours, and authenticity (Alaa et al. 2022)."""

import dataclasses
import math

import numpy as np
from sklearn.neighbors import NearestNeighbors

from flow_gan import data
from flow_gan.errors import NotFiniteError, UserError
from flow_gan.evaluation.features import row_blocks
from flow_gan.evaluation.statistics import share_error
from flow_gan.progress import progress


@dataclasses.dataclass(frozen=True)
class Closeness:
    """How close points are to references, measured by how close these are to each other.

    Attributes:
      distances: float64 [n, k], Euclidean ones to the k nearest references, ascending.
      indices: int [n, k], which references these are.
      radii: float64 [n], the distance of the nearest reference to the one that is nearest to it among the others.
    """

    distances: np.ndarray = dataclasses.field(repr=False)
    indices: np.ndarray = dataclasses.field(repr=False)
    radii: np.ndarray = dataclasses.field(repr=False)

    def __getitem__(self, rows: slice) -> "Closeness":
        return Closeness(self.distances[rows], self.indices[rows], self.radii[rows])

    def __len__(self) -> int:
        return len(self.radii)

    @property
    def margins(self) -> np.ndarray:
        """How much further than its radius the nearest reference is, float64 [n]; 0 or less of what is a copy of it."""
        return self.distances[:, 0] - self.radii

    @property
    def authenticity(self) -> float:
        """The share of the points that are further from their nearest reference than it is from all others.

        The rest are within the radius of a reference, as a copy of it with little noise is. Of independent draws from
        the references' own distribution many are within it as well, so that the number tells something only beside
        that of such draws.
        """
        return float(np.mean(self.margins > 0))

    @property
    def standard_error(self) -> float:
        """The standard error of `authenticity`; see `share_error`."""
        return share_error(int(np.sum(self.margins > 0)), len(self))

    def to_dict(self) -> dict:
        """Return all figures by name."""
        return {
            "authenticity": self.authenticity,
            "standard_error": self.standard_error,
            "num_images": len(self),
            "median_distance": float(np.median(self.distances[:, 0])),
        }


def nearest_neighbours(points: np.ndarray, references: data.Images, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the nearest of the references to each point, in blocks of either, by Euclidean distance in float64.

    Of whole numbers, such as grey levels, the distances are exact.

    Args:
      points: [n, ...], integers or floats.
      references: [m, ...], an array, or images that are read block by block.
      count: 1 to m.

    Returns:
      (distances, float64 [n, count], ascending; indices of the references, int64 [n, count]).

    Raises:
      UserError: there are no points, they are of another size than the references, or there are too few of these.
      NotFiniteError: a value is not finite.
    """
    if not len(points) or points.shape[1:] != tuple(references.shape[1:]):
        raise UserError(
            f"points are {list(points.shape)}, references {list(references.shape)}; expected [n, ...] and [m, ...] "
            "that differ in their numbers alone, n of 1 or more"
        )
    if not 1 <= count <= len(references):
        raise UserError(f"count={count} of {len(references)} references; expected 1 to their number")
    distances = np.full((len(points), count), np.inf)
    indices = np.full((len(points), count), -1)
    for block in progress(_blocks(references), "nearest neighbours"):
        search = NearestNeighbors(algorithm="brute").fit(_rows("references", references, block))
        for rows in _blocks(points):
            found, which = search.kneighbors(_rows("points", points, rows), min(count, len(block)))
            nearest = np.concatenate([distances[rows], found], axis=1)
            candidates = np.concatenate([indices[rows], block[which]], axis=1)
            order = np.argsort(nearest, axis=1, kind="stable")[:, :count]
            distances[rows] = np.take_along_axis(nearest, order, axis=1)
            indices[rows] = np.take_along_axis(candidates, order, axis=1)
    return distances, indices


def closeness(points: np.ndarray, references: data.Images, count: int = 1) -> Closeness:
    """Return the `Closeness` of points to references.

    Only the references that are nearest to a point are compared with all the others.

    Args:
      points: [n, ...], integers or floats.
      references: [m, ...], an array, or images that are read block by block; m of 2 or more.
      count: of nearest references, 1 to m.

    Raises:
      UserError: see `nearest_neighbours`.
    """
    distances, indices = nearest_neighbours(points, references, count)
    chosen, place = np.unique(indices[:, 0], return_inverse=True)
    # The nearest one to a reference is itself.
    own, _ = nearest_neighbours(np.asarray(references[chosen]), references, 2)
    return Closeness(distances, indices, own[place, 1])


def _blocks(values: data.Images) -> list[np.ndarray]:
    """Return the numbers of the rows of each block."""
    numbers = np.arange(len(values))
    return [numbers[rows] for rows in row_blocks(len(values), math.prod(values.shape[1:]))]


def _rows(name, values, rows):
    """Return rows as float64 [rows, D]."""
    block = np.asarray(values[rows], np.float64).reshape(len(rows), -1)
    if not np.isfinite(block).all():
        raise NotFiniteError(f"{name} hold values that are not finite; expected finite ones")
    return block
