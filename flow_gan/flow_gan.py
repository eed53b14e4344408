"""FlowGAN: a generator and a critic trained together."""

import keras
import tensorflow as tf

from flow_gan import objectives, random
from flow_gan.bijectors import dequantize
from flow_gan.errors import UserError, check_choice
from flow_gan.networks.replicas import has_several_processes, mean_over_replicas, num_replicas

BATCH_NORM_UPDATES = ("objective", "released")
CRITIC_BATCHES = ("shared", "fresh")


class FlowGAN(keras.Model):
    """A flow generator G trained by maximum likelihood, against a critic D, or by both (paper, Eq. 7).

        MLE     n_critic = 0                  minimise NLL
        ADV     n_critic > 0, like_reg = 0    minimise V(G, D)
        hybrid  n_critic > 0, like_reg > 0    minimise V(G, D) / like_reg + NLL

    A generator without a likelihood, such as `DCGAN`, can be trained by ADV alone.

    `fit` takes batches of uint8 images [batch, H, W, C]. A training step dequantises them, makes `n_critic`
    critic updates and one generator update. All of its random draws derive from `seed`, the step, the critic
    run and the example's place in the global batch.

    Args:
      generator: a `Generator`.
      critic: Keras model from images to logits [batch, 1]; None for MLE.
      divergence: one of `objectives.DIVERGENCES`.
      like_reg: float >= 0, lambda.
      n_critic: int >= 0, critic updates per generator update.
      gradient_penalty: float >= 0, weight of the penalty; only "wgan" has one.
      gradient_penalty_norm: "image", or "column" as the release; see `objectives.gradient_penalty`.
      batch_norm_updates: what moves the generator's moving averages in a training step. "objective": every
        pass that the objective needs, once (MLE the data pass, ADV the sampling pass, hybrid both).
        "released": the sampling pass once per critic run and once for the generator, in MLE too, and the
        data pass where the likelihood is in the objective.
      critic_batches: "shared" uses one batch and one z for all updates of a step, as the release does, so
        that G(z) is computed once. "fresh" draws new ones for each (Gulrajani et al. 2017): `fit` then takes
        batches [batch, n_critic, H, W, C], and the likelihood uses the last of them.
      levels: int, grey levels of the images.
      horizontal_flip: bool, flip each training image left to right with probability 1/2, anew for each update.
      nll_interval: int >= 1. In ADV, where the NLL is no part of the objective, the steps whose number (from 1) it
        divides compute it to be watched; it is a tenth of a step's time.
      seed: int.
      **kwargs: of `keras.Model`.

    Raises:
      UserError: an argument outside its range, or a combination without an objective.

    Example:
      >>> import flow_gan, keras, numpy as np
      >>> generator = flow_gan.NICE((8, 8, 1), hidden_units=16, num_hidden_layers=1)
      >>> critic = flow_gan.critics.mnist((8, 8, 1), filters=4, dense_units=8)
      >>> model = flow_gan.FlowGAN(generator, critic, like_reg=1.0, n_critic=2)
      >>> adam = lambda: keras.optimizers.Adam(1e-4, beta_1=0.5, beta_2=0.9)
      >>> model.compile(adam(), adam())
      >>> images = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 1), np.uint8)
      >>> history = model.fit(images, batch_size=10, epochs=1, verbose=0)
      >>> model.num_steps
      2
    """

    def __init__(
        self,
        generator,
        critic=None,
        divergence="wgan",
        like_reg=1.0,
        n_critic=5,
        gradient_penalty=10.0,
        gradient_penalty_norm="image",
        batch_norm_updates="objective",
        critic_batches="shared",
        levels=256,
        horizontal_flip=False,
        nll_interval=1,
        seed=0,
        **kwargs,
    ):
        super().__init__(dtype=generator.dtype_policy, **kwargs)
        check_choice("divergence", divergence, objectives.DIVERGENCES)
        check_choice("gradient_penalty_norm", gradient_penalty_norm, objectives.GRADIENT_PENALTY_NORMS)
        check_choice("batch_norm_updates", batch_norm_updates, BATCH_NORM_UPDATES)
        check_choice("critic_batches", critic_batches, CRITIC_BATCHES)
        if n_critic < 0:
            raise UserError(f"n_critic={n_critic}; expected 0 (MLE) or more")
        if like_reg < 0:
            raise UserError(f"like_reg={like_reg}; expected 0 (ADV) or more")
        if n_critic > 0 and critic is None:
            raise UserError(f"n_critic={n_critic} needs a critic; pass one, or n_critic=0 for MLE")
        if not generator.has_likelihood and (n_critic == 0 or like_reg > 0):
            raise UserError(
                f"n_critic={n_critic} and like_reg={like_reg}, but {type(generator).__name__} has no likelihood; "
                "expected n_critic > 0 and like_reg=0 (ADV)"
            )
        self.generator = generator
        self.critic = critic if n_critic else None
        self.divergence = divergence
        self.like_reg = like_reg
        self.n_critic = n_critic
        self.gradient_penalty = gradient_penalty
        self.gradient_penalty_norm = gradient_penalty_norm
        self.batch_norm_updates = batch_norm_updates
        self.critic_batches = critic_batches
        self.levels = levels
        self.horizontal_flip = horizontal_flip
        self.nll_interval = nll_interval
        self.seed = seed
        self.step = self.add_weight(
            shape=(),
            dtype="int64",
            initializer="zeros",
            trainable=False,
            aggregation="only_first_replica",
            name="step",
        )
        self.nll_metric = MeanAndStandardError(name="nll")
        self._images_on_device = None
        self.built = True

    @property
    def num_steps(self):
        """Number of training steps made, an int."""
        return int(self.step.value.numpy())

    @property
    def has_likelihood_objective(self):
        """Whether the NLL is a part of the objective (MLE and hybrid)."""
        return not self.n_critic or self.like_reg > 0

    def compile(self, optimizer, critic_optimizer=None, **kwargs):
        """Set the optimizers.

        Args:
          optimizer: Keras optimizer of the generator.
          critic_optimizer: Keras optimizer of the critic; it makes `n_critic` updates per step. None for MLE.
          **kwargs: of `keras.Model.compile`.
        """
        if self.critic is not None and critic_optimizer is None:
            raise UserError("critic_optimizer=None; a model with a critic needs an optimizer for it")
        super().compile(optimizer=optimizer, **({"jit_compile": False} | kwargs))
        self.critic_optimizer = critic_optimizer if self.critic is not None else None
        with self.distribute_strategy.scope():
            # Slots made here rather than inside the first step save a second trace of it.
            _prepare(self.optimizer, self.generator.trainable_variables)
            if self.critic is not None:
                _prepare(self.critic_optimizer, self.critic.trainable_variables)

    def make_train_function(self, force=False):
        """Keras's, but over several processes, where it cannot average scalars: a step's results are equal already."""
        if not has_several_processes(self.distribute_strategy):
            return super().make_train_function(force)
        if self.train_function is None or force:
            self.train_function = self._over_processes(self.train_step)
        return self.train_function

    def make_test_function(self, force=False):
        """As `make_train_function`."""
        if not has_several_processes(self.distribute_strategy):
            return super().make_test_function(force)
        if self.test_function is None or force:
            self.test_function = self._over_processes(self.test_step)
        return self.test_function

    def _over_processes(self, step):
        strategy = self.distribute_strategy

        @tf.function(autograph=False, jit_compile=self.jit_compile)
        def on_batch(batch):
            logs = strategy.run(step, args=(batch,))
            return tf.nest.map_structure(lambda value: strategy.experimental_local_results(value)[0], logs)

        return tf.function(lambda iterator: on_batch(next(iterator)), autograph=False)

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        # All weights are there. Keras would take the mean of uint8 images over processes, which cannot be had.
        pass

    def keep_on_device(self, images):
        """Copy the training images, uint8 [N, H, W, C], to each device; `fit` then takes their numbers, int32."""
        with self.distribute_strategy.scope():
            self._images_on_device = tf.Variable(images, trainable=False)

    def call(self, images, training=False):
        """Return the generator's log p(x), [batch], of float images."""
        return self.generator.log_prob(images, training)

    def train_step(self, data):
        """Make `n_critic` critic updates and one generator update; see the class.

        Args:
          data: uint8 [batch, H, W, C], or [batch, n_critic, H, W, C] with critic_batches="fresh"; or the images'
            numbers, after `keep_on_device`.

        Returns:
          Scalars of this step, averaged over replicas, from before each update: `nll` (nats per image; in ADV
          that of the evaluation mode, since it is no part of the objective, and NaN between the steps of
          `nll_interval`; none without a likelihood), the losses, the norms of the whole gradients, and the learning
          rate.
        """
        images = self.images_of(data)
        fresh = self.n_critic > 0 and self.critic_batches == "fresh"
        batches = tf.unstack(images, axis=1) if fresh else [images] * max(self.n_critic, 1)
        draws = self.draws(batches[0])
        critic_update = self._critic_updater()
        released = self.batch_norm_updates == "released"
        logs = {}
        if fresh:
            for run, batch in enumerate(batches):
                fake = self._generate(draws.latent(run), int(released))
                logs = critic_update(draws, tf.constant(run), batch, fake)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([variable.value for variable in self.generator.trainable_variables])
            adversarial = nll = None
            if self.n_critic:
                # One G(z) for all updates of a step; the critic's see it as a constant.
                updates = 1 + self.n_critic if released and not fresh else 1
                fake = self._generate(draws.latent(self.n_critic if fresh else 0), updates)
                if not fresh:
                    with tape.stop_recording():
                        for run, batch in enumerate(batches):
                            logs = critic_update(draws, tf.constant(run), batch, fake)
                logits = self.critic(fake, training=True, updates=0)
                adversarial = objectives.generator_loss(self.divergence, logits)
                logs = logs | {"generator_loss": adversarial}
            elif released:
                with tape.stop_recording():
                    self._generate(draws.latent(), updates=1)
            if self.has_likelihood_objective:
                nll = self._nll(draws.likelihood_images(batches[-1]), training=True)
            loss = objectives.generator_objective(adversarial, nll, self.like_reg)
        gradients = tape.gradient(loss, self.generator.trainable_variables)
        if nll is None and self.generator.has_likelihood:
            nll = tf.cond(
                tf.equal((self.step + 1) % self.nll_interval, 0),
                lambda: self._nll(draws.likelihood_images(batches[-1]), training=False),
                lambda: tf.constant(float("nan"), self.compute_dtype),
            )
        if nll is not None:
            logs["nll"] = nll
        logs["learning_rate"] = self.optimizer.learning_rate
        logs["generator_gradient_norm"] = _apply(self.optimizer, gradients, self.generator.trainable_variables)
        self.step.assign_add(1)
        names = sorted(logs)
        values = mean_over_replicas(tf.stack([tf.cast(logs[name], self.compute_dtype) for name in names]))
        return dict(zip(names, tf.unstack(values), strict=True))

    def images_of(self, data):
        """Return the uint8 images of what `train_step` takes."""
        data = data[0] if isinstance(data, tuple) else data
        return data if self._images_on_device is None else tf.gather(self._images_on_device, data)

    def draws(self, images):
        """Return the random draws of this step for the batch `images`; see `StepDraws`."""
        return StepDraws(self, images)

    def _generate(self, z, updates):
        return self.generator.decode(z, training=True, updates=updates)

    def _nll(self, images, training):
        return -tf.reduce_mean(self.generator.log_prob(images, training))

    def _critic_updater(self):
        """Return the function that makes one critic update, for all critic runs of a step."""
        if num_replicas() > 1:
            # The updates synchronise, which tf.distribute forbids inside a nested function.
            return self.critic_update
        # One trace for all runs starts training seconds sooner.
        return tf.function(self.critic_update, autograph=False)

    def critic_update(self, draws, run, images, fake):
        """Make the critic update number `run` on uint8 images and generated images; return its logs."""
        real = draws.critic_images(images, run)
        fake = tf.stop_gradient(fake)
        with tf.GradientTape() as tape:
            # Not as one batch: that saves 1 to 6 % of the update, but the gradients of the last bias would cancel but
            # for their rounding, which Adam would take for a direction.
            real_loss, fake_loss = objectives.critic_loss(
                self.divergence, self.critic(real, training=True), self.critic(fake, training=True)
            )
            loss = real_loss + fake_loss
            logs = {"critic_loss_real": real_loss, "critic_loss_fake": fake_loss}
            if self.divergence == "wgan":
                penalty = objectives.gradient_penalty(
                    lambda x: self.critic(x, training=True, updates=0),
                    objectives.interpolate(real, fake, draws.interpolation(run)),
                    self.gradient_penalty_norm,
                )
                loss += self.gradient_penalty * penalty
                logs["gradient_penalty"] = penalty
        gradients = tape.gradient(loss, self.critic.trainable_variables)
        norm = _apply(self.critic_optimizer, gradients, self.critic.trainable_variables)
        return logs | {"critic_loss": loss, "critic_gradient_norm": norm}

    def test_step(self, data):
        """Add a batch to the mean NLL, in nats per image, in evaluation mode.

        Args:
          data: from `data.evaluation_batches`: a dict of "images" uint8 [batch, H, W, C], "index" [batch]
            (consecutive numbers of the images in their split), "split" [batch] and "weight" [batch] (0 for
            padding). Or the images alone: they are then numbered within the batch.
        """
        if not isinstance(data, dict):
            images = data[0] if isinstance(data, tuple) else data
            index = tf.range(tf.shape(images)[0])
            data = {"images": images, "index": index, "split": 0 * index, "weight": index * 0 + 1}
        log_prob = self.generator.log_prob(self.evaluation_images(data))
        self.nll_metric.update_state(-log_prob, data["weight"])
        return self.nll_metric.result()

    def evaluation_images(self, data, draw=0, seed=None):
        """Dequantise an evaluation batch with noise keyed by (seed, split, index, draw); see `test_step`.

        Args:
          data: see `test_step`.
          draw: int, which of several noises.
          seed: int (tensor); the model's if None.
        """
        seed = self.seed if seed is None else seed
        key = random.key(seed, random.Stream.EVALUATION, data["split"][0], *([draw] if draw else []))
        noise = random.uniform(
            key,
            data["index"][0],
            tf.shape(data["images"])[0],
            self.generator.image_shape,
            tf.as_dtype(self.compute_dtype),
        )
        return dequantize(data["images"], noise, self.levels)

    @property
    def metrics(self):
        """The metrics that `evaluate` resets."""
        return [self.nll_metric]


class MeanAndStandardError(keras.metrics.Metric):
    """Mean of values and its standard error, sd / sqrt(n), accumulated in float64 over all replicas.

    The error of a single value is not known, NaN.
    """

    def __init__(self, name):
        super().__init__(name=name, dtype="float64")
        self.count, self.total, self.squares = (
            self.add_variable((), "zeros", dtype="float64", name=part) for part in ("count", "total", "squares")
        )

    def update_state(self, values, sample_weight):
        """Add `values` [batch] with weights 0 or 1."""
        weight = tf.cast(sample_weight, tf.float64)
        # Not by multiplication: padding must not spread its NaN or infinity.
        values = tf.where(weight > 0, tf.cast(values, tf.float64), tf.zeros_like(weight))
        self.count.assign_add(tf.reduce_sum(weight))
        self.total.assign_add(tf.reduce_sum(values))
        self.squares.assign_add(tf.reduce_sum(tf.square(values)))

    def result(self):
        """Return {"nll": mean, "nll_standard_error": ...} with the metric's name for nll."""
        mean = self.total / self.count
        variance = (self.squares / self.count - tf.square(mean)) / tf.maximum(self.count - 1, 1)
        error = tf.where(self.count > 1, tf.sqrt(tf.maximum(variance, 0)), tf.constant(float("nan"), tf.float64))
        return {self.name: mean, f"{self.name}_standard_error": error}


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


def _prepare(optimizer, variables):
    optimizer.build(variables)
    # A step averages its gradients over replicas itself, since it logs the norm of the whole gradient.
    # Keras would sum them over replicas once more.
    optimizer._all_reduce_sum_gradients = list


def _apply(optimizer, gradients, variables):
    """Average gradients over replicas, apply them, return their global norm."""
    gradients = mean_over_replicas(gradients)
    optimizer.apply(gradients, variables)
    return tf.linalg.global_norm(gradients)
