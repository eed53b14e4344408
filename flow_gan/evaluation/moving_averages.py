"""Batch norm's moving averages, filled anew from data."""

import contextlib

import numpy as np
import tensorflow as tf

from flow_gan import data
from flow_gan.errors import UserError
from flow_gan.evaluation.progress import progress

# Updates by one batch after which nothing is left of what the average was: 0.9^1000 is 0 in float32.
_REPLACED = 1000


def has_moving_averages(generator):
    """Whether a generator normalises by moving averages in evaluation."""
    return bool(generator.non_trainable_variables)


@contextlib.contextmanager
def reestimated_moving_averages(model, images, batch_size):
    """Context in which a flow's batch norms have the statistics of the pass x -> z over training images.

    After training by ADV alone the moving averages are of the pass z -> x, since nothing else moves them. Here each is
    the mean over batches of what the pass from the images has at that place, a variance that of the mean of a batch
    included (Wu and Johnson 2021, "Rethinking 'Batch' in BatchNorm", precise batch norm). No weight is trained, and
    afterwards everything is as it was.

    Args:
      model: `FlowGAN` of a flow.
      images: uint8 [N, H, W, C], training images.
      batch_size: int, that of training. An incomplete last batch is left out.

    Raises:
      UserError: the generator has no moving averages, or there are fewer images than a batch.
    """
    generator = model.generator
    averages = generator.non_trainable_variables
    if not has_moving_averages(generator):
        raise UserError("the generator has no moving averages that could be re-estimated")
    if len(images) < batch_size:
        raise UserError(f"batch_size={batch_size} of {len(images)} images; expected at most their number")
    before = [variable.numpy() for variable in averages]
    run = tf.function(lambda x: generator.log_prob(x, training=True, updates=_REPLACED), autograph=False)
    try:
        found = []
        count = len(images) // batch_size * batch_size
        batches = data.evaluation_batches(images, "train", batch_size, count)
        with data.reading_errors():
            for batch in progress(batches, "moving averages"):
                run(model.evaluation_images(batch))
                found.append([variable.numpy() for variable in averages])
        for variable, value in zip(averages, _combine([v.path for v in averages], found), strict=True):
            variable.assign(value)
        yield
    finally:
        for variable, value in zip(averages, before, strict=True):
            variable.assign(value)


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
