"""The release's Adam, learning rate schedules, and the optimizers of a configuration."""

from typing import Any

import keras
import tensorflow as tf

from flow_gan import keras_internals
from flow_gan.config import Config
from flow_gan.errors import UserError
from flow_gan.generators import Generator


@keras.saving.register_keras_serializable("flow_gan")
class DecayToFloor(keras.optimizers.schedules.LearningRateSchedule):
    """max(initial * decay^step, minimum), for step 0, 1, ...: the release's decay after every iteration.

    Args:
      initial: float, the rate of the first step.
      decay: float in (0, 1], the factor per step.
      minimum: float >= 0.
    """

    def __init__(self, initial: float, decay: float = 1.0, minimum: float = 0.0):
        self.initial = initial
        self.decay = decay
        self.minimum = minimum

    def __call__(self, step: int | tf.Tensor) -> tf.Tensor:
        """Return the rate of the step number `step`, counted from 0."""
        rate = self.initial * tf.pow(tf.constant(self.decay, tf.float64), tf.cast(step, tf.float64))
        return tf.cast(tf.maximum(rate, self.minimum), tf.float32)

    def get_config(self) -> dict:
        """Return the constructor's arguments."""
        return {"initial": self.initial, "decay": self.decay, "minimum": self.minimum}


@keras.saving.register_keras_serializable("flow_gan")
class PerStep(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule over training steps, for an optimizer that makes several updates in each.

        rate(update) = schedule(step) * min((step + 1) / warmup_steps, 1),  step = update // updates_per_step

    Args:
      schedule: `LearningRateSchedule` over steps, from 0.
      updates_per_step: int, updates of this optimizer in one step; the rate is constant within a step.
      warmup_steps: int, steps over which the rate grows linearly from (almost) nothing (Goyal et al. 2017).
    """

    def __init__(
        self,
        schedule: keras.optimizers.schedules.LearningRateSchedule,
        updates_per_step: int = 1,
        warmup_steps: int = 0,
    ):
        self.schedule = schedule
        self.updates_per_step = updates_per_step
        self.warmup_steps = warmup_steps

    def __call__(self, update: int | tf.Tensor) -> tf.Tensor:
        """Return the rate of the update number `update`, counted from 0."""
        step = update // self.updates_per_step
        rate = tf.cast(self.schedule(step), tf.float32)
        if not self.warmup_steps:
            return rate
        return rate * tf.minimum(tf.cast(step + 1, tf.float32) / self.warmup_steps, 1.0)

    def get_config(self) -> dict:
        """Return the constructor's arguments."""
        schedule = keras.optimizers.schedules.serialize(self.schedule)
        return {"schedule": schedule, "updates_per_step": self.updates_per_step, "warmup_steps": self.warmup_steps}

    @classmethod
    def from_config(cls, config: dict) -> "PerStep":
        """Return the schedule of `get_config`."""
        return cls(**config | {"schedule": keras.optimizers.schedules.deserialize(config["schedule"])})


@keras.saving.register_keras_serializable("flow_gan")
class Adam(keras_internals.UpdatesTogether, keras.optimizers.Adam):
    """Keras's Adam with the release's constants and TensorFlow's fused update.

        m <- beta1 m + (1 - beta1) g,  v <- beta2 v + (1 - beta2) g^2
        w <- w - rate sqrt(1 - beta2^t) / (1 - beta1^t) m / (sqrt(v) + epsilon)

    One pass over memory and one operation per variable instead of Keras's ten: a step is faster, and the first
    one starts sooner.

    Args:
      learning_rate: float or schedule.
      beta_1: float, the release's `--beta1`.
      beta_2: float.
      epsilon: float.
      rate_factors: {path of a variable: factor of its learning rate}, 1 for all others.
      **kwargs: of `keras.optimizers.Adam`, but for `amsgrad`.

    Raises:
      UserError: AMSGrad is asked for.
    """

    def __init__(
        self,
        learning_rate: float | keras.optimizers.schedules.LearningRateSchedule,
        beta_1: float = 0.5,
        beta_2: float = 0.9,
        epsilon: float = 1e-8,
        rate_factors: dict[str, float] | None = None,
        **kwargs: Any,
    ):
        if kwargs.get("amsgrad"):
            raise UserError("Adam(amsgrad=True): the fused update has no AMSGrad; expected keras.optimizers.Adam")
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **kwargs)
        self.rate_factors = dict(rate_factors or {})

    def build(self, variables: list) -> None:
        """Create the state of Keras variables."""
        super().build(variables)
        unknown = sorted(self.rate_factors.keys() - {variable.path for variable in variables})
        if unknown:
            raise UserError(f"rate_factors={self.rate_factors}; none of the variables is {unknown[0]}")
        self._factors = {i: self.rate_factors[v.path] for i, v in enumerate(variables) if v.path in self.rate_factors}

    def get_config(self) -> dict:
        """Return the constructor's arguments."""
        return super().get_config() | {"rate_factors": dict(self.rate_factors)}

    def shared_values(self, dtype: tf.DType) -> dict:
        """Return what the updates of all variables have in common."""
        update = tf.cast(self.iterations.value + 1, dtype)
        beta_1, beta_2 = tf.constant(self.beta_1, dtype), tf.constant(self.beta_2, dtype)
        return {
            "beta1_power": tf.pow(beta_1, update),
            "beta2_power": tf.pow(beta_2, update),
            "beta1": beta_1,
            "beta2": beta_2,
            "epsilon": tf.constant(self.epsilon, dtype),
        }

    def update_variable(
        self, variable: tf.Variable, gradient: tf.Tensor, learning_rate: tf.Tensor, shared: dict
    ) -> None:
        """Update one variable; see the class."""
        index, m, v = keras_internals.adam_state(self, variable)
        rate = tf.cast(learning_rate, variable.dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=m.handle,
            v=v.handle,
            grad=gradient,
            lr=rate * self._factors[index] if index in self._factors else rate,
            **shared,
        )


def generator_optimizer(config: Config, generator: Generator) -> Adam:
    """Return the optimizer of a run's generator."""
    rate = _learning_rate(config, config.learning_rate, 1)
    average = {"use_ema": config.ema_decay > 0, "ema_momentum": config.ema_decay}
    factors = {}
    if config.log_scale_rate != 1:
        factors = {variable.path: config.log_scale_rate for variable in generator.log_scale_variables}
    if config.prior_mean_rate != 1 and generator.has_prior_weights:
        factors[generator.prior_mean.path] = config.prior_mean_rate
    return Adam(rate, config.beta1, config.beta2, rate_factors=factors, global_clipnorm=config.clip_norm, **average)


def critic_optimizer(config: Config) -> Adam:
    """Return the optimizer of a run's critic."""
    rate = _learning_rate(config, config.critic_learning_rate or config.learning_rate, config.n_critic)
    return Adam(rate, config.beta1, config.beta2, global_clipnorm=config.clip_norm)


def _learning_rate(config, initial, updates_per_step):
    """Return the schedule of an optimizer whose initial learning rate, after the warm-up, is `initial`."""
    # The minimum is the same share of the initial rate for both optimizers.
    lowest_share = config.min_lr / config.learning_rate
    if config.lr_schedule == "cosine":
        schedule = keras.optimizers.schedules.CosineDecay(initial, config.max_steps, lowest_share)
    else:
        schedule = DecayToFloor(initial, config.lr_decay, lowest_share * initial)
    return PerStep(schedule, updates_per_step, config.warmup_steps)
