"""The batches that `fit` and `evaluate` take in a run."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from flow_gan import data
from flow_gan.config import Config
from flow_gan.model import FlowGAN
from flow_gan.training.steps import batches_per_step
from flow_gan.training.strategy import distribute

# Training images whose NLL is watched, at most.
WATCHED_IMAGES = 2000


def training_batches(config: Config, model: FlowGAN, dataset: data.Dataset, first_step: int, last_step: int) -> Any:
    """Return what `model.fit` takes for the steps `first_step` to `last_step - 1`."""
    steps = (config.batch_size, config.seed, first_step, last_step, batches_per_step(config))
    source: Callable
    images: Any
    labels = dataset.train.labels if model.is_conditional else None
    if config.data_on_device:
        images = dataset.train.images[np.arange(len(dataset.train))]
        model.keep_on_device(images if labels is None else (images, labels))
        source, images = data.training_indices, len(dataset.train)
    else:
        source, images = functools.partial(data.training_batches, labels=labels), dataset.train.images
    return distribute(model.distribute_strategy, lambda *replicas: source(images, *steps, *replicas))


def watched_images(dataset: data.Dataset) -> dict:
    """Return {split: images} whose NLL every validation measures, in evaluation mode.

    They are all validation images, and as many training images, `WATCHED_IMAGES` at most and always the same ones.
    """
    count = min(len(dataset.validation), len(dataset.train), WATCHED_IMAGES)
    return {"validation": dataset.validation.images, "train": data.fixed_sample(dataset.train.images, count)}


def watched_labels(dataset: data.Dataset) -> dict:
    """Return {split: labels} of `watched_images`."""
    count = len(watched_images(dataset)["train"])
    labels = data.fixed_sample(dataset.train.require_labels(), count)[np.arange(count)]
    return {"validation": dataset.validation.require_labels(), "train": labels}


def watched_batches(config: Config, model: FlowGAN, dataset: data.Dataset) -> dict:
    """Return {split: (what `model.evaluate` takes for the NLL of `watched_images`, the number of its batches)}.

    The noise is keyed by (seed, split, image's place among those watched).
    """
    labels = watched_labels(dataset) if model.is_conditional else {}
    return {
        split: _evaluated(config, model, split, images, labels.get(split))
        for split, images in watched_images(dataset).items()
    }


def _evaluated(config, model, split, images, labels):
    size = data.evaluation_batch_size(config.batch_size, model.generator.fast_batch_size, len(images))

    def make(replicas, num_replicas):
        return data.evaluation_batches(images, split, size, None, replicas, num_replicas, labels)

    return distribute(model.distribute_strategy, make), -(-len(images) // size)
