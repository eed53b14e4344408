"""The Gaussian of features that an FID compares, and the files in which others keep it."""

import dataclasses
import functools
import os
import pathlib
import zipfile

import numpy as np

from flow_gan.errors import UserError, brief
from flow_gan.evaluation.classifier import Classifier
from flow_gan.evaluation.inception import PUBLISHED
from flow_gan.training.files import writing

# Largest difference of sigma from its transpose, relative to its largest value: what rounding in float32 leaves.
_SYMMETRY = 1e-4


@dataclasses.dataclass(frozen=True)
class FIDStatistics:
    """Mean and covariance of features.

    Attributes:
      mean: float64 [F].
      covariance: float64 [F, F], with the divisor n - 1.
      network: whose features they are, as `Classifier.network_name` says; None where a file does not say.
      num_images: how many images they are of; None likewise.
    """

    mean: np.ndarray = dataclasses.field(repr=False)
    covariance: np.ndarray = dataclasses.field(repr=False)
    network: str | None = None
    num_images: int | None = None

    @functools.cached_property
    def _factor(self):
        """A factor L, [F, F], of the covariance L L^T."""
        eigenvalues, vectors = np.linalg.eigh(self.covariance)
        return vectors * np.sqrt(np.maximum(eigenvalues, 0))

    def distance(self, other: "FIDStatistics") -> float:
        """Return the Frechet distance of the two Gaussians (Dowson and Landau 1982), 0 or more.

        |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2))
        """
        factor1, factor2 = self._factor, other._factor
        # tr (C1 C2)^(1/2) is the sum of the singular values of L1^T L2 with C = L L^T. Unlike a matrix square root this
        # is exact to rounding where a covariance is singular, as it is with fewer images than features.
        overlap = np.linalg.svd(factor1.T @ factor2, compute_uv=False).sum()
        means = np.sum((self.mean - other.mean) ** 2)
        return max(float(means + np.sum(factor1**2) + np.sum(factor2**2) - 2 * overlap), 0.0)


def fid_statistics(features: np.ndarray, network: str | None = None) -> FIDStatistics:
    """Return the `FIDStatistics` of features [n, F], n of 2 or more."""
    features = np.asarray(features, np.float64)
    covariance = np.atleast_2d(np.cov(features, rowvar=False))
    return FIDStatistics(features.mean(0), covariance, network, len(features))


def read_fid_statistics(path: str | os.PathLike) -> FIDStatistics:
    """Return what a .npz file of `mu` [F] and `sigma` [F, F] holds, the format of TTUR, pytorch-fid and torch-fidelity.

    A file of `write_fid_statistics` also names its network and its number of images.

    Raises:
      UserError: there is no such file, or its content is something else.
    """
    name = f"--fid_statistics={path}"
    expected = "expected a .npz file of mu [F] and sigma [F, F], as pytorch-fid writes it"
    if not pathlib.Path(path).is_file():
        raise UserError(f"{name}: there is no such file; {expected}")
    try:
        with np.load(path) as arrays:
            mean, covariance = (np.asarray(arrays[key], np.float64) for key in ("mu", "sigma"))
            network = str(arrays["network"]) if "network" in arrays else None
            num_images = int(arrays["num_images"]) if "num_images" in arrays else None
    # An array of its own, of a .npy file, is no context.
    except (OSError, ValueError, KeyError, TypeError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise UserError(f"{name} cannot be read ({brief(error)}); {expected}") from error
    if mean.ndim != 1 or not mean.size or covariance.shape != (mean.size, mean.size):
        raise UserError(f"{name} holds mu {list(mean.shape)} and sigma {list(covariance.shape)}; {expected}")
    if not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
        raise UserError(f"{name} holds values that are not finite; {expected}")
    asymmetry = np.abs(covariance - covariance.T).max()
    if asymmetry > _SYMMETRY * np.abs(covariance).max() or np.any(covariance.diagonal() < 0):
        raise UserError(f"{name} holds a sigma that is no covariance: not symmetric, or with variances below 0")
    return FIDStatistics(mean, covariance, network, num_images)


def write_fid_statistics(path: str | os.PathLike, statistics: FIDStatistics) -> None:
    """Write the file that `read_fid_statistics` and pytorch-fid read; the folder is made if necessary.

    Raises:
      UserError: it cannot be written. What was there before is as it was.
    """
    path = pathlib.Path(path)
    temporary = path.with_name(path.name + ".tmp")
    arrays = {"mu": statistics.mean, "sigma": statistics.covariance}
    for name in ("network", "num_images"):
        if getattr(statistics, name) is not None:
            arrays[name] = np.array(getattr(statistics, name))
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
        os.replace(temporary, path)


def check_same_features(statistics: FIDStatistics, path: str | os.PathLike, classifier: Classifier) -> None:
    """Raise `UserError` unless the statistics of the file `path` are of a classifier's features.

    A file that names no network is taken for one of the network of 2015, of which all published ones are; where the
    classifier is the user's own, for one of that.
    """
    network, found, expected = classifier.network_name, len(statistics.mean), classifier.num_features
    if found != expected:
        raise UserError(f"--fid_statistics={path} is of {found} features; expected {expected}, those of {network}")
    its_network = statistics.network or (network if classifier.is_own else PUBLISHED)
    if its_network != network:
        unnamed = "" if statistics.network else " (it names no network, as pytorch-fid's)"
        raise UserError(
            f"--fid_statistics={path} is of the network {its_network}{unnamed}, and --classifier gives features of "
            f"{network}; expected the same network"
        )
