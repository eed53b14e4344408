"""Lets Keras's own callbacks work with a model that has two optimizers and an NLL."""

from collections.abc import Iterable
from typing import Any

import keras
import tensorflow as tf

from flow_gan.errors import UserError

# The logs that are better when lower. The losses of two networks that are trained against each other are not.
_LOWER_IS_BETTER = {"nll", "val_nll", "train_nll", "validation_nll"}


def set_modes(callbacks: Iterable[keras.callbacks.Callback]) -> None:
    """For callbacks that monitor an NLL and have no `mode`, make the lowest the best."""
    for callback in callbacks:
        if getattr(callback, "mode", None) == "auto" and getattr(callback, "monitor", None) in _LOWER_IS_BETTER:
            callback.mode = "min"


def prepare(callbacks: Any, model: Any) -> keras.callbacks.CallbackList | list:
    """Return the callbacks of a `fit`, so that they act as on any Keras model: those given, and one more.

    See `set_modes`. If a callback sets the learning rate, the critic's follows, see `FollowLearningRate`.

    Args:
      callbacks: a callback, a list of them, a `keras.callbacks.CallbackList`, or None.
      model: compiled `FlowGAN`.
    """
    is_list_of_keras = isinstance(callbacks, keras.callbacks.CallbackList)
    given = callbacks.callbacks if is_list_of_keras else keras.tree.flatten(callbacks or [])
    set_modes(given)
    if model.critic_optimizer is None:
        return callbacks if is_list_of_keras else given
    follow = FollowLearningRate(model)
    if not is_list_of_keras:
        return [*given, follow]
    # Without the `FollowLearningRate` of an earlier `fit`.
    others = [callback for callback in given if not isinstance(callback, FollowLearningRate)]
    callbacks.callbacks = [*others, follow]
    return callbacks


class FollowLearningRate(keras.callbacks.Callback):
    """Keeps the critic's learning rate in proportion to the generator's when another callback sets the latter.

    So `LearningRateScheduler`, `ReduceLROnPlateau` and callbacks of users act on both optimizers. It compares the rates
    at the beginning and at the end of each epoch, after the other callbacks. If one of these sets both rates, it does
    nothing.

    Args:
      model: compiled `FlowGAN` with a critic.

    Raises:
      UserError: in an epoch in which the generator's rate was set and the critic's cannot follow.
    """

    def __init__(self, model: Any):
        super().__init__()
        self._optimizer, self._critic_optimizer = model.optimizer, model.critic_optimizer
        self._rates = self._read()

    def _read(self):
        """Return the learning rates of both optimizers; None for an optimizer with a schedule."""
        rates = (optimizer.learning_rate for optimizer in (self._optimizer, self._critic_optimizer))
        # A rate may be a variable of several replicas, which `float` does not take.
        return tuple(float(tf.convert_to_tensor(rate)) if isinstance(rate, keras.Variable) else None for rate in rates)

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Note the proportion of the rates before a callback changes them."""
        rate, critic_rate = self._rates
        self._proportion = critic_rate / rate if rate and critic_rate is not None else None

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Set the critic's rate, if a callback set the generator's."""
        rate, critic_rate = self._read()
        is_set = None not in (rate, self._rates[0]) and rate != self._rates[0]
        if is_set and critic_rate == self._rates[1]:
            if self._proportion is None:
                why = "critic_optimizer has a schedule" if critic_rate is None else "the generator's was 0 before"
                raise UserError(
                    f"a callback set the generator's learning rate to {rate:g}, which the critic's cannot follow: "
                    f"{why}; expected numbers greater than 0 as the learning_rate of both optimizers"
                )
            self._critic_optimizer.learning_rate = self._proportion * rate
        self._rates = self._read()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """As `on_epoch_begin`."""
        self.on_epoch_begin(epoch, logs)
