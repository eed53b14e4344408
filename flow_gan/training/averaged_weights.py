"""Averaged weights of a generator (exponential moving average), in place of its own."""

import contextlib

from flow_gan import data
from flow_gan.training.moving_averages import MovingAverages, has_moving_averages

# Images from which batch norm's statistics are estimated: of as many a standard deviation is known to 2 %.
_IMAGES = 2000


class AveragedWeights:
    """The averages that the generator's optimizer keeps of its weights (Keras's `use_ema`).

    Batch norm's statistics are re-estimated for them, from the pass that the objective trains: x -> z where the
    likelihood is a part of it, z -> x in ADV.

    Args:
      model: compiled `FlowGAN`.
      images: uint8 [N, H, W, C], training images.
      batch_size: int, that of training.
    """

    def __init__(self, model, images, batch_size: int):
        self._model = model
        self._batch_size = batch_size
        self._num_batches = max(min(_IMAGES, len(images)) // batch_size, 1)
        self._images = data.fixed_sample(images, min(self._num_batches * batch_size, len(images)))
        self._statistics = MovingAverages(model)

    @contextlib.contextmanager
    def in_place(self):
        """Context in which the generator has the averaged weights; afterwards it has its own again."""
        variables = self._model.generator.trainable_variables
        own = [variable.numpy() for variable in variables]
        with self._statistics.kept():
            try:
                self._model.optimizer.finalize_variable_values(variables)
                if has_moving_averages(self._model.generator):
                    self._fill_statistics()
                yield
            finally:
                for variable, value in zip(variables, own, strict=True):
                    variable.assign(value)

    def _fill_statistics(self):
        if self._model.has_likelihood_objective:
            count = min(self._batch_size, len(self._images))
            self._statistics.fill_from_images(data.evaluation_batches(self._images, "train", count))
        else:
            self._statistics.fill_from_samples(self._num_batches, self._batch_size)


def averaged_weights(config, model, dataset):
    """Return the `AveragedWeights` of a run, None without `--ema_decay`."""
    return AveragedWeights(model, dataset.train.images, config.batch_size) if config.ema_decay else None
