"""What replicas of one model must agree on."""

import tensorflow as tf


def mean_over_replicas(values):
    """Average a tensor, or a structure of tensors, over all replicas of a tf.distribute strategy.

    Differentiable. With one replica the values come back as they are.
    """
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return values
    return context.all_reduce(tf.distribute.ReduceOp.MEAN, values)
