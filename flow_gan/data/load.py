"""A data set by its name or path."""

import os

from flow_gan.data import arrays, digits, folder, public
from flow_gan.errors import UserError

NAMED_DATASETS = ("digits", "mnist")


def load(dataset="digits", data_dir=None, levels=None):
    """Load a data set.

    Args:
      dataset: one of `NAMED_DATASETS`, a folder of images, or a .npy or .npz file.
      data_dir: folder of tensorflow_datasets, for "mnist"; its own default if None.
      levels: number of grey levels of a folder's or a file's images, 256 if None. Named data sets know theirs.

    Returns:
      A `Dataset`.

    Raises:
      UserError: what is wrong with the name, the path or the data.
    """
    if levels is not None and dataset in NAMED_DATASETS:
        raise UserError(f"--levels={levels} cannot be set for --dataset={dataset}, whose levels are known")
    if dataset == "digits":
        return digits.load()
    if dataset == "mnist":
        return public.load_mnist(data_dir)
    if dataset.endswith((".npy", ".npz")):
        return arrays.load(dataset, levels or 256)
    if os.sep in dataset or os.path.isdir(dataset):
        return folder.load(dataset, levels or 256)
    raise UserError(
        f"--dataset={dataset} is unknown; expected one of: {', '.join(NAMED_DATASETS)}, or the path of a folder of "
        "images, a .npy or a .npz file"
    )
