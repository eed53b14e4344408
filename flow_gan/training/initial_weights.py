"""Initial weights of a run from another run, which it fine-tunes, or from the original release."""

import dataclasses
import json
import pathlib

import numpy as np
import tensorflow as tf

from flow_gan import original
from flow_gan.config import Config, about
from flow_gan.config.generator import GeneratorSettings
from flow_gan.errors import UserError, brief, check_tensorflow_path
from flow_gan.model import FlowGAN
from flow_gan.training.checkpoints import chosen_checkpoint, value_key
from flow_gan.training.run_folder import read_config

# Settings that define the generator. Some, such as prior and alpha, change its NLL but do not show in its weights.
_GENERATOR = [
    *("input_height", "input_width", "c_dim"),
    *(field.name for field in dataclasses.fields(GeneratorSettings) if not about(field).of_weights),
]


@dataclasses.dataclass(frozen=True, kw_only=True)
class InitialWeights:
    """What was taken from a run.

    Attributes:
      run: str, its folder.
      checkpoint: str, which of its checkpoints.
      step: int, of that checkpoint.
      generator: tuple of str, all weights of the generator.
      critic: tuple of str, those of the critic; none if the run has none, or another one.
      anew: tuple of str, the weights of classes, where that run has no classes.
    """

    run: str
    checkpoint: str
    step: int
    generator: tuple[str, ...]
    critic: tuple[str, ...]
    anew: tuple[str, ...] = ()

    def __str__(self) -> str:
        critic = f"critic ({len(self.critic)} variables)" if self.critic else "no critic weights"
        generator = f"generator ({len(self.generator)} variables)"
        anew = f"; anew: {', '.join(self.anew)}" if self.anew else ""
        return f"{self.run}, checkpoint {self.checkpoint} (step {self.step}): {generator}, {critic}{anew}"


def load_initial_weights(model: FlowGAN, config: Config) -> InitialWeights | None:
    """Give a model the weights of `--init_from_original` or `--init_from_run`, where one of the two is given.

    Returns:
      What was taken from another run, or None.

    Raises:
      UserError: the weights are not there, damaged, or of another generator. The model may then have a part of them.
    """
    if config.init_from_original is not None:
        try:
            original.load_checkpoint(model, config.init_from_original)
        except UserError as error:
            raise UserError(f"--init_from_original={config.init_from_original}: {error}") from error
    return None if config.init_from_run is None else _load_from_run(model, config)


def _load_from_run(model, config):
    """Load the generator's weights of the run `config.init_from_run` and, where it is the same, the critic's.

    Taken are the weights that `config.checkpoint` names. Optimizers and the step start anew.
    """
    flag = f"--init_from_run={config.init_from_run}"
    check_tensorflow_path("--init_from_run", config.init_from_run)
    try:
        text, path = read_config(config.init_from_run)
    except UserError as error:
        raise UserError(str(error).replace("--run_dir", "--init_from_run")) from error
    stored = _settings(text, path)
    # Of a model without classes everything else is taken.
    begins_classes = config.conditional and not stored.get("conditional", False)
    free = ("conditional", "num_classes", "learned_prior") if begins_classes else ()
    compared = [name for name in _GENERATOR if name in stored and name not in free]
    others = [name for name in compared if stored[name] != getattr(config, name)]
    if others:
        listed = ", ".join(f"--{name}={stored[name]} (not {getattr(config, name)})" for name in others)
        raise UserError(f"{flag} has a different generator; expected the same settings for this run: {listed}")
    folder = pathlib.Path(stored.get("checkpoint_dir") or pathlib.Path(config.init_from_run) / "checkpoints")
    # Without a likelihood none is known to be the best.
    checkpoint = config.checkpoint if model.generator.has_likelihood or config.checkpoint != "best" else "latest"
    prefix, step = chosen_checkpoint(folder, checkpoint)
    if prefix is None or step is None:
        raise UserError(f"{flag} has no checkpoint {checkpoint!r}; pass another --checkpoint, such as latest")
    networks = [part for part in (model.generator, model.critic) if part is not None]
    anew = {v.path for part in networks for v in getattr(part, "class_variables", ())} if begins_classes else set()
    # A learned prior is that of each class.
    for_each_class = anew & {v.path for v in model.generator.prior_variables} if stored.get("learned_prior") else set()
    anew -= for_each_class
    taken = [[v for v in part.weights if v.path not in anew] for part in networks]
    generator = _assign(taken[0], prefix, flag, for_each_class)
    if generator is None:
        raise UserError(f"{flag}: its checkpoint {prefix} does not fit the generator; expected the same flags")
    critic = () if model.critic is None else _assign(taken[1], prefix, flag) or ()
    return InitialWeights(
        run=config.init_from_run,
        checkpoint=checkpoint,
        step=step,
        generator=generator,
        critic=critic,
        anew=tuple(sorted(anew)),
    )


def _settings(text, path):
    try:
        return dict(json.loads(text))
    except (ValueError, TypeError) as error:
        raise UserError(f"{path} is not the configuration of a run: {error}") from error


def _assign(variables, prefix, flag, for_each_class=()):
    """Assign the variables from a checkpoint; return their names, or None, with nothing done, if one does not fit.

    Those whose paths are `for_each_class` have one more axis, of the classes.
    """
    try:
        reader = tf.train.load_checkpoint(prefix)
        shapes = reader.get_variable_to_shape_map()
        keys = [value_key(variable) for variable in variables]
        expected = [list(v.shape[1:] if v.path in for_each_class else v.shape) for v in variables]
        if [shapes.get(key) for key in keys] != expected:
            return None
        values = [reader.get_tensor(key) for key in keys]
    except Exception as error:
        # A damaged file ends in one of many kinds of exception.
        raise UserError(f"{flag}: its checkpoint {prefix} cannot be read: {brief(error)}") from error
    for variable, value in zip(variables, values, strict=True):
        variable.assign(np.broadcast_to(value, variable.shape))
    return tuple(variable.path for variable in variables)
