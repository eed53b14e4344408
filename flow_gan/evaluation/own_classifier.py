"""A classifier of the user's own: a Keras model, or a SavedModel."""

import dataclasses
import os
import pathlib
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from flow_gan.data import Dataset
from flow_gan.errors import UserError, brief, check_tensorflow_path
from flow_gan.evaluation.file_digest import file_digest
from flow_gan.evaluation.inception import Network

_OUTPUTS = "expected two outputs, class logits or probabilities [n, K] and features [n, F]"
# Training images by which a model is tried.
_TRIED = 16
# How far rows of probabilities, perhaps of half precision, may be from adding up to 1.
_SUM_TOLERANCE = 1e-2


@dataclasses.dataclass(frozen=True)
class OwnNetwork:
    """A model of the user's own, found good for a data set's images.

    Attributes:
      run: from float32 images [batch, H, W, C] in [0, 1] to (logits [batch, K], features [batch, F]).
      num_classes: K.
      gives_probabilities: whether its class scores are probabilities, whose logarithms are the logits; told by their
        values, rows of 0 or more that add up to 1.
      name: "own" and the digest of its file, which identifies it.
    """

    run: Network = dataclasses.field(repr=False)
    num_classes: int
    gives_probabilities: bool
    name: str


def load_own_network(path: str | os.PathLike, dataset: Dataset) -> OwnNetwork:
    """Return the `OwnNetwork` of a `.keras` file or of a SavedModel's folder, tried on training images.

    Its input is float images [n, H, W, C] of the data set's shape, grey levels divided by levels - 1. Its outputs are
    (class scores, features), or a dict of which one is "features". A Keras model of one output gives class scores, and
    its features are what its last layer with weights takes. Of a SavedModel it is the signature "serving_default".

    Raises:
      UserError: there is no such file, or its model takes other images, gives something else, or cannot be run.
    """
    named = f"--classifier={path}"
    if not pathlib.Path(path).exists():
        raise UserError(f"{named}: there is no such file; expected a .keras file or the folder of a SavedModel")
    check_tensorflow_path("--classifier", path)
    load = _saved_model if pathlib.Path(path).is_dir() else _keras_model
    try:
        model, shape = load(path)
    except UserError:
        raise
    except Exception as error:
        # A damaged file, layers that Keras does not know: each ends in exceptions of its own.
        raise UserError(f"{named} cannot be loaded ({brief(error)}); expected a Keras model or a SavedModel") from error
    if not _takes(shape, dataset.image_shape):
        raise UserError(
            f"{named} takes {shape}; expected one input, images {[None, *dataset.image_shape]} of {dataset.name}"
        )
    count = min(_TRIED, len(dataset.train))
    images = np.asarray(dataset.train.images[np.arange(count)], np.float32) / (dataset.levels - 1)
    try:
        scores, features = (np.asarray(part) for part in _parts(model(tf.constant(images)), named))
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{named} cannot be run on images of {dataset.name} ({brief(error)})") from error
    is_good = all(part.ndim == 2 and len(part) == count for part in (scores, features)) and scores.shape[1] > 1
    if not is_good:
        raise UserError(f"{named} gives {list(scores.shape)} and {list(features.shape)} of {count} images; {_OUTPUTS}")
    if not (np.isfinite(scores).all() and np.isfinite(features).all()):
        raise UserError(f"{named} gives values that are not finite; {_OUTPUTS}")
    is_probability = bool((scores >= 0).all() and (np.abs(scores.sum(1) - 1) < _SUM_TOLERANCE).all())

    def run(images):
        scores, features = (tf.cast(part, tf.float32) for part in _parts(model(images), named))
        return tf.math.log(tf.maximum(scores, 1e-37)) if is_probability else scores, features

    return OwnNetwork(run, scores.shape[1], is_probability, f"own {file_digest(path)[:16]}")


def _takes(shape: Any, image_shape: tuple[int, ...]) -> bool:
    """Whether a model whose input has this shape takes such images."""
    if not isinstance(shape, tuple) or len(shape) != 4:
        return False
    return all(own in (None, size) for own, size in zip(shape[1:], image_shape, strict=True))


def _keras_model(path: str | os.PathLike) -> tuple[Callable, Any]:
    """Return a Keras model as a function, and the shape of its input."""
    model = keras.models.load_model(path, compile=False)
    if len(model.inputs) != 1:
        raise UserError(f"--classifier={path} has {len(model.inputs)} inputs; expected one input, images")
    # A Sequential that was loaded knows no `output`.
    outputs = model.outputs if isinstance(model, keras.Sequential) else model.output
    if len(model.outputs) == 1 and not isinstance(outputs, dict):
        last = [layer for layer in model.layers if layer.weights]
        if not last:
            raise UserError(f"--classifier={path} has no layer with weights; {_OUTPUTS}")
        outputs = model.outputs[0], last[-1].input
    both = keras.Model(model.inputs[0], outputs)
    return (lambda images: both(images, training=False)), tuple(model.inputs[0].shape)


def _saved_model(path: str | os.PathLike) -> tuple[Callable, Any]:
    """Return the signature "serving_default" of a SavedModel as a function, and the shape of its input."""
    model = tf.saved_model.load(os.fspath(path))
    if "serving_default" not in model.signatures:
        raise UserError(f"--classifier={path} has no signature serving_default; expected one from images")
    signature = model.signatures["serving_default"]
    inputs = signature.structured_input_signature[1]
    if len(inputs) != 1 or not next(iter(inputs.values())).dtype.is_floating:
        raise UserError(f"--classifier={path} takes {inputs}; expected one input, images in [0, 1]")
    ((name, spec),) = inputs.items()

    def run(images):
        # The model goes with the function: it holds the weights.
        return model.signatures["serving_default"](**{name: tf.cast(images, spec.dtype)})

    return run, None if spec.shape.rank is None else tuple(spec.shape)


def _parts(outputs: Any, named: str) -> tuple[Any, Any]:
    """Return (class scores, features) of a model's outputs."""
    if isinstance(outputs, dict) and len(outputs) == 2:
        names = sorted(outputs)
        if "features" in names:
            names = sorted(names, key=lambda name: name == "features")
        # Keras exports a tuple by these names.
        elif names != ["output_0", "output_1"]:
            raise UserError(f"{named} has the outputs {', '.join(names)}; expected one of them to be called features")
        return outputs[names[0]], outputs[names[1]]
    if isinstance(outputs, tuple | list) and len(outputs) == 2:
        return outputs[0], outputs[1]
    count = len(outputs) if isinstance(outputs, dict | tuple | list) else 1
    raise UserError(f"{named} has {count} output{'s' * (count != 1)}; {_OUTPUTS}")
