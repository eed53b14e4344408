"""Batches of uint8 images for training and evaluation."""

import contextlib
import functools
import re
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from flow_gan.config.datasets import SPLITS
from flow_gan.data.dataset import Images
from flow_gan.data.mapped import mapped
from flow_gan.errors import UserError

# Marks the message of a `UserError` inside that of a TensorFlow error.
_MARK = "images cannot be read:"


class ReadingError(UserError):
    """An image of a batch cannot be read."""


def epoch_order(count: int, seed: int, epoch: int) -> np.ndarray:
    """Return the order, int [count], in which an epoch visits the images; it depends on (seed, epoch) only."""
    return np.random.Generator(np.random.Philox(key=[seed, epoch])).permutation(count)


def training_batches(
    images: Images,
    batch_size: int,
    seed: int,
    first_step: int,
    last_step: int,
    batches_per_step: int | None = None,
    replicas: range = range(1),
    num_replicas: int = 1,
    labels: np.ndarray | None = None,
) -> tf.data.Dataset:
    """Return the shuffled batches of the steps `first_step` to `last_step - 1`.

    A step's images depend only on (seed, step), so a run can be resumed at any step. The last images of an epoch are
    dropped if they do not fill a step.

    Args:
      images: uint8 [N, H, W, C].
      batch_size: over all replicas.
      first_step, last_step: counted from 0.
      batches_per_step: see `critic_batches` of `FlowGAN`.
      replicas: the replicas whose parts of the batches are wanted. Each step has one element for each of them, in
        turn; together they are the whole batch in order.
      num_replicas: number of all replicas.
      labels: int [N], if labels go with the images.

    Returns:
      Batches uint8 [batch, H, W, C], or [batch, batches_per_step, H, W, C], batch = batch_size / num_replicas. With
      `labels` pairs of such a batch and its labels, int32 [batch] or [batch, batches_per_step].
    """
    choose = _chooser(len(images), _step_shape(batch_size, batches_per_step), seed)
    shape = _step_shape(batch_size // num_replicas, batches_per_step)

    def fetch(step, replica):
        chosen = _part(choose(step), replica, num_replicas).ravel()
        # A file is read in the order in which it lies on the disk.
        read = np.empty((len(chosen), *images.shape[1:]), np.uint8)
        by_place = np.argsort(chosen)
        read[by_place] = images[chosen[by_place]]
        return read.reshape(*shape, *images.shape[1:])

    batches = _steps(fetch, tf.uint8, (*shape, *images.shape[1:]), first_step, last_step, replicas)
    if labels is None:
        return batches
    numbers = training_indices(
        len(images), batch_size, seed, first_step, last_step, batches_per_step, replicas, num_replicas
    )
    return tf.data.Dataset.zip((batches, mapped(numbers, _gatherer(labels))))


def training_indices(
    count: int,
    batch_size: int,
    seed: int,
    first_step: int,
    last_step: int,
    batches_per_step: int | None = None,
    replicas: range = range(1),
    num_replicas: int = 1,
) -> tf.data.Dataset:
    """Return the numbers of the images of `training_batches`, int32 [batch] or [batch, batches_per_step].

    Args:
      count: number of training images.
      batch_size, seed, first_step, last_step, batches_per_step, replicas, num_replicas: as in `training_batches`.
    """
    choose = _chooser(count, _step_shape(batch_size, batches_per_step), seed)
    shape = _step_shape(batch_size // num_replicas, batches_per_step)

    def fetch(step, replica):
        return _part(choose(step), replica, num_replicas).astype(np.int32)

    return _steps(fetch, tf.int32, shape, first_step, last_step, replicas)


def _gatherer(labels):
    """Return the function from the numbers of images to their labels, int32."""
    labels = tf.constant(labels, tf.int32)
    return lambda numbers: tf.gather(labels, numbers)


def _step_shape(batch_size, batches_per_step):
    return (batch_size, *([] if batches_per_step is None else [batches_per_step]))


def _part(chosen, replica, num_replicas):
    """Return a replica's part of what a step takes."""
    size = len(chosen) // num_replicas
    return chosen[replica * size : (replica + 1) * size]


def _chooser(count, shape, seed):
    """Return the function from a step to the numbers of its images, int of the shape `shape`."""
    per_step = int(np.prod(shape))
    steps_per_epoch = count // per_step
    order = functools.lru_cache(maxsize=2)(functools.partial(epoch_order, count, seed))

    def choose(step):
        epoch, position = divmod(int(step), steps_per_epoch)
        return order(epoch)[position * per_step : (position + 1) * per_step].reshape(shape)

    return choose


def _steps(fetch, dtype, shape, first_step, last_step, replicas):
    def load(number):
        step, replica = number // len(replicas), replicas.start + number % len(replicas)
        return _load(fetch, [step, replica], dtype, shape)

    numbers = tf.data.Dataset.range(first_step * len(replicas), last_step * len(replicas))
    return mapped(numbers, load).prefetch(2 * len(replicas))


def _load(fetch, numbers, dtype, shape):
    """Return what the Python function `fetch` returns for some numbers, as a tensor."""

    def fetch_or_tell(*numbers):
        # Raised in here, an error would be logged by TensorFlow with its traceback.
        try:
            return fetch(*numbers), b""
        except UserError as error:
            return np.zeros((), dtype.as_numpy_dtype), str(error).encode()

    result, error = tf.numpy_function(fetch_or_tell, numbers, [dtype, tf.string], stateful=False)
    with tf.control_dependencies([tf.debugging.Assert(tf.equal(error, ""), [_MARK, error])]):
        return tf.ensure_shape(result, shape)


@contextlib.contextmanager
def reading_errors() -> Iterator[None]:
    """Context in which batches are read: an image that cannot be read raises `ReadingError`, not TensorFlow's error."""
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        found = re.search(rf"\[{_MARK}\] \[(.*)\]", str(error))
        if not found:
            raise
        # TensorFlow puts a backslash before quotes and backslashes.
        raise ReadingError(re.sub(r"\\(.)", r"\1", found[1])) from error


def evaluation_batch_size(batch_size: int, fast: int, count: int) -> int:
    """Return the smallest multiple of `batch_size` that is at least the smaller of `fast` and `count`."""
    return batch_size * min(-(-fast // batch_size), -(-count // batch_size))


def evaluation_batches(
    images: Images,
    split: str,
    batch_size: int,
    count: int | None = None,
    replicas: range = range(1),
    num_replicas: int = 1,
    labels: np.ndarray | None = None,
) -> tf.data.Dataset:
    """Return the images of a split once and in order, in batches of equal size.

    Args:
      images: uint8 [N, H, W, C].
      split: "train", "validation" or "test".
      batch_size: over all replicas. The last batch is filled up with the first images.
      count: take the first `count` images only; all if None.
      replicas, num_replicas, labels: as in `training_batches`.

    Returns:
      Dicts of "images" uint8 [batch, H, W, C], and of "index" (number in the split), "split" (its number) and
      "weight" (1, or 0 for the filling), with `labels` also of "labels", each int32 [batch]; what `FlowGAN.test_step`
      takes.
    """
    count = count or len(images)
    size = batch_size // num_replicas
    label = None if labels is None else _gatherer(labels)

    def fetch(start):
        return images[np.arange(start, start + size) % count]

    def load(number):
        start = number // len(replicas) * batch_size + (replicas.start + number % len(replicas)) * size
        index = tf.cast(start, tf.int32) + tf.range(size)
        batch = {
            "images": _load(fetch, [start], tf.uint8, [size, *images.shape[1:]]),
            "index": index,
            "split": tf.fill([size], SPLITS.index(split)),
            "weight": tf.cast(index < count, tf.int32),
        }
        return batch if label is None else batch | {"labels": label(index % count)}

    numbers = tf.data.Dataset.range(-(-count // batch_size) * len(replicas))
    return mapped(numbers, load).prefetch(2 * len(replicas))
