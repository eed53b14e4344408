"""The message that a run prints at its start."""

import math
import shlex

from flow_gan.config.datasets import SPLITS
from flow_gan.device import device_name, has_gpu
from flow_gan.training.resume import OpenRun
from flow_gan.training.steps import Steps

_OBJECTIVES = {"mle": "maximum likelihood", "adv": "adversarial"}


def announcement(run: OpenRun) -> str:
    """Return what is about to be trained, on what, and how it is watched: a line for each, a name and what it is."""
    config, dataset = run.config, run.dataset
    steps = Steps.of(config, dataset, run.step)
    height, width, channels = dataset.image_shape
    counts = ", ".join(f"{len(dataset.split(split)):,} {split}" for split in SPLITS)
    lines = {
        "run folder": f"{run.folder.path}{f', continued from step {run.step:,}' if run.step else ''}",
        "data": f"{dataset.name}: {counts} images of {height}x{width}x{channels}, {dataset.levels} levels",
        "model": _model(run),
        "objective": _OBJECTIVES.get(config.objective, f"hybrid, lambda {config.like_reg:g}"),
        "training": f"{steps.last:,} steps with batches of {config.batch_size} images",
        "device": _device(run),
        "curves": f"tensorboard --logdir {shlex.quote(str(run.folder.tensorboard))}",
    }
    return "\n".join(f"{name:<20} {text}" for name, text in lines.items())


def _model(run):
    text = f"{run.config.model_type}, {_num_weights(run.model.generator):,} weights"
    if run.config.conditional:
        text += f", {run.config.num_classes} classes"
    critic = run.model.critic
    return text if critic is None else f"{text}; critic {run.config.critic}, {_num_weights(critic):,} weights"


def _num_weights(network):
    return sum(math.prod(variable.shape) for variable in network.trainable_variables)


def _device(run):
    count = run.model.distribute_strategy.num_replicas_in_sync
    text = device_name() if count == 1 else f"{count} replicas, {device_name()}"
    is_slow = has_gpu() and not run.config.jit_compile
    return f"{text}; --jit_compile makes steps about five times as fast here" if is_slow else text
