"""Checks of the images and labels that `FlowGAN` takes, and the image numbers that key the noise of evaluation."""

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from flow_gan.data.mapped import mapped
from flow_gan.errors import UserError
from flow_gan.generators.labels import check_labels

_NUMBERED = {"images", "index", "split", "weight"}


class ImageCheck:
    """Tells grey-level images, and labels where there are any, from everything else.

    Arrays are checked whole. Batches of a tf.data.Dataset are checked on their way, on the host, before they are
    needed; those of a distributed one by their dtype and shape alone.

    Args:
      image_shape: (H, W, C).
      levels: int, grey levels; images hold 0 to levels - 1.
      num_classes: int, if images come with labels, 0 to num_classes - 1; None for images alone.
    """

    def __init__(self, image_shape: tuple, levels: int, num_classes: int | None = None):
        self._image_shape = tuple(image_shape)
        self._levels = levels
        self._num_classes = num_classes
        self._warns = True

    def kind(self, what: str, dtype: Any, shape: Any, per_example: tuple = (), more: str = "") -> None:
        """Raise `UserError` unless a batch `what` of this dtype and (partly known) shape can be one of images.

        Args:
          what: str, the first words of the error.
          dtype: a dtype of numpy or TensorFlow.
          shape: anything that `tf.TensorShape` takes.
          per_example: () or (n,), for n images per example: [batch, n, H, W, C].
          more: str, added to the description of the batch in the error.
        """
        dtype, shape = tf.as_dtype(dtype), tf.TensorShape(shape)
        if dtype == tf.uint8 and shape.is_compatible_with([None, *per_example, *self._image_shape]):
            return
        hint = ""
        if dtype != tf.uint8:
            hint = ". For dequantised images, in [0, 1], use generator.log_prob" if dtype.is_floating else ""
        elif shape.is_compatible_with([*per_example, *self._image_shape]):
            hint = ". This is a single image: use .batch(100) for a data set, images[None] for an array"
        elif self._image_shape[-1] == 1 and shape.is_compatible_with([None, *per_example, *self._image_shape[:-1]]):
            hint = ". images[..., None] adds the channel"
        raise UserError(f"{what}: {dtype.name} {_show(shape)}{more}{self._expected(per_example)}{hint}")

    def array(self, what: str, images: Any, per_example: tuple = ()) -> np.ndarray:
        """Return `images`, an array or anything numpy can convert, as a numpy array; raise `UserError` as `kind` does.

        A grey level that is too large is an error, too. If the largest is less than half of `levels`, it warns once.
        """
        images = only_images(what, images)
        if isinstance(images, list) or not hasattr(images, "__array__"):
            raise UserError(
                f"{what}: {type(images).__name__}{self._expected(per_example)}, as an array or a tf.data.Dataset of "
                "batches (data.training_batches makes one of data too large for memory)"
            )
        images = np.asarray(images)
        if images.dtype.kind not in "fiub" or not images.size:
            raise UserError(f"{what}: {images.dtype} {list(images.shape)}{self._expected(per_example)}")
        values = f", values {images.min()} to {images.max()}"
        self.kind(what, images.dtype, images.shape, per_example, values)
        self._check_levels(what, images)
        return images

    def arrays(self, what: str, data: Any, per_example: tuple = ()) -> tuple[np.ndarray, np.ndarray | None]:
        """Return (images, labels) as numpy arrays, the images checked by `array`; labels are None where there are none.

        Labels are int32, one for each image.
        """
        images, labels = self.parts(what, data)
        images = self.array(what, images, per_example)
        return images, None if labels is None else self._label_array(what, labels, images.shape[: 1 + len(per_example)])

    def parts(self, what: str, data: Any) -> tuple[Any, Any]:
        """Return (images, labels), or their specs, of an array or of an element of a data set.

        It is the images or a dict with "image". With classes it is a pair, or a dict with "image" and "label"; without
        them labels are None.
        """
        if self._num_classes is None:
            return only_images(what, data), None
        if isinstance(data, dict) and data.keys() >= {"image", "label"}:
            return data["image"], data["label"]
        if isinstance(data, (tuple, list)) and len(data) > 1 and all(part is None for part in data[2:]):
            return data[0], data[1]
        raise UserError(
            f"{what}: images without labels, which a conditional generator needs; expected (images, labels), integers "
            f"of 0 to {self._num_classes - 1} as labels, or a data set of such pairs or of dicts with 'image' and "
            "'label'"
        )

    def batches(self, what: str, dataset: tf.data.Dataset, found: list, per_example: tuple = ()) -> tf.data.Dataset:
        """Return the batches of images, or of pairs with labels, of a tf.data.Dataset, each checked as it is made.

        Args:
          what: str, the first words of an error.
          dataset: its elements are batches as `parts` takes them.
          found: list to which the `UserError` of a bad batch is appended; see `raising`.
          per_example: as in `kind`.
        """
        spec, label_spec = self.parts(what, dataset.element_spec)
        if not isinstance(spec, tf.TensorSpec):
            raise UserError(f"{what}: a data set of {type(spec).__name__}{self._expected(per_example)}")
        self.kind(what, spec.dtype, spec.shape, per_example)
        if label_spec is not None:
            self.label_kind(what, label_spec.dtype, label_spec.shape, per_example)

        def is_good(images, *labels):
            # Raised in here, an error would be logged by TensorFlow with its traceback.
            try:
                self.kind(what, images.dtype, images.shape, per_example)
                self._check_levels(what, images)
                for part in labels:
                    self._label_array(what, part, images.shape[: 1 + len(per_example)])
            except UserError as error:
                found.append(error)
            return not found

        def check(*element):
            images, labels = self.parts(what, element if len(element) > 1 else element[0])
            given = [images] if labels is None else [images, labels]
            passed = tf.numpy_function(is_good, given, tf.bool, stateful=False)
            with tf.control_dependencies([tf.debugging.Assert(passed, ["images"])]):
                images = tf.ensure_shape(images, tf.TensorShape([None, *per_example, *self._image_shape]))
                if labels is None:
                    return images
                return images, tf.ensure_shape(tf.cast(labels, tf.int32), tf.TensorShape([None, *per_example]))

        return mapped(dataset, check).prefetch(2)

    def label_kind(self, what: str, dtype: Any, shape: Any, per_example: tuple = ()) -> None:
        """Raise `UserError` unless labels of this dtype and (partly known) shape can be those of images; see `kind`."""
        dtype, shape = tf.as_dtype(dtype), tf.TensorShape(shape)
        if not dtype.is_integer or not shape.is_compatible_with([None, *per_example]):
            expected = ", ".join(map(str, ["N", *per_example]))
            raise UserError(f"{what}: labels {dtype.name} {_show(shape)}; expected integers [{expected}]")

    def _label_array(self, what, labels, shape):
        """Return labels as int32; raise `UserError` unless they have this shape and are within the classes."""
        labels = np.asarray(labels)
        if labels.dtype.kind not in "iu" or labels.shape != tuple(shape):
            raise UserError(f"{what}: labels {labels.dtype} {list(labels.shape)}; expected integers {list(shape)}")
        check_labels(what, labels, self._num_classes)
        return labels.astype(np.int32)

    def to_train(self, what: str, x: Any, found: list, per_example: tuple = ()) -> Any:
        """Return what Keras takes to train on: of arrays what `arrays` returns, of a tf.data.Dataset its `batches`."""
        if isinstance(x, tf.data.Dataset):
            return self.batches(what, x, found, per_example)
        return self.arrays(what, x, per_example)

    def to_evaluate(self, what: str, x: Any, found: list) -> Any:
        """Return what `arrays` or `batches` take, numbered as by `data.evaluation_batches`.

        Images that are numbered already are returned unchanged.
        """
        if is_numbered(getattr(x, "element_spec", x)):
            return x
        if isinstance(x, tf.distribute.DistributedDataset):
            raise UserError(
                f"{what}: a distributed data set, which does not tell the place of an image in the whole set, and so "
                "its noise; expected a tf.data.Dataset, or a distributed data.evaluation_batches"
            )
        if isinstance(x, tf.data.Dataset):
            return number_batches(self.batches(what, x, found))
        images, labels = self.arrays(what, x)
        return number(images, labels=labels)

    def _expected(self, per_example):
        shape = ", ".join(map(str, ["N", *per_example, *self._image_shape]))
        return f"; expected images uint8 [{shape}] of grey levels 0 to {self._levels - 1}"

    def _check_levels(self, what, images):
        largest = int(np.max(images, initial=0))
        if largest >= self._levels:
            raise UserError(
                f"{what}: a grey level of {largest}; expected 0 to {self._levels - 1}, with levels={self._levels}"
            )
        warns, self._warns = self._warns, False
        if warns and 2 * largest < self._levels:
            warnings.warn(
                f"{what}: the largest grey level is {largest}, with levels={self._levels}. If the images have fewer "
                "levels, pass their number to FlowGAN as levels. Otherwise the model gives density to levels that "
                "never occur, and bits/dim is wrong",
                stacklevel=6,
            )


@contextlib.contextmanager
def raising(found: list) -> Iterator[None]:
    """Context in which batches are read; it raises the first of the errors `found` in place of TensorFlow's."""
    try:
        yield
    except tf.errors.OpError as error:
        if not found:
            raise
        raise found[0] from error


def only_images(what: str, data: Any) -> Any:
    """Return the images, or their spec, of an element of a data set, which is the images or a dict with "image".

    Raises:
      UserError: the element has other parts (labels or weights, which would have no effect), or no image.
    """
    if isinstance(data, tuple) and all(part is None for part in data[1:]):
        data = data[0]
    if isinstance(data, tuple):
        raise UserError(
            f"{what}: {len(data)} parts per batch; expected only images, without labels or weights: for a data set of "
            "pairs use .map(lambda image, label: image)"
        )
    if isinstance(data, dict):
        if "image" not in data:
            raise UserError(f"{what}: a dict of {', '.join(map(str, data))}; expected images, or a dict with 'image'")
        data = data["image"]
    return data


def refuse(what: str, **given: object) -> None:
    """Raise `UserError` if an argument of Keras's method `what` is given that has no effect."""
    for name, value in given.items():
        if value is not None:
            why = (
                "this model takes only images; for labels pass a generator with num_classes"
                if name == "y"
                else "all images count alike"
            )
            raise UserError(f"{what}({name}=...) has no effect: {why}; expected {name}=None")


def is_numbered(data: Any) -> bool:
    """Whether this is a dict, or the spec of a dict, as yielded by `data.evaluation_batches`."""
    return isinstance(data, dict) and data.keys() >= _NUMBERED


def number(
    images: tf.Tensor | np.ndarray, first: int | tf.Tensor = 0, labels: tf.Tensor | np.ndarray | None = None
) -> dict[str, tf.Tensor]:
    """Return images [n, H, W, C], and labels [n] if any, as a batch of `data.evaluation_batches`, from `first` on."""
    index = first + tf.range(tf.shape(images)[0])
    batch = {"images": images, "index": index, "split": tf.zeros_like(index), "weight": tf.ones_like(index)}
    return batch if labels is None else batch | {"labels": labels}


def number_batches(batches: tf.data.Dataset) -> tf.data.Dataset:
    """Return the batches of a tf.data.Dataset as those of `data.evaluation_batches`, numbered in their order."""

    def step(first, element):
        images, labels = element if isinstance(element, tuple) else (element, None)
        return first + tf.shape(images)[0], number(images, first, labels)

    options = tf.data.Options()
    # Several processes divide the numbered batches among them, not the files from which they are read.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return batches.scan(tf.constant(0), step).with_options(options)


def _show(shape):
    return "of unknown shape" if shape.rank is None else f"[{', '.join('N' if n is None else str(n) for n in shape)}]"
