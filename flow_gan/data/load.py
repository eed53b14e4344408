"""A data set by its name or path."""

import functools
import os

from flow_gan.data import arrays, digits, folder, public
from flow_gan.errors import UserError, check_choice

NAMED_DATASETS = ("digits", *public.PUBLIC_DATASETS)
# Names of the original release.
ALIASES = {"cifar": "cifar10"}


def load(dataset="digits", data_dir=None, levels=None, validation_split="released"):
    """Load a data set; arguments and errors are those of `open_dataset`.

    Returns:
      A `Dataset`.
    """
    return open_dataset(dataset, data_dir, levels, validation_split)()


def open_dataset(dataset="digits", data_dir=None, levels=None, validation_split="released"):
    """Look a data set up, and return the function without arguments that reads it, in any thread.

    What tensorflow_datasets does in Python is done here: while it imports its parts, it replaces Python's own
    `__import__`, so that another thread may be handed stand-ins for the modules that it imports.

    Args:
      dataset: one of `NAMED_DATASETS` or `ALIASES`, a folder of images, or a .npy or .npz file.
      data_dir: folder of tensorflow_datasets, for the public data sets; its own default if None.
      levels: number of grey levels of a folder's or a file's images, 256 if None. Named data sets know theirs.
      validation_split: "released" or "random", for the public data sets; see `public.read`.

    Returns:
      A function that returns a `Dataset`.

    Raises:
      UserError: what is wrong with the name or the path, and from the function with the data.
    """
    dataset = ALIASES.get(dataset, dataset)
    check_choice("--validation_split", validation_split, public.VALIDATION_SPLITS)
    if validation_split != "released" and dataset not in public.PUBLIC_DATASETS:
        raise UserError(
            f"--validation_split={validation_split} cannot be set for --dataset={dataset}; it is for "
            f"{', '.join(public.PUBLIC_DATASETS)}"
        )
    if levels is not None and dataset in NAMED_DATASETS:
        raise UserError(f"--levels={levels} cannot be set for --dataset={dataset}, whose levels are known")
    if dataset == "digits":
        return digits.load
    if dataset in public.PUBLIC_DATASETS:
        return functools.partial(public.read, dataset, public.open_splits(dataset, data_dir), validation_split)
    if dataset.endswith((".npy", ".npz")):
        return functools.partial(arrays.load, dataset, levels_of(dataset, levels))
    if os.sep in dataset or os.path.isdir(dataset):
        return functools.partial(folder.load, dataset, levels_of(dataset, levels))
    raise UserError(
        f"--dataset={dataset} is unknown; expected one of: {', '.join(NAMED_DATASETS)}, or the path of a folder of "
        "images, a .npy or a .npz file"
    )


def levels_of(dataset, levels=None):
    """Return the number of grey levels of a data set, without looking for it; arguments as in `open_dataset`."""
    if dataset == "digits":
        return digits.LEVELS
    return public.LEVELS if dataset in public.PUBLIC_DATASETS else levels or 256
