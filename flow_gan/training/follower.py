"""The callback of the processes of a run that compute with the chief and write nothing."""

import time

import keras

from flow_gan.signals import Stopped
from flow_gan.training.averaged_weights import weights_to_use
from flow_gan.training.build import is_validation_due, watched_batches

# Seconds that a process asked to stop leaves the chief to save.
PATIENCE = 20


class Follower(keras.callbacks.Callback):
    """Takes part in the chief's validations, and gives the chief time to save when it is asked to stop.

    Args:
      config: the run's configuration.
      dataset: `data.Dataset`.
      is_step_unfinished: bool, whether the chief begins with the validation of the step before.
      first_step, last_step: int, steps done before and after this fit.
      signals: `StopSignals`.
    """

    def __init__(self, config, dataset, is_step_unfinished, first_step, last_step, signals):
        super().__init__()
        self._config = config
        self._dataset = dataset
        self._is_step_unfinished = is_step_unfinished
        self._step = first_step
        self._last_step = last_step
        self._signals = signals
        self._watched = None
        self._weights_to_use = None
        self._asked_at = None

    def on_train_begin(self, logs=None):
        """Take part in the validation that is still to be done."""
        self._watched = watched_batches(self._config, self.model, self._dataset)
        self._weights_to_use = weights_to_use(self._config, self.model, self._dataset)
        if self._is_step_unfinished:
            self._validate()

    def on_train_batch_end(self, batch, logs=None):
        """Take part in the validation after this step, if there is one."""
        self._signals.protect()
        self._step += 1
        self._validate()
        if self._signals.received:
            self._asked_at = self._asked_at or time.monotonic()
            if time.monotonic() - self._asked_at > PATIENCE:
                raise Stopped(self._signals.received, self._step, None)

    def _validate(self):
        is_due = is_validation_due(self._config, self._step, self._last_step)
        if is_due and self.model.generator.has_likelihood:
            with self._weights_to_use():
                for batches, steps in self._watched.values():
                    self.model.evaluate(batches, steps=steps, verbose=0)
