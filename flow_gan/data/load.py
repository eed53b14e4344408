"""A data set by its name or path."""

import os

from flow_gan.data import arrays, digits, folder, public
from flow_gan.errors import UserError, check_choice

NAMED_DATASETS = ("digits", *public.PUBLIC_DATASETS)
# Names of the original release.
ALIASES = {"cifar": "cifar10"}


def load(dataset="digits", data_dir=None, levels=None, validation_split="released"):
    """Load a data set.

    Args:
      dataset: one of `NAMED_DATASETS` or `ALIASES`, a folder of images, or a .npy or .npz file.
      data_dir: folder of tensorflow_datasets, for the public data sets; its own default if None.
      levels: number of grey levels of a folder's or a file's images, 256 if None. Named data sets know theirs.
      validation_split: "released" or "random", for the public data sets; see `public.load`.

    Returns:
      A `Dataset`.

    Raises:
      UserError: what is wrong with the name, the path or the data.
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
        return digits.load()
    if dataset in public.PUBLIC_DATASETS:
        return public.load(dataset, data_dir, validation_split)
    if dataset.endswith((".npy", ".npz")):
        return arrays.load(dataset, levels or 256)
    if os.sep in dataset or os.path.isdir(dataset):
        return folder.load(dataset, levels or 256)
    raise UserError(
        f"--dataset={dataset} is unknown; expected one of: {', '.join(NAMED_DATASETS)}, or the path of a folder of "
        "images, a .npy or a .npz file"
    )
