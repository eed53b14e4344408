"""--mode=compare: several runs in the paper's tables and figures."""

import dataclasses
import functools
import glob
import pathlib

from flow_gan import training
from flow_gan.config import Config, refuse_unused
from flow_gan.data import Dataset
from flow_gan.errors import UserError
from flow_gan.measurement import FinishedRun, LoadedRun, cannot_have, check_metrics, measure, open_run, registry
from flow_gan.report import figures, paper
from flow_gan.report.model_tables import (
    ESTIMATORS,
    NOTHING,
    OBJECTIVES,
    Alternatives,
    Row,
    about_real_images,
    columns_of,
    model_table,
    real_images,
)
from flow_gan.report.tables import Cell, Table, to_markdown
from flow_gan.run_files import CONFIG
from flow_gan.training.files import write_whole
from flow_gan.training.run_folder import check_free, check_writable, new_folder, read_data

# Settings of the comparison itself; all others hold for measuring its runs.
_OF_THE_COMPARISON = ("mode", "run_dirs", "runs_dir", "run_dir")
# Settings that runs must share for their numbers to be of the same images, besides the data set, which may have moved.
_SAME_DATA = ("validation_split", "levels", "input_height", "input_width", "c_dim")
# {table: data sets for which the paper has numbers in it}.
_PUBLISHED = {OBJECTIVES: ("mnist", "cifar10"), ESTIMATORS: ("mnist",)}


def run(given: dict) -> None:
    """Measure what is asked for and not stored yet, then write the tables and overlaid figures of several runs.

    Args:
      given: {setting: value} of the command line, which also hold for measuring the runs.

    Raises:
      UserError: a folder is not a run, the runs have different data sets, or a metric is impossible.
    """
    config = Config(**given)
    refuse_unused(given, "compare")
    if config.run_dir is not None:
        # Checked before measuring, not after.
        check_free("run_dir", config.run_dir)
    shared = {name: value for name, value in given.items() if name not in _OF_THE_COMPARISON}
    runs = [open_run(folder, shared) for folder in _folders(config.run_dirs or "")]
    _check_alike(config, runs)
    # An unreadable file is an error before anything is measured.
    for each in runs:
        each.read_records()
    dataset = training.load_data(runs[0].config)
    runs = [dataclasses.replace(each, dataset=dataset) for each in runs]
    metrics = config.metrics.split(",")
    _measure(runs, metrics, dataset)
    folder = new_folder(config, "comparison")
    comparison = _Comparison(runs, dataset)
    text = "\n\n".join([*map(to_markdown, comparison.tables()), *comparison.texts(metrics)])
    write_whole(folder / "tables.md", text + "\n")
    print(text)
    for path in (folder / "tables.md", *comparison.draw(folder)):
        print(path)


def _folders(run_dirs):
    """Return the folders that `--run_dirs` names; a pattern stands for the runs that it matches, in alphabetical order.

    Raises:
      UserError: a pattern matches no run.
    """
    found: list[str] = []
    for name in run_dirs.split(","):
        if not any(character in name for character in "*?[") or pathlib.Path(name).exists():
            found.append(name)
            continue
        matching = sorted(path for path in glob.glob(name) if (pathlib.Path(path) / CONFIG).is_file())
        if not matching:
            raise UserError(f"--run_dirs={name} matches no run: no folder with a {CONFIG}")
        found += [path for path in matching if path not in found]
    return found


def _check_alike(config, runs):
    """Raise `UserError` unless runs have different names and the same data."""
    if len({run.name for run in runs}) < len(runs):
        raise UserError(
            f"--run_dirs={config.run_dirs} has two runs of the same name; expected folders with different names"
        )
    recorded = [read_data(run.folder.path) for run in runs]
    is_one = all(own["path"] is not None for own in recorded) and len({own["digest"] for own in recorded}) == 1
    for setting in _SAME_DATA if is_one else ("dataset", *_SAME_DATA):
        values = {str(getattr(run.config, setting)) for run in runs}
        if len(values) > 1:
            raise UserError(f"--run_dirs are of different data, --{setting} {', '.join(sorted(values))}; expected one")


def _measure(runs, metrics, dataset):
    """Measure what is not stored; a metric that is impossible for a run, such as a DCGAN's NLL, is left out."""
    wanted = [(run, metric) for run in runs for metric in dict.fromkeys(metrics) if not cannot_have(run.config, metric)]
    for run, metric in wanted:
        check_metrics(run.config, [metric], dataset)
    to_measure = [(run, metric) for run, metric in wanted if run.result(metric) is None]
    for run, _ in to_measure:
        check_writable(run.folder)
    loaded: LoadedRun | None = None
    for run, metric in to_measure:
        # What several metrics need, such as the features of samples, is kept with the loaded run.
        if loaded is None or (loaded.name, loaded.config.checkpoint) != (run.name, run.checkpoint(metric)):
            loaded = run.loaded(dataset, metric)
        print(f"{run.name}: {metric}, checkpoint {loaded.config.checkpoint}")
        print(measure(loaded, metric))


class _Comparison:
    """Tables and figures of runs, from their stored results."""

    def __init__(self, runs: list[FinishedRun], dataset: Dataset):
        self._runs = runs
        self._dataset = dataset
        self._metrics = registry.all_metrics()
        self._results = {
            metric: {run.name: result for run in runs if (result := run.result(metric))} for metric in self._metrics
        }
        split = runs[0].config.split
        self._columns = {
            name: tuple(self._own(name, column) for column in metric.columns(dataset, split))
            for name, metric in self._metrics.items()
        }

    def _own(self, metric, column):
        """Return a column; without the paper's numbers if these are of other data, or no run can have the metric."""
        is_published = self._dataset.name in _PUBLISHED[column.table]
        if is_published and any(_can_have(run.config, metric, self._dataset) for run in self._runs):
            return column
        return dataclasses.replace(column, paper=None)

    def tables(self) -> list[Table]:
        """Return the tables that have numbers: Table 1 or 2, and Table 3 if it has more than the NLL."""
        tables = []
        if self._columns_of(OBJECTIVES):
            tables.append(self._objectives())
        if any("nll" not in part for part in self._columns_of(ESTIMATORS)):
            tables.append(self._estimators())
        return tables

    def texts(self, asked: list[str]) -> list[str]:
        """Return the results, as text, of the metrics in `asked` that have no column in a table."""
        found = []
        for name in dict.fromkeys(asked):
            # Results of earlier versions lack the text.
            results = self._results[name].items()
            lines = [f"{run}: {result.get('text', 'stored in its folder evaluation')}" for run, result in results]
            if lines and not self._columns[name]:
                found.append("\n\n".join([f"{name}:", *lines]))
        return found

    def _objectives(self):
        """Return the table of sample score and NLL, each with the name of the weights."""
        columns = self._columns_of(OBJECTIVES)
        rows = [
            Row(
                about=[run.name, _objective(run.config), _steps(run)],
                cells=functools.partial(self._cell, run),
                objective=_of_paper(run.config),
            )
            for run in self._runs
        ]
        rows += real_images(["real images", NOTHING, NOTHING], columns, self._stored)
        number = paper.objectives_number(self._dataset)
        measured = ", ".join(next(iter(part.values())).heading for part in columns)
        return model_table(
            key=f"table-{number}",
            title=f"{self._number(OBJECTIVES, number)}{measured} of {self._dataset.name}. "
            "Weights: best is the lowest validation NLL, best_score the highest score in training.",
            lead=["Run", "Objective", "Steps"],
            columns=columns,
            rows=rows,
            notes=[*about_real_images(columns), *self._notes(OBJECTIVES, columns)],
            has_weights=True,
        )

    def _estimators(self):
        """Return the table of exact NLL, AIS and KDE for the same weights and images, in nats.

        Without AIS the exact NLL and KDE are those of the metrics `nll` and `kde`.
        """
        columns = self._columns_of(ESTIMATORS)
        rows = [
            Row(
                about=[run.name, _objective(run.config), _steps(run), run.checkpoint("ais")],
                cells=functools.partial(self._cell, run, beside="ais"),
                objective=_of_paper(run.config),
            )
            for run in self._runs
        ]
        return model_table(
            key="estimators",
            title=f"{self._number(ESTIMATORS, 3)}Estimates of the NLL in nats; beside AIS they are of the same weights "
            "and images.",
            lead=["Run", "Objective", "Steps", "Weights"],
            columns=columns,
            rows=rows,
            notes=self._notes(ESTIMATORS, columns),
        )

    def _number(self, table, number):
        return f"Table {number}: " if self._dataset.name in _PUBLISHED[table] else ""

    def _columns_of(self, table):
        return columns_of(table, self._columns, self._stored)

    def _stored(self, metric: str) -> list[dict]:
        return list(self._results[metric].values())

    def _cell(self, run: FinishedRun, part: Alternatives, beside: str | None = None) -> tuple[Cell, str]:
        """Return a run's cell and the name of its weights.

        If these are not the weights of the metric `beside`, the cell names them itself.
        """
        metric = self._source(run.name, part)
        cell, weights = part[metric].cell(self._results[metric].get(run.name)), run.checkpoint(metric)
        if beside and cell.number is not None and weights != run.checkpoint(beside):
            cell = dataclasses.replace(cell, note=weights)
        return cell, weights

    def _source(self, run: str, part: Alternatives) -> str:
        """Return the metric whose result a run's cell shows, or would show if there were one."""
        return next((metric for metric in part if run in self._results[metric]), next(iter(part)))

    def _notes(self, table, columns):
        """Return the notes below a table: remarks of its metrics, and how to fill empty cells."""
        remarks = []
        for name in dict.fromkeys(name for part in columns for name in part):
            metric = self._metrics[name]
            if metric.remarks and self._columns[name][0].table == table:
                parts = [part for part in columns if name in part]
                shown = {
                    run: result
                    for run, result in self._results[name].items()
                    if any(self._source(run, part) == name for part in parts)
                }
                remarks += metric.remarks(shown)
                if metric.remarks_beside:
                    remarks += metric.remarks_beside(self._results)
        return [*remarks, *dict.fromkeys(sentence for part in columns for sentence in self._advice(part))]

    def _advice(self, part: Alternatives) -> list[str]:
        """Return a sentence on how to fill a column; none if only runs lack it for which it is impossible."""
        # The metric with the fewest other columns.
        name = min(part, key=lambda metric: len(self._columns[metric]))
        missing = [run for run in self._runs if not any(run.name in self._results[metric] for metric in part)]
        possible = [run.name for run in missing if _can_have(run.config, name, self._dataset)]
        if not possible:
            return []
        return [f"No {self._metrics[name].noun} is stored for {', '.join(possible)}; --metrics={name} computes it."]

    def draw(self, folder: pathlib.Path) -> list[pathlib.Path]:
        """Write the overlaid figures for which there are numbers; return their paths."""
        paths = [*self._draw_nlls(folder), *self._draw_scores(folder)]
        by_name = {run.name: run for run in self._runs}
        for name, metric in self._metrics.items():
            if metric.overlay and self._results[name]:
                paths += metric.overlay(self._results[name], by_name, self._dataset, folder)
        return paths

    def _draw_nlls(self, folder):
        curves = {run.label: run.curve(self._dataset.in_nll_unit) for run in self._runs if run.config.has_likelihood}
        if not curves:
            return []
        nlls = [curve[f"{split}_nll"] for curve in curves.values() for split in ("train", "validation")]
        wide = figures.is_wide([value for nll in nlls for value in nll])
        path = folder / "nll.png"
        figures.learning_curves(path, curves, self._dataset.nll_unit, log_scale=wide)
        return [path]

    def _draw_scores(self, folder):
        name = paper.score_name(self._dataset)
        found = {run.label: run.scores(name) for run in self._runs}
        points = {run: scores for run, scores in found.items() if scores}
        if not points:
            return []
        path = folder / "scores.png"
        figures.score_curves(path, points, paper.score_label(self._dataset))
        return [path]


def _steps(run):
    return NOTHING if run.steps is None else f"{run.steps:,}"


def _objective(config):
    if config.objective == "hybrid":
        return f"hybrid (lambda {config.like_reg:g})"
    return config.objective.upper() + ("" if config.has_likelihood else f", {config.model_type} {config.f_div}")


def _of_paper(config):
    """Return the objective whose paper's numbers are shown beside a run; None if the run is not of a flow."""
    return config.objective if config.has_likelihood else None


def _can_have(config, metric, dataset):
    try:
        check_metrics(config, [metric], dataset)
    except UserError:
        return False
    return True
