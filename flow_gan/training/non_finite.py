"""Detection of numbers that are not finite before anything is saved, and errors that say where they occurred."""

from typing import Any

import numpy as np
import tensorflow as tf

from flow_gan import data
from flow_gan.bijectors import layer_not_finite, watched_layers
from flow_gan.config import Config
from flow_gan.errors import NotFiniteError
from flow_gan.model import FlowGAN
from flow_gan.networks.normalization import moving_average_updates
from flow_gan.training.steps import batches_per_step


def failure(step: int, what: str) -> NotFiniteError:
    """Return the error of a training that stopped at a step, since `what` is not finite."""
    return NotFiniteError(f"step {step}: {what}, so training stopped; expected finite values")


def check_weights(model: FlowGAN, step: int) -> None:
    """Raise `NotFiniteError` if a model that the update of a step has spoilt would be saved.

    The losses of the step are from before that update.
    """
    # Moving averages too: a ReLU of oneDNN turns a NaN into 0, so an NLL may be finite and wrong.
    for variable in model.weights:
        if not np.isfinite(variable.numpy()).all():
            raise failure(step, f"the weight {variable.path} is not finite")


def layer_at_fault(model: FlowGAN, images: Any, split: str) -> str | None:
    """Return which layer's result is not finite on one of the images of a split, in words, or None.

    Args:
      model: `FlowGAN` of a flow.
      images: uint8 [N, H, W, C], evaluated as all images of the split together.
      split: "train" or "validation".
    """
    fast = model.generator.fast_batch_size
    for batch in data.evaluation_batches(images, split, min(fast, len(images))):
        try:
            with watched_layers() as layers:
                model.generator.flow(validate_args=True).inverse(model.draws.evaluation_images(batch))
        except tf.errors.InvalidArgumentError as error:
            *_, (largest, _) = layers.values()
            image = {"train": "a training image", "validation": "a validation image"}[split]
            return f"{layer_not_finite(error)} on {image} (the layer's input is {largest:.3g} at most)"
    return None


def magnitudes(model: FlowGAN, config: Config, split: data.Split, step: int, what: str) -> str:
    """Return how large z and a layer's input and result were in a step that broke off, in words; "" if it is not known.

    The step's draws follow from the seed and its number, so that nothing is kept for this while training goes well.
    Of the weights an update may have changed some before the step broke off.

    Args:
      model: `FlowGAN` of a flow.
      config: the run's configuration.
      split: the training images.
      step: int, steps made before this one.
      what: str, from `bijectors.layer_not_finite`, which names the layer.
    """
    layer = what.partition("layer ")[2].split()[0]
    steps = config.batch_size, config.seed, step, step + 1, batches_per_step(config)
    of_class = split.labels if model.is_conditional else None
    batch = next(iter(data.training_batches(split.images, *steps, labels=of_class)))
    # Of the images themselves, also where `FlowGAN` keeps them on the device and takes their numbers.
    batch, labels = batch if model.is_conditional else (batch, None)
    given = [labels]
    if batches_per_step(config) is not None:
        batch = batch[:, -1]
        # The critic's updates, then the generator's own, which has the labels of the last of them.
        given = [None] * (config.n_critic + 1) if labels is None else [*tf.unstack(labels, axis=1), labels[:, -1]]
    draws = model.draws.of_step(step, batch)
    found = []
    if config.n_critic:
        samplings = [
            _pass(model, layer, "forward", draws.latent(run), labels, "sampling") for run, labels in enumerate(given)
        ]
        # The first pass at fault, or that of the generator's own update, whose gradient is.
        found.append(next((text for text in samplings if "inf" in text or "nan" in text), samplings[-1]))
    if model.objective.has_likelihood:
        found.append(_pass(model, layer, "inverse", draws.likelihood_images(batch), given[-1], "the likelihood"))
    return "; ".join(filter(None, found))


def _pass(model, layer, direction, value, labels, name):
    """Return the magnitudes of one pass through the flow, normalised by the batch's statistics as in training."""
    bijector = model.generator.bijector(labels, training=True, validate_args=False)
    try:
        with moving_average_updates(0), watched_layers() as layers:
            result = getattr(bijector, direction)(value)
    except tf.errors.OpError:
        return ""
    if layer not in layers:
        return ""
    z = np.abs(value if direction == "forward" else result).max()
    return (
        f"in {name} |z| is {z:.3g} at most, the layer's input {layers[layer][0]:.3g}, its result {layers[layer][1]:.3g}"
    )
