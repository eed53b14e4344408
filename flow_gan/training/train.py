"""A training run from its configuration to its best weights."""

import dataclasses

import tensorflow as tf
from absl import logging

from flow_gan import data
from flow_gan.bijectors import layer_not_finite
from flow_gan.errors import UserError
from flow_gan.generators import NO_PER_IMAGE_LIKELIHOOD
from flow_gan.networks.replicas import has_several_processes
from flow_gan.signals import Interrupted, Stopped, StopSignals
from flow_gan.training import build, run_folder
from flow_gan.training.checkpoints import Checkpoints
from flow_gan.training.follower import Follower
from flow_gan.training.initial_weights import load_initial_weights
from flow_gan.training.monitor import Monitor, Outcome
from flow_gan.training.records import MetricsFile, TensorBoardLog
from flow_gan.training.strategy import from_chief, is_chief, select_gpu


def train(config, make_scorer=None):
    """Train a model as `config` says, or go on with a run (`config.resume`).

    Nothing is written before the configuration, the data and, when resuming, the checkpoint are found good.

    Args:
      config: `config.Config`.
      make_scorer: function from (configuration, data set) to the function from a generator to (score, {name: figure})
        that `--score_every` needs, whose `tags` are {name: TensorBoard's tag} of the figures.

    Returns:
      An `Outcome`, whose model has the weights of the lowest validation NLL, or the latest where there is none. None in
      the processes of a run by several that are not the chief.

    Raises:
      UserError: what is wrong with the configuration, the data, the folder or the checkpoint; the step at which a loss
        was not finite; what cannot be written; or that another process of the run was lost.
      Stopped: SIGTERM or Ctrl-C came, and the state is saved.
    """
    try:
        return _train(config, make_scorer)
    except tf.errors.OpError as error:
        if config.strategy != "multi_worker" or isinstance(error, tf.errors.ResourceExhaustedError):
            raise
        raise _lost(error) from error


def _train(config, make_scorer):
    run_folder.check_paths(config)
    config, dataset, strategy, model = build.prepare(config)
    if model.generator.has_likelihood and not model.generator.has_per_image_likelihood:
        logging.warning(NO_PER_IMAGE_LIKELIHOOD)
    last_step = build.num_steps(config, dataset)
    if config.resume:
        _require_same_data(config, dataset)
    initial = None
    if config.init_from_run is not None and not build.has_begun(config):
        with strategy.scope():
            initial = load_initial_weights(model, config)
    if not is_chief(strategy):
        _follow(config, dataset, strategy, model, last_step)
        return None
    scorer = make_scorer(config, dataset) if config.score_every else None
    folder = _open_run(config) if config.resume else run_folder.create(config)
    try:
        checkpoints = Checkpoints(model, folder.checkpoints)
        if config.resume:
            _restore(config, folder, checkpoints, last_step)
        # The other processes load what this one loaded; only then may anything change.
        first_step = from_chief(strategy, model.num_steps)
        from_chief(strategy, first_step)
        if config.resume:
            folder.write_config(config)
        folder.write_data(config.dataset, dataset.digest)
        if initial is not None:
            folder.write_initial_weights(dataclasses.asdict(initial))
            print(f"initial weights      {initial}")
        if config.resume:
            checkpoints.drop_after(first_step)
        if checkpoints.latest_path is None:
            # To go on from whenever the run is killed.
            checkpoints.save()
        if first_step < last_step or checkpoints.is_step_unfinished:
            _fit(config, dataset, folder, checkpoints, first_step, last_step, scorer)
        if has_several_processes(strategy):
            # The other processes have left, and this one goes on alone.
            alone = build.build_model(config, dataset.levels)
            checkpoints = Checkpoints(alone, folder.checkpoints)
            checkpoints.restore("latest")
        checkpoints.restore_best()
    finally:
        folder.unlock()
    return Outcome(
        checkpoints.model,
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
    build.check_grid(config, [getattr(config, name) for name in build.SIZE_FLAGS])
    model = build.build_model(config, levels)
    folder = run_folder.RunFolder(config.run_dir, config)
    Checkpoints(model, folder.checkpoints).restore_for_use(config.checkpoint)
    return model, folder


def _require_same_data(config, dataset):
    folder = run_folder.RunFolder(config.run_dir, config)
    if folder.has_other_data(dataset.digest):
        raise UserError(
            f"--dataset={config.dataset} is not what the run {config.run_dir} was trained on: its digest, of names, "
            f"sizes and contents, is {dataset.digest[:12]}, not {folder.data_digest()[:12]}; expected the same data, "
            "or a new run"
        )


def _open_run(config):
    """Return the locked folder of the run to go on with."""
    folder = run_folder.RunFolder(config.run_dir, config)
    run_folder.read_config(config.run_dir)
    folder.lock()
    return folder


def _restore(config, folder, checkpoints, last_step):
    """Load the latest checkpoint; leave a run that was killed before its first one, of step 0, at its beginning."""
    if not folder.metrics_file.exists() and checkpoints.latest_path is None:
        return
    checkpoints.restore("latest")
    step = checkpoints.model.num_steps
    if step > last_step:
        raise UserError(
            f"--run_dir={config.run_dir} is at step {step} already; expected --max_steps or --epoch beyond it, not "
            f"{last_step} steps"
        )


def _fit(config, dataset, folder, checkpoints, first_step, last_step, scorer):
    model = checkpoints.model
    kept = first_step - 1 if checkpoints.is_step_unfinished else first_step
    metrics_file = MetricsFile(folder.metrics_file, first_step)
    tensorboard = TensorBoardLog(folder.tensorboard, dataset.bits_per_dim, kept)
    tensorboard.hparams(config.hparams)
    interval = config.score_every * build.steps_per_epoch(config, dataset)
    files = metrics_file, tensorboard
    monitor = None
    with StopSignals() as signals:
        try:
            monitor = Monitor(
                config, dataset, folder, checkpoints, *files, first_step, last_step, scorer, interval, signals
            )
            _run_steps(config, dataset, model, first_step, last_step, monitor)
        except tf.errors.OpError as error:
            if layer_not_finite(error):
                raise monitor.failure_in_step(layer_not_finite(error)) from error
            if isinstance(error, tf.errors.ResourceExhaustedError):
                raise
            if has_several_processes(model.distribute_strategy):
                raise _lost(error, f", with {checkpoints.latest_path or 'no checkpoint'} saved last") from error
            raise
        except data.ReadingError:
            # Once the file is put right, the data have another digest, and the run goes on.
            folder.write_data(config.dataset, None)
            raise
        except Interrupted:
            raise Stopped(signals.received, first_step, folder.path) from None
        finally:
            if monitor is not None:
                monitor.close()
            metrics_file.close()
            tensorboard.close()
        if signals.received:
            raise Stopped(signals.received, last_step, folder.path)


def _follow(config, dataset, strategy, model, last_step):
    """Compute with the chief, and write nothing."""
    first_step, is_unfinished = 0, False
    with StopSignals() as signals:
        try:
            first_step = from_chief(strategy, 0)
            if config.resume and first_step:
                checkpoints = Checkpoints(model, run_folder.RunFolder(config.run_dir, config).checkpoints)
                checkpoints.restore("latest", first_step)
                if model.num_steps != first_step:
                    raise UserError(
                        f"--run_dir={config.run_dir} is not that of the chief, which goes on from step {first_step}; "
                        "expected a folder that all processes see"
                    )
                is_unfinished = bool(checkpoints.is_step_unfinished)
            from_chief(strategy, 0)
            follower = Follower(config, dataset, is_unfinished, first_step, last_step, signals)
            if first_step < last_step or is_unfinished:
                _run_steps(config, dataset, model, first_step, last_step, follower)
        except Interrupted:
            raise Stopped(signals.received, first_step, None) from None
        except tf.errors.OpError as error:
            if signals.received:
                raise Stopped(signals.received, model.num_steps, None) from error
            raise
        if signals.received:
            raise Stopped(signals.received, model.num_steps, None)


def _run_steps(config, dataset, model, first_step, last_step, callback):
    """Run `fit`, or the callback alone where only what is due after the last step is left."""
    with data.reading_errors():
        if first_step == last_step:
            callback.set_model(model)
            callback.on_train_begin()
            return
        batches = build.training_batches(config, model, dataset, first_step, last_step)
        # One Keras "epoch" is the whole run: the callback counts steps, and epochs are the data's affair.
        steps = last_step - first_step
        model.fit(batches, epochs=1, steps_per_epoch=steps, verbose=0, callbacks=[callback], shuffle=False)
    if model.num_steps != last_step:
        raise RuntimeError(f"training ended at step {model.num_steps} of {last_step}")


def _lost(error, what=""):
    reason = " ".join(str(error).split())[:300]
    return UserError(
        f"another process of this run was lost, so it ends ({type(error).__name__}: {reason}){what}. Start all of them "
        "again with --resume and --run_dir"
    )
