"""The data set classes that the rest of the package uses."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from flow_gan import image_kinds
from flow_gan.config.datasets import SPLITS
from flow_gan.errors import UserError
from flow_gan.image_kinds import bits_per_dim, is_grey

# Channels that images may have: what a PNG file of samples holds.
CHANNELS = (1, 3, 4)

# Largest number of training images held out as validation images, of which a data set without any holds out a tenth.
MAX_HELD_OUT = 10_000


class Images(Protocol):
    """Images uint8 [N, H, W, C]: a numpy array, or what reads the rows that an index asks for, such as `Rows`."""

    @property
    def shape(self) -> tuple[int, ...]:
        """[N, H, W, C]."""

    def __len__(self) -> int: ...

    def __getitem__(self, key: Any) -> Any: ...


@dataclasses.dataclass(frozen=True)
class Split:
    """Images and, where there are any, their labels.

    Attributes:
      images: uint8 [N, H, W, C].
      labels: int64 [N].
      files: object [N], the images' files below the folder of the data set, as str; None where they are not files.
    """

    images: Images
    labels: np.ndarray | None = None
    files: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.images)

    def require_labels(self) -> np.ndarray:
        """Return the labels; `UserError` if there are none."""
        if self.labels is None:
            raise UserError(f"{len(self)} images without labels, which a conditional generator needs")
        return self.labels

    def __repr__(self) -> str:
        return f"Split({len(self)} images{'' if self.labels is None else ', labels'})"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Dataset:
    """Train, validation and test images of one shape.

    Attributes:
      image_shape: (H, W, C).
      levels: number of grey levels; images hold 0 to levels - 1.
      digest: of names, sizes and contents, by which data are recognised wherever they lie (see `digest`); None where
        it was not computed.
      class_names: of the labels 0, 1, ...: those of a folder's subfolders, or tensorflow_datasets' own; None where
        labels have no names.
    """

    name: str
    image_shape: tuple[int, int, int]
    levels: int
    train: Split
    validation: Split
    test: Split
    digest: str | None = None
    class_names: tuple[str, ...] | None = None

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name}={len(self.split(name))}" for name in SPLITS)
        return f"Dataset({self.name!r}, image_shape={self.image_shape}, levels={self.levels}, {sizes})"

    @property
    def is_grey(self) -> bool:
        """Whether the images have one channel."""
        return is_grey(self.image_shape)

    @property
    def nll_unit(self) -> str:
        """The unit of an NLL of such images; see `image_kinds`."""
        return image_kinds.nll_unit(self.image_shape)

    def in_nll_unit(self, nats: float) -> float:
        """Return an NLL in `nll_unit`."""
        return nats if self.is_grey else self.bits_per_dim(nats)

    def bits_per_dim(self, nats: float) -> float:
        """Return an NLL of this data's images in bits/dim; see `bits_per_dim`."""
        return bits_per_dim(nats, math.prod(self.image_shape), self.levels)

    def format_nll(self, nats: float) -> str:
        """Return an NLL in `nll_unit` as text."""
        return image_kinds.format_nll(nats, self.image_shape, self.levels)

    def split(self, name: str) -> Split:
        """Return the split called `name`, one of `SPLITS`."""
        return getattr(self, name)


@dataclasses.dataclass(frozen=True)
class Source:
    """A data set that was looked up and is not read yet.

    Attributes:
      read: returns the `Dataset`, in any thread.
      image_shape: (H, W, C); None where it is known only after reading.
      levels: number of grey levels, likewise.
    """

    read: Callable[[], Dataset]
    image_shape: tuple[int, int, int] | None = None
    levels: int | None = None


class Rows:
    """The rows `indices` of an array [N, H, W] or [N, H, W, C], read when they are asked for.

    Args:
      array: uint8.
      indices: int [n].
    """

    def __init__(self, array: Images, indices: np.ndarray):
        self._array = array
        self._indices = np.asarray(indices)
        self.shape: tuple[int, ...] = (len(self._indices), *array.shape[1:], *([1] if len(array.shape) == 3 else []))

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, key: Any) -> np.ndarray:
        chosen = self._indices[key]
        return np.asarray(self._array[chosen]).reshape(*np.shape(chosen), *self.shape[1:])


def fixed_sample(images: Images, count: int) -> Rows:
    """Return `count` of the images at random, without repetition and in their order.

    They are the same ones for every seed, so that figures of different runs can be compared.
    """
    chosen = np.random.default_rng(0).choice(len(images), count, replace=False)
    return Rows(images, np.sort(chosen))


def random_split_indices(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return index arrays of a random 80 / 10 / 10 split of `count` images.

    The split is the same for every seed, so that figures of different runs can be compared.
    """
    order = np.random.default_rng(0).permutation(count)
    held_out = max(count // 10, 1)
    return order[2 * held_out :], order[:held_out], order[held_out : 2 * held_out]


def hold_out_indices(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return index arrays (rest, held out) of `count` training images: a random tenth is held out.

    The tenth is always the same, and at most `MAX_HELD_OUT` images.
    """
    order = np.random.default_rng(0).permutation(count)
    held_out = min(max(count // 10, 1), MAX_HELD_OUT)
    return order[held_out:], order[:held_out]
