"""Calls the user's Keras callbacks during a run as `fit` would."""

import math
from collections.abc import Sequence
from typing import Any

import keras

from flow_gan.errors import UserError
from flow_gan.fit_callbacks import set_modes
from flow_gan.training.steps import Steps


def check_callbacks(callbacks: Any) -> None:
    """Raise `UserError` unless these are callbacks in a list or tuple."""
    known = isinstance(callbacks, (list, tuple))
    if not known or not all(isinstance(callback, keras.callbacks.Callback) for callback in callbacks):
        raise UserError(f"callbacks={callbacks!r}; expected a list of keras.callbacks.Callback")


class UserCallbacks:
    """Calls callbacks as a `fit` would whose epochs end with the validations of the run.

    A batch is a step, numbered from 0 within its epoch. What it logs is the step's record in metrics.jsonl. An epoch
    logs the latest value of each name in it, and `val_nll`, which is validation_nll under the name that Keras's
    callbacks look for. Its number is that of the validations before it, counted over the whole run.

    Args:
      callbacks: of Keras.
      steps: `Steps` of the training.
    """

    def __init__(self, callbacks: Sequence[keras.callbacks.Callback], steps: Steps):
        self._callbacks = callbacks
        self._steps = steps
        self._is_in_epoch = False
        self._epoch_logs: dict[str, float] = {}

    def __bool__(self) -> bool:
        return bool(self._callbacks)

    def begin(self, model: keras.Model) -> None:
        """The training begins."""
        set_modes(self._callbacks)
        params = {"verbose": 0, "epochs": math.ceil(self._steps.last / self._steps.eval_every)}
        for callback in self._callbacks:
            callback.set_model(model)
            callback.set_params(params | {"steps": self._steps.eval_every})
        self._call("on_train_begin")

    def step_begins(self, step: int) -> None:
        """The step number `step`, from 1, begins, and maybe an epoch with it."""
        epoch, batch = divmod(step - 1, self._steps.eval_every)
        if not self._is_in_epoch:
            self._is_in_epoch = True
            self._epoch_logs = {}
            self._call("on_epoch_begin", epoch)
        self._call("on_train_batch_begin", batch)

    def step_ends(self, step: int, record: dict[str, float]) -> None:
        """A step is made and recorded."""
        self._epoch_logs |= _figures(record)
        self._call("on_train_batch_end", (step - 1) % self._steps.eval_every, _figures(record))

    def epoch_ends(self, step: int, record: dict[str, float]) -> None:
        """The model is validated after a step, which may be one that an earlier training made."""
        self._is_in_epoch = False
        self._epoch_logs |= _figures(record)
        if "validation_nll" in record:
            self._epoch_logs["val_nll"] = record["validation_nll"]
        self._call("on_epoch_end", (step - 1) // self._steps.eval_every, dict(self._epoch_logs))

    def end(self) -> None:
        """The training has come to its end, or was stopped by one of them."""
        self._call("on_train_end", self._epoch_logs)

    def _call(self, hook, *args):
        for callback in self._callbacks:
            getattr(callback, hook)(*args)


def _figures(record):
    return {name: value for name, value in record.items() if name != "step"}
