"""What the package takes of Keras that is not public.

Written for Keras 3.15, to which pyproject.toml holds it. Each entry has a test of its name in
tests/test_keras_internals.py, which tells what to change where another version differs. Keras is imported by whoever
calls this, so that errors and settings need no TensorFlow.
"""

import os
import pathlib
from typing import Any

VERSION = "3.15"


class WithoutCallInfo:
    """An exception whose message stays as it is where a layer's call raises it.

    Keras adds the arguments of the call, on lines of their own, to exceptions that lack this mark.
    """

    _keras_call_info_injected = True


class BuiltModel:
    """Put before `keras.Model`: a model whose weights are all there before `fit`.

    Under a tf.distribute strategy Keras would otherwise take the mean of a batch over the replicas to build the model
    with, which cannot be had of uint8 images in several processes.
    """

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        pass


def show_shapes(layer: Any, input_shape: tuple) -> None:
    """Let `summary` tell the shape that a layer's `compute_output_shape` returns.

    Keras does for layers whose `build` it has called, after which it takes no more weights from a subclass.

    Args:
      layer: `keras.layers.Layer`.
      input_shape: (None, ...).
    """
    layer._build_shapes_dict = {"input_shape": input_shape}


def reason(error: Exception) -> str:
    """Return what is wrong, without the arguments of the call that Keras lists after it; "" if it lists none."""
    # Keras sets it in bold.
    return str(error).rpartition("\x1b[1m")[2].partition("\x1b[0m")[0]


def take_averaged_gradients(optimizer: Any) -> None:
    """Let an optimizer take gradients that are averaged over the replicas; Keras would sum them over these once more.

    Args:
      optimizer: `keras.optimizers.Optimizer`.
    """
    optimizer._all_reduce_sum_gradients = list


def finalize_own_variables(optimizer: Any, variables: list) -> None:
    """Let an optimizer with averages of weights (`use_ema`) be one of several of a model.

    At the end of `fit` Keras hands it the weights of the whole model, of which it has a part, and it would put its
    averages into the first of them.

    Args:
      optimizer: `keras.optimizers.Optimizer`, built.
      variables: those it was built with.
    """
    if optimizer.use_ema:
        finalize = optimizer.finalize_variable_values
        optimizer.finalize_variable_values = lambda _: finalize(variables)


class UpdatesTogether:
    """Put before a Keras optimizer: what the updates of all variables in a step share is computed once.

    By Keras's `update_step(gradient, variable, learning_rate)` alone, which computes it for each, tracing and the first
    step take twice as long. A subclass defines the two methods below.
    """

    def shared_values(self, dtype: Any) -> Any:
        """Return what the updates of a step share, for variables of this dtype."""
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
    # Where there is no home directory, or none to write into, Keras's cache is below /tmp.
    home = os.path.expanduser("~")
    folder = os.environ.get("KERAS_HOME", os.path.join(home if os.access(home, os.W_OK) else "/tmp", ".keras"))
    return pathlib.Path(folder) / "models" / "inception_v3_weights_tf_dim_ordering_tf_kernels.h5"
