"""Whose gradients products, convolutions, norms and leaky ReLUs have: this package's, fast on CPUs, or TensorFlow's."""

import contextlib
import contextvars
from collections.abc import Iterator

import tensorflow as tf

_uses_library_gradients = contextvars.ContextVar("uses_library_gradients", default=False)


@contextlib.contextmanager
def library_gradients() -> Iterator[None]:
    """Context in which all of these are made with TensorFlow's own gradients.

    For graphs that other programs load, which do not have this package's gradients.
    """
    token = _uses_library_gradients.set(True)
    try:
        yield
    finally:
        _uses_library_gradients.reset(token)


def takes_own_gradients(x: tf.Tensor) -> bool:
    """Whether operations on `x` have this package's gradients, which are faster than TensorFlow's on CPUs."""
    # Functions that run eagerly, to debug a program or to count its operations, and other programs get plain gradients.
    is_plain = tf.config.functions_run_eagerly() or _uses_library_gradients.get()
    return x.dtype == tf.float32 and not tf.config.get_visible_devices("GPU") and not is_plain
