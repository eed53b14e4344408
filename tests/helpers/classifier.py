"""A classifier that needs no training."""

import tensorflow as tf

from flow_gan import evaluation


def judge(name, dataset, folder, inception_weights=None, seed=0):
    """A classifier that takes the brightest tenth of an image for its class."""

    def network(images):
        parts = tf.reshape(images, [-1, 64])[:, :60]
        return 5 * tf.reduce_mean(tf.reshape(parts, [-1, 10, 6]), 2), parts[:, :5]

    return evaluation.Classifier("brightest part", network, dataset.image_shape, dataset.levels, "made for tests")
