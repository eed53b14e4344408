"""What a data set is to the rest of the package."""

import dataclasses
import math

import numpy as np

# Channels that images may have: what a PNG file of samples holds.
CHANNELS = (1, 3, 4)

# Of training images a tenth is held out to validate, where there are no others, but at most so many.
MAX_HELD_OUT = 10_000


@dataclasses.dataclass(frozen=True)
class Split:
    """Images and, where there are any, their labels.

    Attributes:
      images: uint8 [N, H, W, C], a numpy array or anything that has `len` and is indexed by an integer array,
        such as `Rows` of a memory-mapped file.
      labels: int64 [N] or None.
    """

    images: object
    labels: np.ndarray | None = None

    def __len__(self):
        return len(self.images)


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Train, validation and test images of one shape.

    Attributes:
      name: str.
      image_shape: (H, W, C).
      levels: int, number of grey levels; images hold 0 to levels - 1.
      train, validation, test: `Split`.
      digest: str, of names, sizes and contents, by which data are known wherever they lie (see `digest`); None where
        nobody has taken it.
    """

    name: str
    image_shape: tuple
    levels: int
    train: Split
    validation: Split
    test: Split
    digest: str | None = None

    def bits_per_dim(self, nats):
        """Return an NLL of this data's images in bits/dim; see `bits_per_dim`."""
        return bits_per_dim(nats, math.prod(self.image_shape), self.levels)

    def format_nll(self, nats):
        """Return an NLL in the unit that the field uses: nats for grey images, bits/dim for colour (the paper's)."""
        return f"{nats:.2f} nats" if self.image_shape[-1] == 1 else f"{self.bits_per_dim(nats):.3f} bits/dim"

    def split(self, name):
        """Return the split called `name`, one of `SPLITS`."""
        return getattr(self, name)


@dataclasses.dataclass(frozen=True)
class Source:
    """A data set that was looked up and is not read yet.

    Attributes:
      read: function without arguments that returns the `Dataset`, in any thread.
      image_shape: (H, W, C), or None where only reading tells.
      levels: int, number of grey levels, likewise.
    """

    read: object
    image_shape: tuple | None = None
    levels: int | None = None


def bits_per_dim(nats, size, levels):
    """Return the NLL of a discrete image in bits per pixel value from that of the dequantised one in nats.

        bits/dim = NLL / (D ln 2) + log2(levels)

    Args:
      nats: float, NLL per image of pixels in [0, 1].
      size: int, D = H W C.
      levels: int, grey levels.
    """
    return nats / (size * math.log(2)) + math.log2(levels)


class Rows:
    """The rows `indices` of an array [N, H, W] or [N, H, W, C], read when they are asked for.

    Args:
      array: numpy array, memory map, or anything that a `Split` takes, uint8.
      indices: int [n].
    """

    def __init__(self, array, indices):
        self._array = array
        self._indices = np.asarray(indices)
        self.shape = (len(self._indices), *array.shape[1:], *([1] if len(array.shape) == 3 else []))

    def __len__(self):
        return len(self._indices)

    def __getitem__(self, key):
        chosen = self._indices[key]
        return np.asarray(self._array[chosen]).reshape(*np.shape(chosen), *self.shape[1:])


def fixed_sample(images, count):
    """Return `count` of the images at random, without repetition and in their order, as `Rows`.

    They are always the same ones, whatever a run's seed is: figures of different runs compare.
    """
    chosen = np.random.default_rng(0).choice(len(images), count, replace=False)
    return Rows(images, np.sort(chosen))


def random_split_indices(count):
    """Return index arrays of a random 80 / 10 / 10 split of `count` images.

    The split never changes, whatever a run's seed is: figures of different runs compare.
    """
    order = np.random.default_rng(0).permutation(count)
    held_out = max(count // 10, 1)
    return order[2 * held_out :], order[:held_out], order[held_out : 2 * held_out]


def hold_out_indices(count):
    """Return index arrays (rest, held out) of `count` training images, a tenth of which is drawn at random.

    It is always the same tenth, and `MAX_HELD_OUT` images at most.
    """
    order = np.random.default_rng(0).permutation(count)
    held_out = min(max(count // 10, 1), MAX_HELD_OUT)
    return order[held_out:], order[:held_out]
