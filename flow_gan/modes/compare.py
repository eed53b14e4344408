"""--mode=compare: several runs in the paper's tables and figures."""

import dataclasses
import math

from flow_gan import training
from flow_gan.config import Config, changeable
from flow_gan.errors import UserError
from flow_gan.measurement.measure import Run, cannot_have, check_metrics, measure, score_label, score_name
from flow_gan.measurement.run import open_run
from flow_gan.report import figures, paper, tables
from flow_gan.report.values import difference, over_images
from flow_gan.training.run_folder import check_free, check_writable, new_folder, read_data, write_whole

_UNKNOWN = "-"
# What is given for the comparison, and not for measuring its runs.
_OF_THE_COMPARISON = ("mode", "run_dirs", "runs_dir", "run_dir")
# What runs must share, for their figures to be of the same images, besides the data set, which may have moved.
_SAME_DATA = ("validation_split", "levels", "input_height", "input_width", "c_dim")


def run(given: dict) -> None:
    """Measure what is asked for and not stored yet, then write the tables and overlaid figures of several runs.

    Args:
      given: {setting: value} of the command line, which also hold for measuring the runs.

    Raises:
      UserError: a folder is no run, the runs are of different data sets, or a measure cannot be had.
    """
    config = Config(**given)
    unused = sorted(given.keys() - set(changeable("compare")))
    if unused:
        raise UserError(f"--{unused[0]}={given[unused[0]]} has no use in --mode=compare; leave the flag out")
    if config.run_dir is not None:
        # Now, not after the measuring.
        check_free("run_dir", config.run_dir)
    shared = {name: value for name, value in given.items() if name not in _OF_THE_COMPARISON}
    runs = [open_run(folder, shared) for folder in config.run_dirs.split(",")]
    if len({run.name for run in runs}) < len(runs):
        raise UserError(f"--run_dirs={config.run_dirs} names two runs alike; expected folders of different names")
    recorded = [read_data(run.folder.path) for run in runs]
    is_one = all(own["path"] is not None for own in recorded) and len({own["digest"] for own in recorded}) == 1
    for setting in _SAME_DATA if is_one else ("dataset", *_SAME_DATA):
        values = {str(getattr(run.config, setting)) for run in runs}
        if len(values) > 1:
            raise UserError(f"--run_dirs are of different data, --{setting} {', '.join(sorted(values))}; expected one")
    # What is not readable should be known before anything is measured.
    for run in runs:
        run.read_records()
    dataset = training.load_data(runs[0].config)
    runs = [dataclasses.replace(run, data_digest=dataset.digest) for run in runs]
    # What a run cannot have is left out of its row, as is the NLL of a model without a likelihood.
    metrics = dict.fromkeys(config.metrics.split(","))
    wanted = [(run, metric) for run in runs for metric in metrics if not cannot_have(run.config, metric)]
    for run, metric in wanted:
        check_metrics(run.config, [metric], dataset)
    to_measure = [(run, metric) for run, metric in wanted if run.result(metric) is None]
    for run, _ in to_measure:
        check_writable(run.folder)
    for run, metric in to_measure:
        changed = run.configured(metric)
        model, folder = training.load_model(changed, dataset.levels)
        print(f"{run.name}: {metric}, checkpoint {changed.checkpoint}")
        print(measure(Run(changed, dataset, model, folder), metric))
    folder = new_folder(config, "comparison")
    text = "\n\n".join([_objectives_table(runs, dataset), _estimators_table(runs, dataset)])
    write_whole(folder / "tables.md", text + "\n")
    print(text)
    for path in (folder / "tables.md", *_draw(runs, dataset, folder)):
        print(path)


def _objectives_table(runs, dataset):
    """Table 1 (grey images) or 2 (colour): the best sample score and the test NLL."""
    grey = dataset.image_shape[-1] == 1
    unit = "nats" if grey else "bits/dim"
    published = {"mnist": paper.TABLE_1, "cifar10": paper.TABLE_2}.get(dataset.name, {})
    name = score_name(dataset)
    rows = []
    for run in runs:
        scores, nll = run.result("scores"), run.result("nll")
        stated = published.get(run.config.objective) if run.config.has_likelihood else None
        rows.append(
            [
                run.name,
                _objective(run.config),
                _figure(scores, name, f"{name}_std", 3),
                run.checkpoint("scores"),
                _nll(nll, *(("nats", 2) if grey else ("bits_per_dim", 4))),
                run.checkpoint("nll"),
                f"{stated[0]:.2f}" if stated else _UNKNOWN,
                f"{stated[1]:.2f}" if stated else _UNKNOWN,
            ]
        )
    ceilings = [run.result("scores")["test_images"] for run in runs if "test_images" in (run.result("scores") or {})]
    if ceilings:
        rows.append(["real test images", _UNKNOWN, _figure(ceilings[0], name, f"{name}_std", 3), *[_UNKNOWN] * 5])
    label = score_label(dataset)
    header = ["run", "objective", label, "weights", f"{runs[0].config.split} NLL ({unit})", "weights"]
    header += [f"paper's {label}", f"paper's NLL ({unit})"]
    notes = [
        f"Table {1 if grey else 2}: sample score and held-out NLL, {dataset.name}. "
        "Weights: best is the lowest validation NLL, best_score the highest score in training.",
        *(_about_scores(run.name, run.result("scores")) for run in runs if run.result("scores")),
        *sorted({run.result("scores")["note"] for run in runs if run.result("scores")}),
    ]
    for run in runs:
        nll = run.result("nll")
        if nll:
            notes += [f"(!) {run.name}: {warning}" for warning in nll["warnings"]]
            notes += _limits(run.name, "the NLL", nll["num_images"], nll["num_available"])
    notes += _differences(runs) + _advice(runs, dataset, "scores", "score") + _advice(runs, dataset, "nll", "NLL")
    return tables.markdown(header, rows) + "\n\n" + "\n".join(notes)


def _differences(runs):
    """Return by how many nats each run's NLL is above the lowest, in pairs of images: a list of sentences."""
    results = {run.name: run.result("nll") for run in runs}
    values = {
        name: over_images(result["nats"], result["nats_standard_error"], result["nats_per_image"])
        for name, result in results.items()
        if result
    }
    known = {name: value for name, value in values.items() if value.is_known}
    if len(known) < 2:
        return []
    best = min(known, key=lambda name: known[name].number)
    return [
        f"NLL in nats, {name} - {best}: {difference(value, known[best])}"
        for name, value in known.items()
        if name != best
    ]


def _advice(runs, dataset, metric, what):
    """Return how to get a measure that is not stored of all runs, where it can be had: a list of sentences."""
    missing = [run for run in runs if run.result(metric) is None]
    possible = [run.name for run in missing if _can_have(run.config, metric, dataset)]
    found = [f"No {what} is stored of {', '.join(possible)}; --metrics={metric} computes it."] if possible else []
    if metric == "scores" and len(possible) < len(missing):
        found.append(f"There are no scores by a classifier that is trained on labels, which {dataset.name} has not.")
    return found


def _can_have(config, metric, dataset):
    try:
        check_metrics(config, [metric], dataset)
    except UserError:
        return False
    return True


def _estimators_table(runs, dataset):
    """Table 3: exact NLL, AIS and KDE of the same weights and images, in nats.

    Without AIS the exact NLL and KDE are those that were measured by themselves.
    """
    rows, notes = [], ["Table 3: estimates of the NLL in nats; beside AIS they are of the same weights and images."]
    for run in runs:
        ais = run.result("ais")
        published = paper.TABLE_3.get(run.config.objective) if run.config.dataset == "mnist" else None
        row = [run.name, _objective(run.config), run.checkpoint("ais")]
        if ais is None:
            exact, kde = run.result("nll"), run.result("kde")
            cells = [_nll(exact, "nats", 2), _UNKNOWN, _kde(kde), _UNKNOWN]
            if exact and run.checkpoint("nll") != run.checkpoint("kde"):
                cells[0] += f", {run.checkpoint('nll')}"
            rows.append([*row, *cells])
            if kde:
                notes += [f"(!) {run.name}, KDE: {warning}" for warning in kde["warnings"]]
                notes += _limits(run.name, "KDE", kde["num_test"], kde["num_available"][1])
            continue
        parts = {"exact": ais["nll"], "AIS": ais, "KDE": ais["kde"]}
        rows.append(
            [
                *row,
                _nll(ais["nll"], "nats", 2),
                _nll(ais, "nats", 2),
                _kde(ais["kde"]),
                " / ".join(f"{value:.2f}" for value in published) if published else _UNKNOWN,
            ]
        )
        for name, part in parts.items():
            notes += [f"(!) {run.name}, {name}: {warning}" for warning in (part["warnings"] if part else [])]
        notes += _limits(run.name, "Table 3", ais["num_images"], ais["num_available"])
    notes += _advice(runs, dataset, "ais", "AIS")
    header = ["run", "objective", "weights", "exact", "AIS", "KDE", "paper's exact / AIS / KDE"]
    return tables.markdown(header, rows) + "\n\n" + "\n".join(notes)


def _objective(config):
    if config.objective == "hybrid":
        return f"hybrid (lambda {config.like_reg:g})"
    return config.objective.upper() + ("" if config.has_likelihood else f", {config.model_type} {config.f_div}")


def _nll(result, name, digits):
    """Return an NLL with its standard error, marked where it has warnings."""
    return _marked(_figure(result, name, f"{name}_standard_error", digits), result)


def _kde(result):
    """Return the NLL of the Parzen window with its standard error, marked where it has warnings."""
    return _marked(_figure(result, "best_test_nll", "best_test_standard_error", 2), result)


def _marked(text, result):
    return f"{text} (!)" if result and result["warnings"] else text


def _about_scores(run, scores):
    accuracy = scores["classifier_test_accuracy"]
    known = "" if accuracy is None else f", test accuracy {100 * accuracy:.2f} %"
    samples = f"{scores['num_samples']} samples in {scores['splits']} splits"
    return f"{run}: scores of {samples} by {scores['classifier']}{known}"


def _limits(run, what, used, available):
    return [f"{run}: {used} of {available} images in {what}"] if used < available else []


def _figure(result, name, error, digits):
    """Return "value +- error" of a stored result."""
    if result is None:
        return _UNKNOWN
    if result[name] is None:
        return "not finite"
    text = f"{result[name]:.{digits}f}"
    return text if error is None or result[error] is None else f"{text} +- {result[error]:.{digits}f}"


def _draw(runs, dataset, folder):
    """Write the overlaid figures for which there are numbers; return their paths."""
    grey = dataset.image_shape[-1] == 1
    paths = []

    def path(name):
        paths.append(folder / f"{name}.png")
        return paths[-1]

    unit = (lambda nats: nats) if grey else dataset.bits_per_dim
    curves = {run.name: run.curve(unit) for run in runs if run.config.has_likelihood}
    if curves:
        nlls = [curve[f"{split}_nll"] for curve in curves.values() for split in ("train", "validation")]
        wide = figures.is_wide([value for nll in nlls for value in nll])
        figures.learning_curves(path("nll"), curves, "nats" if grey else "bits/dim", log_scale=wide)
    name = score_name(dataset)
    points = {run.name: run.scores(name) for run in runs}
    points = {run: scores for run, scores in points.items() if scores}
    if points:
        figures.score_curves(path("scores"), points, score_label(dataset))
    spectra = {run.name: run.result("jacobian") for run in runs}
    spectra = {run: result["singular_values"] for run, result in spectra.items() if result}
    if spectra:
        figures.singular_value_cdf(path("jacobian"), spectra)
    for run in runs:
        sweep = run.result("gmm")
        if sweep:
            nll = sweep["run_validation_nll"]
            if nll is None and run.config.has_likelihood:
                nll = math.inf  # Which JSON does not know.
            figures.mixture_sweep(
                path(f"gmm-{run.name}"),
                {"bandwidths": sweep["bandwidths"], "nll": sweep["validation_nll"], "score": sweep.get("scores")},
                f"{run.name}, {run.checkpoint('gmm')}",
                nll,
                sweep["run_score"],
                score_label(dataset),
                "nats",
            )
    return paths
