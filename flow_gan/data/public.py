"""Public data sets through tensorflow_datasets."""

import dataclasses
import os
import pathlib
import socket
import urllib.request

import numpy as np
import tensorflow as tf

from flow_gan.data.dataset import Dataset, Split
from flow_gan.errors import UserError

DEFAULT_DATA_DIR = "~/tensorflow_datasets"


@dataclasses.dataclass(frozen=True)
class PublicSet:
    """What is known of a data set.

    Attributes:
      image_shape: (H, W, C).
      held_out: int, number of training images that validate.
      per_class: bool, whether these are the first of each class, or the last of all.
      horizontal_flip: bool, whether training images are flipped by default.
    """

    image_shape: tuple
    held_out: int
    per_class: bool
    horizontal_flip: bool = False


# Sizes after the split, in the order of the list: 50,000 / 10,000 / 10,000 (paper, Appendix A), likewise,
# 45,000 / 5,000 / 10,000 (paper, Appendix A) and 68,257 / 5,000 / 26,032.
PUBLIC_DATASETS = {
    "mnist": PublicSet((28, 28, 1), 10_000, per_class=False),
    "fashion_mnist": PublicSet((28, 28, 1), 10_000, per_class=False),
    "cifar10": PublicSet((32, 32, 3), 5_000, per_class=True, horizontal_flip=True),
    "svhn_cropped": PublicSet((32, 32, 3), 5_000, per_class=True),
}

# Grey levels of all of them.
LEVELS = 256

VALIDATION_SPLITS = ("released", "random")

# Examples that are read at once.
_READ = 1000


def read(name, splits, validation_split="released"):
    """Return a public data set.

    Args:
      name: one of `PUBLIC_DATASETS`.
      splits: from `open_splits`.
      validation_split: which training images validate. "released": for cifar10 the release's, the first 500 of each
        class in the original files. For the others as many as there, in the order of tensorflow_datasets, since the
        original one is not stored: for svhn_cropped the first 500 of each class, for mnist and fashion_mnist the
        last 10,000. "random": as many, drawn at random (paper, Appendix A), the same ones in every run.

    Raises:
      UserError: the data set cannot be read.
    """
    images, labels = _read(name, splits["train"])
    test = Split(*_read(name, splits["test"]))
    is_held_out = _held_out(PUBLIC_DATASETS[name], labels, validation_split)
    train, validation = (Split(images[part], labels[part]) for part in (~is_held_out, is_held_out))
    return Dataset(name, images.shape[1:], LEVELS, train, validation, test)


def _held_out(public_set, labels, validation_split):
    """Return a mask, bool [N], of the training images that validate."""
    if validation_split == "random":
        chosen = np.random.default_rng(0).permutation(len(labels))[: public_set.held_out]
    elif public_set.per_class:
        per_class = public_set.held_out // 10
        chosen = np.concatenate([np.flatnonzero(labels == k)[:per_class] for k in range(10)])
    else:
        chosen = np.arange(len(labels))[-public_set.held_out :]
    mask = np.zeros(len(labels), bool)
    mask[chosen] = True
    return mask


def open_splits(name, data_dir=None):
    """Return {"train", "test": tf.data.Dataset of batches of all examples}, downloading the data set if need be.

    Args:
      name: one of `PUBLIC_DATASETS`.
      data_dir: folder of tensorflow_datasets.

    Raises:
      UserError: the data set is not there and cannot be downloaded.
    """
    import tensorflow_datasets as tfds  # Slow to import, and most runs of the digits never need it.

    folder = pathlib.Path(data_dir or os.environ.get("TFDS_DATA_DIR", DEFAULT_DATA_DIR)).expanduser()
    try:
        builder = tfds.builder(name, data_dir=folder, try_gcs=False)
        if not builder.is_prepared():
            _check_network()
            builder.download_and_prepare()
        return {split: _batches(builder, split) for split in ("train", "test")}
    except Exception as error:
        # Whatever the reason (no network, a full disk, a broken file), the way out is the same.
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"--dataset={name} is not in --data_dir={folder} and could not be downloaded ({reason}). "
            f"Pass the --data_dir of a prepared tensorflow_datasets folder, or prepare one on a machine with a "
            f"network: python -c \"import tensorflow_datasets as tfds; tfds.load('{name}', data_dir='DIR')\". "
            "--dataset=digits needs no download."
        ) from error


def _read(name, batches):
    """Return all images, uint8 [N, H, W, C], and labels of a split's batches."""
    try:
        batches = list(batches.as_numpy_iterator())
    except Exception as error:
        raise UserError(
            f"--dataset={name} in --data_dir cannot be read ({' '.join(str(error).split())[:200]}); delete its folder "
            f"{name} there and let it be downloaded again"
        ) from error
    examples = {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
    images, labels = examples["image"], examples["label"]
    if "id" in examples:
        # tensorflow_datasets shuffles what it stores; the numbers are those of the original files.
        order = np.argsort(examples["id"])
        images, labels = images[order], labels[order]
    return images, labels


def _batches(builder, split):
    """Return all examples of a split as a tf.data.Dataset of batches, in the stored order."""
    files = builder.info.splits[split].filepaths if builder.info.splits else []
    if not files or not all(".tfrecord" in pathlib.Path(file).name and pathlib.Path(file).exists() for file in files):
        return builder.as_dataset(split=split, batch_size=_READ)
    # As `as_dataset` does, but a thousand examples at once: reading MNIST takes 2 s instead of 10.
    features = builder.info.features
    stored = {name: tf.io.FixedLenFeature(i.shape, i.dtype) for name, i in features.get_serialized_info().items()}
    channels = features["image"].shape[-1]

    def parse(examples):
        examples = tf.io.parse_example(examples, stored)
        decoded = tf.TensorSpec(features["image"].shape, tf.uint8)
        images = tf.map_fn(
            lambda image: tf.io.decode_png(image, channels), examples["image"], fn_output_signature=decoded
        )
        return examples | {"image": images}

    return tf.data.TFRecordDataset(files).batch(_READ).map(parse, num_parallel_calls=tf.data.AUTOTUNE)


def _check_network():
    """Raise OSError at once where there is no network; tensorflow_datasets would try for minutes."""
    if not urllib.request.getproxies():
        socket.create_connection(("storage.googleapis.com", 443), timeout=10).close()
