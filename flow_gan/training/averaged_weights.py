"""Averaged weights of a generator (exponential moving average), in place of its own."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from flow_gan import data
from flow_gan.config import Config
from flow_gan.model import FlowGAN
from flow_gan.training.batch_norm_statistics import BatchNormStatistics, has_batch_norm_statistics, kept

# Number of images from which batch norm's statistics are estimated: it gives a standard deviation to 2 %.
_IMAGES = 2000


class AveragedWeights:
    """The averages that the generator's optimizer keeps of its weights (Keras's `use_ema`).

    Batch norm's statistics are re-estimated for them, in the pass that the objective trains: x -> z if the objective
    has the likelihood, z -> x in ADV.

    Args:
      model: compiled `FlowGAN`.
      images: uint8 [N, H, W, C], training images.
      batch_size: int, that of training.
    """

    def __init__(self, model: FlowGAN, images: Any, batch_size: int):
        self._model = model
        self._batch_size = batch_size
        self._num_batches = max(min(_IMAGES, len(images)) // batch_size, 1)
        self._images = data.fixed_sample(images, min(self._num_batches * batch_size, len(images)))
        self._statistics = BatchNormStatistics(model)

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Context in which the generator has the averaged weights; afterwards it has its own again."""
        generator = self._model.generator
        with kept(generator.weights):
            self._model.optimizer.finalize_variable_values(generator.trainable_variables)
            if has_batch_norm_statistics(generator):
                self._fill_statistics()
            yield

    def _fill_statistics(self):
        if self._model.objective.has_likelihood:
            count = min(self._batch_size, len(self._images))
            self._statistics.fill_from_images(data.evaluation_batches(self._images, "train", count))
        else:
            self._statistics.fill_from_samples(self._num_batches, self._batch_size)


def weights_to_use(
    config: Config, model: FlowGAN, dataset: data.Dataset
) -> Callable[[], contextlib.AbstractContextManager]:
    """Return a function that makes the context in which the generator has the weights that are validated and saved.

    With `--ema_decay` they are the averaged ones, otherwise its own.
    """
    if not config.ema_decay:
        return contextlib.nullcontext
    return AveragedWeights(model, dataset.train.images, config.batch_size).in_place
