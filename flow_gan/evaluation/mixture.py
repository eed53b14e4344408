"""A mixture of isotropic Gaussians of equal weight: a baseline with images as centres, a KDE with samples."""

import math
from collections.abc import Sequence
from typing import Self

import numpy as np
import tensorflow as tf

from flow_gan import data, random
from flow_gan import probability as tfp
from flow_gan.errors import NotFiniteError, UserError
from flow_gan.progress import progress

# Number of distances in one block of images. Smaller blocks slow the matrix product, larger ones gain nothing.
_BLOCK_BYTES = 2**26
# Largest number of distances kept. With 50,000 centres of 784 values the process then needs less than 4 GiB.
_KEPT_BYTES = 9 * 2**28
# For a much smaller bandwidth 1 / sigma^2 overflows in float32.
_SMALLEST_BANDWIDTH = 1e-18


class IsotropicMixture:
    """m Gaussians of equal weight and one bandwidth sigma around the centres c_k.

        p(x) = 1/m sum_k N(x; c_k, sigma^2 I)
        log p(x) = log 1/m sum_k exp(-|x - c_k|^2 / (2 sigma^2)) - D/2 log(2 pi sigma^2)

    With the training images as centres it is the paper's Gaussian mixture baseline (Section 3.4), see `of_images`. With
    samples of a generator as centres it is a kernel density estimate (KDE, Parzen window) of the generator's density
    (Section 3.3; Goodfellow et al. 2014, who take 10,000 samples).

    Squared distances are computed once for all bandwidths, by a matrix product. That loses digits by cancellation, so
    centres and images are first shifted by the mean of the centres, the distance to the nearest centre is computed from
    the difference itself, and the other distances enter only relative to it. On MNIST the error of float32 is then
    below 1e-4 nats at bandwidths of 0.1 or more, and below 1e-7 of log p at smaller ones.

    Args:
      centres: [m, H, W, C] or [m, D], floats.
      dtype: "float32", or "float64" for checks.

    Raises:
      UserError: there are no centres, or they are not finite.

    Example:
      >>> import numpy as np
      >>> mixture = IsotropicMixture(np.zeros((1, 2)), "float64")
      >>> print(mixture.log_prob([[0.0, 0.0]], [1.0]) + np.log(2 * np.pi))
      [[0.]]
    """

    def __init__(self, centres: np.ndarray, dtype: str = "float32"):
        centres = np.asarray(centres, dtype)
        if centres.ndim not in (2, 4) or 0 in centres.shape:
            raise UserError(f"centres has shape {list(centres.shape)}; expected [m, H, W, C] or [m, D] with m >= 1")
        _check_finite("centres", centres)
        self.dtype = centres.dtype
        self.image_shape = centres.shape[1:]
        self.size = math.prod(self.image_shape)
        self.num_centres = len(centres)
        centres = centres.reshape(self.num_centres, self.size)
        self._mean = np.mean(centres, axis=0, dtype=np.float64).astype(dtype)
        self._centres = tf.constant(centres - self._mean)
        self._square_norms = tf.reduce_sum(self._centres**2, axis=1)

    @classmethod
    def of_images(cls, images: data.Images, levels: int, dtype: str = "float32") -> Self:
        """Return the mixture whose centres are images, with grey level k at the middle of its cell, (k + 1/2) / levels.

        Args:
          images: uint8 [m, H, W, C].
          levels: number of grey levels.
          dtype: see the class.
        """
        return cls(data.dequantize(tf.constant(images[:]), tf.constant(0.5, dtype), levels), dtype)

    def log_prob(self, images: np.ndarray, bandwidths: Sequence[float]) -> np.ndarray:
        """Return log p(x) in nats, float64 [K, n], of images at each bandwidth.

        Args:
          images: floats [n, H, W, C] or [n, D], dequantised.
          bandwidths: K floats > 0, sigma.

        Raises:
          UserError: the images do not fit the centres or are not finite, or a bandwidth is not positive and finite.
        """
        return Distances(self, images).log_prob(bandwidths)

    def sample(self, count: int, bandwidth: float, seed: int = 0) -> tf.Tensor:
        """Draw images x = c_k + sigma z, z ~ N(0, I), k uniform.

        Args:
          count: >= 1.
          bandwidth: sigma > 0.
          seed: the same seed gives the same images; the first ones do not depend on `count`.

        Returns:
          [count, H, W, C], or [count, D] if the centres have this form, clipped to [0, 1].

        Raises:
          UserError: `count` or `bandwidth` is outside its range.
        """
        if count < 1:
            raise UserError(f"count={count}; expected 1 or more")
        check_bandwidths([bandwidth])
        # In float64: float32 has too few values to choose among many centres with equal probability.
        place = random.uniform(random.key(seed, random.Stream.MIXTURE, 0), 0, count, [], tf.float64)
        chosen = tf.gather(self._centres, tf.cast(place * self.num_centres, tf.int64)) + self._mean
        dtype = chosen.dtype
        uniform = random.open_uniform(random.key(seed, random.Stream.MIXTURE, 1), 0, count, [self.size], dtype)
        images = chosen + tf.cast(bandwidth, dtype) * tfp.distributions.Normal(tf.zeros([], dtype), 1).quantile(uniform)
        return tf.reshape(tf.clip_by_value(images, 0, 1), [count, *self.image_shape])


class Distances:
    """The squared distances of images to the centres of a mixture, from which log p(x) follows at any bandwidth.

    Args:
      images: floats [n, H, W, C] or [n, D].
      keep: keep the n m distances, if they take at most 2.25 GiB, for further calls of `log_prob`; otherwise each call
        computes them again.

    Raises:
      UserError: the images do not fit the centres or are not finite.
    """

    def __init__(self, mixture: IsotropicMixture, images: np.ndarray, keep: bool = False):
        images = np.asarray(images, mixture.dtype)
        fits = math.prod(images.shape[1:]) == mixture.size and images.ndim in (2, 4) and len(images)
        # Layouts of equal size, such as H W C and C H W, must not be confused.
        if not fits or (images.ndim == len(mixture.image_shape) + 1 == 4 and images.shape[1:] != mixture.image_shape):
            raise UserError(
                f"images has shape {list(images.shape)}; expected [n, {', '.join(map(str, mixture.image_shape))}] or "
                f"[n, {mixture.size}] with n >= 1"
            )
        _check_finite("images", images)
        self._mixture = mixture
        self._images = images.reshape(len(images), mixture.size)
        row_bytes = mixture.num_centres * mixture.dtype.itemsize
        self._rows = min(max(_BLOCK_BYTES // row_bytes, 1), len(images))
        self._kept: dict | None = {} if keep and len(images) * row_bytes <= _KEPT_BYTES else None

    def log_prob(self, bandwidths: Sequence[float], text: str = "mixture") -> np.ndarray:
        """Return log p(x) in nats, float64 [K, n].

        Args:
          bandwidths: K floats > 0.
          text: label of the progress bar.

        Raises:
          UserError: a bandwidth is not positive and finite.
        """
        sigmas = check_bandwidths(bandwidths)
        mixture, count = self._mixture, len(self._images)
        scales = [tf.constant(0.5 / bandwidth**2, mixture.dtype) for bandwidth in sigmas]
        nearest, sums = np.empty(count), np.empty([len(sigmas), count])
        starts = range(0, count, self._rows)
        for start in progress(starts, text):
            # All blocks have the same shape, so that the kernels are compiled once: the last overlaps the one before.
            rows = slice(min(start, count - self._rows), min(start + self._rows, count))
            products, least, nearest[rows] = self._block(rows)
            for row, scale in zip(sums, scales, strict=True):
                row[rows] = _sum_exp(products, mixture._square_norms, least, scale)
        exponents = np.log(sums) - 0.5 * nearest / sigmas[:, None] ** 2
        normalizer = 0.5 * mixture.size * np.log(2 * math.pi * sigmas**2) + math.log(mixture.num_centres)
        return exponents - normalizer[:, None]

    def _block(self, rows):
        """Return x.c [rows, m], min_k(|c_k|^2 - 2 x.c_k) [rows], and |x - c_k|^2 of that c_k, float64 [rows]."""
        if self._kept is not None and rows.start in self._kept:
            return self._kept[rows.start]
        mixture = self._mixture
        images = self._images[rows] - mixture._mean
        products = tf.matmul(images, mixture._centres, transpose_b=True)
        least, index = _nearest(products, mixture._square_norms)
        differences = images.astype(np.float64) - tf.gather(mixture._centres, index).numpy()
        block = products, least, np.sum(differences**2, axis=1)
        if self._kept is not None:
            self._kept[rows.start] = block
        return block


# XLA compiles each of these into one loop, which reads the products once and writes no array of their size.
@tf.function(jit_compile=True, autograph=False)
def _nearest(products, square_norms):
    """Return min_k(|c_k|^2 - 2 x.c_k), the smallest squared distance minus |x|^2, and its k, both [rows]."""
    distances = square_norms - 2 * products
    least = tf.reduce_min(distances, axis=1)
    # The minimum over the indices of the smallest distance is vectorised, unlike `argmin`. The comparison is safe even
    # if XLA computes the distances twice: doubling is exact, so that a fused multiply-add rounds in the same way.
    numbers = tf.range(tf.shape(products)[1])
    index = tf.reduce_min(tf.where(distances <= least[:, None], numbers, tf.int32.max), axis=1)
    return least, index


@tf.function(jit_compile=True, autograph=False)
def _sum_exp(products, square_norms, least, scale):
    """Return sum_k exp(-scale (|x - c_k|^2 - min_k |x - c_k|^2)), [rows]; it is at least 1."""
    return tf.reduce_sum(tf.exp(scale * (least[:, None] - (square_norms - 2 * products))), axis=1)


def check_bandwidths(bandwidths: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return bandwidths as a float64 array [K].

    Raises:
      UserError: the list is empty, or a bandwidth is not positive and finite.
    """
    sigmas = np.asarray(bandwidths, np.float64)
    if sigmas.ndim != 1 or not sigmas.size:
        raise UserError(f"bandwidths has shape {list(sigmas.shape)}; expected a list of one number or more")
    for bandwidth in sigmas:
        if not (bandwidth >= _SMALLEST_BANDWIDTH and math.isfinite(bandwidth)):
            raise UserError(f"bandwidth={bandwidth}; expected a finite number above 0, {_SMALLEST_BANDWIDTH} or more")
    return sigmas


def _check_finite(name, values):
    if not np.isfinite(values).all():
        raise NotFiniteError(f"{name} has {np.count_nonzero(~np.isfinite(values))} values that are not finite")
