"""First and second derivatives of a function of tensors."""

import tensorflow as tf


def derivatives(function, *arguments):
    """Return a scalar made of the function, its gradients, and those of a scalar made of these.

    That scalar is of odd powers: the squares of a norm's gradients hide errors, since those add up to 0.
    """
    with tf.GradientTape() as outer:
        outer.watch(arguments)
        with tf.GradientTape() as inner:
            inner.watch(arguments)
            value = tf.reduce_sum(tf.sin(function(*arguments)))
        first = inner.gradient(value, arguments)
        penalty = tf.add_n([tf.reduce_sum(gradient ** (3 + 2 * i)) for i, gradient in enumerate(first)])
    return [value, *first, *outer.gradient(penalty, arguments, unconnected_gradients="zero")]
