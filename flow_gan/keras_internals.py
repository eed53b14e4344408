"""All uses of parts of Keras that are not public.

Written for Keras 3.15, which pyproject.toml requires. Each entry has a test of the same name in
tests/test_keras_internals.py, whose failure says what to change for another version. This module does not import Keras
itself, so that errors and settings need no TensorFlow.
"""

import os
import pathlib
from typing import Any

VERSION = "3.15"


class WithoutCallInfo:
    """An exception whose message stays unchanged if a layer's call raises it.

    Keras adds the arguments of the call, on lines of their own, to exceptions that lack this mark.
    """

    _keras_call_info_injected = True


class BuiltModel:
    """Base class, before `keras.Model`, of a model whose weights all exist before `fit`.

    Under a tf.distribute strategy Keras would otherwise build the model with the mean of a batch over the replicas,
    which is impossible for uint8 images in several processes.
    """

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        pass


def show_shapes(layer: Any, input_shape: tuple) -> None:
    """Let `summary` show the shape that a layer's `compute_output_shape` returns.

    Keras shows it only for layers whose `build` it has called, after which a subclass can add no more weights.

    Args:
      layer: `keras.layers.Layer`.
      input_shape: (None, ...).
    """
    layer._build_shapes_dict = {"input_shape": input_shape}


def reason(error: Exception) -> str:
    """Return the message of an error without the arguments of the call that Keras appends; "" if it appended none."""
    # Keras prints the message in bold.
    return str(error).rpartition("\x1b[1m")[2].partition("\x1b[0m")[0]


def take_averaged_gradients(optimizer: Any) -> None:
    """Let an optimizer take gradients that are already averaged over the replicas, which Keras would sum once more.

    Args:
      optimizer: `keras.optimizers.Optimizer`.
    """
    optimizer._all_reduce_sum_gradients = list


def finalize_own_variables(optimizer: Any, variables: list) -> None:
    """Let an optimizer with averages of weights (`use_ema`) be one of several optimizers of a model.

    At the end of `fit` Keras passes it the weights of the whole model, of which it optimises only a part, and it would
    write its averages into the first of them.

    Args:
      optimizer: `keras.optimizers.Optimizer`, built.
      variables: those it was built with.
    """
    if optimizer.use_ema:
        finalize = optimizer.finalize_variable_values
        optimizer.finalize_variable_values = lambda _: finalize(variables)


class UpdatesTogether:
    """Base class, before a Keras optimizer's: values that all variables' updates in a step share are computed once.

    With Keras's own `update_step(gradient, variable, learning_rate)`, which computes them for each variable, tracing
    and the first step take twice as long. A subclass defines the two methods below.
    """

    def shared_values(self, dtype: Any) -> Any:
        """Return the values that the updates of a step share, for variables of this dtype."""
        raise NotImplementedError

    def update_variable(self, variable: Any, gradient: Any, learning_rate: Any, shared: Any) -> None:
        """Update one tf.Variable; `shared` is from `shared_values`."""
        raise NotImplementedError

    def _distributed_tf_update_step(self, distribution, grads_and_vars, learning_rate):
        shared = self.shared_values(grads_and_vars[0][1].dtype)

        def update(variable, gradient, learning_rate):
            self.update_variable(variable, gradient, learning_rate, shared)

        for gradient, variable in grads_and_vars:
            distribution.extended.update(variable, update, args=(gradient, learning_rate), group=False)


def adam_state(optimizer: Any, variable: Any) -> tuple[int, Any, Any]:
    """Return (index, m, v): a variable's place among those of a `keras.optimizers.Adam`, and its two moments.

    Args:
      optimizer: `keras.optimizers.Adam`, built.
      variable: tf.Variable, one of those it was built with.
    """
    index = optimizer._get_variable_index(variable)
    return index, optimizer._momentums[index].value, optimizer._velocities[index].value


def cached_inception_weights() -> pathlib.Path:
    """Return where `keras.applications` keeps the weights of InceptionV3 once they are downloaded."""
    # Without a home directory that can be written to, Keras's cache is below /tmp.
    home = os.path.expanduser("~")
    folder = os.environ.get("KERAS_HOME", os.path.join(home if os.access(home, os.W_OK) else "/tmp", ".keras"))
    return pathlib.Path(folder) / "models" / "inception_v3_weights_tf_dim_ordering_tf_kernels.h5"
