"""FlowGAN: a generator and a critic trained together."""

import contextlib
import functools
import operator
import os
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from flow_gan import data, keras_internals, objectives, serialization
from flow_gan.config.generator import BATCH_NORM_UPDATES
from flow_gan.config.objective import CRITIC_BATCHES
from flow_gan.draws import Draws, StepDraws
from flow_gan.errors import UserError, check_choice, check_number
from flow_gan.generators.base import Generator
from flow_gan.generators.labels import arguments
from flow_gan.image_model import ImageModel
from flow_gan.mean_and_error import MeanAndStandardError
from flow_gan.networks.critics import build_critic
from flow_gan.networks.normalization import moving_average_updates
from flow_gan.networks.precision import default_keras_settings
from flow_gan.networks.replicas import mean_over_replicas, num_replicas
from flow_gan.objectives import Objective

# The images that decide the first values of activation norms, and their pixel values, at most: 21 of 256x256x3.
_INITIAL_IMAGES, _INITIAL_VALUES = 256, 2**22


@keras.saving.register_keras_serializable("flow_gan")
class FlowGAN(ImageModel):
    """A flow generator G trained by maximum likelihood, against a critic D, or by both (paper, Eq. 7).

        MLE     n_critic = 0                  minimise NLL
        ADV     n_critic > 0, like_reg = 0    minimise V(G, D)
        hybrid  n_critic > 0, like_reg > 0    minimise V(G, D) / like_reg + NLL

    A generator without a likelihood, such as `DCGAN`, can only be trained by ADV.

    `fit`, `evaluate`, `predict` and a call take uint8 images [N, H, W, C] of grey levels 0 to `levels` - 1, as an array
    or a tf.data.Dataset of batches (or of dicts with "image", as in tensorflow_datasets; nothing else in them is
    used). Anything else is a `UserError`. For dequantised images, floats in [0, 1], see the generator's `log_prob`.

    With a conditional generator, a flow with `num_classes`, images come with labels y: the arguments x and y, a pair
    (images, labels), or a data set of such pairs or of dicts with "image" and "label". The NLL is -log p(x | y), and
    the critic is D(x, y): a generated image has the label of the real one in its place of the batch.

    A training step dequantises its batch, makes `n_critic` critic updates and one generator update. All of its random
    draws derive from `seed`, the step, the critic run and the example's place in the global batch. Outside of training
    the noise derives from `seed` and the image's place in the whole set.

    Args:
      generator: a `Generator`.
      critic: Keras model from images to logits [batch, 1], built or not; None for MLE. With a conditional generator it
        takes a pair (images, labels int32 [batch]), as a critic of `critics` with `num_classes` does.
      divergence: one of `objectives.DIVERGENCES`, or a custom one: a pair of functions of logits (critic's loss,
        generator's loss), or an object with these, see `objectives.Divergence`.
      like_reg: float >= 0, lambda.
      n_critic: int >= 0, critic updates per generator update.
      gradient_penalty: float >= 0, weight of the penalty, if the divergence has one ("wgan").
      gradient_penalty_norm: "image", or "column" as in the release; see `objectives.gradient_penalty`.
      batch_norm_updates: which passes update the generator's moving averages in a training step. "objective": every
        pass that the objective needs, once (MLE the data pass, ADV the sampling pass, hybrid both).
        "released": the sampling pass once per critic update and once for the generator, in MLE too, and the
        data pass if the likelihood is in the objective.
      critic_batches: "shared" uses one batch and one z for all updates of a step, as the release does, so
        that G(z) is computed once. "fresh" draws new ones for each (Gulrajani et al. 2017): `fit` then takes
        batches [batch, n_critic, H, W, C], and the likelihood uses the last of them.
      levels: int from 2 to 256, grey levels of the images.
      horizontal_flip: bool, flip each training image left to right with probability 1/2, anew for each update.
      nll_interval: int >= 1. In ADV, where the NLL is not a part of the objective, it is computed only every
        `nll_interval` steps, to be monitored, since it takes a tenth of a step's time.
      seed: int.
      **kwargs: of `keras.Model`.

    Raises:
      UserError: an argument outside its range, or a combination without an objective.

    Example:
      >>> import flow_gan, keras, numpy as np
      >>> generator = flow_gan.NICE((8, 8, 1), hidden_units=16, num_hidden_layers=1)
      >>> critic = flow_gan.critics.two_convolutions((8, 8, 1), filters=4, dense_units=8)
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
        generator: Generator,
        critic: keras.Model | None = None,
        divergence: Any = "wgan",
        like_reg: float = 1.0,
        n_critic: int = 5,
        gradient_penalty: float = 10.0,
        gradient_penalty_norm: str = "image",
        batch_norm_updates: str = "objective",
        critic_batches: str = "shared",
        levels: int = 256,
        horizontal_flip: bool = False,
        nll_interval: int = 1,
        seed: int = 0,
        **kwargs: Any,
    ):
        if not isinstance(generator, Generator):
            raise UserError(f"generator={generator!r}; expected one of flow_gan, such as NICE")
        objective = Objective(divergence, like_reg, n_critic, gradient_penalty, gradient_penalty_norm)
        check_choice("batch_norm_updates", batch_norm_updates, BATCH_NORM_UPDATES)
        check_choice("critic_batches", critic_batches, CRITIC_BATCHES)
        check_number("levels", levels, 2, 256)
        check_number("nll_interval", nll_interval, 1)
        check_number("seed", seed, 0)
        if n_critic > 0 and critic is None:
            raise UserError(f"n_critic={n_critic} needs a critic; pass one, or n_critic=0 for MLE")
        if not generator.has_likelihood and objective.has_likelihood:
            raise UserError(
                f"n_critic={n_critic} and like_reg={like_reg}, but {type(generator).__name__} has no likelihood; "
                "expected n_critic > 0 and like_reg=0 (ADV)"
            )
        is_fresh = n_critic > 0 and critic_batches == "fresh"
        super().__init__(generator, levels, (n_critic,) if is_fresh else (), **kwargs)
        # A Keras model, None for MLE.
        self.critic: Any = critic if n_critic else None
        if self.critic is not None:
            build_critic(self.critic, generator.image_shape, generator.num_classes)
        self.objective = objective
        self.draws = Draws(generator, seed, levels, n_critic, horizontal_flip)
        self.batch_norm_updates = batch_norm_updates
        self.critic_batches = critic_batches
        self.nll_interval = nll_interval
        self.step = self.add_weight(
            shape=(),
            dtype="int64",
            initializer="zeros",
            trainable=False,
            aggregation="only_first_replica",
            name="step",
        )
        self.nll_metric = MeanAndStandardError(name="nll")
        self.built = True

    @property
    def num_steps(self) -> int:
        """Number of training steps made."""
        return int(self.step.value.numpy())

    def compile(
        self,
        optimizer: keras.optimizers.Optimizer | str | dict,
        critic_optimizer: keras.optimizers.Optimizer | str | dict | None = None,
        *,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: bool = False,
        **others: Any,
    ) -> None:
        """Set the optimizers.

        Args:
          optimizer: Keras optimizer of the generator, its name, or its configuration.
          critic_optimizer: likewise for the critic; it makes `n_critic` updates per step. None for MLE.
          run_eagerly, steps_per_execution, jit_compile: as in `keras.Model.compile`. Other arguments are a `UserError`.
        """
        for name, value in others.items():
            raise UserError(
                f"compile({name}={value!r}) has no effect: the losses follow from divergence, like_reg and n_critic of "
                "FlowGAN, the metrics are theirs and the NLL; expected optimizer and critic_optimizer"
            )
        if self.critic is not None and critic_optimizer is None:
            raise UserError("critic_optimizer=None; a model with a critic needs an optimizer for it")
        if self.critic is not None and critic_optimizer is optimizer and not isinstance(optimizer, (str, dict)):
            raise UserError(
                "critic_optimizer is the same object as optimizer; expected another one, with its own state"
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
        self.critic_optimizer: Any = critic_optimizer if self.critic is not None else None
        self._traced_step = None
        with self.distribute_strategy.scope():
            # Creating the slots here, not inside the first step, saves a second trace of the step.
            _prepare(self.optimizer, self.generator.trainable_variables)
            if self.critic is not None:
                _prepare(self.critic_optimizer, self.critic.trainable_variables)

    def initialize(self, images: Any) -> None:
        """Set the generator's weights whose initial values depend on images: the activation norms of a `Glow`.

        Up to 256 of the images decide, always the same ones, dequantised with noise of `seed`, so that the values do
        not depend on the number of replicas. `fit` calls it with its images, or with the first batch of a data set;
        before a `fit` with a distributed data set it has to be called. That it was done is stored with the weights, and
        a second call has no effect.

        Args:
          images: uint8 [N, H, W, C], training images.

        Raises:
          UserError: what is wrong with the images.
        """
        if self.generator.is_initialized:
            return
        if isinstance(images, tf.Tensor) or len(getattr(images, "shape", ())) != 4:
            images = self._images.array("initialize(images)", images)
        # Of a large set only these are read.
        count = min(len(images), _INITIAL_IMAGES, max(_INITIAL_VALUES // self.generator.size, 1))
        sample = data.fixed_sample(images, count)[np.arange(count)]
        sample = self._images.array("initialize(images)", sample)
        with self.distribute_strategy.scope():
            self.generator.initialize(self.draws.initial_images(sample))

    def call(self, images: Any, training: bool = False) -> tf.Tensor:
        """Return log p(x), [N], of uint8 images [N, H, W, C], dequantised as by `predict` of the whole set `images`.

        Of a conditional model `images` is (images, labels), and it returns log p(x | y).
        """
        self.generator.require_likelihood("log p(x)")
        return self._log_prob(self.numbered_set(images), training)

    def make_step(self, images: tf.Tensor, labels: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        """Make `n_critic` critic updates and one generator update; see the class.

        Args:
          images: uint8 [batch, H, W, C], or [batch, n_critic, H, W, C] with critic_batches="fresh".
          labels: int32 [batch] or [batch, n_critic], of a conditional generator.

        Returns:
          Scalars of this step, averaged over replicas, each from before its update: `nll` (nats per image; in ADV in
          evaluation mode, since it is not a part of the objective, and NaN at steps without one, see `nll_interval`;
          missing without a likelihood), the losses, the global norms of the gradients, and the learning rate.
        """
        objective, n_critic = self.objective, self.objective.n_critic
        fresh = bool(self._images_per_example)
        all_images, all_labels = images, labels
        if fresh:
            # The generator's own update takes the last batch.
            images, labels = (None if v is None else v[:, -1] for v in (images, labels))
        # Overridden methods of unconditional models need not take labels.
        of_class = {} if labels is None else {"labels": labels}
        draws = self.draws.of_step(self.step, images)
        released = self.batch_norm_updates == "released"
        logs = {}
        if fresh:

            def fresh_update(run):
                batch, given = (None if v is None else v[:, run] for v in (all_images, all_labels))
                return self.critic_update(
                    draws, run, batch, self._generate(draws.latent(run), given, int(released)), given
                )

            logs = self.critic_updates(fresh_update)
        parts, adversarial, nll = [], None, None
        if n_critic:
            with self._generator_tape() as tape:
                # One G(z) for all updates of a step; it is a constant in the critic's updates.
                updates = 1 + n_critic if released and not fresh else 1
                fake = self._generate(draws.latent(n_critic if fresh else 0), labels, updates)
                if not fresh:
                    with tape.stop_recording():
                        logs = self.critic_updates(lambda run: self.critic_update(draws, run, images, fake, labels))
                adversarial = self.compute_generator_loss(fake, **of_class)
                # The likelihood's part is added below.
                rest = tf.zeros_like(adversarial) if objective.has_likelihood else None
                loss = objectives.generator_objective(adversarial, rest, objective.like_reg)
            parts.append(tape.gradient(loss, self.generator.trainable_variables))
            logs = logs | {"generator_loss": adversarial}
        elif released:
            self._generate(draws.latent(), labels, 1)
        if objective.has_likelihood:
            # Only when the first part's gradient is there and what it kept is freed: the CIFAR-10 preset takes 4.9 GB
            # instead of 7.7, and 0.94 of the CPU time.
            first = [gradient for part in parts for gradient in part if gradient is not None]
            with tf.control_dependencies(first), self._generator_tape() as tape:
                nll = self.compute_nll(draws.likelihood_images(images), training=True, **of_class)
            parts.append(tape.gradient(nll, self.generator.trainable_variables))
        gradients = [_sum(gradients) for gradients in zip(*parts, strict=True)]
        if nll is None and self.generator.has_likelihood:
            nll = self._monitored_nll(draws, images, of_class)
        if nll is not None:
            logs["nll"] = nll
        logs["learning_rate"] = self.optimizer.learning_rate
        logs["generator_gradient_norm"] = _apply(self.optimizer, gradients, self.generator.trainable_variables)
        with tf.control_dependencies([images]):
            # Not if the batch could not be read.
            self.step.assign_add(1)
        names = sorted(logs)
        values = mean_over_replicas(tf.stack([tf.cast(logs[name], self.compute_dtype) for name in names]))
        return dict(zip(names, tf.unstack(values), strict=True))

    def _monitored_nll(self, draws, images, of_class):
        """Return the NLL that ADV is only told, NaN in steps that do not record it."""

        def compute():
            return self.compute_nll(draws.likelihood_images(images), training=False, **of_class)

        if num_replicas() > 1 and not self.generator.has_per_image_likelihood:
            # Batch norm synchronises replicas, which tf.distribute forbids inside a condition.
            return compute()
        return tf.cond(
            tf.equal((self.step + 1) % self.nll_interval, 0),
            compute,
            lambda: tf.constant(float("nan"), self.compute_dtype),
        )

    @contextlib.contextmanager
    def _generator_tape(self):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([variable.value for variable in self.generator.trainable_variables])
            yield tape

    def _generate(self, z, labels, updates):
        with moving_average_updates(updates):
            return self.generator.decode(z, **arguments(labels), training=True)

    def _logits(self, images, labels, updates=1):
        # Moving averages of Keras's own layers, which this package does not use, are updated in every pass.
        with moving_average_updates(updates):
            return self.critic_logits(images, labels, training=True)

    def critic_logits(self, images: tf.Tensor, labels: tf.Tensor | None = None, training: bool = False) -> tf.Tensor:
        """Return the critic's logits, [batch, 1], of float images [batch, H, W, C], and of labels where it has them."""
        given = images if labels is None else (images, labels)
        return tf.cast(self.critic(given, training=training), self.compute_dtype)

    def compute_nll(self, images: tf.Tensor, training: bool, labels: tf.Tensor | None = None) -> tf.Tensor:
        """Return the likelihood's part of the objective, a scalar: the mean NLL of images; a subclass may add to it.

        Args:
          images: float [batch, H, W, C] in [0, 1), dequantised.
          training: bool, as in `Generator.decode`; False in ADV, where the NLL is only monitored.
          labels: int32 [batch], of a conditional generator, which gives -log p(x | y).
        """
        return -tf.reduce_mean(self.generator.log_prob(images, **arguments(labels), training=training))

    def compute_generator_loss(self, fake: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        """Return the adversarial part of the generator's objective, a scalar; a subclass may replace it.

        Args:
          fake: float [batch, H, W, C], generated images.
          labels: int32 [batch], with which they were generated, of a conditional generator.
        """
        return objectives.generator_loss(self.objective.divergence, self._logits(fake, labels, updates=0))

    def critic_updates(self, update: Callable[[tf.Tensor], dict[str, tf.Tensor]]) -> dict[str, tf.Tensor]:
        """Make `n_critic` critic updates, the calls `update(run)` of int32 scalars; return the logs of the last."""
        runs = self.objective.n_critic
        # Updates synchronise replicas, which tf.distribute forbids inside a nested function.
        if num_replicas() > 1 or tf.executing_eagerly():
            *_, logs = [update(tf.constant(run)) for run in range(runs)]
            return logs
        traced = tf.function(update, autograph=False)
        # As a loop the updates are one part of the graph: a Real-NVP starts in 21 s instead of 25, and XLA takes 0.9 of
        # the time. Each update waits for the one before, so that a step takes 1.02 times as long on a CPU.
        outputs = traced.get_concrete_function(tf.TensorSpec([], "int32")).structured_outputs

        def body(run, _):
            return run + 1, {name: tf.ensure_shape(log, []) for name, log in traced(run).items()}

        initial = {name: tf.zeros([], log.dtype) for name, log in outputs.items()}
        _, logs = tf.while_loop(lambda run, _: run < runs, body, (0, initial), parallel_iterations=1)
        return logs

    def critic_update(
        self, draws: StepDraws, run: tf.Tensor, images: tf.Tensor, fake: tf.Tensor, labels: tf.Tensor | None = None
    ) -> dict[str, tf.Tensor]:
        """Make the critic update number `run` on uint8 images and generated images of `labels`; return its logs."""
        objective = self.objective
        real = draws.critic_images(images, run)
        fake = tf.stop_gradient(fake)
        with tf.GradientTape() as tape:
            # Not as one batch: that saves 1 to 6 % of the update, but the two gradients of the last bias would cancel
            # to rounding errors, which Adam would scale up to full steps.
            logits = self._logits(real, labels), self._logits(fake, labels)
            losses = objectives.critic_loss(objective.divergence, *logits)
            loss = functools.reduce(operator.add, losses)
            # A custom divergence may return only the sum.
            names = ("critic_loss_real", "critic_loss_fake") if len(losses) == 2 else ()
            logs = dict(zip(names, losses, strict=False))
            if objective.has_penalty:
                penalty = objectives.gradient_penalty(
                    lambda x: self._logits(x, labels, updates=0),
                    objectives.interpolate(real, fake, draws.interpolation(run)),
                    objective.gradient_penalty_norm,
                )
                loss += objective.gradient_penalty * penalty
                logs["gradient_penalty"] = penalty
        gradients = tape.gradient(loss, self.critic.trainable_variables)
        norm = _apply(self.critic_optimizer, gradients, self.critic.trainable_variables)
        return logs | {"critic_loss": loss, "critic_gradient_norm": norm}

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Add a batch to the mean NLL, in nats per image, in evaluation mode.

        Args:
          data: from `data.evaluation_batches`: a dict of "images" uint8 [batch, H, W, C], "index" [batch]
            (consecutive numbers of the images in their split), "split" [batch] and "weight" [batch] (0 for
            padding), and "labels" [batch] of a conditional generator. Or the images alone, or images and labels: they
            are then numbered within the batch.
        """
        data = self.numbered(data)
        self.nll_metric.update_state(-self._log_prob(data), data["weight"])
        return self.nll_metric.result()

    def predict_step(self, data: Any) -> tf.Tensor:
        """Return log p(x), [batch], in evaluation mode; `data` as in `test_step`."""
        return self._log_prob(self.numbered(data))

    def _log_prob(self, batch, training=False):
        images = self.draws.evaluation_images(batch)
        return self.generator.log_prob(images, **arguments(batch.get("labels")), training=training)

    def save(self, filepath: str | os.PathLike, *args: Any, **kwargs: Any) -> None:
        """Save the whole model as `keras.Model.save` does; `UserError` if a part of it cannot be saved."""
        self.get_config()  # First, since Keras empties an earlier file before it finds the error.
        super().save(filepath, *args, **kwargs)

    def get_config(self) -> dict:
        """Return the constructor's arguments.

        Raises:
          UserError: the divergence has functions that are not registered with Keras, so that it could not be loaded.
        """
        config = super().get_config()
        del config["dtype"]  # The generator's.
        objective, draws = self.objective, self.draws
        return config | {
            "generator": keras.saving.serialize_keras_object(self.generator),
            "critic": None if self.critic is None else keras.saving.serialize_keras_object(self.critic),
            "divergence": serialization.serialize("divergence", objective.divergence),
            "like_reg": objective.like_reg,
            "n_critic": objective.n_critic,
            "gradient_penalty": objective.gradient_penalty,
            "gradient_penalty_norm": objective.gradient_penalty_norm,
            "batch_norm_updates": self.batch_norm_updates,
            "critic_batches": self.critic_batches,
            "levels": self.levels,
            "horizontal_flip": draws.horizontal_flip,
            "nll_interval": self.nll_interval,
            "seed": draws.seed,
        }

    @classmethod
    def from_config(cls, config: dict) -> "FlowGAN":
        """Return the model of `get_config`."""
        parts = {
            name: keras.saving.deserialize_keras_object(config[name]) for name in ("generator", "critic", "divergence")
        }
        return cls(**config | parts)

    def get_compile_config(self) -> dict:
        """Return the arguments of `compile`, {} where it was not called."""
        if not self.compiled:
            return {}
        critic_optimizer = self.critic_optimizer
        return {
            "optimizer": keras.saving.serialize_keras_object(self.optimizer),
            "critic_optimizer": critic_optimizer and keras.saving.serialize_keras_object(critic_optimizer),
            "run_eagerly": self.run_eagerly,
            "steps_per_execution": self.steps_per_execution,
            "jit_compile": self.jit_compile,
        }

    def compile_from_config(self, config: dict) -> None:
        """Compile with the arguments of `get_compile_config`."""
        self.compile(**config)

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The metrics that `evaluate` resets."""
        return [self.nll_metric]


def _optimizer(name, value):
    try:
        # The learning rate of an optimizer that is made here is float32.
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


def _sum(gradients):
    """Return the sum of the gradients of one weight, None where no part of the objective depends on it."""
    gradients = [gradient for gradient in gradients if gradient is not None]
    return tf.add_n(gradients) if gradients else None


def _apply(optimizer, gradients, variables):
    """Average gradients over replicas and apply them; return their global norm."""
    # The gradient of the rows of a few classes is sparse, and Adam moves a weight also where its gradient is 0.
    gradients = mean_over_replicas([g if g is None else tf.convert_to_tensor(g) for g in gradients])
    optimizer.apply(gradients, variables)
    return tf.linalg.global_norm(gradients)
