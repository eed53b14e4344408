"""Resizing of images to one size."""

import tensorflow as tf


def resized(image: tf.Tensor, shape: tuple[int, int, int]) -> tf.Tensor:
    """Return uint8 [h, w, C] as `shape`: the largest part of such sides around its centre, resized."""
    if image.shape != shape:
        size, target = tf.shape(image)[:2], tf.constant(shape[:2])
        scale = tf.reduce_min(size / target)
        part = tf.maximum(tf.cast(tf.round(tf.cast(target, scale.dtype) * scale), tf.int32), 1)
        corner = (size - part) // 2
        image = tf.slice(image, [*tf.unstack(corner), 0], [*tf.unstack(part), -1])
        image = tf.image.resize(image, shape[:2], antialias=True)
        image = tf.cast(tf.clip_by_value(tf.round(image), 0, 255), tf.uint8)
    return tf.ensure_shape(image, shape)
