"""Many samples of a generator."""

import math
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from flow_gan import random
from flow_gan.data import memory
from flow_gan.generators import Generator
from flow_gan.generators.labels import arguments
from flow_gan.progress import progress


class Sampler:
    """Draws many samples in batches, by a function that is traced once.

    Args:
      batch_size: samples that are computed at once, or more where that is faster. Apart from rounding an image does
        not depend on it, unless the generator normalises by the statistics of the batch.
      stream: of the latents and labels. Samples by which a setting is chosen and samples that measure it use different
        streams.
    """

    def __init__(self, generator: Generator, batch_size: int = 100, stream: random.Stream = random.Stream.SAMPLE):
        self._image_shape = generator.image_shape
        self._batch_size = batch_size = max(batch_size, generator.fast_batch_size)

        @tf.function(autograph=False)
        def draw(seed, temperature, first, labels=None):
            z = temperature * generator.sample_latent(random.key(seed, stream), first, batch_size)
            if labels is None:
                key = random.key(seed, random.Stream.LABEL, stream)
                labels = generator.sample_labels(key, first, batch_size)
            return tf.clip_by_value(generator.decode(z, **arguments(labels)), 0.0, 1.0)

        self._draw = draw
        self._dtype = generator.compute_dtype

    def batches(
        self, count: int, seed: int = 0, temperature: float = 1.0, labels: np.ndarray | None = None
    ) -> Iterator[np.ndarray]:
        """Yield what `draw` returns in batches, with a progress bar; arguments are those of `Generator.sample`.

        The labels of a conditional generator, int [count], are drawn from p(y) if None.
        """
        with progress(None, "samples", count) as bar:
            for first in range(0, count, self._batch_size):
                given = [tf.constant(seed), tf.constant(temperature, self._dtype), tf.constant(first)]
                if labels is not None:
                    chosen = np.arange(first, first + self._batch_size) % count
                    given.append(tf.constant(labels[chosen], tf.int32))
                batch = self._draw(*given).numpy()[: count - first]
                yield batch
                bar.update(len(batch))

    def draw(self, count: int, seed: int = 0) -> np.ndarray:
        """Return float [count, H, W, C] in [0, 1]; in the stream SAMPLE the first n are `generator.sample(n, seed)`.

        Raises:
          UserError: they do not fit in memory.
        """
        num_bytes = 4 * count * math.prod(self._image_shape)
        memory.require(num_bytes, f"{count} samples", "draw fewer, by --score_samples or --kde_samples")
        samples, first = np.empty((count, *self._image_shape), np.float32), 0
        for batch in self.batches(count, seed):
            samples[first : first + len(batch)] = batch
            first += len(batch)
        return samples
