"""scikit-learn's handwritten digits: 1,797 real 8x8 images with 17 grey levels, inside the package."""

import numpy as np

from flow_gan.config.datasets import SPLITS
from flow_gan.data import digest
from flow_gan.data.dataset import Dataset, Split

HELD_OUT = 250
LEVELS = 17


def load() -> Dataset:
    """Return the digits, split 1,297 / 250 / 250, each class in proportion.

    The file lists the writers one after another, so the split is random; it is the same for every run.
    """
    from sklearn.datasets import load_digits  # Slow to import, as below, and other data sets do not need it.

    digits = load_digits()
    images = digits.images.astype(np.uint8)[..., np.newaxis]
    labels = digits.target.astype(np.int64)
    rest, test = _stratified(np.arange(len(labels)), labels)
    train, validation = _stratified(rest, labels)
    parts = dict(zip(SPLITS, (train, validation, test), strict=True))
    splits = {part: Split(images[chosen], labels[chosen]) for part, chosen in parts.items()}
    return Dataset(
        name="digits",
        image_shape=images.shape[1:],
        levels=LEVELS,
        **splits,
        digest=digest.of_splits(splits),
        class_names=tuple(map(str, digits.target_names)),
    )


def _stratified(indices, labels):
    from sklearn.model_selection import train_test_split

    return train_test_split(indices, test_size=HELD_OUT, stratify=labels[indices], random_state=0, shuffle=True)
