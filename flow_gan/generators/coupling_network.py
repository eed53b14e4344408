"""Coupling networks that a user makes, in place of a flow's own."""

from collections.abc import Callable

import keras
import tensorflow as tf

from flow_gan import keras_internals
from flow_gan.errors import UserError, brief

# Function from the shape of a coupling's conditioning input, without the batch, to a Keras layer, built or not.
MakeNetwork = Callable[[tuple[int, ...]], keras.layers.Layer]


def make_network(make: MakeNetwork, shape: tuple[int, ...], outputs: tuple[str, ...]) -> keras.layers.Layer:
    """Return the built network of one coupling.

    Args:
      make: the user's function.
      shape: of the network's input and of each of its outputs, without the batch.
      outputs: names of the network's outputs, such as ("shift",). It returns a tensor if there is one, else a tuple.

    Raises:
      UserError: it is not a Keras layer, or does not map [batch, *shape] to these outputs.
    """
    if not callable(make):
        raise UserError(f"coupling_network={make!r}; expected a function from a shape {shape} to a Keras layer")
    network = make(shape)
    if not isinstance(network, keras.layers.Layer):
        raise UserError(f"coupling_network({shape}) is {network!r}; expected a Keras layer")
    batch = f"[batch, {', '.join(map(str, shape))}]"
    try:
        found = network(keras.Input(shape, dtype="float32"))
    except (TypeError, ValueError, tf.errors.OpError) as error:
        reason = brief(keras_internals.reason(error) or error)
        raise UserError(f"coupling_network({shape})={network.name} cannot take {batch}: {reason}") from error
    shapes = [tuple(getattr(y, "shape", ())) for y in (found if isinstance(found, (tuple, list)) else [found])]
    if shapes != [(None, *shape)] * len(outputs):
        shown = ", ".join(str(list(one)) for one in shapes)
        raise UserError(
            f"coupling_network({shape})={network.name} maps {batch} to {shown}; expected {' and '.join(outputs)}, "
            f"{'each ' if len(outputs) > 1 else ''}{batch}"
        )
    return network
