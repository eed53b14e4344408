"""The callback of the process that records, validates and saves: the first of several, or the only one."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras

from flow_gan import run_files
from flow_gan.device import device_name
from flow_gan.errors import NotFiniteError, UserError
from flow_gan.networks.replicas import has_several_processes
from flow_gan.signals import Interrupted, StopSignals
from flow_gan.training.non_finite import check_weights, failure, magnitudes
from flow_gan.training.progress_bar import ProgressBar
from flow_gan.training.recorder import Recorder
from flow_gan.training.resume import OpenRun
from flow_gan.training.steps import Steps
from flow_gan.training.user_callbacks import UserCallbacks
from flow_gan.training.validator import Score, Validator


class ChiefCallback(keras.callbacks.Callback):
    """Calls a run's recorder, validator and checkpoints at the right steps and in the right order.

    Records are written after the first step, every `log_every` steps, when they are overdue, with each checkpoint and
    at the end. Every `eval_every` steps and after the last: validation, grid, histogram, best weights, checkpoint; with
    `score_every` scores, and the best weights by them, too. A generator without a likelihood has no NLL and no
    histogram, and so no best weights by it. With `ema_decay` all this is of the averaged weights.

    A step's record is written when all that is due after the step is done, and the checkpoint after that. A signal to
    stop breaks a validation off; the checkpoint then says that the step is unfinished, and a run going on from it
    begins with the validation. What is not finite ends the run before anything of it is saved, as `NotFiniteError`.

    The user's callbacks come after all this, and with them every step is written at once. A step at which one of them
    stops the training is its last.

    Args:
      run: `OpenRun`.
      score: of samples, with `score_every`.
      signals: `StopSignals`; never any if None.
      callbacks: the user's.

    Attributes:
      steps: `Steps` of the training.
    """

    def __init__(
        self,
        run: OpenRun,
        score: Score | None = None,
        signals: StopSignals | None = None,
        callbacks: Sequence[keras.callbacks.Callback] = (),
    ):
        super().__init__()
        self.steps = Steps.of(run.config, run.dataset, run.step)
        self._run = run
        self._checkpoints = run.checkpoints
        self._signals = signals or StopSignals()
        self._recorder = Recorder(run)
        self._validator = Validator(run.config, run.model, run.dataset, score, self._signals)
        self._score = score
        self._step = run.step
        self._saved_step: int | None = None
        self._callbacks = UserCallbacks(callbacks, self.steps)
        # A ProgressBar, once the training begins.
        self._bar: Any = None

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Start the progress bar, and finish the step before, if it is unfinished."""
        steps, levels = self.steps, self._run.dataset.levels
        self._run.folder.write_progress(run_files.progress(steps.first, steps.last, levels, device_name()))
        self._bar = ProgressBar(self.steps, self._run.dataset)
        self._callbacks.begin(self._run.model)
        if self._run.is_step_unfinished:
            self._signals.protect()
            record = self._recorder.take_back()
            if self._finish([record]):
                self._callbacks.epoch_ends(self._step, record)
        if self._signals.received:
            self._stop()

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Tell the user's callbacks."""
        self._callbacks.step_begins(self._step + 1)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Record a step, and do what is due after it."""
        self._signals.protect()
        self._step += 1
        self._recorder.add(self._step, logs)
        self._bar.update()
        if self.steps.is_record_due(self._step):
            records = self._collect()
            if self._finish(records):
                self._tell(records[-1])
        elif self._callbacks or self._recorder.is_overdue:
            records = self._collect()
            self._recorder.write(records)
            self._tell(records[-1])
        if self._signals.received:
            self._stop()

    def _tell(self, record):
        """Tell the user's callbacks of the step; end the training with it if one of them says so."""
        if not self._callbacks:
            return
        self._callbacks.step_ends(self._step, record)
        if self._is_stopped_early() and not self.steps.is_validation_due(self._step):
            self._end_here()
            record = self._recorder.take_back()
            if not self._finish([record]):
                return
        if self.steps.is_validation_due(self._step):
            self._callbacks.epoch_ends(self._step, record)
            if self._is_stopped_early():
                self._end_here()

    def _is_stopped_early(self):
        return self.model.stop_training and self._step < self.steps.last

    def _end_here(self):
        if has_several_processes(self._run.model.distribute_strategy):
            raise UserError(
                f"a callback set stop_training at step {self._step}; a run by several processes makes all its steps, "
                "since the others would wait for this one"
            )
        self.steps = dataclasses.replace(self.steps, last=self._step)

    def _collect(self):
        records = self._recorder.collect()
        self._show(records[-1])
        return records

    def _finish(self, records):
        """Do what is due after the last of the steps recorded, write the records, and save where something was due.

        Return whether no signal broke it off.
        """
        is_interrupted = False
        *before, last = records
        if before:
            # What is due may take minutes.
            self._recorder.write(before)
        is_due = self.steps.is_validation_due(self._step) or self.steps.is_score_due(self._step)
        try:
            if is_due:
                with self._validator.weights_to_use():
                    self._measure(last)
        except Interrupted:
            is_interrupted = True
        finally:
            # Also where something is not finite: the step was good.
            self._recorder.write([last])
        if not is_interrupted:
            self._recorder.write_curves(last)
        if is_due:
            if is_interrupted:
                # The validation may not have come to it.
                check_weights(self._run.model, self._step)
            self._save(unfinished=is_interrupted)
        self._show(last)
        return not is_interrupted

    def _measure(self, record):
        """Validate and score, add the figures to the step's record, and save what is the best so far."""
        if self.steps.is_validation_due(self._step):
            validation = self._validator.validate(self._step)
            self._recorder.write_grid(self._step, validation.grid)
            if validation.record:
                nll = validation.record["validation_nll"]
                self._checkpoints.save_if_best(nll)
                best_nll = float(self._checkpoints.best_nll)
                self._recorder.write_validation(self._step, nll, best_nll, validation.latents)
            record |= validation.record
        if self.steps.is_score_due(self._step):
            assert self._score is not None
            score, figures = self._validator.score(self._step)
            self._recorder.write_scores(
                self._step, {self._score.tags[name]: figure for name, figure in figures.items()}
            )
            self._checkpoints.save_if_best_score(score)
            record |= figures
        if self._run.config.ema_decay:
            self._checkpoints.save_averaged()

    def _save(self, unfinished=False):
        self._recorder.flush()
        self._checkpoints.save(unfinished)
        self._saved_step = self._step

    def _stop(self):
        """Save what is not saved yet, and leave `fit` at once: at its usual end other processes would be waited for."""
        self._write_pending()
        if self._saved_step != self._step:
            check_weights(self._run.model, self._step)
            self._save()
        raise self._signals.stopped(self._step, self._run.folder.path)

    def _write_pending(self):
        if self._recorder.has_pending:
            self._recorder.write(self._collect())

    def failure_in_step(self, what: str) -> NotFiniteError:
        """Return the error of a step that broke off, with the finished steps before it recorded.

        Args:
          what: from `bijectors.layer_not_finite`.
        """
        self._write_pending()
        run = self._run
        try:
            sizes = magnitudes(run.model, run.config, run.dataset.train, self._step, what)
        except Exception:
            # What failed is told in any case.
            sizes = ""
        return failure(self._step + 1, f"{what} ({sizes})" if sizes else what)

    def _show(self, record):
        self._bar.show(record, float(self._checkpoints.best_nll))

    def on_train_end(self, logs: dict | None = None) -> None:
        """Close the progress bar."""
        self._bar.close()

    def end(self) -> None:
        """Tell the user's callbacks that the training has come to its end."""
        self._callbacks.end()

    def close(self) -> None:
        """Close the progress bar, also after a failure, and the files."""
        if self._bar is not None:
            self._bar.close()
        self._recorder.close()
