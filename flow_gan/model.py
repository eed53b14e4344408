"""FlowGAN: a generator and a critic trained together."""

import inspect

import keras
import numpy as np
import tensorflow as tf

from flow_gan import inputs, keras_internals, objectives, random
from flow_gan.config.generator import BATCH_NORM_UPDATES
from flow_gan.config.objective import CRITIC_BATCHES, DIVERGENCES, GRADIENT_PENALTY_NORMS
from flow_gan.data import dequantize
from flow_gan.draws import StepDraws
from flow_gan.errors import UserError, check_choice, check_number
from flow_gan.generators.base import Generator
from flow_gan.networks.critics import build_critic
from flow_gan.networks.precision import default_keras_settings
from flow_gan.networks.replicas import has_several_processes, mean_over_replicas, num_replicas


class FlowGAN(keras.Model):
    """A flow generator G trained by maximum likelihood, against a critic D, or by both (paper, Eq. 7).

        MLE     n_critic = 0                  minimise NLL
        ADV     n_critic > 0, like_reg = 0    minimise V(G, D)
        hybrid  n_critic > 0, like_reg > 0    minimise V(G, D) / like_reg + NLL

    A generator without a likelihood, such as `DCGAN`, can be trained by ADV alone.

    `fit`, `evaluate`, `predict` and a call take uint8 images [N, H, W, C] of grey levels 0 to `levels` - 1, as an array
    or a tf.data.Dataset of batches (or of dicts with "image", as tensorflow_datasets has them; nothing else in them is
    used). Anything else is a `UserError`. Dequantised images, floats in [0, 1], are the generator's: see its
    `log_prob`.

    A training step dequantises its batch, makes `n_critic` critic updates and one generator update. All of its random
    draws derive from `seed`, the step, the critic run and the example's place in the global batch. Outside of training
    the noise derives from `seed` and the image's place in the whole set.

    Args:
      generator: a `Generator`.
      critic: Keras model from images to logits [batch, 1], built or not; None for MLE.
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
      levels: int from 2 to 256, grey levels of the images.
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
        if not isinstance(generator, Generator):
            raise UserError(f"generator={generator!r}; expected a NICE, RealNVP or DCGAN")
        super().__init__(dtype=generator.dtype_policy, **kwargs)
        check_choice("divergence", divergence, DIVERGENCES)
        check_choice("gradient_penalty_norm", gradient_penalty_norm, GRADIENT_PENALTY_NORMS)
        check_choice("batch_norm_updates", batch_norm_updates, BATCH_NORM_UPDATES)
        check_choice("critic_batches", critic_batches, CRITIC_BATCHES)
        check_number("n_critic", n_critic, 0)
        check_number("like_reg", like_reg, 0.0)
        check_number("gradient_penalty", gradient_penalty, 0.0)
        check_number("levels", levels, 2, 256)
        check_number("nll_interval", nll_interval, 1)
        check_number("seed", seed, 0)
        if n_critic > 0 and critic is None:
            raise UserError(f"n_critic={n_critic} needs a critic; pass one, or n_critic=0 for MLE")
        if not generator.has_likelihood and (n_critic == 0 or like_reg > 0):
            raise UserError(
                f"n_critic={n_critic} and like_reg={like_reg}, but {type(generator).__name__} has no likelihood; "
                "expected n_critic > 0 and like_reg=0 (ADV)"
            )
        self.generator = generator
        self.critic = critic if n_critic else None
        if self.critic is not None:
            build_critic(self.critic, generator.image_shape)
            self._critic_counts_updates = "updates" in inspect.signature(self.critic.call).parameters
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
        self._images = inputs.ImageCheck(generator.image_shape, levels)
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

    def compile(
        self,
        optimizer,
        critic_optimizer=None,
        *,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: bool = False,
        **others,
    ):
        """Set the optimizers.

        Args:
          optimizer: Keras optimizer of the generator, its name, or its configuration.
          critic_optimizer: likewise of the critic; it makes `n_critic` updates per step. None for MLE.
          run_eagerly, steps_per_execution, jit_compile: as in `keras.Model.compile`. Other arguments are a `UserError`.
        """
        for name, value in others.items():
            raise UserError(
                f"compile({name}={value!r}) has no use: the losses follow from divergence, like_reg and n_critic of "
                "FlowGAN, the metrics are theirs and the NLL; expected optimizer and critic_optimizer"
            )
        if self.critic is not None and critic_optimizer is None:
            raise UserError("critic_optimizer=None; a model with a critic needs an optimizer for it")
        if self.critic is not None and critic_optimizer is optimizer and not isinstance(optimizer, (str, dict)):
            raise UserError(
                "critic_optimizer is the optimizer of the generator; expected another one, with its own state"
            )
        with self.distribute_strategy.scope():
            optimizer = _optimizer("optimizer", optimizer)
            if self.critic is not None:
                critic_optimizer = _optimizer("critic_optimizer", critic_optimizer)
        super().compile(
            optimizer=optimizer,
            run_eagerly=run_eagerly,
            steps_per_execution=steps_per_execution,
            jit_compile=jit_compile,
        )
        self.critic_optimizer = critic_optimizer if self.critic is not None else None
        with self.distribute_strategy.scope():
            # Slots made here rather than inside the first step save a second trace of it.
            _prepare(self.optimizer, self.generator.trainable_variables)
            if self.critic is not None:
                _prepare(self.critic_optimizer, self.critic.trainable_variables)

    def fit(
        self,
        x,
        y: None = None,
        batch_size: int | None = None,
        epochs: int = 1,
        *,
        validation_split: float = 0.0,
        validation_data=None,
        class_weight: None = None,
        sample_weight: None = None,
        **kwargs,
    ) -> keras.callbacks.History:
        """Train on images; all arguments are those of `keras.Model.fit`.

        Args:
          x: images as the class describes them; with critic_batches="fresh" batches [batch, n_critic, H, W, C]; after
            `keep_on_device` their numbers. Grey levels are checked, but for those of a distributed data set.
          y, class_weight, sample_weight: None. There is nothing to weigh, and nothing but images.
          batch_size, epochs: int.
          validation_split: float, the part of an array, its end, that validates.
          validation_data: images for `evaluate` after each epoch.
          **kwargs: the others.

        Raises:
          UserError: what is wrong with the images or an argument.
        """
        _refuse("fit", y=y, class_weight=class_weight, sample_weight=sample_weight)
        found = []
        x = self._training_input("fit(x)", x, found)
        if validation_split and validation_data is None:
            if not isinstance(x, np.ndarray) or not 0 < validation_split < 1:
                raise UserError(f"fit(validation_split={validation_split}); expected 0 to 1, and an array of images")
            count = int(len(x) * (1 - validation_split))
            x, validation_data = x[:count], x[count:]
        self._check_replicas("fit", x, batch_size)
        if validation_data is not None:
            validation_data = self._evaluation_input("fit(validation_data)", validation_data, found)
        with inputs.raising(found):
            return super().fit(x, None, batch_size, epochs, validation_data=validation_data, **kwargs)

    def evaluate(
        self,
        x=None,
        y: None = None,
        batch_size: int | None = None,
        verbose="auto",
        sample_weight: None = None,
        steps: int | None = None,
        callbacks=None,
        return_dict: bool = False,
        **kwargs,
    ):
        """Return the mean NLL of images and its standard error, in nats; all arguments are those of `keras.Model`.

        The noise is keyed by (seed, the image's place in the whole set), so that the batch size makes no difference.

        Args:
          x: images as the class describes them, or batches from `data.evaluation_batches`.
          y, sample_weight: None.
          batch_size, verbose, steps, callbacks, return_dict, **kwargs: the others.

        Raises:
          UserError: what is wrong with the images or an argument, or the generator has no likelihood.
        """
        _refuse("evaluate", y=y, sample_weight=sample_weight)
        self.generator.require_likelihood("NLL")
        found = []
        if not kwargs.get("_use_cached_eval_dataset"):
            # Otherwise it is that of a `fit`, ready.
            x = self._evaluation_input("evaluate(x)", x, found)
        with inputs.raising(found):
            return super().evaluate(
                x, None, batch_size, verbose, None, steps, callbacks, return_dict=return_dict, **kwargs
            )

    def predict(
        self, x, batch_size: int | None = None, verbose="auto", steps: int | None = None, callbacks=None
    ) -> np.ndarray:
        """Return log p(x), [N], in nats, of images dequantised as `evaluate` does, with its arguments and errors."""
        self.generator.require_likelihood("log p(x)")
        found = []
        x = self._evaluation_input("predict(x)", x, found)
        with inputs.raising(found):
            return super().predict(x, batch_size, verbose, steps, callbacks)

    def train_on_batch(self, x, y: None = None, sample_weight: None = None, class_weight: None = None, **kwargs):
        """Make a step on one batch; see `fit`."""
        _refuse("train_on_batch", y=y, sample_weight=sample_weight, class_weight=class_weight)
        return super().train_on_batch(self._training_input("train_on_batch(x)", x, []), **kwargs)

    def test_on_batch(self, x, y: None = None, sample_weight: None = None, **kwargs):
        """Evaluate one batch as if it were the whole set; see `evaluate`."""
        _refuse("test_on_batch", y=y, sample_weight=sample_weight)
        self.generator.require_likelihood("NLL")
        return super().test_on_batch(self._images.array("test_on_batch(x)", x), **kwargs)

    def predict_on_batch(self, x) -> np.ndarray:
        """Return log p(x) of one batch as if it were the whole set; see `predict`."""
        self.generator.require_likelihood("log p(x)")
        return super().predict_on_batch(self._images.array("predict_on_batch(x)", x))

    @property
    def _is_fresh(self):
        return self.n_critic > 0 and self.critic_batches == "fresh"

    @property
    def _per_example(self):
        return (self.n_critic,) if self._is_fresh else ()

    def _training_input(self, what, x, found):
        """Return what Keras takes to train on `x`, and put later errors into the list `found`."""
        if isinstance(x, tf.distribute.DistributedDataset) or self._images_on_device is not None:
            # What can be told of these is told when the step is traced.
            return x
        if isinstance(x, tf.data.Dataset):
            return self._images.batches(what, x, found, self._per_example)
        return self._images.array(what, x, self._per_example)

    def _evaluation_input(self, what, x, found):
        """Return `x` as numbered images, and put later errors into the list `found`."""
        if inputs.is_numbered(getattr(x, "element_spec", None)):
            return x
        if isinstance(x, tf.distribute.DistributedDataset):
            raise UserError(
                f"{what}: a distributed data set, which does not tell an image's place in the whole set, by which the "
                "noise is keyed; expected a tf.data.Dataset, or data.evaluation_batches distributed"
            )
        if isinstance(x, tf.data.Dataset):
            return inputs.number_batches(self._images.batches(what, x, found))
        return inputs.number(self._images.array(what, x))

    def _check_replicas(self, what, x, batch_size):
        """Raise `UserError` where replicas would get parts of a batch of different sizes: the means would be wrong."""
        replicas = self.distribute_strategy.num_replicas_in_sync
        if replicas == 1 or isinstance(x, tf.distribute.DistributedDataset):
            return
        if isinstance(x, tf.data.Dataset):
            size = x.element_spec.shape[0]
            if size is None or size % replicas:
                raise UserError(
                    f"{what}: a data set of batches of {size or 'unknown size'}, for {replicas} replicas; expected a "
                    f"size that {replicas} divides, as from .batch({100 * replicas}, drop_remainder=True)"
                )
        else:
            size = batch_size or 32
            if size % replicas or len(x) % size % replicas:
                raise UserError(
                    f"{what}: batches of {size} of {len(x)} images, for {replicas} replicas; expected numbers that "
                    f"{replicas} divides"
                )

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
        images = self._images.array("keep_on_device(images)", images)
        with self.distribute_strategy.scope():
            self._images_on_device = tf.Variable(images, trainable=False)

    def call(self, images, training=False):
        """Return log p(x), [N], of uint8 images [N, H, W, C], dequantised as `predict` does the whole set `images`."""
        self.generator.require_likelihood("log p(x)")
        if tf.executing_eagerly():
            images = self._images.array("FlowGAN", images)
        self._images.kind("FlowGAN", images.dtype, images.shape)
        return self.generator.log_prob(self.evaluation_images(inputs.number(images)), training)

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
        fresh = self._is_fresh
        self._images.kind("a batch to train on", images.dtype, images.shape, self._per_example)
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
                logits = self._logits(fake, updates=0)
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
        with tf.control_dependencies([images]):
            # Not where the batch could not be had.
            self.step.assign_add(1)
        names = sorted(logs)
        values = mean_over_replicas(tf.stack([tf.cast(logs[name], self.compute_dtype) for name in names]))
        return dict(zip(names, tf.unstack(values), strict=True))

    def images_of(self, data):
        """Return the uint8 images of what `train_step` takes."""
        data = inputs.only_images("a batch to train on", data)
        if self._images_on_device is None:
            return data
        if not tf.as_dtype(data.dtype).is_integer or data.dtype == tf.uint8:
            raise UserError(
                f"a batch to train on: {tf.as_dtype(data.dtype).name}; expected int32, numbers of the images that "
                "keep_on_device has"
            )
        return tf.gather(self._images_on_device, data)

    def draws(self, images):
        """Return the random draws of this step for the batch `images`; see `StepDraws`."""
        return StepDraws(self, images)

    def _generate(self, z, updates):
        return self.generator.decode(z, training=True, updates=updates)

    def _logits(self, images, updates=1):
        # Keras's own models keep no count: their moving averages, which nothing here uses, move with every pass.
        counted = {"updates": updates} if self._critic_counts_updates else {}
        return tf.cast(self.critic(images, training=True, **counted), self.compute_dtype)

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
            real_loss, fake_loss = objectives.critic_loss(self.divergence, self._logits(real), self._logits(fake))
            loss = real_loss + fake_loss
            logs = {"critic_loss_real": real_loss, "critic_loss_fake": fake_loss}
            if self.divergence == "wgan":
                penalty = objectives.gradient_penalty(
                    lambda x: self._logits(x, updates=0),
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
        data = self._numbered(data)
        log_prob = self.generator.log_prob(self.evaluation_images(data))
        self.nll_metric.update_state(-log_prob, data["weight"])
        return self.nll_metric.result()

    def predict_step(self, data):
        """Return log p(x), [batch], in evaluation mode; `data` as in `test_step`."""
        return self.generator.log_prob(self.evaluation_images(self._numbered(data)))

    def _numbered(self, data):
        if isinstance(data, tuple) and len(data) == 1:
            data = data[0]
        if not inputs.is_numbered(data):
            data = inputs.number(inputs.only_images("a batch", data))
        self._images.kind("a batch", data["images"].dtype, data["images"].shape)
        return data

    def evaluation_images(self, data, draw=0, seed=None):
        """Dequantise an evaluation batch with noise keyed by (seed, split, index, draw); see `test_step`.

        Args:
          data: see `test_step`.
          draw: int, which of several noises.
          seed: int (tensor); the model's if None.
        """
        seed = self.seed if seed is None else seed
        key = random.key(seed, random.Stream.EVALUATION, tf.reduce_max(data["split"]), *([draw] if draw else []))
        noise = random.uniform(
            key,
            # The first, also of no images at all, which a replica may get.
            tf.reduce_min(data["index"]),
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


def _refuse(what, **given):
    for name, value in given.items():
        if value is not None:
            raise UserError(f"{what}({name}=...) has no use: FlowGAN takes images alone; expected {name}=None")


def _optimizer(name, value):
    try:
        # Of one that is made here the learning rate is float32.
        with default_keras_settings():
            return keras.optimizers.get(value)
    except (TypeError, ValueError) as error:
        raise UserError(
            f"{name}={value!r}; expected a Keras optimizer, its name such as 'adam', or its configuration"
        ) from error


def _prepare(optimizer, variables):
    optimizer.build(variables)
    # A step averages its gradients over replicas itself, since it logs the norm of the whole gradient.
    keras_internals.take_averaged_gradients(optimizer)
    keras_internals.finalize_own_variables(optimizer, variables)


def _apply(optimizer, gradients, variables):
    """Average gradients over replicas, apply them, return their global norm."""
    gradients = mean_over_replicas(gradients)
    optimizer.apply(gradients, variables)
    return tf.linalg.global_norm(gradients)
