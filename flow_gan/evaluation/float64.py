"""A generator in float64."""

import tensorflow as tf

from flow_gan.generators import Generator


def in_float64(generator: Generator) -> Generator:
    """Return a copy of a generator with the same weights that computes everything in float64."""
    config = generator.get_config() | {"dtype": "float64", "precision": "float32"}
    copy = type(generator).from_config(config)
    for variable, original in zip(copy.weights, generator.weights, strict=True):
        variable.assign(tf.cast(original.value, tf.float64))
    return copy
