"""Pictures that show a generator and its inverse. Each function returns rows of images, [rows, columns, H, W, C]."""

import numpy as np

from flow_gan import random
from flow_gan.evaluation.image_scores import most_likely_class
from flow_gan.evaluation.interpolation import interpolate
from flow_gan.generators import FlowGenerator, Generator
from flow_gan.generators.labels import arguments

TEMPERATURES = (0.25, 0.5, 0.7, 0.8, 0.9, 1.0)


def reconstructions(generator: FlowGenerator, images: np.ndarray) -> np.ndarray:
    """Return images x, their round trips G(f(x)), and the difference |x - G(f(x))| divided by its largest value.

    The difference is 1 where the round trip is not finite.

    Args:
      images: float [n, H, W, C] in [0, 1].

    Returns:
      [3, n, H, W, C].
    """
    images = np.asarray(images)
    # A copy of the latents, so that tfp's cache cannot return the image.
    given = arguments(most_likely_class(generator, images))
    again = generator.decode(np.array(generator.encode(images, **given)), **given).numpy()
    difference = np.abs(images - again)
    is_finite = np.isfinite(difference)
    largest = np.max(difference, initial=0, where=is_finite)
    if largest > 0:
        difference = difference / largest
    return np.stack([images, again, np.where(is_finite, difference, 1)])


def interpolations(generator: FlowGenerator, first: np.ndarray, second: np.ndarray, columns: int = 9) -> np.ndarray:
    """Return images on the paths `latent_path` from z = f(first) to f(second) (paper, Section 3: exact inference of z).

    Args:
      first, second: float [n, H, W, C] in [0, 1], the ends.
      columns: >= 2, images per path, ends included.

    Returns:
      [n, columns, H, W, C].
    """
    return interpolate(generator, first, second, columns)[0]


def temperatures(generator: Generator, columns: int = 10, seed: int = 0) -> np.ndarray:
    """Return samples G(t z) of the same z at the temperatures t of `TEMPERATURES`, a row for each.

    Args:
      columns: number of samples.

    Returns:
      [len(TEMPERATURES), columns, H, W, C].
    """
    z = np.asarray(generator.sample_latent(random.key(seed, random.Stream.SAMPLE), 0, columns))
    labels = generator.sample_labels(random.key(seed, random.Stream.LABEL, random.Stream.SAMPLE), 0, columns)
    return _decode(generator, np.stack([np.asarray(t, z.dtype) * z for t in TEMPERATURES]), labels)


def classes(generator: Generator, columns: int = 10, seed: int = 0) -> np.ndarray:
    """Return samples of each class of a conditional generator, a row for each, in each column of one z.

    Args:
      columns: number of samples.

    Returns:
      [num_classes, columns, H, W, C].
    """
    z = np.asarray(generator.sample_latent(random.key(seed, random.Stream.SAMPLE), 0, columns))
    rows = [_decode(generator, z[np.newaxis], np.full(columns, y)) for y in range(generator.num_classes or 0)]
    return np.clip(np.concatenate(rows), 0, 1)


def _decode(generator, z, labels):
    """Return G(z) of z [rows, columns, k], with one label in each column."""
    rows, columns, size = z.shape
    labels = None if labels is None else np.tile(labels, rows)
    images = generator.decode(z.reshape(-1, size), **arguments(labels)).numpy()
    return images.reshape(rows, columns, *images.shape[1:])
