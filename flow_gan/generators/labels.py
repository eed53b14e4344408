"""Labels of conditional generators: their check, and draws from p(y)."""

from typing import Any

import numpy as np
import tensorflow as tf

from flow_gan.errors import UserError


def check_labels(what: str, labels: np.ndarray, num_classes: int | None) -> None:
    """Raise `UserError`, which begins with `what`, unless integer labels are within the classes of a generator."""
    if num_classes is None:
        raise UserError(
            f"{what}: labels, of a generator without classes; expected none, or a generator with num_classes (other "
            "arguments are given by name, such as seed=0)"
        )
    outside = labels[(labels < 0) | (labels >= num_classes)]
    if outside.size:
        raise UserError(
            f"{what}: a label of {outside.flat[0]}; expected 0 to {num_classes - 1}, of {num_classes} classes"
        )


def as_labels(
    what: str, labels: Any, num_classes: int | None, count: int | tf.Tensor | None = None
) -> tf.Tensor | None:
    """Return labels that a generator's method `what` is given, as int32 [batch], or None where it has no classes.

    Args:
      what: str, the first word of an error.
      labels: of the caller.
      num_classes: of the generator.
      count: number of the images or latents that they belong to; None if it is not known yet, or if there are none.

    Raises:
      UserError: they are missing or not expected, no integers [batch], or, where their values are known, out of range,
        or, where both numbers are known, not one for each image.
    """
    if num_classes is None:
        if labels is not None:
            check_labels(what, np.zeros(0, int), None)
        return None
    if labels is None:
        raise UserError(
            f"{what}: no labels, which a conditional generator needs; expected integers [N] of 0 to {num_classes - 1}"
        )
    try:
        labels = labels if tf.is_tensor(labels) else np.asarray(labels)
        dtype = tf.as_dtype(labels.dtype)
    except (TypeError, ValueError) as error:
        raise UserError(f"{what}: labels={labels!r}; expected integers [N]") from error
    if not dtype.is_integer or not tf.TensorShape(labels.shape).is_compatible_with([None]):
        shape = list(labels.shape) if isinstance(labels, np.ndarray) else labels.shape
        raise UserError(f"{what}: labels {dtype.name} {shape}; expected integers [N]")
    if isinstance(labels, np.ndarray) or tf.executing_eagerly():
        check_labels(what, np.asarray(labels), num_classes)
    given, count = tf.TensorShape(labels.shape)[0], tf.get_static_value(count)
    if None not in (given, count) and given != count:
        raise UserError(f"{what}: {given} labels of {count} images; expected one for each")
    return tf.cast(labels, tf.int32)


def arguments(labels: Any) -> dict[str, Any]:
    """Return what a generator's method is called with besides: its argument labels, or nothing where they are None.

    So the methods of a generator without classes need not take labels.
    """
    return {} if labels is None else {"labels": labels}
