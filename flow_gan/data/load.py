"""A data set by its name or path."""

import functools
import os

from flow_gan.config.datasets import VALIDATION_SPLITS, canonical_name
from flow_gan.data import arrays, digits, folder, public
from flow_gan.data.dataset import Dataset, Source
from flow_gan.errors import UserError, check_choice, check_number


def load(
    dataset: str | os.PathLike = "digits",
    data_dir: str | None = None,
    levels: int | None = None,
    validation_split: str = "released",
    height: int | None = None,
    width: int | None = None,
) -> Dataset:
    """Load a data set.

    Args:
      dataset: one of `NAMED_DATASETS`, see `canonical_name`, a folder of images, a .npy or .npz file, or the name of
        another data set of tensorflow_datasets, see `public.is_name`. An existing folder comes before that last.
      data_dir: folder of tensorflow_datasets, for the public data sets; its default folder if None.
      levels: number of grey levels of a folder's or a file's images, 256 if None. Those of named data sets are known.
      validation_split: "released" or "random", for `PUBLIC_DATASETS`; see `public.open_public`.
      height, width: to which the images of a public data set or a folder are resized; those of others keep their size.

    Raises:
      UserError: what is wrong with the name, the path or the data.
    """
    return open_dataset(dataset, data_dir, levels, validation_split, height, width).read()


def open_dataset(
    dataset: str | os.PathLike = "digits",
    data_dir: str | None = None,
    levels: int | None = None,
    validation_split: str = "released",
    height: int | None = None,
    width: int | None = None,
) -> Source:
    """Look a data set up; its images are read later, in any thread.

    All that tensorflow_datasets does in Python happens here: while it imports its own modules, it replaces Python's
    `__import__`, so that another thread that imports something could be given placeholders.

    Arguments are those of `load`.

    Raises:
      UserError: what is wrong with the name or the path; `Source.read` raises it for what is wrong with the data.
    """
    dataset = canonical_name(os.fspath(dataset))
    if levels is not None:
        check_number("--levels", levels, 2, 256)
        levels = int(levels)
    check_choice("--validation_split", validation_split, VALIDATION_SPLITS)
    if validation_split != "released" and public.known(dataset) is None:
        raise UserError(
            f"--validation_split={validation_split} cannot be set for --dataset={dataset}; it is for "
            f"{', '.join(public.PUBLIC_DATASETS)}"
        )
    if levels is not None and not is_path(dataset):
        raise UserError(f"--levels={levels} cannot be set for --dataset={dataset}, whose levels are known")
    if dataset == "digits":
        return Source(digits.load)
    if _is_file(dataset):
        return Source(functools.partial(arrays.load, dataset, levels_of(dataset, levels)))
    if not is_path(dataset):
        return public.open_public(dataset, data_dir, validation_split, height, width)
    return Source(functools.partial(folder.load, dataset, levels_of(dataset, levels), height, width))


def is_path(dataset: str) -> bool:
    """Whether a data set is a folder or a file, which may lie anywhere."""
    if dataset == "digits" or public.known(dataset):
        return False
    return _is_file(dataset) or os.path.isdir(dataset) or not public.is_name(dataset)


def _is_file(dataset):
    return dataset.lower().endswith((".npy", ".npz"))


def levels_of(dataset: str, levels: int | None = None) -> int:
    """Return the number of grey levels of a data set, without looking for it; arguments as in `open_dataset`."""
    return digits.LEVELS if dataset == "digits" else levels or public.LEVELS
