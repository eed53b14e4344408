"""Batches of uint8 images for training and evaluation."""

import functools

import numpy as np
import tensorflow as tf

from flow_gan.data.dataset import SPLITS


def epoch_order(count, seed, epoch):
    """Return the order, int [count], in which an epoch visits the images; it depends on (seed, epoch) only."""
    return np.random.Generator(np.random.Philox(key=[seed, epoch])).permutation(count)


def training_batches(images, batch_size, seed, first_step, last_step, batches_per_step=None):
    """Return the shuffled batches of the steps `first_step` to `last_step - 1`, a tf.data.Dataset.

    What a step gets depends on (seed, step) only, so a run goes on anywhere. An epoch's last images are left
    out where they do not fill a step.

    Args:
      images: uint8 [N, H, W, C], indexed by integer arrays.
      batch_size: int.
      seed: int.
      first_step, last_step: int, counted from 0.
      batches_per_step: int or None, see `critic_batches` of `FlowGAN`.

    Returns:
      Batches uint8 [batch, H, W, C], or [batch, batches_per_step, H, W, C].
    """
    shape = (batch_size, *([] if batches_per_step is None else [batches_per_step]))
    per_step = int(np.prod(shape))
    steps_per_epoch = len(images) // per_step
    order = functools.lru_cache(maxsize=2)(functools.partial(epoch_order, len(images), seed))

    def fetch(step):
        epoch, position = divmod(int(step), steps_per_epoch)
        chosen = order(epoch)[position * per_step : (position + 1) * per_step]
        # A file is read in the order in which it lies on the disk.
        read = np.empty((per_step, *images.shape[1:]), np.uint8)
        by_place = np.argsort(chosen)
        read[by_place] = images[chosen[by_place]]
        return read.reshape(*shape, *images.shape[1:])

    def load(step):
        batch = tf.numpy_function(fetch, [step], tf.uint8, stateful=False)
        return tf.ensure_shape(batch, [*shape, *images.shape[1:]])

    steps = tf.data.Dataset.range(first_step, last_step)
    return steps.map(load, num_parallel_calls=1, deterministic=True).prefetch(2)


def evaluation_batches(images, split, batch_size):
    """Return all images of a split once and in order, a tf.data.Dataset of batches of equal size.

    Args:
      images: uint8 [N, H, W, C].
      split: "train", "validation" or "test".
      batch_size: int. The last batch is filled up with the first images.

    Returns:
      Dicts of "images" uint8 [batch, H, W, C], and of "index" (number in the split), "split" (its number) and
      "weight" (1, or 0 for the filling), each int32 [batch]; what `FlowGAN.test_step` takes.
    """
    count = len(images)

    def fetch(start):
        return images[np.arange(start, start + batch_size) % count]

    def load(start):
        batch = tf.numpy_function(fetch, [start], tf.uint8, stateful=False)
        index = tf.cast(start, tf.int32) + tf.range(batch_size)
        return {
            "images": tf.ensure_shape(batch, [batch_size, *images.shape[1:]]),
            "index": index,
            "split": tf.fill([batch_size], SPLITS.index(split)),
            "weight": tf.cast(index < count, tf.int32),
        }

    starts = tf.data.Dataset.range(0, count, batch_size)
    return starts.map(load, num_parallel_calls=1, deterministic=True).prefetch(2)
