"""The numbers of a reproduction, by role and measure, from what its runs have stored."""

from collections.abc import Callable, Sequence

from flow_gan.data import Dataset
from flow_gan.measurement import FinishedRun, open_run
from flow_gan.report.values import Value
from flow_gan.reproduction.journal import Journal
from flow_gan.reproduction.plan import Plan


class Results:
    """What is stored of a plan's trainings.

    Args:
      plan: `plan.Plan`.
      journal: `journal.Journal`.
      dataset: `data.Dataset`, whose results alone count; None: all count.
    """

    def __init__(self, plan: Plan, journal: Journal, dataset: Dataset | None = None):
        self.plan = plan
        self._dataset = dataset
        self._journal = journal
        measurements = [measurement for stage in plan.stages for measurement in stage.measurements]
        self._measurements = {(m.training.key, m.metric): m for m in measurements}
        self._runs: dict[tuple, FinishedRun] = {}
        self._results: dict[tuple, dict | None] = {}

    def failure(self, role: str, seed: int | None = None) -> str | None:
        """Return why a training failed, a sentence, or None."""
        return self._journal.failure(self.plan.training(role, seed).key)

    def run(self, role: str, metric: str = "scores", seed: int | None = None) -> FinishedRun | None:
        """Return the `FinishedRun` of a role with the settings of a measure, None if its training left no weights."""
        training = self.plan.training(role, seed)
        if self._journal.failure(training.key) is not None and not training.has_weights:
            return None
        measurement = self._measurements.get((training.key, metric))
        settings = measurement.settings if measurement else {}
        key = training.key, tuple(sorted(settings.items(), key=str))
        if key not in self._runs:
            given = {name: value for name, value in settings.items() if value is not None}
            self._runs[key] = open_run(training.folder, given, self._dataset)
        return self._runs[key]

    def result(self, role: str, metric: str, checkpoint: str | None = None, seed: int | None = None) -> dict | None:
        """Return a stored result, a dict, or None; of the weights that the paper's tables take by default."""
        key = self.plan.training(role, seed).key, metric, checkpoint
        if key not in self._results:
            run = self.run(role, metric, seed)
            self._results[key] = run.result(metric, checkpoint) if run else None
        return self._results[key]

    def values(
        self, role: str, metric: str, pick: Callable[[dict], Value], checkpoint: str | None = None
    ) -> list[Value]:
        """Return a list of `Value`, one for each seed.

        Args:
          role, metric, checkpoint: see `result`.
          pick: function from a stored result to its `Value`.
        """
        results = [self.result(role, metric, checkpoint, seed) for seed in self.plan.seeds]
        return [pick(result) if result else Value() for result in results]

    def warnings(
        self, role: str, metric: str, checkpoint: str | None = None, seeds: Sequence[int] | None = None
    ) -> list[str]:
        """Return the warnings of a metric, of all seeds if none are given: sentences, each once.

        They are those of its results, and why a training or the measurement itself failed.
        """
        found: set[str | None] = set()
        for seed in self.plan.seeds if seeds is None else seeds:
            training = self.plan.training(role, seed)
            run, measurement = self.run(role, metric, seed), self._measurements.get((training.key, metric))
            found.add(self._journal.failure(training.key))
            if run and measurement:
                found.add(self._journal.failure(measurement.failure_key(checkpoint or run.checkpoint(metric))))
            result = self.result(role, metric, checkpoint, seed)
            found |= set(result.get("warnings", [])) if result else set()
        return sorted(why for why in found if why is not None)

    def versions(self) -> list[dict[str, str]]:
        """Return the versions of packages with which results were made, a list of dicts, each once."""
        return self._each_once("versions")

    def devices(self) -> list[str]:
        """Return the names of what computed the results, each once; "not recorded" is that of earlier versions'."""
        return self._each_once("device", "not recorded")

    def _each_once(self, name, missing=None):
        found = []
        for role, seed in self.plan.roles:
            for checkpoint in (None, "latest"):
                result = self.result(role, "scores", checkpoint, seed)
                if result and result.get(name, missing) not in found:
                    found.append(result.get(name, missing))
        return found
