"""Values that the backward pass computes again instead of keeping them."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def recomputed(function: Callable[..., tuple[Any, Any]], *arguments: tf.Tensor) -> tuple[Any, Any]:
    """Return `function(*arguments)`, of which only the arguments are kept for the backward pass (Chen et al. 2016).

    The backward pass computes anew what it needs of the values between arguments and results. In a graph that leaves
    out what only the results depend on, such as a convolution at the end. Derivatives of any order are the function's.

    Args:
      function: from float tensors to (results, others), structures of tensors; no gradient flows through the others.
        It may depend on nothing but its arguments, and change nothing.
      *arguments: of the function.
    """
    structure: Any = None

    @tf.custom_gradient
    def call(*arguments):
        nonlocal structure
        structure = function(*arguments)
        results, others = (tf.nest.flatten(part) for part in structure)

        def gradient(*upstream):
            upstream = upstream[: len(results)]
            # Else a graph would compute everything again at the start of the backward pass, and keep it.
            with tf.control_dependencies(upstream):
                again = [tf.identity(argument) for argument in arguments]
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(again)
                values = tf.nest.flatten(function(*again)[0])
            return tape.gradient(values, again, upstream, tf.UnconnectedGradients.ZERO)

        return [*results, *map(tf.stop_gradient, others)], gradient

    values = call(*arguments)
    return tf.nest.pack_sequence_as(structure, values)
