"""Preparation of a training run, before anything is written."""

import concurrent.futures
import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from flow_gan import data
from flow_gan.config import Config
from flow_gan.model import FlowGAN
from flow_gan.training import resume
from flow_gan.training.build_model import build_model
from flow_gan.training.initial_weights import InitialWeights, load_initial_weights
from flow_gan.training.load_data import check_data, find_data, num_classes, resolve
from flow_gan.training.strategy import make_strategy, select_gpu


@dataclasses.dataclass(frozen=True, kw_only=True)
class Prepared:
    """Configuration, data and model of a training run.

    Attributes:
      config: with all sizes.
      dataset: `data.Dataset`.
      model: compiled, with initial weights, its step traced.
      initial_weights: what was taken from another run, None if nothing was.
    """

    config: Config
    dataset: data.Dataset
    model: FlowGAN
    initial_weights: InitialWeights | None = None

    @property
    def strategy(self) -> tf.distribute.Strategy:
        """Where the run computes."""
        return self.model.distribute_strategy


def prepare(config: Config, note: Callable[[str], None] = lambda stage: None) -> Prepared:
    """Read the data, build the model and trace its training step.

    Args:
      config: the run's configuration.
      note: called with "build", "trace" and "data" as they are done. A public data set, whose shape is known, is read
        while the model is built and its step traced, which lets training on MNIST start two seconds sooner.

    Raises:
      UserError: what is wrong with the configuration or the data, or where the initial weights come from.
    """
    select_gpu(config.gpu_nr)
    if config.deterministic_ops:
        tf.config.experimental.enable_op_determinism()
    # Several processes must find each other before anything else uses TensorFlow.
    strategy = make_strategy(config.strategy, config.batch_size)
    source = find_data(config)
    with concurrent.futures.ThreadPoolExecutor(1) as reader:
        reading = reader.submit(_read, config, source)
        shape, levels, classes = source.image_shape, source.levels, None
        if shape is None or levels is None or config.conditional:
            known = reading.result()
            shape, levels, classes = known.image_shape, known.levels, num_classes(config, known)
        resolved = resolve(config, shape, classes)
        with strategy.scope():
            model = build_model(resolved, levels)
            initial_weights = None if resume.has_begun(resolved) else load_initial_weights(model, resolved)
        note("build")
        # Replicas synchronise, which tf.distribute forbids inside a nested function.
        if strategy is tf.distribute.get_strategy():
            model.trace_step(config.batch_size)
        note("trace")
        dataset = reading.result()
        note("data")
    if not resume.has_begun(resolved):
        model.initialize(dataset.train.images)
    if classes is not None:
        model.generator.set_class_shares(np.bincount(dataset.train.require_labels(), minlength=classes))
    return Prepared(config=resolved, dataset=dataset, model=model, initial_weights=initial_weights)


def _read(config, source):
    dataset = source.read()
    check_data(config, dataset)
    return dataset
