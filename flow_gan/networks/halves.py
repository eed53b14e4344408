"""The two halves of a network's channels."""

import tensorflow as tf


def halves(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the first and the second half of the channels of x, [..., 2C], with a static shape but for the batch.

    `tf.split` gives the same, but its gradient takes the axis from the forward pass, as a tensor. Between the two
    functions of a shared trace that is an argument which XLA must know at compile time, and with it all weights: the
    step would be compiled anew whenever they change.
    """
    first, second = tf.unstack(tf.reshape(x, [-1, *x.shape[1:-1], 2, x.shape[-1] // 2]), axis=-2)
    return first, second
