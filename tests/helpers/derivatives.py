"""First and second derivatives of a product of two tensors, or of a convolution."""

import tensorflow as tf


def derivatives(product, x, kernel):
    """Return a function of the product, its gradients, and those of a function of these."""
    with tf.GradientTape() as outer:
        outer.watch([x, kernel])
        with tf.GradientTape() as inner:
            inner.watch([x, kernel])
            value = tf.reduce_sum(tf.sin(product(x, kernel)))
        dx, dw = inner.gradient(value, [x, kernel])
        penalty = tf.reduce_sum(dx**2) + tf.reduce_sum(dw**3)
    return [value, dx, dw, *outer.gradient(penalty, [x, kernel])]
