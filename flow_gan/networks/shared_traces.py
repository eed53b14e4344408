"""Networks of equal structure share one trace."""

import functools
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from flow_gan.networks.normalization import batch_statistics, take_statistic
from flow_gan.networks.replicas import num_replicas


class SharedTraces:
    """Calls Keras layers inside a graph; layers with equal shapes of input and weights share one traced function.

    Such layers must differ only in the values of their weights.

    A flow has many coupling networks that differ only in their weights, and calls each of them in both directions.
    Traced separately they would make a graph of tens of thousands of operations, which TensorFlow takes minutes to
    optimise.
    """

    def __init__(self) -> None:
        self._functions: dict[tuple, Callable] = {}

    def __call__(self, network: keras.layers.Layer, x: tf.Tensor, training: bool) -> Any:
        """Return `network(x, training=training)` in the dtype of `x`, with the same effect on its moving averages."""
        return tf.nest.map_structure(lambda y: tf.cast(y, x.dtype), self._outputs(network, x, training))

    def _outputs(self, network, x, training):
        if tf.executing_eagerly() or num_replicas() > 1:
            # Replicas synchronise in their batch norms, which tf.distribute forbids inside a nested function.
            return network(x, training=training)
        structure = tuple((*v.shape, v.trainable) for v in network.variables), tuple(x.shape[1:])
        if structure not in self._functions:
            self._functions[structure] = tf.function(
                functools.partial(_stateless, network),
                autograph=False,
                experimental_attributes={"_noinline": True},
            )
        outputs, statistics, values = self._functions[structure](
            [tf.convert_to_tensor(v.value) for v in network.trainable_variables],
            [tf.convert_to_tensor(v.value) for v in network.non_trainable_variables],
            x,
            training=training,
        )
        if training:
            for variable, statistic, value in zip(network.non_trainable_variables, statistics, values, strict=True):
                if statistic is None:
                    variable.assign(value)
                else:
                    take_statistic(variable, statistic)
        return outputs


def _stateless(network, weights, averages, x, training):
    """Return the outputs and, in a training pass, for each non-trainable variable its statistic or its new value.

    Statistics are for this package's moving averages, new values for variables of Keras's own layers.
    """
    with batch_statistics() as found:
        outputs, values = network.stateless_call(weights, averages, x, training=training)
    if not training:
        return outputs, [], []
    statistic_of = {id(average): statistic for average, statistic in found}
    statistics = [statistic_of.get(id(variable)) for variable in network.non_trainable_variables]
    return outputs, statistics, [v if s is None else None for v, s in zip(values, statistics, strict=True)]
