"""Re-estimation of batch norm's moving averages."""

import contextlib
from collections.abc import Callable, Iterable, Iterator

import keras
import numpy as np
import tensorflow as tf

from flow_gan import data, random
from flow_gan.errors import UserError
from flow_gan.generators import Generator
from flow_gan.generators.labels import arguments
from flow_gan.model import FlowGAN
from flow_gan.networks.normalization import batch_statistics, moving_averages


def has_batch_norm_statistics(generator: Generator) -> bool:
    """Whether a generator normalises by moving averages in evaluation."""
    return bool(moving_averages(generator))


@contextlib.contextmanager
def kept(variables: list[keras.Variable]) -> Iterator[None]:
    """Context after which Keras variables have the values that they had before it."""
    before = [variable.numpy() for variable in variables]
    try:
        yield
    finally:
        for variable, value in zip(variables, before, strict=True):
            variable.assign(value)


class BatchNormStatistics:
    """The moving averages of a generator's batch norms, which can be re-estimated without training a weight.

    Each becomes the mean over batches of its statistic in a pass in training mode; variances include the variance of
    the batches' means (Wu and Johnson 2021, "Rethinking 'Batch' in BatchNorm", precise batch norm).

    Args:
      model: `FlowGAN`.
    """

    def __init__(self, model: FlowGAN):
        self._model = model
        self._variables = moving_averages(model.generator)
        # Made once: a trace of the network is slower than the passes.
        self._from_images = tf.function(self._pass_from_images, autograph=False)
        self._from_latents = tf.function(self._pass_from_latents, autograph=False)

    def _pass_from_images(self, images):
        with batch_statistics() as statistics:
            # Of a learned prior, and of labels, they do not depend.
            self._model.generator.flow(training=True).inverse(images)
        return self._in_order(statistics)

    def _pass_from_latents(self, z, labels):
        with batch_statistics() as statistics:
            self._model.generator.decode(z, **arguments(labels), training=True)
        return self._in_order(statistics)

    def _in_order(self, statistics):
        by_path = {average.path: statistic for average, statistic in statistics}
        return [by_path[variable.path] for variable in self._variables]

    def fill_from_images(self, batches: Iterable[dict]) -> None:
        """Fill them from the pass x -> z of `data.evaluation_batches`, each with the noise of evaluation."""
        self._fill(self._from_images, ([self._model.draws.evaluation_images(batch)] for batch in batches))

    def fill_from_samples(self, num_batches: int, batch_size: int) -> None:
        """Fill them from the pass z -> x, with z of the model's seed, and labels of p(y) where there are classes."""
        generator, seed = self._model.generator, self._model.draws.seed
        key = random.key(seed, random.Stream.MOVING_AVERAGES)
        label_key = random.key(seed, random.Stream.LABEL, random.Stream.MOVING_AVERAGES)
        firsts = range(0, num_batches * batch_size, batch_size)
        latents = (
            [generator.sample_latent(key, first, batch_size), generator.sample_labels(label_key, first, batch_size)]
            for first in firsts
        )
        self._fill(self._from_latents, latents)

    def _fill(self, run, inputs):
        found = [[statistic.numpy() for statistic in run(*values)] for values in inputs]
        paths = [variable.path for variable in self._variables]
        for variable, value in zip(self._variables, _combine(paths, found), strict=True):
            variable.assign(value)


@contextlib.contextmanager
def reestimated_batch_norm_statistics(
    model: FlowGAN, images: data.Images, batch_size: int, progress: Callable[[tf.data.Dataset], Iterable] = iter
) -> Iterator[None]:
    """Context in which a flow's batch norms have the statistics of the pass x -> z over training images.

    After training by ADV alone the moving averages are of the pass z -> x, since nothing else moves them.

    Args:
      model: `FlowGAN` of a flow.
      images: uint8 [N, H, W, C], training images.
      batch_size: int, that of training. An incomplete last batch is left out.
      progress: function from the batches to the same batches, watched.

    Raises:
      UserError: the generator has no moving averages, or there are fewer images than a batch.
    """
    if not has_batch_norm_statistics(model.generator):
        raise UserError("the generator has no moving averages that could be re-estimated")
    if len(images) < batch_size:
        raise UserError(f"batch_size={batch_size} of {len(images)} images; expected at most their number")
    averages = BatchNormStatistics(model)
    with kept(moving_averages(model.generator)):
        count = len(images) // batch_size * batch_size
        with data.reading_errors():
            averages.fill_from_images(progress(data.evaluation_batches(images, "train", batch_size, count)))
        yield


def _combine(paths, found):
    """Return means of means, and of variances with the variance of the batches' means."""
    columns = dict(zip(paths, (np.array(column, np.float64) for column in zip(*found, strict=True)), strict=True))
    combined = []
    for path, column in columns.items():
        value = column.mean(0)
        if path.endswith("moving_variance"):
            value = value + columns[path.removesuffix("variance") + "mean"].var(0)
        combined.append(value)
    return combined
