"""Runs a Keras model's steps over the replicas of a tf.distribute strategy, in one process or several."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from flow_gan.errors import UserError


def step_function(strategy: tf.distribute.Strategy, step: Callable, jit_compile: bool) -> Callable:
    """Return the function that `fit` and `evaluate` call with the iterator of batches, for several processes.

    Keras's own function cannot average scalars over processes. No average is needed: all replicas have equal results.

    Args:
      strategy: tf.distribute strategy.
      step: function from a replica's batch to {name: scalar}.
      jit_compile: bool, compile by XLA.
    """

    @tf.function(autograph=False, jit_compile=jit_compile)
    def on_batch(batch):
        logs = strategy.run(step, args=(batch,))
        return tf.nest.map_structure(lambda value: strategy.experimental_local_results(value)[0], logs)

    return tf.function(lambda iterator: on_batch(next(iterator)), autograph=False)


def check_equal_parts(what: str, images: Any, batch_size: int | None, replicas: int) -> None:
    """Raise `UserError` if replicas would get parts of a batch of different sizes, which would make the means wrong.

    Args:
      what: str, the first words of the error.
      images: array, or tf.data.Dataset of batches, of images or of pairs with labels; a distributed data set is
        not checked.
      batch_size: int or None, as in `keras.Model.fit`.
      replicas: int.
    """
    if replicas == 1 or isinstance(images, tf.distribute.DistributedDataset):
        return
    if isinstance(images, tf.data.Dataset):
        size = tf.nest.flatten(images.element_spec)[0].shape[0]
        if size is None or size % replicas:
            raise UserError(
                f"{what}: a data set of batches of {size or 'unknown size'}, for {replicas} replicas; expected a "
                f"size that {replicas} divides, as from .batch({100 * replicas}, drop_remainder=True)"
            )
    else:
        size = batch_size or 32
        if size % replicas or len(images) % size % replicas:
            raise UserError(
                f"{what}: batches of {size} of {len(images)} images, for {replicas} replicas; expected numbers that "
                f"{replicas} divides"
            )
