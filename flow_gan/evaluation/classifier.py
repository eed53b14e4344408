"""Classifiers for scores of samples: a CNN trained on the data set itself, ImageNet's Inception, or a user's model."""

import dataclasses
import functools
import hashlib
import json
import os
import pathlib
import re
import tempfile
import zipfile
from collections.abc import Callable

import numpy as np
import tensorflow as tf
from absl import logging

from flow_gan.config.evaluation import check_classifier_name, is_own_classifier
from flow_gan.data import Dataset, Images
from flow_gan.errors import NotFiniteError, UserError, brief
from flow_gan.evaluation.cnn import make_cnn, make_recipe, train_cnn
from flow_gan.evaluation.inception import (
    check_inception,
    inception_resizing,
    is_published,
    make_inception,
    weights_digest,
)
from flow_gan.evaluation.own_classifier import load_own_network
from flow_gan.progress import progress

# Test accuracy that a CNN needs for its scores to mean anything.
TARGET_ACCURACY = {"digits": 0.975, "mnist": 0.992, "cifar10": 0.80}

# Increase this with every change of the CNN or its training that its recipe does not show, so that cached weights are
# no longer used.
_VERSION = 1

_CNN_NOTE = (
    "the classifier is this package's own CNN trained on {}: the scores compare only with others by the same "
    "classifier, never with the Inception scores of the paper"
)
_INCEPTION_NOTE = (
    "the classifier is InceptionV3 of keras.applications, not the release of Inception that the paper or published "
    "FIDs used: the scores compare only with others by the same weights"
)
_PUBLISHED_NOTE = (
    "the classifier is the Inception network of 2015 that published Inception scores and FIDs are of: they compare "
    "where the numbers of images are the same, as a rule 50,000 samples, and for an FID the reference and the resizing"
)
_OWN_NOTE = (
    "the classifier is a model of your own ({}): the scores compare only with others by the same file, never with "
    "published ones"
)


class Classifier:
    """A trained network that gives images class probabilities and features.

    Images are classified as a file would store them, on the data set's grey levels, so that dequantisation noise cannot
    distinguish samples from data:

        level = min(floor(x * levels), levels - 1)

    Args:
      name: which classifier this is, in words.
      network: from float32 images [batch, H, W, C] in [0, 1] to (logits [batch, K], features [batch, F]).
      image_shape: (H, W, C).
      levels: number of grey levels.
      note: a sentence that says what its scores can be compared with.
      knows_labels: whether its classes are the labels of the data set.
      test_accuracy: in [0, 1]; None if the data set has no labels of its classes.
      network_name: what identifies the network with its weights, whose features alone compare; the name if empty.
      resizing: how images come to the network's size, in words.
      is_own: whether it is a model of the user's own.
    """

    def __init__(
        self,
        name: str,
        network: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]],
        image_shape: tuple[int, int, int],
        levels: int,
        note: str,
        *,
        knows_labels: bool = True,
        test_accuracy: float | None = None,
        batch_size: int = 250,
        network_name: str = "",
        resizing: str = "none",
        is_own: bool = False,
    ):
        self.name = name
        self.image_shape = tuple(image_shape)
        self.levels = levels
        self.note = note
        self.knows_labels = knows_labels
        self.test_accuracy = test_accuracy
        self.network_name = network_name or name
        self.resizing = resizing
        self.is_own = is_own
        self._batch_size = batch_size
        self._run = tf.function(network, input_signature=[tf.TensorSpec([None, *image_shape], tf.float32)])

    @property
    def num_features(self) -> int:
        """F, as an image tells it."""
        return self._run(tf.zeros([1, *self.image_shape]))[1].shape[-1]

    def predict(self, images: Images) -> tuple[np.ndarray, np.ndarray]:
        """Classify images in batches, with a progress bar if it takes long.

        Args:
          images: [n, H, W, C], floats in [0, 1] (values outside are clipped) or uint8 grey levels.

        Returns:
          Class probabilities, float64 [n, K], and features, float64 [n, F].

        Raises:
          UserError: the images have another shape, or are not finite.
        """
        if len(images) == 0 or tuple(images.shape[1:]) != self.image_shape:
            raise UserError(
                f"images are {list(images.shape)}; the classifier {self.name} expected [n, "
                f"{', '.join(map(str, self.image_shape))}] with n of 1 or more"
            )
        starts = range(0, len(images), self._batch_size)
        results = []
        for start in progress(starts, "classifying"):
            batch = np.asarray(images[np.arange(start, min(start + self._batch_size, len(images)))])
            logits, features = self._run(self._on_levels(batch))
            # In double precision the probabilities of a row add up to 1 and none is 0.
            results.append((tf.nn.softmax(tf.cast(logits, tf.float64)).numpy(), features.numpy().astype(np.float64)))
        probabilities, features = (np.concatenate(parts) for parts in zip(*results, strict=True))
        return probabilities, features

    def _on_levels(self, images):
        if images.dtype == np.uint8:
            levels = images
        elif np.isfinite(images).all():
            levels = np.clip(np.floor(images * self.levels), 0, self.levels - 1)
        else:
            raise NotFiniteError(f"images hold values that are not finite; the classifier {self.name} expected [0, 1]")
        return levels.astype(np.float32) / (self.levels - 1)


def load_classifier(
    name: str,
    dataset: Dataset,
    folder: str | os.PathLike,
    inception_weights: str | os.PathLike | None = None,
    seed: int = 0,
) -> Classifier:
    """Return the classifier for samples of a data set.

    Args:
      name: "cnn" is trained on the training images and stored in `folder`, and loaded from there if the data, the
        network, its training and the seed are the same. "inception_v3" has ImageNet's classes. Else the path of a model
        of the user's own, see `load_own_network`.
      dataset: "cnn" needs labels of the training and the test images.
      folder: where trained classifiers are stored; created if necessary.
      inception_weights: see `make_inception`.
      seed: of the CNN's training.

    Raises:
      UserError: what is wrong with the arguments.
    """
    check_classifier(name, dataset, inception_weights)
    if is_own_classifier(name):
        return _load_own(dataset, name)
    if name == "cnn":
        return _load_cnn(dataset, pathlib.Path(folder), seed)
    network, network_name = make_inception(dataset.image_shape, inception_weights)
    # Only the name of the file: its folder does not matter to readers of the scores.
    description = f"inception_v3 ({pathlib.Path(inception_weights or 'imagenet').name})"
    return Classifier(
        description,
        network,
        dataset.image_shape,
        dataset.levels,
        _PUBLISHED_NOTE if is_published(inception_weights) else _INCEPTION_NOTE,
        knows_labels=False,
        batch_size=32,
        network_name=network_name,
        resizing=inception_resizing(dataset.image_shape, inception_weights),
    )


def check_classifier(name: str, dataset: Dataset, inception_weights: str | os.PathLike | None = None) -> None:
    """Raise `UserError` unless `load_classifier` finds its files, and a user's own model takes such images."""
    check_classifier_name("classifier", name)
    if name == "inception_v3":
        check_inception(dataset.image_shape, inception_weights)
    elif inception_weights is not None:
        raise UserError(f"inception_weights={inception_weights} cannot be set for classifier={name}")
    if is_own_classifier(name):
        load_own_network(name, dataset)


def _load_own(dataset, path):
    own = load_own_network(path, dataset)
    given = "probabilities" if own.gives_probabilities else "logits"
    is_labelled = dataset.train.labels is not None and dataset.test.labels is not None
    knows_labels = is_labelled and np.array_equal(np.unique(dataset.train.labels), np.arange(own.num_classes))
    name = pathlib.Path(path).name
    make = functools.partial(
        Classifier,
        name,
        own.run,
        dataset.image_shape,
        dataset.levels,
        _OWN_NOTE.format(f"{name}: {own.num_classes} {given}"),
        knows_labels=knows_labels,
        network_name=own.name,
        is_own=True,
    )
    accuracy = _test_accuracy(make(), dataset) if knows_labels else None
    if accuracy is not None:
        _warn_of_low(accuracy, dataset)
    return make(test_accuracy=accuracy)


def _test_accuracy(classifier, dataset):
    probabilities, _ = classifier.predict(dataset.test.images)
    return float(np.mean(probabilities.argmax(1) == dataset.test.labels))


def _warn_of_low(accuracy, dataset):
    target = TARGET_ACCURACY.get(dataset.name, 0.0)
    if accuracy < target:
        logging.warning(
            "the classifier of %s has a test accuracy of %.2f %%, below %.2f %%: its scores mean little",
            dataset.name,
            100 * accuracy,
            100 * target,
        )


def _in_evaluation(network):
    # Explicitly, since otherwise the batch norms of a nested model are in training mode.
    return functools.partial(network, training=False)


def _load_cnn(dataset, folder, seed):
    num_classes = _count_classes(dataset)
    recipe = make_recipe(dataset)
    network = make_cnn(dataset.image_shape, num_classes, recipe.width, seed)
    # The weights' shapes identify the network's layers, the version the rest of the network and its training.
    shapes = [tuple(weight.shape) for weight in network.weights]
    description = [_VERSION, shapes, dataclasses.asdict(recipe), dataset.levels, seed, _digest(dataset)]
    fingerprint = hashlib.sha256(json.dumps(description).encode()).hexdigest()
    path = folder / f"{re.sub(r'[^A-Za-z0-9_.-]', '_', dataset.name)}-{fingerprint[:16]}.npz"

    def make_classifier(test_accuracy):
        note = _CNN_NOTE.format(dataset.name)
        name = f"cnn trained on {dataset.name}"
        return Classifier(
            name,
            _in_evaluation(network),
            dataset.image_shape,
            dataset.levels,
            note,
            test_accuracy=test_accuracy,
            # By its weights: elsewhere the same training rounds otherwise.
            network_name=f"{name}, {weights_digest(network)}",
        )

    accuracy = _read_weights(path, network, fingerprint)
    if accuracy is None:
        # Checked before minutes of training, not after them.
        try:
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
        except OSError as error:
            raise UserError(f"--classifier_dir={folder} cannot be written: {error}") from error
        train_cnn(network, dataset.train.images, dataset.train.labels, dataset.levels, recipe, seed)
        accuracy = _test_accuracy(make_classifier(None), dataset)
        _write_weights(path, network, fingerprint, accuracy)
    _warn_of_low(accuracy, dataset)
    return make_classifier(accuracy)


def _count_classes(dataset):
    """Return the number of classes, the largest training label + 1; raise `UserError` if labels are unsuitable."""
    for name in ("train", "test"):
        if dataset.split(name).labels is None:
            raise UserError(
                f"dataset {dataset.name} has no {name} labels; classifier=cnn is trained on labelled images, "
                "pass classifier=inception_v3 or a labelled data set"
            )
    counts = label_counts(dataset.train.labels)
    if len(counts) < 2 or not counts.all():
        found = np.unique(dataset.train.labels).tolist()
        told = found if len(found) <= 20 else f"{len(found)} numbers up to {found[-1]}"
        raise UserError(
            f"training labels of {dataset.name} are {told}; expected 0, 1, ... without a gap, and two classes or more"
        )
    return len(counts)


def label_counts(labels: np.ndarray) -> np.ndarray:
    """Return how often each of the labels 0, 1, ... occurs in integer labels [N]; raise `UserError` if one is not in
    0 to N - 1, which it must be where there are no gaps.
    """
    if np.min(labels) < 0:
        raise UserError(f"labels hold {np.min(labels)}; expected 0 or more")
    if np.max(labels) >= len(labels):
        raise UserError(f"labels hold {np.max(labels)}, of {len(labels)} images; expected 0, 1, ... without a gap")
    return np.bincount(labels)


def _digest(dataset):
    """Return a digest of the training and the test images and labels."""
    digest = hashlib.sha256()
    for split in (dataset.train, dataset.test):
        digest.update(np.asarray(split.labels, np.int64).tobytes())
        for start in range(0, len(split), 1000):
            images = split.images[np.arange(start, min(start + 1000, len(split)))]
            digest.update(repr(images.shape).encode() + np.ascontiguousarray(images).tobytes())
    return digest.hexdigest()


def _read_weights(path, network, fingerprint):
    """Set the network's weights to those of a file and return its test accuracy; None if there is no good file."""
    if not path.exists():
        return None
    try:
        with np.load(path) as arrays:
            if str(arrays["fingerprint"]) != fingerprint:
                raise ValueError("it belongs to other data or another network")
            accuracy = float(arrays["test_accuracy"])
            network.set_weights([arrays[f"weight_{i}"] for i in range(len(network.weights))])
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile) as error:
        logging.warning("the trained classifier %s cannot be used (%s); it is trained again", path, brief(error))
        return None
    return accuracy


def _write_weights(path, network, fingerprint, test_accuracy):
    """Write the file that `_read_weights` reads; other processes see a complete file or none."""
    weights = {f"weight_{i}": weight for i, weight in enumerate(network.get_weights())}
    # Each process that writes uses a temporary file of its own.
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".tmp")
    try:
        with os.fdopen(descriptor, "wb") as file:
            np.savez(file, fingerprint=fingerprint, test_accuracy=test_accuracy, **weights)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
