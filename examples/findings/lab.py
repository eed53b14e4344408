"""The runs of the experiments: each made and measured once, and found again."""

import contextlib
import dataclasses
import functools
import gc
import itertools
import pathlib
import statistics

import keras
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from flow_gan import data, training
from flow_gan.config import Config
from flow_gan.errors import NotFiniteError, UserError
from flow_gan.measurement import LoadedRun, measure, open_run
from flow_gan.reproduction.settings import SCALES, flow_settings
from flow_gan.training.run_config import run_config
from flow_gan.training.run_folder import RunFolder

# MNIST has the recipes of --mode=reproduce --scale=small, the digits the settings of their presets.
_SMALL_MNIST = SCALES["mnist"]["small"]
_RECIPES = {"digits": {}, "mnist": _SMALL_MNIST.of_objective}
_STEPS = {"digits": dict.fromkeys(("mle", "adv", "hybrid"), 600), "mnist": _SMALL_MNIST.steps}
DATASETS = tuple(_STEPS)
# Lambda of the hybrids where an experiment does not vary it.
HYBRID_LAMBDA = {"digits": 0.1, "mnist": 0.02}
# The scores of what the flow samples with the averages of `nll_reestimated`. The package has no such measure; results
# lie in a folder of that name in the run's.
SCORES_REESTIMATED = "scores_reestimated"
_EVALUATION = {"score_samples": 5000, "score_splits": 10}
_RECORDED = "optimizer/learning rate"


@dataclasses.dataclass(frozen=True)
class Trial:
    """One training, whose latest weights are measured.

    Attributes:
      name: str, of the folder, without the seed.
      title: str, for people.
      seed: int.
      settings: {setting: value} of the training.
      steps: int, generator updates.
      metrics: tuple of `config.evaluation.METRICS` and `SCORES_REESTIMATED`.
      source: `Trial` from whose latest weights it starts, or None.
    """

    name: str
    title: str
    seed: int
    settings: dict
    steps: int
    metrics: tuple = ("nll", "scores")
    source: "Trial | None" = None

    def __str__(self):
        return f"{self.title}, {self.steps} steps, seed {self.seed}"


@dataclasses.dataclass(frozen=True)
class Lab:
    """Where runs are made.

    Attributes:
      dataset: "digits" or "mnist".
      data_dir: str or None, tensorflow_datasets folder.
      runs_dir: path. The runs of a data set and of a factor of steps have a folder of their own in it.
      num_seeds: int.
      scale_steps: float, factor of all numbers of steps.
    """

    dataset: str
    data_dir: str | None
    runs_dir: pathlib.Path
    num_seeds: int
    scale_steps: float = 1.0

    @property
    def seeds(self) -> range:
        """The seeds of every trial."""
        return range(self.num_seeds)

    @functools.cached_property
    def images(self) -> data.Dataset:
        """The data set."""
        return training.load_data(Config(dataset=self.dataset, data_dir=self.data_dir))

    def flow(self, objective: str, like_reg: float | None = None) -> dict:
        """Return the settings of a flow, see `flow_settings`, with the recipe for the data set."""
        return flow_settings(self.dataset, objective, like_reg) | _RECIPES[self.dataset].get(objective, {})

    def recipe_steps(self, objective: str) -> int:
        """Return the recipe's number of steps, scaled; 2 at least, for a step to be timed."""
        return self.steps(_STEPS[self.dataset][objective], 2)

    def steps(self, count: float, lowest: int = 1) -> int:
        """Return a number of steps, scaled."""
        return max(round(count * self.scale_steps), lowest)

    def folder(self, trial: Trial) -> pathlib.Path:
        """Return the folder of a trial's run."""
        return self.runs_dir / f"{self.dataset}_x{self.scale_steps:g}" / f"{trial.name}-seed{trial.seed}"

    def is_trained(self, trial: Trial) -> bool:
        """Whether its run has the checkpoint of its last step."""
        return training.saved_step(self.folder(trial) / "checkpoints", "latest") == trial.steps

    def result(self, trial: Trial | None, metric: str) -> dict | None:
        """Return the stored result of a trial, None if there is none; of no trial, None."""
        if trial is None or not self.is_trained(trial):
            return None
        run, own = self._measured(trial, metric)
        return run.result(own, "latest")

    def make(self, trial: Trial) -> None:
        """Train and measure what is not there yet. Numbers that are not finite end this trial alone, in words.

        Raises:
          UserError: its folder has a run of other settings.
        """
        config = self._config(trial)
        missing = [metric for metric in trial.metrics if self.result(trial, metric) is None]
        if not missing:
            print(f"{trial}: made already", flush=True)
            return
        if trial.source is not None and not self.is_trained(trial.source):
            print(f"{trial}: left out, for want of what it starts from: {trial.source}", flush=True)
            return
        print(f"{trial}: {self.folder(trial)}", flush=True)
        try:
            if not self.is_trained(trial):
                training.train(config)
            self._measure(trial, missing)
        except NotFiniteError as error:
            print(f"{trial}: {error}", flush=True)
        # What a model leaves in Keras and in reference cycles.
        keras.backend.clear_session()
        gc.collect()

    def seconds_per_step(self, trial: Trial) -> float:
        """Return what a step of a finished training took.

        It is the median over the intervals between TensorBoard's records, so that start-up, most validations, and the
        time between a stop and going on do not count.
        """
        events = EventAccumulator(str(self._open(trial).folder.tensorboard / "train"), {"tensors": 0}).Reload()
        pairs = itertools.pairwise(events.Tensors(_RECORDED))
        return statistics.median((b.wall_time - a.wall_time) / (b.step - a.step) for a, b in pairs)

    def _config(self, trial):
        """Return the configuration that makes the trial's run, or goes on with it."""
        folder = self.folder(trial)
        own = trial.settings | {"seed": trial.seed, "max_steps": trial.steps, "data_dir": self.data_dir}
        own |= {"eval_every": max(trial.steps // 5, 1), "log_every": max(min(50, trial.steps // 20), 1)}
        own |= {"run_dir": str(folder)}
        if not (folder / "config.json").exists():
            if trial.source is not None:
                own |= {"init_from_run": str(self.folder(trial.source)), "checkpoint": "latest"}
            return Config(**own)
        try:
            return run_config(own | {"mode": "train", "resume": True})
        except UserError as error:
            raise UserError(
                f"{folder} is a run of other settings than those of {trial} ({error}); expected another --runs_dir, or "
                "that folder removed"
            ) from error

    def _measure(self, trial, metrics):
        model = self._open(trial).loaded(self.images, "nll", "latest").model
        for metric in metrics:
            run, own = self._measured(trial, metric)
            averages: contextlib.AbstractContextManager[None] = contextlib.nullcontext()
            if metric == SCORES_REESTIMATED:
                averages = training.reestimated_batch_norm_statistics(
                    model, self.images.train.images, run.config.batch_size
                )
            with averages:
                config = run.configured(own, "latest")
                measured = LoadedRun(config=config, folder=run.folder, dataset=self.images, model=model)
                print(measure(measured, own), flush=True)

    def _measured(self, trial, metric):
        """Return the `FinishedRun` that keeps a measure, and the package's name of the measure."""
        run = self._open(trial)
        if metric != SCORES_REESTIMATED:
            return run, metric
        config = dataclasses.replace(run.config, checkpoint_dir=str(run.folder.checkpoints))
        return dataclasses.replace(run, config=config, folder=RunFolder(run.folder.path / metric, config)), "scores"

    def _open(self, trial):
        settings = _EVALUATION | {"data_dir": self.data_dir, "classifier_dir": str(self.runs_dir / "classifiers")}
        return open_run(self.folder(trial), settings, self.images)
