"""Public data sets through tensorflow_datasets."""

import os
import pathlib
import socket
import urllib.request

import numpy as np

from flow_gan.data.dataset import Dataset, Split
from flow_gan.errors import UserError

DEFAULT_DATA_DIR = "~/tensorflow_datasets"


def load_mnist(data_dir=None):
    """Return MNIST, 50,000 / 10,000 / 10,000 (paper, Appendix A).

    The validation images are the last 10,000 training images in the order of tensorflow_datasets. The release's
    are other ones, since its files have another order; the sizes are the same.
    """
    images, labels = _read("mnist", "train", data_dir)
    test = Split(*_read("mnist", "test", data_dir))
    train, validation = (Split(images[part], labels[part]) for part in np.s_[:50000, 50000:])
    return Dataset("mnist", (28, 28, 1), 256, train, validation, test)


def _read(name, split, data_dir):
    """Return all images, uint8 [N, H, W, C], and labels of a split, downloading the data set if need be."""
    import tensorflow_datasets as tfds  # Slow to import, and most runs of the digits never need it.

    folder = pathlib.Path(data_dir or os.environ.get("TFDS_DATA_DIR", DEFAULT_DATA_DIR)).expanduser()
    try:
        builder = tfds.builder(name, data_dir=folder, try_gcs=False)
        if not builder.is_prepared():
            _check_network()
            builder.download_and_prepare()
        data = builder.as_dataset(split=split, batch_size=-1, as_supervised=True)
        images, labels = tfds.as_numpy(data)
    except Exception as error:
        # Whatever the reason (no network, a full disk, a broken file), the way out is the same.
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"--dataset={name} is not in --data_dir={folder} and could not be downloaded ({reason}). "
            f"Pass the --data_dir of a prepared tensorflow_datasets folder, or prepare one on a machine with a "
            f"network: python -c \"import tensorflow_datasets as tfds; tfds.load('{name}', data_dir='DIR')\". "
            "--dataset=digits needs no download."
        ) from error
    return images, labels


def _check_network():
    """Raise OSError at once where there is no network; tensorflow_datasets would try for minutes."""
    if not urllib.request.getproxies():
        socket.create_connection(("storage.googleapis.com", 443), timeout=10).close()
