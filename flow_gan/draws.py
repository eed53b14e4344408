"""The random draws of training steps and of evaluation, and the images that are made with them."""

import tensorflow as tf

from flow_gan import random
from flow_gan.data import dequantize
from flow_gan.generators.base import Generator


class Draws:
    """What a model draws at random: latents, flips, the noise of dequantisation and the penalty's coefficients.

    Args:
      generator: the `Generator`.
      seed: int.
      levels: int, grey levels of the images.
      n_critic: int, critic updates of a training step.
      horizontal_flip: bool, flip each training image left to right with probability 1/2, anew for each update.
    """

    def __init__(self, generator: Generator, seed: int, levels: int, n_critic: int = 0, horizontal_flip: bool = False):
        self.generator = generator
        self.seed = seed
        self.levels = levels
        self.n_critic = n_critic
        self.horizontal_flip = horizontal_flip
        self.dtype = tf.as_dtype(generator.compute_dtype)

    def of_step(self, step: int | tf.Tensor, images: tf.Tensor) -> "StepDraws":
        """Return the draws of a training step.

        Args:
          step: int (tensor), number of the step from 0.
          images: uint8 [batch, H, W, C], this replica's part of the step's batch.
        """
        return StepDraws(self, step, images)

    def evaluation_images(self, batch: dict, draw: int = 0, seed: int | tf.Tensor | None = None) -> tf.Tensor:
        """Dequantise an evaluation batch with noise keyed by (seed, split, index, draw).

        Args:
          batch: from `data.evaluation_batches`.
          draw: int, number of the noise draw.
          seed: int (tensor); the model's if None.

        Returns:
          Float images [batch, H, W, C] in [0, 1).
        """
        seed = self.seed if seed is None else seed
        key = random.key(seed, random.Stream.EVALUATION, tf.reduce_max(batch["split"]), *([draw] if draw else []))
        # The first index; a replica may also get an empty batch.
        first = tf.reduce_min(batch["index"])
        return self.dequantize(key, first, tf.shape(batch["images"])[0], batch["images"])

    def initial_images(self, images: tf.Tensor) -> tf.Tensor:
        """Dequantise the uint8 images from which a generator is initialised, with noise keyed by (seed, index)."""
        return self.dequantize(random.key(self.seed, random.Stream.INITIALIZATION), 0, len(images), images)

    def dequantize(
        self, key: tf.Tensor, first: int | tf.Tensor, count: int | tf.Tensor, images: tf.Tensor
    ) -> tf.Tensor:
        """Dequantise `count` images with the noise of the examples from `first` on; see `random.uniform`."""
        return dequantize(
            images, random.uniform(key, first, count, self.generator.image_shape, self.dtype), self.levels
        )


class StepDraws:
    """The random draws of one training step for this replica's part of the global batch.

    All are keyed by (seed, stream, step, critic run, example's place in the global batch).
    """

    def __init__(self, draws: Draws, step: int | tf.Tensor, images: tf.Tensor):
        self._draws = draws
        self._step = step
        self._count = images.shape[0] or tf.shape(images)[0]
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        self._first = replica * self._count

    def latent(self, run: int | tf.Tensor = 0) -> tf.Tensor:
        """Return z ~ p(z), [batch, k]."""
        return self._draws.generator.sample_latent(self._key(random.Stream.LATENT, run), self._first, self._count)

    def critic_images(self, images: tf.Tensor, run: int | tf.Tensor) -> tf.Tensor:
        """Flip and dequantise uint8 images for the critic's run number `run`."""
        key = self._key(random.Stream.NOISE_CRITIC, run)
        return self._draws.dequantize(key, self._first, self._count, self._flipped(images, update=run))

    def likelihood_images(self, images: tf.Tensor) -> tf.Tensor:
        """Flip and dequantise uint8 images for the likelihood, independently of the critic's."""
        key = self._key(random.Stream.NOISE_LIKELIHOOD, 0)
        images = self._flipped(images, update=self._draws.n_critic)
        return self._draws.dequantize(key, self._first, self._count, images)

    def interpolation(self, run: int | tf.Tensor) -> tf.Tensor:
        """Return the coefficients of the penalty's interpolates, uniform, [batch]."""
        return self._uniform(random.Stream.INTERPOLATION, run, [])

    def _flipped(self, images, update):
        if not self._draws.horizontal_flip:
            return images
        is_flipped = self._uniform(random.Stream.FLIP, update, [1, 1, 1]) < 0.5
        return tf.where(is_flipped, tf.reverse(images, axis=[2]), images)

    def _uniform(self, stream, run, shape):
        return random.uniform(self._key(stream, run), self._first, self._count, shape, self._draws.dtype)

    def _key(self, stream, run):
        return random.key(self._draws.seed, stream, self._step, run)
