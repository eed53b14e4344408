"""The callback of the other processes of a run: they compute with the chief, and write nothing."""

import time

import keras

from flow_gan.signals import StopSignals
from flow_gan.training.steps import Steps
from flow_gan.training.validator import Validator

# Seconds that a process waits for the chief to save when it is asked to stop.
PATIENCE = 20


class WorkerCallback(keras.callbacks.Callback):
    """Takes part in the chief's validations, and gives the chief time to save when it is asked to stop.

    Args:
      steps: `Steps` of the training.
      validator: `Validator`.
      is_step_unfinished: whether the chief begins with the validation of the step before.
      signals: `StopSignals`.
    """

    def __init__(self, steps: Steps, validator: Validator, is_step_unfinished: bool, signals: StopSignals):
        super().__init__()
        self._steps = steps
        self._validator = validator
        self._is_step_unfinished = is_step_unfinished
        self._signals = signals
        self._step = steps.first
        self._asked_at: float | None = None

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Take part in the validation that is still to be done."""
        if self._is_step_unfinished:
            self._validate()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Take part in the validation after this step, if there is one."""
        self._signals.protect()
        self._step += 1
        self._validate()
        if self._signals.received:
            self._asked_at = self._asked_at or time.monotonic()
            if time.monotonic() - self._asked_at > PATIENCE:
                raise self._signals.stopped(self._step, None)

    def _validate(self):
        if self._steps.is_validation_due(self._step) and self.model.generator.has_likelihood:
            with self._validator.weights_to_use():
                # The figures are the chief's affair.
                for _ in self._validator.evaluate():
                    pass
