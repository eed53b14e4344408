"""A reproduction of the paper: its models, tables and figures, in stages that are never made twice."""

import dataclasses
import gc
import os
import pathlib
import shutil
import signal
import time

import keras

from flow_gan import training
from flow_gan.config import Config, changeable
from flow_gan.errors import NotFiniteError, UserError
from flow_gan.measurement import LoadedRun, Scorer, check_metrics, measure, open_run
from flow_gan.reproduction import report
from flow_gan.reproduction.journal import Journal
from flow_gan.reproduction.plan import make_plan
from flow_gan.reproduction.settings import Scale
from flow_gan.signals import StopSignals
from flow_gan.training.run_folder import RunFolder

# What a run's folder holds before its configuration is written.
_BEGUN = {".lock", ".probe", "config.json.tmp"}


class ReproductionStopped(training.Stopped):
    """A reproduction stopped because a signal asked it to.

    Args:
      received: `signal.Signals`.
      command: str, which goes on with it.
    """

    def __init__(self, received: signal.Signals, command: str):
        KeyboardInterrupt.__init__(self, f"{received.name}: stopped; to continue, run\n  {command}")
        self.signal = received


def reproduce(config: Config, given: dict, scale: Scale | None = None) -> pathlib.Path:
    """Train, measure and report what is not there yet.

    Args:
      config: `config.Config` of --mode=reproduce.
      given: {setting: value} of the command line.
      scale: `reproduction.settings.Scale`; that of `config` if None.

    Returns:
      The path of the report, index.html.

    Raises:
      UserError: a flag that the scale sets, or that is of no use here; a folder that cannot be used; data that are
        not there.
      ReproductionStopped: SIGTERM or Ctrl-C came.
    """
    useful = changeable("reproduce")
    unused = sorted(given.keys() - set(useful))
    if unused:
        raise UserError(
            f"--{unused[0]}={given[unused[0]]} has no effect in --mode=reproduce; leave it out. --scale sets "
            "everything except "
            f"{', '.join(f'--{name}' for name in useful if name not in ('mode', 'scale'))}"
        )
    folder = config.run_dir or pathlib.Path(config.runs_dir) / f"reproduce_{config.dataset}_{config.scale}"
    plan = make_plan(config, folder, scale)
    dataset = training.load_data(plan.trainings[0].config)
    for stage in plan.stages:
        for measurement in stage.measurements:
            asked = dataclasses.replace(measurement.training.config, mode="evaluate", **measurement.settings)
            check_metrics(asked, [measurement.metric], dataset)
    journal = Journal(folder)
    try:
        journal.begin(given)
        with StopSignals() as signals:
            try:
                return _Reproduction(plan, journal, dataset).run()
            except training.Stopped as stopped:
                raise ReproductionStopped(stopped.signal, journal.command()) from stopped
            except KeyboardInterrupt:
                # While nothing had to be saved, or a second signal, which leaves at once.
                raise ReproductionStopped(signals.received or signal.SIGINT, journal.command()) from None
    finally:
        journal.close()


class _Reproduction:
    def __init__(self, plan, journal, dataset):
        self._plan = plan
        self._journal = journal
        self._dataset = dataset

    def run(self) -> pathlib.Path:
        plan, journal = self._plan, self._journal
        for training_ in plan.trainings:
            if journal.failure(training_.key) is not None and not training_.folder.exists():
                journal.forget_failure(training_.key)
        stages = [(stage, self._train, self._is_trained) for stage in plan.trainings]
        stages += [(stage, self._measure, self._is_measured) for stage in plan.stages]
        count = len(stages) + 1
        print(f"{plan.config.dataset}, --scale={plan.config.scale}: {count} stages in {journal.folder}")
        pending = [(number, *stage) for number, stage in enumerate(stages, 1) if not stage[2](stage[0])]
        for i, (number, stage, work, _) in enumerate(pending):
            print(f"stage {number} of {count}: {stage.title}, {self._remaining(pending[i:])}", flush=True)
            self._timed(stage, work)
        print(f"stage {count} of {count}: figures and report", flush=True)
        start = time.monotonic()
        path = report.write(plan, journal, self._dataset)
        journal.record("report", "figures and report", time.monotonic() - start, done=True)
        return path

    def _timed(self, stage, work):
        start = time.monotonic()
        done = False
        try:
            work(stage)
            done = True
        finally:
            self._journal.record(stage.key, stage.title, time.monotonic() - start, done)
            _free_memory()

    def _remaining(self, pending):
        """Return how long the pending stages will take, by how long those took that are done.

        Of a stage that was broken off what was spent on it is taken off; one that is made once more takes all its time.
        """
        journal, plan = self._journal, self._plan
        done = [stage for stage in (*plan.trainings, *plan.stages) if journal.is_done(stage.key)]
        expected, spent = sum(stage.seconds for stage in done), sum(journal.seconds(stage.key) for stage in done)
        pace = spent / expected if expected else 1.0
        seconds = 0.0
        for _, stage, *_ in pending:
            begun = 0.0 if journal.is_done(stage.key) else journal.seconds(stage.key)
            seconds += max(stage.seconds * pace - begun, 1.0)
        return f"about {_duration(seconds)} left"

    def _is_trained(self, stage):
        if self._journal.failure(stage.key) is not None:
            return True
        if RunFolder(stage.folder, stage.config).has_other_data(self._dataset.digest):
            return False  # To be told by the training, which does not go on with it.
        saved = training.saved_step(stage.folder / "checkpoints", "latest")
        return self._journal.is_done(stage.key) and saved == stage.config.max_steps

    def _train(self, stage):
        config, folder = stage.config, stage.folder
        if config.init_from_run is not None:
            source = pathlib.Path(config.init_from_run)
            if not training.saved_step(source / "checkpoints", config.checkpoint):
                why = f"{source.name}, from which it starts, failed before it had weights to start from"
                print(f"{stage.title}: {why}")
                self._journal.fail(stage.key, why)
                return
        if (folder / "config.json").exists():
            config = dataclasses.replace(config, resume=True)
        elif folder.exists() and set(os.listdir(folder)) <= _BEGUN:
            shutil.rmtree(folder)
        try:
            training.train(config, Scorer)
        except NotFiniteError as error:
            print(f"{stage.title}: {error}")
            self._journal.fail(stage.key, error.known)

    def _is_measured(self, stage):
        return not self._missing(stage)

    def _missing(self, stage):
        """Return [(measurement, run, name of the weights)] of what a stage has still to measure."""
        missing = []
        for measurement in stage.measurements:
            if self._journal.failure(measurement.training.key) is not None and not measurement.training.has_weights:
                continue
            if not self._is_trained(measurement.training):
                missing.append((measurement, None, None))
                continue
            run = self._open(measurement)
            checkpoint = measurement.checkpoint
            if checkpoint == "chosen":
                checkpoint = run.checkpoint(measurement.metric)
            failed = self._journal.failure(measurement.failure_key(checkpoint))
            if failed is None and run.result(measurement.metric, checkpoint) is None:
                missing.append((measurement, run, checkpoint))
        return missing

    def _open(self, measurement):
        settings = {name: value for name, value in measurement.settings.items() if value is not None}
        return open_run(measurement.training.folder, settings, self._dataset)

    def _measure(self, stage):
        loaded: LoadedRun | None = None
        for measurement, run, checkpoint in self._missing(stage):
            metric = measurement.metric
            if loaded is None or (loaded.name, loaded.config.checkpoint) != (measurement.training.key, checkpoint):
                loaded = run.loaded(self._dataset, metric, checkpoint)
            print(f"{measurement.training.title}: {metric}, checkpoint {checkpoint}", flush=True)
            try:
                print(measure(dataclasses.replace(loaded, config=run.configured(metric, checkpoint)), metric))
            except NotFiniteError as error:
                print(f"{metric}: {error}")
                self._journal.fail(measurement.failure_key(checkpoint), error.known)


def _free_memory():
    """Free what a model leaves in Keras and in reference cycles."""
    keras.backend.clear_session()
    gc.collect()


def _duration(seconds):
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.1f} h"
