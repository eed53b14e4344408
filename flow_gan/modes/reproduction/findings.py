"""The numbers of a reproduction, by role and measure, from what its runs have stored."""

import math
import statistics

from flow_gan.modes.completed import open_run
from flow_gan.report.orderings import Value


class Findings:
    """What is stored of a plan's trainings.

    Args:
      plan: `plan.Plan`.
      journal: `journal.Journal`.
    """

    def __init__(self, plan, journal):
        self.plan = plan
        self._journal = journal
        self._settings = {}
        for stage in plan.stages:
            for measurement in stage.measurements:
                self._settings[measurement.training.key, measurement.metric] = measurement.settings
        self._runs = {}

    def failure(self, role, seed=None):
        """Return why a training failed, a sentence, or None."""
        return self._journal.failure(self.plan.training(role, seed).key)

    def run(self, role, metric="scores", seed=None):
        """Return the `CompletedRun` of a role with the settings of a measure, None if its training left no weights."""
        training = self.plan.training(role, seed)
        if self._journal.failure(training.key) is not None and not training.has_weights:
            return None
        settings = self._settings.get((training.key, metric), {})
        key = training.key, tuple(sorted(settings.items(), key=str))
        if key not in self._runs:
            given = {name: value for name, value in settings.items() if value is not None}
            self._runs[key] = open_run(training.folder, given, "--run_dir")
        return self._runs[key]

    def result(self, role, metric, checkpoint=None, seed=None):
        """Return a stored result, a dict, or None; of the weights that the paper's tables take by default."""
        run = self.run(role, metric, seed)
        return run and run.result(metric, checkpoint)

    def each(self, role, metric, pick, checkpoint=None):
        """Return [(number or None, its own error or None)], for each seed.

        Args:
          role, metric, checkpoint: see `result`.
          pick: function from the result to (number, error).
        """
        found = []
        for seed in self.plan.seeds:
            result = self.result(role, metric, checkpoint, seed)
            found.append((None, None) if result is None else pick(result))
        return found

    def warnings(self, role, metric, checkpoint=None):
        """Return the warnings of a result of any seed, and why its training failed, each once."""
        results = [self.result(role, metric, checkpoint, seed) for seed in self.plan.seeds]
        failures = {self.failure(role, seed) for seed in self.plan.seeds} - {None}
        return sorted({w for result in results if result for w in result.get("warnings", [])} | failures)


def over_seeds(numbers):
    """Return the `Value` of [(number, error)]: of several their mean and standard deviation, of one itself.

    Where one is missing or not finite there is none.
    """
    if any(number is None or not math.isfinite(number) for number, _ in numbers):
        return Value()
    if len(numbers) == 1:
        return Value(*numbers[0])
    values = [number for number, _ in numbers]
    return Value(statistics.fmean(values), statistics.stdev(values))
