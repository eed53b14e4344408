"""Many samples of a generator."""

import sys

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from flow_gan import random


def draw_samples(generator, count, seed=0, batch_size=100):
    """Return `count` samples, float [count, H, W, C] clipped to [0, 1]; the first n are `generator.sample(n, seed)`.

    Args:
      generator: any with `decode` and `sample_latent`.
      count: int.
      seed: int.
      batch_size: int, samples that are computed at once. An image does not depend on it but for rounding, unless the
        generator normalises by the batch's own statistics.
    """
    key = random.key(seed, random.Stream.SAMPLE)

    @tf.function(autograph=False)
    def draw(first):
        return tf.clip_by_value(generator.decode(generator.sample_latent(key, first, batch_size)), 0.0, 1.0)

    samples = np.empty((count, *generator.image_shape), np.float32)
    quiet = {"leave": False, "mininterval": 0.5 if sys.stderr.isatty() else 10}
    for first in tqdm(range(0, count, batch_size), "samples", **quiet):
        samples[first : first + batch_size] = draw(tf.constant(first)).numpy()[: count - first]
    return samples
