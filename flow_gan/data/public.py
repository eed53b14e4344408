"""Public data sets through tensorflow_datasets."""

import contextlib
import os
import re
import socket
import urllib.request

import numpy as np

from flow_gan.config.datasets import PUBLIC_DATASETS, SPLITS, PublicSet
from flow_gan.data import digest, memory
from flow_gan.data.dataset import (
    CHANNELS,
    Dataset,
    Source,
    Split,
    hold_out_indices,
    random_split_indices,
)
from flow_gan.data.examples import open_examples
from flow_gan.errors import UserError, brief, check_tensorflow_path, home_expanded

DEFAULT_DATA_DIR = "~/tensorflow_datasets"


# Grey levels of all public data sets.
LEVELS = 256

# NAME or NAME/CONFIG, either with :VERSION. Names that tensorflow_datasets would fetch from elsewhere do not match.
_NAME = re.compile(r"[A-Za-z_]\w*(/\w[\w.-]*)?(:[\d*]+\.[\d*]+\.[\d*]+)?")


def is_name(dataset: str) -> bool:
    """Whether this may be the name of a public data set: NAME or NAME/CONFIG, either with :VERSION."""
    return _NAME.fullmatch(dataset) is not None


def known(dataset: str) -> PublicSet | None:
    """Return what is known of a data set."""
    return PUBLIC_DATASETS.get(dataset.partition(":")[0])


def open_public(
    dataset: str,
    data_dir: str | None = None,
    validation_split: str = "released",
    height: int | None = None,
    width: int | None = None,
) -> Source:
    """Look up a data set of tensorflow_datasets and download it if necessary.

    Test images are its split "test", or else "validation", or else a tenth of "train". Validation images are, for
    `PUBLIC_DATASETS`, training images chosen by `validation_split`; for others the split "validation", or else a tenth
    of "train", at most `dataset.MAX_HELD_OUT`. A tenth is drawn at random, always the same.

    Args:
      dataset: a name for which `is_name`.
      data_dir: folder of tensorflow_datasets.
      validation_split: which training images of `PUBLIC_DATASETS` are the validation images. "released": for cifar10
        those of the release, the first 500 of each class in the original files. For the others as many as in the
        release, in the order of tensorflow_datasets, since it does not store the original order: for svhn_cropped the
        first 500 of each class, for mnist and fashion_mnist the last 10,000. "random": as many, drawn at random (paper,
        Appendix A), the same ones in every run.
      height, width: to which images are resized. Without `height` they keep their own, without `width` it is `height`.

    Raises:
      UserError: there is no such data set, it cannot be downloaded, has no suitable images, or does not fit in memory.
    """
    builder = _open_builder(dataset, data_dir)
    shape, names, class_names = _check_features(dataset, builder.info.features, height, width)
    # A data set that was never prepared, as in tests, has no list of splits.
    available = set(builder.info.splits or {"train", "test"})
    if "train" not in available:
        raise UserError(f"--dataset={dataset} has the splits {', '.join(sorted(available))}; expected a split train")
    splits = {"train": "train"}
    if available & {"test", "validation"}:
        splits["test"] = "test" if "test" in available else "validation"
    if known(dataset) is None and available >= {"test", "validation"}:
        splits["validation"] = "validation"

    def read():
        with _unreadable(dataset):
            examples = {part: open_examples(builder, split, names, shape[:2]) for part, split in splits.items()}
        memory.require(
            sum(part.count for part in examples.values()) * int(np.prod(shape)),
            f"--dataset={dataset} with images of {shape[0]}x{shape[1]}",
            "make them smaller by --input_height, or write them to a .npy file, which may be of any size",
        )
        return _read(dataset, examples, validation_split, class_names)

    return Source(read, shape, LEVELS)


def _read(dataset, examples, validation_split, class_names):
    """Return the `Dataset` of {part: `Examples`}."""
    orders = {part: {part: np.arange(split.count)} for part, split in examples.items()}
    public_set = known(dataset)
    if public_set is None:
        orders["train"] = _hold_out(dataset, examples)
    splits = {}
    with _unreadable(dataset):
        for part, within in orders.items():
            # The parts of a split are views of one array: a second copy might not fit in memory.
            arrays = examples[part].read(np.concatenate([*within.values()]))
            start = 0
            for name, indices in within.items():
                splits[name] = {key: array[start : start + len(indices)] for key, array in arrays.items()}
                start += len(indices)
    if public_set is not None:
        splits = {part: _by_id(arrays) for part, arrays in splits.items()}
        is_held_out = _held_out(public_set, splits["train"]["label"], validation_split)
        parts = {"train": ~is_held_out, "validation": is_held_out}
        train = splits["train"]
        splits |= {part: {key: array[chosen] for key, array in train.items()} for part, chosen in parts.items()}
    parts = {part: Split(arrays["image"], arrays.get("label")) for part, arrays in splits.items()}
    return Dataset(
        name=dataset,
        image_shape=parts["train"].images.shape[1:],
        levels=LEVELS,
        **parts,
        digest=digest.of_splits(parts),
        class_names=class_names,
    )


def _by_id(arrays):
    """Return arrays in the order of the original files, if they have an "id"."""
    if "id" not in arrays:
        return arrays
    # tensorflow_datasets shuffles what it stores; the numbers are those of the original files.
    order = np.argsort(arrays["id"])
    return {key: array[order] for key, array in arrays.items()}


def _hold_out(dataset, examples):
    """Return {part: int [n]}: which training examples stay, and which become the parts that are missing."""
    count = examples["train"].count
    if count < 3:
        raise UserError(f"--dataset={dataset} has {count} training images; expected 3 or more")
    if "test" not in examples:
        return dict(zip(SPLITS, random_split_indices(count), strict=True))
    if "validation" in examples:
        return {"train": np.arange(count)}
    train, validation = hold_out_indices(count)
    return {"train": train, "validation": validation}


def _held_out(public_set, labels, validation_split):
    """Return a mask, bool [N], of the training images that are the validation images."""
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


def _check_features(dataset, features, height, width):
    """Return the shape (H, W, C) that images are to have, the names of the features that are read, and of classes."""
    # A data set whose features are not a dict has no feature "image" either.
    image = dict(features).get("image")
    if image is None or image.np_dtype != np.uint8 or len(image.shape) != 3 or image.shape[-1] not in CHANNELS:
        raise UserError(
            f"--dataset={dataset} has {brief(features if image is None else image)}; expected a feature image, "
            "uint8 [H, W, C] with 1, 3 or 4 channels"
        )
    height, width = height or image.shape[0], width or height or image.shape[1]
    if height is None or width is None:
        raise UserError(
            f"--dataset={dataset} has images of different sizes; pass the size to which they are resized, "
            "--input_height (and --input_width unless they are to be square)"
        )
    names, class_names = ["image"], None
    if "label" in features:
        label = features["label"]
        if label.shape != () or not np.issubdtype(label.np_dtype, np.integer):
            raise UserError(f"--dataset={dataset} has the label {brief(label)}; expected an integer")
        names.append("label")
        class_names = tuple(getattr(label, "names", None) or ()) or None
    if known(dataset) is not None and "id" in features:
        names.append("id")
    return (height, width, image.shape[-1]), names, class_names


def _open_builder(dataset, data_dir):
    import tensorflow_datasets as tfds  # Slow to import, and most runs of the digits never need it.

    folder = home_expanded("--data_dir", data_dir or os.environ.get("TFDS_DATA_DIR", DEFAULT_DATA_DIR))
    check_tensorflow_path("--data_dir", folder)
    try:
        builder = tfds.builder(dataset, data_dir=folder, try_gcs=False)
    except tfds.core.DatasetNotFoundError as error:
        raise UserError(
            f"--dataset={dataset} is unknown; expected one of: digits, {', '.join(PUBLIC_DATASETS)}, another name of "
            f"tensorflow_datasets, or the path of a folder of images, a .npy or a .npz file"
        ) from error
    except Exception as error:
        raise UserError(
            f"--dataset={dataset} cannot be opened in --data_dir={folder} ({brief(error)}); expected a data set of "
            "tensorflow_datasets: NAME or NAME/CONFIG, either with :VERSION"
        ) from error
    try:
        if not builder.is_prepared():
            check_network()
            builder.download_and_prepare()
    except Exception as error:
        # Whatever the reason (no network, a full disk, a broken file), the remedy is the same.
        raise UserError(
            f"--dataset={dataset} is not in --data_dir={folder} and could not be downloaded ({brief(error)}). "
            "Pass the --data_dir of a prepared tensorflow_datasets folder, or prepare one on a machine with a "
            f"network: python -c \"import tensorflow_datasets as tfds; tfds.load('{dataset}', data_dir='DIR')\". "
            "--dataset=digits needs no download."
        ) from error
    return builder


@contextlib.contextmanager
def _unreadable(dataset):
    """Turn whatever goes wrong with a data set's files into a `UserError`."""
    try:
        yield
    except Exception as error:
        raise UserError(
            f"--dataset={dataset} in --data_dir cannot be read ({brief(error)}); delete its folder "
            f"{dataset.partition(':')[0]} there and let it be downloaded again"
        ) from error


def check_network() -> None:
    """Raise OSError at once where there is no network; tensorflow_datasets would try for minutes."""
    if not urllib.request.getproxies():
        socket.create_connection(("storage.googleapis.com", 443), timeout=10).close()
