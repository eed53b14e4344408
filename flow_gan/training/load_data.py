"""The data of a configuration, checked against it."""

import dataclasses
import math
from collections.abc import Iterable

import numpy as np

from flow_gan import data
from flow_gan.config import Config
from flow_gan.config.datasets import SPLITS
from flow_gan.data import memory
from flow_gan.data.dataset import Source
from flow_gan.errors import UserError
from flow_gan.training.steps import batches_per_step

_SIZES = ("input_height", "input_width", "c_dim")


def load_data(config: Config) -> data.Dataset:
    """Return the data set of a configuration.

    Raises:
      UserError: there is none, or it does not fit the sizes and the batches of the configuration.
    """
    dataset = find_data(config).read()
    check_data(config, dataset)
    return dataset


def find_data(config: Config) -> Source:
    """Return the data set of a configuration, to be read."""
    size = config.input_height, config.input_width
    return data.open_dataset(config.dataset, config.data_dir, config.levels, config.validation_split, *size)


def check_data(config: Config, dataset: data.Dataset) -> None:
    """Raise `UserError` where a data set does not fit the sizes and the batches of a configuration."""
    for flag, actual in zip(_SIZES, dataset.image_shape, strict=True):
        asked = getattr(config, flag)
        if asked is not None and asked != actual:
            raise UserError(f"--{flag}={asked}, but the images of --dataset={config.dataset} have {actual}")
    check_grid(config, dataset.image_shape)
    if config.conditional:
        num_classes(config, dataset)
    largest = max(len(dataset.split(split)) for split in SPLITS)
    if config.mode != "train" and config.batch_size > largest:
        raise UserError(f"--batch_size={config.batch_size}; --dataset={config.dataset} has {largest} images in a split")
    needed = config.batch_size * (batches_per_step(config) or 1)
    if config.mode == "train" and needed > len(dataset.train):
        raise UserError(
            f"--batch_size={config.batch_size} needs {needed} training images per step; "
            f"--dataset={config.dataset} has {len(dataset.train)}"
        )
    # Of the NLL with which a training ends.
    if config.mode == "train" and (config.num_examples or 0) > len(dataset.test):
        raise UserError(f"--num_examples={config.num_examples}, but there are {len(dataset.test)} test images")


def num_classes(config: Config, dataset: data.Dataset) -> int | None:
    """Return the number of classes of a conditional run: `--num_classes`, or that of the data. None of other runs.

    Raises:
      UserError: there are images without labels, or labels outside of the classes.
    """
    if not config.conditional:
        return None
    without = [split for split in SPLITS if dataset.split(split).labels is None]
    if without:
        raise UserError(
            f"--conditional needs labels of all images, and --dataset={config.dataset} has none of its "
            f"{' and '.join(without)} images; expected data with labels, such as a folder with a subfolder for each "
            "class"
        )
    labels = np.concatenate([dataset.split(split).require_labels() for split in SPLITS])
    lowest, highest = int(labels.min()), int(labels.max())
    if lowest < 0:
        raise UserError(
            f"--conditional with --dataset={config.dataset}, which has the label {lowest}; expected 0 or more"
        )
    if config.num_classes is not None:
        if highest >= config.num_classes:
            raise UserError(
                f"--num_classes={config.num_classes}, but --dataset={config.dataset} has the label {highest}; expected "
                f"{highest + 1} or more"
            )
        return config.num_classes
    if highest >= len(dataset.train):
        raise UserError(
            f"--conditional with --dataset={config.dataset}, which has the label {highest} and {len(dataset.train)} "
            "training images; expected labels that count classes from 0 on, or --num_classes"
        )
    return max(len(dataset.class_names or ()), highest + 1)


def classes_without_images(config: Config, dataset: data.Dataset) -> list[str]:
    """Return the names, or numbers, of the classes of a conditional run that no training image has."""
    if not config.conditional:
        return []
    names = dataset.class_names or ()
    counts = np.bincount(dataset.train.require_labels(), minlength=num_classes(config, dataset) or 0)
    return [names[y] if y < len(names) else str(y) for y in np.flatnonzero(counts == 0)]


def without_images(classes: Iterable[str]) -> str:
    """Return the sentence on classes that no training image has; of many it names 20."""
    first = list(classes)
    named = ", ".join(first[:20]) + (f" and {len(first) - 20} more" if len(first) > 20 else "")
    return f"no training image has the class {named}: its prior stays where it began, and its p(y) is 0"


def check_grid(config: Config, image_shape: tuple) -> None:
    """Raise `UserError` if a grid of `--num_samples` images does not fit in memory."""
    # Latents and images, in 32 bits, at the least.
    num_bytes = 8 * config.num_samples * math.prod(image_shape)
    memory.require(num_bytes, f"a grid of --num_samples={config.num_samples}", "pass a smaller number")


def resolve(config: Config, image_shape: tuple, classes: int | None = None) -> Config:
    """Return the configuration with the data's sizes in place of those not given, the critic and flips chosen.

    Args:
      config: as given.
      image_shape: (H, W, C) of the data.
      classes: from `num_classes`.
    """
    changes: dict = dict(zip(_SIZES, image_shape, strict=True)) | {"num_classes": classes}
    if config.horizontal_flip is None:
        public = data.known_dataset(config.dataset)
        changes["horizontal_flip"] = public is not None and public.horizontal_flip
    if config.critic == "auto":
        changes["critic"] = "mnist" if data.is_grey(image_shape) else "dcgan"
    return dataclasses.replace(config, **changes)


def resolved_shape(config: Config) -> tuple:
    """Return the image shape (H, W, C) of a configuration from `resolve`."""
    return tuple(getattr(config, name) for name in _SIZES)
