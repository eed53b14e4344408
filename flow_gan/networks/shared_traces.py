"""Networks of equal structure, traced once."""

import functools
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from flow_gan.networks.normalization import batch_statistics, take_statistic
from flow_gan.networks.replicas import num_replicas


class SharedTraces:
    """Calls Keras layers inside a graph; those with weights of the same shapes share one function of their weights.

    A flow has many coupling networks that differ in nothing but their weights, and passes through them in both
    directions. Traced apart they would make a graph of tens of thousands of operations, which TensorFlow takes minutes
    to optimise.
    """

    def __init__(self) -> None:
        self._functions: dict[tuple, Callable] = {}

    def __call__(self, network: keras.layers.Layer, x: tf.Tensor, training: bool) -> Any:
        """Return `network(x, training=training)`, with the same effect on its moving averages."""
        if tf.executing_eagerly() or num_replicas() > 1:
            # Replicas synchronise in their batch norms, which tf.distribute forbids inside a nested function.
            return network(x, training=training)
        structure = tuple((*v.shape, v.trainable) for v in network.variables)
        if structure not in self._functions:
            self._functions[structure] = tf.function(
                functools.partial(_stateless, network),
                autograph=False,
                experimental_attributes={"_noinline": True},
            )
        outputs, statistics = self._functions[structure](
            [tf.convert_to_tensor(v.value) for v in network.trainable_variables],
            [tf.convert_to_tensor(v.value) for v in network.non_trainable_variables],
            x,
            training=training,
        )
        if training:
            for average, statistic in zip(network.non_trainable_variables, statistics, strict=True):
                take_statistic(average, statistic)
        return outputs


def _stateless(network, weights, averages, x, training):
    """Return the outputs and, of a training pass, the batch's statistic for each moving average."""
    with batch_statistics() as found:
        outputs, _ = network.stateless_call(weights, averages, x, training=training)
    statistic_of = {id(average): statistic for average, statistic in found}
    return outputs, [statistic_of[id(average)] for average in network.non_trainable_variables] if training else []
