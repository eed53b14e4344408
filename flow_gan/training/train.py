"""A training run from its configuration to its best weights."""

import math

import tensorflow as tf
from absl import logging

from flow_gan import data
from flow_gan.bijectors import layer_not_finite
from flow_gan.errors import UserError
from flow_gan.generators import NO_PER_IMAGE_LIKELIHOOD
from flow_gan.training import build, run_folder
from flow_gan.training.checkpoints import Checkpoints
from flow_gan.training.monitor import Monitor, Outcome
from flow_gan.training.records import MetricsFile, TensorBoardLog
from flow_gan.training.strategy import select_gpu


def train(config, make_scorer=None):
    """Train a model as `config` says, or go on with a run (`config.resume`).

    Nothing is written before the configuration, the data and, when resuming, the checkpoint are found good.

    Args:
      config: `config.Config`.
      make_scorer: function from (configuration, data set) to the function from a generator to (score, {name: figure})
        that `--score_every` needs.

    Returns:
      An `Outcome`, whose model has the weights of the lowest validation NLL, or the latest where there is none.

    Raises:
      UserError: what is wrong with the configuration, the data, the folder or the checkpoint; or the step at
        which a loss was not finite.
    """
    config, dataset, _, model = build.prepare(config)
    if model.generator.has_likelihood and not model.generator.has_per_image_likelihood:
        logging.warning(NO_PER_IMAGE_LIKELIHOOD)
    last_step = build.num_steps(config, dataset)
    scorer = make_scorer(config, dataset) if config.score_every else None
    if config.resume:
        folder = run_folder.RunFolder(config.run_dir, config)
        checkpoints = Checkpoints(model, folder.checkpoints)
        checkpoints.restore("latest")
        if model.num_steps > last_step:
            raise UserError(
                f"--run_dir={config.run_dir} is at step {model.num_steps} already; expected --max_steps or --epoch "
                f"beyond it, not {last_step} steps"
            )
        folder.write_config(config)
    else:
        folder = run_folder.create(config)
        checkpoints = Checkpoints(model, folder.checkpoints)
    first_step = model.num_steps
    if first_step < last_step:
        _fit(config, model, dataset, folder, checkpoints, first_step, last_step, scorer)
    if math.isfinite(float(checkpoints.best_nll)):
        checkpoints.restore("best")
    return Outcome(
        model,
        dataset,
        folder,
        float(checkpoints.best_nll),
        int(checkpoints.best_step),
        float(checkpoints.best_score),
        int(checkpoints.best_score_step),
        first_step,
        last_step,
    )


def load_model(config, levels=256):
    """Return (model, folder) of the run `config.run_dir`, with the weights of `config.checkpoint`."""
    select_gpu(config.gpu_nr)
    model = build.build_model(config, levels)
    folder = run_folder.RunFolder(config.run_dir, config)
    Checkpoints(model, folder.checkpoints).restore(config.checkpoint)
    return model, folder


def _fit(config, model, dataset, folder, checkpoints, first_step, last_step, scorer):
    metrics_file = MetricsFile(folder.metrics_file, first_step)
    tensorboard = TensorBoardLog(folder.tensorboard, dataset.bits_per_dim, first_step)
    interval = config.score_every * build.steps_per_epoch(config, dataset)
    files = metrics_file, tensorboard
    monitor = Monitor(config, dataset, folder, checkpoints, *files, first_step, last_step, scorer, interval)
    batches = build.training_batches(config, model, dataset, first_step, last_step)
    try:
        # One Keras "epoch" is the whole run: the monitor counts steps, and epochs are the data's affair.
        with data.reading_errors():
            model.fit(batches, epochs=1, verbose=0, callbacks=[monitor], shuffle=False)
    except tf.errors.InvalidArgumentError as error:
        if not layer_not_finite(error):
            raise
        raise monitor.failure_in_step(layer_not_finite(error)) from error
    finally:
        monitor.close()
        metrics_file.close()
        tensorboard.close()
