"""Variables of the original 2017 release, by name."""

import numpy as np

from flow_gan.errors import UserError
from flow_gan.flow_gan import FlowGAN
from flow_gan.generators import NICE, RealNVP
from flow_gan.networks.critics import Critic, LayerNorm
from flow_gan.networks.normalization import BatchNorm


def assign_variables(part, variables):
    """Give a model the values of the release's variables.

    Args:
      part: a generator, a critic, or a `FlowGAN` with both.
      variables: {name: array} with the release's names (without ":0"), complete for `part`. The counters
        `.../step` of the release's batch norms, which nothing reads, may be there and are left out.

    Raises:
      UserError: a name is missing or unknown, or an array has another shape than the variable.
    """
    expected = variable_names(part)
    counters = {name.removesuffix("/mean") + "/step" for name in expected if name.endswith("/mean")}
    given = {name: np.asarray(value) for name, value in variables.items() if name not in counters}
    missing = sorted(expected.keys() - given.keys())
    extra = sorted(given.keys() - expected.keys())
    if missing or extra:
        raise UserError(f"variables do not fit {part.name!r}: missing {missing or 'none'}, unknown {extra or 'none'}")
    for name, variable in expected.items():
        if tuple(given[name].shape) != _released_shape(name, variable):
            raise UserError(
                f"variable {name!r} has shape {tuple(given[name].shape)}; expected {_released_shape(name, variable)}"
            )
    for name, variable in expected.items():
        variable.assign(given[name].reshape(variable.shape))


def variable_names(part):
    """Return {name in the release: Keras variable} of a generator, a critic or a `FlowGAN`."""
    if isinstance(part, FlowGAN):
        names = variable_names(part.generator)
        return names if part.critic is None else names | variable_names(part.critic)
    if isinstance(part, NICE):
        return _nice(part)
    if isinstance(part, RealNVP):
        return _real_nvp(part)
    if isinstance(part, Critic):
        return _critic(part)
    raise UserError(f"{type(part).__name__} has no counterpart in the original release")


def _released_shape(name, variable):
    shape = tuple(variable.shape)
    return (1, *shape) if name.endswith("/Scaling/g_scale") else shape


def _nice(generator):
    names = {"model/Scaling/g_scale": generator.log_scale}
    labels = ["in", *range(generator.num_hidden_layers), "out"]
    for i, network in enumerate(generator.networks):
        scope = f"model/Checkerboard_{i + 1}/function_l_m"
        for label, norm, dense in zip(labels, network.norms, network.dense, strict=True):
            names |= {
                f"{scope}/g_bn_{label}/g_scale": norm.scale,
                f"{scope}/g_bn_{label}/g_shift": norm.shift,
                f"{scope}/g_bn_{label}/mean": norm.moving_mean,
                f"{scope}/g_bn_{label}/var": norm.moving_variance,
            }
            label = "input" if label == "in" else label
            names |= {
                f"{scope}/g_weights_{label}": dense.kernel,
                f"{scope}/g_bias_{label}": dense.bias,
            }
    return names


def _real_nvp(generator):
    if generator.scales != 2:
        raise UserError(f"a RealNVP with scales={generator.scales} has no counterpart in the release, which has 2")
    names = {}
    for network in generator.networks:
        kind, scale, number = network.name.split("_")
        scope = f"model/{kind.capitalize()}{scale}_{number}/function_l_m"
        # The release writes "g_weights_input" but "g_weights0_1", and "g_biases_0_1".
        convolutions = {"_input": network.conv_in, "_output": network.conv_out}
        norms = dict(zip(("_in", "_in2"), network.norms_in, strict=True)) if generator.batch_norm == "moving" else {}
        for i in range(generator.residual_blocks):
            convolutions |= {f"{i}_{j}": conv for j, conv in enumerate(network.block_convs[i], start=1)}
            if norms:
                norms |= {f"{i}_{j}": norm for j, norm in enumerate(network.block_norms[i], start=1)}
        for label, conv in convolutions.items():
            names |= {f"{scope}/g_weights{label}": conv.kernel, f"{scope}/g_weights{label}_scale": conv.scale}
            if conv.use_bias:
                names[f"{scope}/g_biases_{label.removeprefix('_')}"] = conv.bias
        for label, norm in norms.items():
            name = f"{scope}/g_bn{label}"
            names |= {f"{name}/mean": norm.moving_mean, f"{name}/var": norm.moving_variance}
            if norm.affine:
                names |= {f"{name}/g_scale": norm.scale, f"{name}/g_shift": norm.shift}
        names |= {
            f"{scope}/g_weights_tanh_scale": network.tanh_scale,
            f"{scope}/g_weights_scale_shift": network.scale_shift,
        }
    return names


def _critic(critic):
    names = {}
    weighted = [layer for layer in critic.stack if layer.weights]
    matrices = [layer for layer in weighted if not isinstance(layer, BatchNorm | LayerNorm)]
    num_convolutions = sum(layer.kernel.shape.rank == 4 for layer in matrices)
    # The dcgan critic's dense layer counts as its fourth convolution's, "d_h3_lin", in the release.
    for i, layer in enumerate(matrices):
        if i < num_convolutions:
            scope = f"discriminator/d_h{i}_conv"
            names |= {f"{scope}/w": layer.kernel, f"{scope}/biases": layer.bias}
        else:
            scope = f"discriminator/d_h{min(i, 3)}_lin"
            names |= {f"{scope}/Matrix": layer.kernel, f"{scope}/bias": layer.bias}
    for i, layer in enumerate((n for n in weighted if isinstance(n, BatchNorm)), start=1):
        scope = f"discriminator/d_bn{i}"
        names |= {
            f"{scope}/gamma": layer.scale,
            f"{scope}/beta": layer.shift,
            f"{scope}/moving_mean": layer.moving_mean,
            f"{scope}/moving_variance": layer.moving_variance,
        }
    for i, layer in enumerate((n for n in weighted if isinstance(n, LayerNorm)), start=1):
        scope = f"discriminator/d_ln_{i}"
        names |= {f"{scope}.scale": layer.scale, f"{scope}.offset": layer.offset}
    return names
