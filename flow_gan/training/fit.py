"""Runs the steps of a training, and handles the errors and signals that end it."""

import contextlib
from collections.abc import Sequence

import keras
import tensorflow as tf

from flow_gan import data
from flow_gan.bijectors import layer_not_finite
from flow_gan.errors import NotFiniteError, UserError, brief
from flow_gan.networks.replicas import has_several_processes
from flow_gan.signals import Interrupted, StopSignals
from flow_gan.training import resume
from flow_gan.training.batches import training_batches
from flow_gan.training.chief import ChiefCallback
from flow_gan.training.prepare import Prepared
from flow_gan.training.resume import OpenRun
from flow_gan.training.steps import Steps
from flow_gan.training.strategy import from_chief
from flow_gan.training.validator import Score, Validator
from flow_gan.training.worker import WorkerCallback


def fit_as_chief(run: OpenRun, score: Score | None = None, callbacks: Sequence[keras.callbacks.Callback] = ()) -> int:
    """Train a run to its last step; record, validate and save.

    Args:
      run: `OpenRun`.
      score: of samples, with `score_every`.
      callbacks: the user's.

    Returns:
      The last step made, which is an earlier one if a callback stopped the training.

    Raises:
      UserError: see `train`.
      Stopped: a signal came, and the state is saved.
    """
    signals = StopSignals()
    callback = ChiefCallback(run, score, signals, callbacks)
    steps = callback.steps
    with signals:
        with contextlib.closing(callback):
            try:
                _run_steps_or_name_layer(run, callback)
                callback.end()
            except NotFiniteError as error:
                raise _with_checkpoint(error, run) from error
            except tf.errors.ResourceExhaustedError:
                raise
            except tf.errors.OpError as error:
                if not has_several_processes(run.model.distribute_strategy):
                    raise
                saved = run.checkpoints.latest_path or "no checkpoint"
                raise process_lost(error, f", with {saved} saved last") from error
            except data.ReadingError:
                # Once the file is put right, the data have another digest, and the run goes on.
                run.folder.write_data(run.config.dataset, None, run.class_names)
                raise
            except Interrupted:
                raise signals.stopped(steps.first, run.folder.path) from None
        if signals.received:
            raise signals.stopped(callback.steps.last, run.folder.path)
    return callback.steps.last


def fit_as_worker(prepared: Prepared) -> None:
    """Train a run together with its chief, which writes all that there is to write."""
    config, dataset, model = prepared.config, prepared.dataset, prepared.model
    first_step, is_unfinished = 0, False
    with StopSignals() as signals:
        try:
            first_step = from_chief(prepared.strategy, 0)
            if resume.has_begun(config):
                is_unfinished = resume.join_run(config, model, first_step)
            from_chief(prepared.strategy, 0)
            steps = Steps.of(config, dataset, first_step)
            if steps.first < steps.last or is_unfinished:
                validator = Validator(config, model, dataset)
                callback = WorkerCallback(steps, validator, is_unfinished, signals)
                _run_steps(prepared, steps, callback)
        except Interrupted:
            raise signals.stopped(first_step, None) from None
        except tf.errors.OpError as error:
            if signals.received:
                raise signals.stopped(model.num_steps, None) from error
            raise
        if signals.received:
            raise signals.stopped(model.num_steps, None)


def process_lost(error: tf.errors.OpError, what: str = "") -> UserError:
    """Return the error for a run by several processes of which another one has ended.

    Args:
      error: what the others' computation ended in.
      what: what else there is to say, after a comma.
    """
    return UserError(
        f"another process of this run was lost, so it ends ({type(error).__name__}: {brief(error)}){what}. Start all "
        "of them again with --resume and --run_dir"
    )


def _run_steps_or_name_layer(run: OpenRun, callback: ChiefCallback) -> None:
    try:
        _run_steps(run, callback.steps, callback)
    except tf.errors.OpError as error:
        layer = layer_not_finite(error)
        if not layer:
            raise
        raise callback.failure_in_step(layer) from error


def _run_steps(run: OpenRun | Prepared, steps: Steps, callback: keras.callbacks.Callback) -> None:
    """Run `fit`, or the callback alone where only what is due after the last step is left."""
    with data.reading_errors():
        if steps.first == steps.last:
            callback.set_model(run.model)
            callback.on_train_begin()
            return
        batches = training_batches(run.config, run.model, run.dataset, steps.first, steps.last)
        # One Keras "epoch" is the whole run: the callback counts steps, and epochs are the data's affair.
        count = steps.last - steps.first
        run.model.fit(batches, epochs=1, steps_per_epoch=count, verbose=0, callbacks=[callback], shuffle=False)
    if run.model.num_steps != steps.last and not run.model.stop_training:
        raise RuntimeError(f"training ended at step {run.model.num_steps} of {steps.last}")


def _with_checkpoint(error: NotFiniteError, run: OpenRun) -> NotFiniteError:
    """Return the error with what there is to go on with."""
    saved = run.checkpoints.latest_path
    if saved is None:
        return NotFiniteError(f"{error}; no checkpoint was saved before it", error.known)
    return NotFiniteError(
        f"{error}; the last good checkpoint is {saved}. --mode=evaluate and --mode=sample take it with "
        f"--run_dir={run.folder.path} --checkpoint=latest; --resume would fail at the same step again",
        error.known,
    )
