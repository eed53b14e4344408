"""Data sets that are known by name."""

import dataclasses
import os
import re


@dataclasses.dataclass(frozen=True, kw_only=True)
class PublicSet:
    """What is known of a data set of tensorflow_datasets.

    Attributes:
      held_out: int, number of training images that become validation images.
      per_class: bool, True for the first images of each class, False for the last of all.
      horizontal_flip: bool, whether training images are flipped by default.
    """

    held_out: int
    per_class: bool
    horizontal_flip: bool = False


# Numbers of training, validation and test images: mnist and fashion_mnist 50,000 / 10,000 / 10,000 and cifar10
# 45,000 / 5,000 / 10,000 (paper, Appendix A), svhn_cropped 68,257 / 5,000 / 26,032.
PUBLIC_DATASETS = {
    "mnist": PublicSet(held_out=10_000, per_class=False),
    "fashion_mnist": PublicSet(held_out=10_000, per_class=False),
    "cifar10": PublicSet(held_out=5_000, per_class=True, horizontal_flip=True),
    "svhn_cropped": PublicSet(held_out=5_000, per_class=True),
}
NAMED_DATASETS = ("digits", *PUBLIC_DATASETS)
SPLITS = ("train", "validation", "test")
# Ways to choose the validation images from the training images of these.
VALIDATION_SPLITS = ("released", "random")
# Names of the original release.
_ALIASES = {"cifar": "cifar10"}


def canonical_name(dataset: str | os.PathLike) -> str:
    """Return the name under which a data set is stored: one of `NAMED_DATASETS`, or else what is given, as a str.

    The case of these names does not matter, as with tensorflow_datasets: MNIST and FashionMNIST are mnist and
    fashion_mnist; cifar is cifar10. If there is a folder of the name that is given, such as MNIST, the folder is meant.
    """
    dataset = os.fspath(dataset)
    name, *version = re.split("(?=:)", dataset, maxsplit=1)
    if name in NAMED_DATASETS or (name not in _ALIASES and os.path.isdir(dataset)):
        return dataset
    names = {known.replace("_", ""): known for known in NAMED_DATASETS} | _ALIASES
    return "".join([names.get(name.replace("_", "").lower(), name), *version])
