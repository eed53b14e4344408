"""Images in a .npy or .npz file."""

import pathlib

import numpy as np

from flow_gan.data.dataset import SPLITS, Dataset, Rows, Split, random_split_indices
from flow_gan.errors import UserError


def load(path, levels):
    """Return the images of a numpy file, uint8 [N, H, W] or [N, H, W, C].

    A .npy file is memory-mapped and split 80 / 10 / 10 at random, always in the same way. A .npz file holds
    `train`, `validation` and `test` (with `train_labels`, ... if there are labels), or `images` (with `labels`),
    which are split likewise.

    Raises:
      UserError: the file is missing, broken or pickled, or its arrays are none of these.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise UserError(f"--dataset={path}: there is no such file")
    arrays = _open(path)
    names = SPLITS if "images" not in arrays else ("images",)
    missing = [name for name in names if name not in arrays]
    if missing:
        raise UserError(
            f"--dataset={path} has the arrays {sorted(arrays)}; expected train, validation and test, or images"
        )
    for name in names:
        _check(path, name, arrays[name], arrays.get("labels" if name == "images" else f"{name}_labels"))
    if "images" in arrays:
        parts = random_split_indices(len(arrays["images"]))
        splits = [_split(arrays["images"], arrays.get("labels"), part) for part in parts]
    else:
        splits = [_split(arrays[n], arrays.get(f"{n}_labels"), np.arange(len(arrays[n]))) for n in SPLITS]
    shapes = {split.images.shape[1:] for split in splits}
    if len(shapes) > 1:
        raise UserError(f"--dataset={path} has images of shapes {sorted(shapes)}; expected one shape")
    for name, split in zip(SPLITS, splits, strict=True):
        _check_levels(path, name, split.images, levels)
    return Dataset(path.stem, shapes.pop(), levels, *splits)


def _open(path):
    try:
        if path.suffix == ".npy":
            return {"images": np.lib.format.open_memmap(path, mode="r")}
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except Exception as error:
        # A damaged file ends in one of many kinds of exception.
        raise UserError(
            f"--dataset={path} cannot be read ({error}); expected plain numeric arrays, since pickled objects "
            "are never loaded"
        ) from error


def _check(path, name, array, labels):
    if array.dtype != np.uint8 or array.ndim not in (3, 4) or 0 in array.shape:
        raise UserError(
            f"--dataset={path}: {name} is {array.dtype} {list(array.shape)}; expected uint8 [N, H, W] or [N, H, W, C]"
        )
    if len(array) < (3 if name == "images" else 1):
        raise UserError(f"--dataset={path}: {name} has {len(array)} images, too few")
    if labels is not None and (labels.shape != array.shape[:1] or labels.dtype.kind not in "iu"):
        raise UserError(
            f"--dataset={path}: the labels of {name} are {labels.dtype} {list(labels.shape)}; "
            f"expected integers [{len(array)}]"
        )


def _check_levels(path, name, images, levels):
    if levels > 255:
        return
    for start in range(0, len(images), 1000):
        largest = images[start : start + 1000].max()
        if largest >= levels:
            raise UserError(f"--levels={levels}, but --dataset={path} ({name}) has a grey level of {largest}")


def _split(array, labels, indices):
    labels = None if labels is None else labels[indices].astype(np.int64)
    return Split(Rows(array, indices), labels)
