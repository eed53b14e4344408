"""A training run from its configuration to its best weights."""

import dataclasses
from collections.abc import Callable, Sequence

import keras
import tensorflow as tf
from absl import logging

from flow_gan import data
from flow_gan.config import Config
from flow_gan.errors import UserError
from flow_gan.generators import NO_PER_IMAGE_LIKELIHOOD
from flow_gan.model import FlowGAN
from flow_gan.networks.replicas import has_several_processes
from flow_gan.training import resume, run_folder
from flow_gan.training.announcement import announcement
from flow_gan.training.build_model import build_model
from flow_gan.training.checkpoints import Checkpoints
from flow_gan.training.fit import fit_as_chief, fit_as_worker, process_lost
from flow_gan.training.load_data import classes_without_images, without_images
from flow_gan.training.prepare import prepare
from flow_gan.training.run_folder import RunFolder
from flow_gan.training.steps import num_steps
from flow_gan.training.strategy import from_chief, is_chief
from flow_gan.training.user_callbacks import check_callbacks
from flow_gan.training.validator import Score


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainedRun:
    """A run that `train` has finished.

    Attributes:
      model: with the weights of the lowest validation NLL, or the latest if there is none.
      dataset: its `data.Dataset`.
      folder: its `RunFolder`.
      best_nll: lowest validation NLL in nats per image, inf if there is none that is finite.
      best_step: the step of `best_nll`.
      best_score: highest score of samples, -inf if none were scored.
      best_score_step: the step of `best_score`.
      first_step, last_step: the step at which this training began, and the last one.
    """

    model: FlowGAN
    dataset: data.Dataset
    folder: RunFolder
    best_nll: float
    best_step: int
    best_score: float
    best_score_step: int
    first_step: int
    last_step: int


def train(
    config: Config,
    make_score: Callable[[Config, data.Dataset], Score] | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> TrainedRun | None:
    """Train a model by its configuration, or continue a run (`config.resume`).

    Nothing is written before the configuration, the data and, when resuming, the checkpoint have been checked.

    Args:
      config: the configuration.
      make_score: function from (configuration, data set) to the `Score` that `--score_every` needs, such as
        `measurement.Scorer`.
      callbacks: of Keras, called as by a `fit` whose epochs end with the validations. A batch is a step, and logs its
        record in metrics.jsonl; see From Python. Of several processes the chief alone calls them.

    Returns:
      A `TrainedRun`, whose model has the weights of the lowest validation NLL, or the latest where there is none. None
      in the processes of a run by several that are not the chief.

    Raises:
      UserError: what is wrong with the arguments, the configuration, the data, the folder or the checkpoint; the step
        at which a loss was not finite; what cannot be written; or that another process of the run was lost.
      Stopped: SIGTERM or Ctrl-C came, and the state is saved.
    """
    check_callbacks(callbacks)
    try:
        return _train(config, make_score, callbacks)
    except tf.errors.OpError as error:
        if config.strategy != "multi_worker" or isinstance(error, tf.errors.ResourceExhaustedError):
            raise
        raise process_lost(error) from error


def _train(config, make_score, callbacks):
    run_folder.check_paths(config)
    if config.score_every and make_score is None:
        raise UserError(
            f"score_every={config.score_every} needs make_score; expected train(config, flow_gan.measurement.Scorer)"
        )
    prepared = prepare(config)
    config, dataset, model = prepared.config, prepared.dataset, prepared.model
    if model.generator.has_likelihood and not model.generator.has_per_image_likelihood:
        logging.warning(NO_PER_IMAGE_LIKELIHOOD)
    if config.resume:
        resume.require_same_data(config, dataset)
    if not is_chief(prepared.strategy):
        fit_as_worker(prepared)
        return None
    unseen = classes_without_images(config, dataset)
    if unseen:
        logging.warning(without_images(unseen))
    score = make_score(config, dataset) if config.score_every else None
    last_step = num_steps(config, dataset)
    run = resume.open_run(config, dataset, model, last_step)
    try:
        # The other processes load what this one loaded; only then may anything change.
        from_chief(prepared.strategy, run.step)
        from_chief(prepared.strategy, run.step)
        run.begin(prepared.initial_weights)
        if run.step < last_step or run.is_step_unfinished:
            print(announcement(run), flush=True)
        if prepared.initial_weights is not None:
            print(f"initial weights      {prepared.initial_weights}")
        if run.step < last_step or run.is_step_unfinished:
            last_step = fit_as_chief(run, score, callbacks)
        checkpoints = run.checkpoints
        if has_several_processes(prepared.strategy):
            # The other processes have left, and this one goes on alone.
            checkpoints = Checkpoints(build_model(config, dataset.levels), run.folder.checkpoints)
            checkpoints.restore("latest")
        checkpoints.restore_best()
    finally:
        run.folder.unlock()
    return TrainedRun(
        model=checkpoints.model,
        dataset=dataset,
        folder=run.folder,
        best_nll=float(checkpoints.best_nll),
        best_step=int(checkpoints.best_step),
        best_score=float(checkpoints.best_score),
        best_score_step=int(checkpoints.best_score_step),
        first_step=run.step,
        last_step=last_step,
    )
