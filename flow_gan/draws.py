"""The random draws of a training step."""

import tensorflow as tf

from flow_gan import random
from flow_gan.data import dequantize


class StepDraws:
    """The random draws of one training step for this replica's part of the global batch.

    All are keyed by (seed, stream, step, critic run, example's place in the global batch).
    """

    def __init__(self, model, images):
        self._model = model
        self._dtype = tf.as_dtype(model.compute_dtype)
        self._count = images.shape[0] or tf.shape(images)[0]
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        self._first = replica * self._count

    def _key(self, stream, run):
        return random.key(self._model.seed, stream, self._model.step, run)

    def _dequantize(self, images, stream, run, update):
        shape = self._model.generator.image_shape
        noise = random.uniform(self._key(stream, run), self._first, self._count, shape, self._dtype)
        if self._model.horizontal_flip:
            key = self._key(random.Stream.FLIP, update)
            is_flipped = random.uniform(key, self._first, self._count, [1, 1, 1], self._dtype) < 0.5
            images = tf.where(is_flipped, tf.reverse(images, axis=[2]), images)
        return dequantize(images, noise, self._model.levels)

    def latent(self, run=0):
        """Return z ~ p(z), [batch, D]."""
        key = self._key(random.Stream.LATENT, run)
        return self._model.generator.sample_latent(key, self._first, self._count)

    def critic_images(self, images, run):
        """Flip and dequantise uint8 images for the critic's run number `run`."""
        return self._dequantize(images, random.Stream.NOISE_CRITIC, run, update=run)

    def likelihood_images(self, images):
        """Flip and dequantise uint8 images for the likelihood, independently of the critic's."""
        return self._dequantize(images, random.Stream.NOISE_LIKELIHOOD, 0, update=self._model.n_critic)

    def interpolation(self, run):
        """Return the coefficients of the penalty's interpolates, uniform, [batch]."""
        key = self._key(random.Stream.INTERPOLATION, run)
        return random.uniform(key, self._first, self._count, [], self._dtype)
