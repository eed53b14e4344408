"""Variables and checkpoints of the original 2017 release, by its names."""

import collections
import dataclasses
import os
import pathlib
import re
from collections.abc import Mapping

import keras
import numpy as np
import tensorflow as tf
from absl import logging

from flow_gan.errors import UserError, brief, check_tensorflow_path
from flow_gan.generators import NICE, Generator, RealNVP
from flow_gan.model import FlowGAN
from flow_gan.networks.critics import Critic
from flow_gan.networks.normalization import BatchNorm, LayerNorm

# The release's variable scopes, and what they hold.
_SCOPES = {"model": "variables of the generator", "discriminator": "variables of the critic"}
# Variables that a program using the release's model may have saved with it.
_OPTIMIZER_STATE = {
    r"/Adam(_\d+)?$": "Adam's moments",
    r"(^|/)beta[12]_power(_\d+)?$": "Adam's powers of beta",
    r"(^|/)global_step$": "step counters",
}
# Number of unexpected names that a message lists.
_SHOWN = 5


@dataclasses.dataclass(frozen=True)
class Entry:
    """A variable of the release: a Keras variable, or one part of it if ours is stacked.

    Attributes:
      index: along the first axis; None for the whole variable.
    """

    variable: keras.Variable
    index: int | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape."""
        return tuple(self.variable.shape[0 if self.index is None else 1 :])

    @property
    def trainable(self) -> bool:
        """Whether it is trained."""
        return self.variable.trainable

    def of(self, value: np.ndarray) -> np.ndarray:
        """Return the part of `value`, an array such as a gradient with the shape of the whole Keras variable."""
        return value if self.index is None else value[self.index]

    def numpy(self) -> np.ndarray:
        """Return the value."""
        return self.of(self.variable.numpy())

    def assign(self, value: np.ndarray) -> None:
        """Set the value."""
        if self.index is not None:
            whole = self.variable.numpy()
            whole[self.index] = value
            value = whole
        self.variable.assign(value)


def assign_variables(part: Generator | Critic | FlowGAN, variables: Mapping[str, np.ndarray]) -> None:
    """Set a model's weights to the values of the release's variables.

    Args:
      part: a generator, a critic, or both.
      variables: {name: array} with the release's names (without ":0"), complete for `part`. The counters
        `.../step` of the release's batch norms, which nothing reads, may be present and are ignored.

    Raises:
      UserError: a name is missing or unknown, or an array does not have the variable's shape.
    """
    expected = variable_names(part)
    counters = _counters(expected)
    given = {name: np.asarray(value) for name, value in variables.items() if name not in counters}
    missing = sorted(expected.keys() - given.keys())
    extra = sorted(given.keys() - expected.keys())
    if missing or extra:
        raise UserError(f"variables do not fit {part.name!r}: missing {_shown(missing)}, unknown {_shown(extra)}")
    for name, entry in expected.items():
        if tuple(given[name].shape) != _released_shape(name, entry):
            raise UserError(
                f"variable {name!r} has shape {tuple(given[name].shape)}; expected {_released_shape(name, entry)}"
            )
    for name, entry in expected.items():
        entry.assign(given[name].reshape(entry.shape))


def load_checkpoint(part: Generator | Critic | FlowGAN, path: str | os.PathLike) -> None:
    """Load the weights of a checkpoint that the release, on TensorFlow 1, has written.

    The model must have the settings of that run; alpha and the prior are not in a checkpoint. Some variables are left
    out, with a warning that says how many: the state of the optimizers (the release's own checkpoints have none) and
    the global step, so that training continues with new optimizers at step 0; and, where `part` is only a generator or
    only a critic, the variables of the other. The counters of batch norms are ignored as in `assign_variables`.

    Args:
      part: a `FlowGAN` without a critic takes only the generator's variables.
      path: prefix of the checkpoint's files, such as ".../DCGAN.model-703", or the folder with a file `checkpoint` that
        names the latest.

    Raises:
      UserError: there is no checkpoint, it is damaged, or it does not fit: a name is missing or unknown, or a shape
        differs. The model is then unchanged.
    """
    prefix = _checkpoint_prefix(path)
    expected = variable_names(part)
    try:
        reader = tf.train.load_checkpoint(prefix)
        names = set(reader.get_variable_to_shape_map())
        left_out = _left_out(names, expected)
        values = {name: reader.get_tensor(name) for name in names - left_out.keys()}
    except Exception as error:
        # A damaged file ends in one of many kinds of exception.
        raise UserError(f"checkpoint {prefix} cannot be read: {brief(error)}") from error
    try:
        assign_variables(part, values)
    except UserError as error:
        raise UserError(f"checkpoint {prefix} does not fit the model: {error}") from error
    if left_out:
        kinds = collections.Counter(left_out.values())
        counts = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
        logging.warning("checkpoint %s: left out %s", prefix, counts)


def _checkpoint_prefix(path):
    check_tensorflow_path("checkpoint", path)
    path = pathlib.Path(path)
    if path.is_dir():
        state = tf.train.get_checkpoint_state(str(path))
        if state is None or not state.model_checkpoint_path:
            raise UserError(
                f"folder {path} holds no readable file 'checkpoint' that names the latest; expected one, or the prefix "
                "of a checkpoint's files"
            )
        # The folder may have been moved since the state was written.
        path = path / os.path.basename(state.model_checkpoint_path)
    # In the older format the prefix is a file itself, in the newer one it is not.
    is_part = re.search(r"\.(index|meta|data-\d+-of-\d+)$", path.name)
    if is_part or not any(os.path.isfile(f"{path}{suffix}") for suffix in (".index", "")):
        raise UserError(
            f"there is no checkpoint {path}; expected the prefix of its files, such as FOLDER/DCGAN.model-703 without "
            ".index or .data, or their folder"
        )
    return str(path)


def _left_out(names, expected):
    """Return {name: kind} of the variables in a checkpoint that a part with the names `expected` does not have."""
    scopes = {name.split("/")[0] for name in expected}
    counters = _counters(expected)
    kinds = {}
    for name in names - expected.keys() - counters:
        scope = name.split("/")[0]
        state = [kind for pattern, kind in _OPTIMIZER_STATE.items() if re.search(pattern, name)]
        if state:
            kinds[name] = state[0]
        elif scope in _SCOPES.keys() - scopes:
            kinds[name] = _SCOPES[scope]
    return kinds


def _counters(expected):
    """Return the names of the counters beside the moving averages, which nothing reads."""
    return {name.removesuffix("/mean") + "/step" for name in expected if name.endswith("/mean")}


def _shown(names):
    return f"{names[:_SHOWN]} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else str(names or "none")


def variable_names(part: Generator | Critic | FlowGAN) -> dict[str, Entry]:
    """Return {name in the release: `Entry`} of a generator, a critic or both."""
    if isinstance(part, FlowGAN):
        names = variable_names(part.generator)
        return names if part.critic is None else names | variable_names(part.critic)
    if isinstance(part, NICE | RealNVP) and part.batch_norm in (False, "none"):
        raise UserError(f"{type(part).__name__} without batch norm has no counterpart in the original release")
    if isinstance(part, NICE):
        return _nice(part)
    if isinstance(part, RealNVP):
        return _real_nvp(part)
    if isinstance(part, Critic):
        return _critic(part)
    raise UserError(f"{type(part).__name__} has no counterpart in the original release")


def _released_shape(name, entry):
    return (1, *entry.shape) if name.endswith("/Scaling/g_scale") else entry.shape


def _nice(generator):
    names = {"model/Scaling/g_scale": Entry(generator.log_scale)}
    labels = ["in", *range(generator.num_hidden_layers), "out"]
    for i, network in enumerate(generator.networks):
        scope = f"model/Checkerboard_{i + 1}/function_l_m"
        for j, (label, dense) in enumerate(zip(labels, network.dense, strict=True)):
            names |= {
                f"{scope}/g_bn_{label}/g_scale": Entry(network.norm_scale, j),
                f"{scope}/g_bn_{label}/g_shift": Entry(network.norm_shift, j),
                f"{scope}/g_bn_{label}/mean": Entry(network.moving_mean, j),
                f"{scope}/g_bn_{label}/var": Entry(network.moving_variance, j),
            }
            label = "input" if label == "in" else label
            names |= {
                f"{scope}/g_weights_{label}": Entry(dense.kernel),
                f"{scope}/g_bias_{label}": Entry(dense.bias),
            }
    return names


def _real_nvp(generator):
    if generator.scales != 2:
        raise UserError(f"a RealNVP with scales={generator.scales} has no counterpart in the release, which has 2")
    names: dict[str, Entry] = {}
    # The release numbers the first and the second convolution of each block 0_1, 0_2, 1_1, 1_2, ...
    labels = [f"{i}_{j}" for i in range(generator.residual_blocks) for j in (1, 2)]
    for network in generator.networks:
        kind, scale, number = network.name.split("_")
        scope = f"model/{kind.capitalize()}{scale}_{number}/function_l_m"
        names |= {
            f"{scope}/g_weights_tanh_scale": Entry(network.tanh_scale),
            f"{scope}/g_weights_scale_shift": Entry(network.scale_shift),
        }
        # The release writes "g_weights_input" but "g_weights0_1", and "g_biases_0_1".
        convolutions: list = [("_input", network.conv_in, None), ("_output", network.conv_out, None)]
        convolutions += [(label, network.block_convs, i) for i, label in enumerate(labels)]
        for label, (kernel, scale, bias), i in convolutions:
            names[f"{scope}/g_weights{label}"] = Entry(kernel, i)
            names[f"{scope}/g_weights{label}_scale"] = Entry(scale, i)
            if bias is not None:
                names[f"{scope}/g_biases_{label.removeprefix('_')}"] = Entry(bias, i)
        if generator.batch_norm == "moving":
            names |= _averages(f"{scope}/g_bn_in", network.input_averages)
            for i, label in enumerate(["_in2", *labels]):
                name = f"{scope}/g_bn{label}"
                names |= _averages(name, network.norm_averages, i)
                if i % 2 == 0:
                    names[f"{name}/g_scale"] = Entry(network.norm_scale, i // 2)
                    names[f"{name}/g_shift"] = Entry(network.norm_shift, i // 2)
    return names


def _averages(scope, mean_and_variance, index=None):
    return {f"{scope}/{part}": Entry(v, index) for part, v in zip(("mean", "var"), mean_and_variance, strict=True)}


def _critic(critic):
    names: dict[str, Entry] = {}
    weighted = [layer for layer in critic.stack if layer.weights]
    matrices = [layer for layer in weighted if not isinstance(layer, BatchNorm | LayerNorm)]
    num_convolutions = sum(layer.kernel.shape.rank == 4 for layer in matrices)
    # The dcgan critic's dense layer counts as its fourth convolution's, "d_h3_lin", in the release.
    for i, layer in enumerate(matrices):
        if i < num_convolutions:
            scope = f"discriminator/d_h{i}_conv"
            names |= {f"{scope}/w": Entry(layer.kernel), f"{scope}/biases": Entry(layer.bias)}
        else:
            scope = f"discriminator/d_h{min(i, 3)}_lin"
            names |= {f"{scope}/Matrix": Entry(layer.kernel), f"{scope}/bias": Entry(layer.bias)}
    for i, layer in enumerate((n for n in weighted if isinstance(n, BatchNorm)), start=1):
        scope = f"discriminator/d_bn{i}"
        names |= {
            f"{scope}/gamma": Entry(layer.scale),
            f"{scope}/beta": Entry(layer.shift),
            f"{scope}/moving_mean": Entry(layer.moving_mean),
            f"{scope}/moving_variance": Entry(layer.moving_variance),
        }
    for i, layer in enumerate((n for n in weighted if isinstance(n, LayerNorm)), start=1):
        scope = f"discriminator/d_ln_{i}"
        names |= {f"{scope}.scale": Entry(layer.scale), f"{scope}.offset": Entry(layer.offset)}
    return names
