"""Values that all replicas of a model share."""

from typing import Any

import tensorflow as tf


def mean_over_replicas(values: Any) -> Any:
    """Average a tensor, or a structure of tensors, over all replicas of a tf.distribute strategy.

    Differentiable. With one replica the values are returned unchanged.
    """
    if num_replicas() == 1:
        return values
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.MEAN, values)


def has_several_processes(strategy: tf.distribute.Strategy) -> bool:
    """Whether the tf.distribute strategy has replicas in other processes."""
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


def num_replicas() -> int:
    """Return the number of replicas that compute the current step together; 1 outside of a step."""
    context = tf.distribute.get_replica_context()
    return context.num_replicas_in_sync if context else 1
