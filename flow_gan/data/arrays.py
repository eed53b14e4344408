"""Images in a .npy or .npz file."""

import math
import os
import pathlib
import zipfile
from typing import Any

import numpy as np

from flow_gan.config.datasets import SPLITS
from flow_gan.data import digest, memory
from flow_gan.data.dataset import CHANNELS, Dataset, Images, Rows, Split, random_split_indices
from flow_gan.errors import UserError, brief
from flow_gan.progress import Progress

_LABELS = {"images": "labels"} | {name: f"{name}_labels" for name in SPLITS}
_IMAGES = ("arr_0", "images", *SPLITS)
_READ_HEADER = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
# Bytes of images whose grey levels are checked at once.
_CHECKED = 2**26


def load(path: str | os.PathLike, levels: int) -> Dataset:
    """Return the images of a numpy file, uint8 [N, H, W] or [N, H, W, C] with 1, 3 or 4 channels.

    A .npy file is read batch by batch and split 80 / 10 / 10 at random, always in the same way. A .npz file, which is
    read into memory, holds `train`, `validation` and `test` (with `train_labels`, ... if there are labels), or `images`
    (with `labels`), which are split likewise. Its other arrays are not read. No file is written.

    Raises:
      UserError: the file is missing, broken or pickled, does not fit in memory (.npz), or holds other arrays.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise UserError(f"--dataset={path}: there is no such file")
    arrays = _open(path)
    names = SPLITS if "images" not in arrays else ("images",)
    divided = [name for name in SPLITS if name in arrays]
    if "images" in arrays and divided:
        raise UserError(f"--dataset={path} has both images and {', '.join(divided)}; expected one or the other")
    missing = [name for name in names if name not in arrays]
    if missing:
        raise UserError(
            f"--dataset={path} has the arrays {sorted(arrays)}; expected train, validation and test, or images"
        )
    for name in names:
        _check(path, name, arrays[name], arrays.get(_LABELS[name]), fewest=3 if name == "images" else 1)
        _check_levels(path, name, arrays[name], levels)
    if "images" in arrays:
        parts = random_split_indices(len(arrays["images"]))
        splits = [_split(arrays["images"], arrays.get("labels"), part) for part in parts]
    else:
        splits = [_split(arrays[n], arrays.get(f"{n}_labels"), np.arange(len(arrays[n]))) for n in SPLITS]
    shapes = {split.images.shape[1:] for split in splits}
    if len(shapes) > 1:
        raise UserError(f"--dataset={path} has images of shapes {sorted(shapes)}; expected one shape")
    used = {name: arrays.get(name) for part in names for name in (part, _LABELS[part])}
    return Dataset(
        name=path.stem,
        image_shape=shapes.pop(),
        levels=levels,
        **dict(zip(SPLITS, splits, strict=True)),
        digest=digest.of_arrays(used),
    )


def read_images(path: str | os.PathLike) -> dict[str, Images]:
    """Return {name: uint8 [N, H, W] or [N, H, W, C]} of the images of a numpy file, which need not be a data set.

    They are those of a .npy file, which is read row by row, or the arrays arr_0 (as tools for samples have it), images,
    train, validation and test of a .npz file, as far as there are any.

    Raises:
      UserError: the file is missing, broken or pickled, does not fit in memory (.npz), or holds none of these.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise UserError(f"--dataset={path}: there is no such file")
    found = {name: array for name, array in _open(path).items() if name in _IMAGES and array is not None}
    if not found:
        raise UserError(f"--dataset={path} has none of the arrays {', '.join(_IMAGES)}")
    for name, array in found.items():
        _check(path, name, array, None, fewest=1)
    return found


class FileRows:
    """The rows of a memory map, read by system calls when an index asks for them.

    Through the map itself a batch of large images takes many times as long, one page fault after another, and its
    pages count as the process's memory.

    Args:
      path: of a .npy file.
      array: [N, ...], the memory map of the whole file, in C order.

    Raises:
      UserError: from an index, the file has become shorter.
    """

    def __init__(self, path: pathlib.Path, array: np.memmap):
        self.shape, self.ndim, self.dtype = array.shape, array.ndim, array.dtype
        self._row_bytes = math.prod(array.shape[1:]) * array.dtype.itemsize
        self._offset = array.offset
        self._file = open(path, "rb")  # noqa: SIM115  as long as the rows live

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> np.ndarray:
        chosen = np.arange(*key.indices(len(self))) if isinstance(key, slice) else np.asarray(key)
        rows = np.empty((chosen.size, self._row_bytes), np.uint8)
        for row, number in zip(rows, chosen.ravel().tolist(), strict=True):
            if os.preadv(self._file.fileno(), [row.data], self._offset + number * self._row_bytes) < self._row_bytes:
                raise UserError(f"{self._file.name} has become shorter, image {number} is missing")
        return rows.view(self.dtype).reshape(*chosen.shape, *self.shape[1:])


def _open(path):
    try:
        if path.suffix.lower() == ".npy":
            array = np.lib.format.open_memmap(path, mode="r")
            return {"images": FileRows(path.resolve(), array) if array.flags.c_contiguous else array}
        return _read_npz(path)
    except UserError:
        raise
    except Exception as error:
        # A damaged file ends in one of many kinds of exception.
        raise UserError(
            f"--dataset={path} cannot be read ({brief(error)}); expected plain numeric arrays, since "
            "pickled objects are never loaded"
        ) from error


def _read_npz(path):
    """Return {name: array} of the archive's members; None stands for those that are not read."""
    with zipfile.ZipFile(path) as archive:
        sizes = {
            member.filename.removesuffix(".npy"): _size(archive, member)
            for member in archive.infolist()
            if member.filename.removesuffix(".npy") in {*_IMAGES, *_LABELS.values()}
        }
    memory.require(sum(sizes.values()), f"--dataset={path}, a .npz file,", "a .npy file may be of any size")
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] if name in sizes else None for name in file.files}


def _size(archive, member):
    """Return an array's size in bytes by its header; numpy allocates that much before it reads anything."""
    with archive.open(member) as file:
        shape, _, dtype = _READ_HEADER[np.lib.format.read_magic(file)](file)
    size = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or size > member.file_size:
        raise ValueError(f"{member.filename} is said to be {dtype} {list(shape)} and has {member.file_size} bytes")
    return size


def _check(path, name, array, labels, fewest):
    if array.dtype != np.uint8 or array.ndim not in (3, 4) or 0 in array.shape:
        raise UserError(
            f"--dataset={path}: {name} is {array.dtype} {list(array.shape)}; expected uint8 [N, H, W] or [N, H, W, C]"
        )
    channels = array.shape[3] if array.ndim == 4 else 1
    if channels not in CHANNELS:
        hint = ", channels last" if array.shape[1] in (1, 3) else ""
        raise UserError(
            f"--dataset={path}: {name} is {array.dtype} {list(array.shape)}, of {channels} channels; expected "
            f"[N, H, W, C] with 1, 3 or 4{hint}"
        )
    if len(array) < fewest:
        raise UserError(f"--dataset={path}: {name} has {len(array)} images; expected {fewest} or more")
    if labels is not None and (labels.shape != array.shape[:1] or labels.dtype.kind not in "iu"):
        raise UserError(
            f"--dataset={path}: the labels of {name} are {labels.dtype} {list(labels.shape)}; "
            f"expected integers [{len(array)}]"
        )
    if labels is not None and labels.max() > np.iinfo(np.int64).max:
        raise UserError(f"--dataset={path}: the labels of {name} hold {labels.max()}; expected less than 2^63")


def _check_levels(path, name, images, levels):
    if levels > 255:
        return
    count = max(_CHECKED // math.prod(images.shape[1:]), 1)
    with Progress(None, "checking grey levels", len(images), unit="image", delay=2.0) as bar:
        for start in range(0, len(images), count):
            part = images[start : start + count]
            if part.max() >= levels:
                raise UserError(f"--levels={levels}, but --dataset={path} ({name}) has a grey level of {part.max()}")
            bar.update(len(part))


def _split(array, labels, indices):
    labels = None if labels is None else labels[indices].astype(np.int64)
    return Split(Rows(array, indices), labels)
