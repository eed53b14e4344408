"""Measurements of a model during training."""

import dataclasses
import functools
import math
from collections.abc import Iterator
from typing import Protocol

import numpy as np
import tensorflow as tf

from flow_gan import data, random
from flow_gan.config import Config
from flow_gan.errors import NotFiniteError
from flow_gan.generators import Generator
from flow_gan.generators.labels import arguments
from flow_gan.model import FlowGAN
from flow_gan.signals import StopSignals
from flow_gan.training.averaged_weights import weights_to_use
from flow_gan.training.batches import watched_batches, watched_images
from flow_gan.training.non_finite import check_weights, failure, layer_at_fault

HISTOGRAM_IMAGES = 256
# Latents of as many at most, since TensorBoard's histogram takes some 250 bytes for each.
HISTOGRAM_VALUES = 2**20


class Score(Protocol):
    """What scores a generator's samples during training.

    Attributes:
      tags: {name of a figure: TensorBoard's tag}.
    """

    tags: dict[str, str]

    def __call__(self, generator: Generator) -> tuple[float, dict[str, float]]:
        """Return (score, {name: figure})."""
        ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class Validation:
    """What a validation finds.

    Attributes:
      record: {name: float}, NLL and its standard error of validation images and of fixed training images. Empty
        without a likelihood.
      grid: uint8 [H, W, C], samples from a fixed z; of a conditional model a row for each class.
      latents: float [n, D], z of validation images; None without a likelihood.
    """

    record: dict[str, float]
    grid: np.ndarray = dataclasses.field(repr=False)
    latents: tf.Tensor | None = dataclasses.field(repr=False)


class Validator:
    """Measures a model; it writes nothing. All processes of a run evaluate the NLL together.

    Args:
      config: the run's configuration.
      model: compiled `FlowGAN`.
      dataset: `data.Dataset`.
      score: of samples; None for none.
      signals: `StopSignals`, which break an evaluation off; none if None.

    Attributes:
      weights_to_use: makes the context in which the model has the weights that are measured and kept.
    """

    def __init__(
        self,
        config: Config,
        model: FlowGAN,
        dataset: data.Dataset,
        score: Score | None = None,
        signals: StopSignals | None = None,
    ):
        self._config = config
        self._model = model
        self._dataset = dataset
        self._score = score
        self._signals = signals or StopSignals()
        self._watched = watched_batches(config, model, dataset)
        self.weights_to_use = weights_to_use(config, model, dataset)

    def evaluate(self) -> Iterator[tuple[str, dict[str, float]]]:
        """Yield (split, what `FlowGAN.evaluate` returns) of the watched images; nothing without a likelihood."""
        if self._model.generator.has_likelihood:
            for split, (batches, steps) in self._watched.items():
                with self._signals.interruptible():
                    result = self._model.evaluate(batches, steps=steps, verbose=0, return_dict=True)
                yield split, result

    def validate(self, step: int) -> Validation:
        """Measure the model as it is after a step.

        Raises:
          NotFiniteError: an NLL that is trained, or a weight, is not finite.
          Interrupted: a signal came.
        """
        record: dict[str, float] = {}
        for split, result in self.evaluate():
            nll = float(result["nll"])
            if self._model.objective.has_likelihood and not math.isfinite(nll):
                layer = layer_at_fault(self._model, watched_images(self._dataset)[split], split)
                raise failure(step, layer or f"{split}_nll is {nll}")
            record |= {f"{split}_nll": nll, f"{split}_nll_standard_error": float(result["nll_standard_error"])}
        check_weights(self._model, step)
        generator = self._model.generator
        return Validation(
            record=record,
            grid=self._grid(),
            latents=generator.encode(*self._histogram_images) if record else None,
        )

    def score(self, step: int) -> tuple[float, dict[str, float]]:
        """Return (score, {name: figure}) of samples of the model as it is after a step.

        Raises:
          NotFiniteError: a weight or a sample is not finite.
          UserError: the samples cannot be scored for another reason, such as too little memory.
          Interrupted: a signal came.
        """
        assert self._score is not None
        check_weights(self._model, step)
        try:
            with self._signals.interruptible():
                return self._score(self._model.generator)
        except NotFiniteError as error:
            raise failure(step, f"samples cannot be scored ({error})") from error

    def _grid(self):
        z, labels, columns = self._fixed_z
        return data.image_grid(self._model.generator.decode(z, **arguments(labels)), columns)

    @functools.cached_property
    def _fixed_z(self):
        """Return (z, labels, columns of their grid); None for what a model without classes does not have."""
        generator, count = self._model.generator, self._config.num_samples
        labels, columns = None, None
        if generator.num_classes is not None:
            labels, columns = data.class_rows(generator.num_classes, count)
            count = len(labels)
        key = random.key(self._config.seed, random.Stream.SAMPLE)
        return generator.sample_latent(key, 0, count), labels, columns

    @functools.cached_property
    def _histogram_images(self):
        dataset = self._dataset
        count = min(HISTOGRAM_IMAGES, max(HISTOGRAM_VALUES // math.prod(dataset.image_shape), 1))
        count = min(count, len(dataset.validation))
        images = data.dequantize(dataset.validation.images[np.arange(count)], 0.5, dataset.levels)
        return (images, dataset.validation.require_labels()[:count]) if self._model.is_conditional else (images,)
