"""The report of a reproduction: figures, tables, and the page that holds them."""

import dataclasses
import pathlib
import platform

import psutil

from flow_gan import run_files
from flow_gan.data import Dataset
from flow_gan.device import device_name
from flow_gan.report.page import Page, to_csv
from flow_gan.report.page_html import to_html
from flow_gan.report.tables import Cell, Table
from flow_gan.report.values import Value
from flow_gan.reproduction.journal import Journal
from flow_gan.reproduction.plan import FLOWS, IMPLICIT, Plan
from flow_gan.reproduction.results import Results
from flow_gan.reproduction.sections import GROUPS, Context, findings, opening
from flow_gan.reproduction.sections.context import cell, differences, digits
from flow_gan.training.files import write_json, write_whole
from flow_gan.versions import installed

_SHOWN = {
    "n_critic": "Critic updates",
    "like_reg": "λ",
    "max_steps": "Steps",
    "batch_size": "Batch",
    "learning_rate": "Rate",
    "lr_schedule": "Schedule",
    "beta1": "β₁",
    "critic": "Critic",
    "df_dim": "Its filters",
}


def write(plan: Plan, journal: Journal, dataset: Dataset) -> pathlib.Path:
    """Draw all figures and write the tables and the page; return the path of index.html.

    Args:
      plan: `plan.Plan`.
      journal: `journal.Journal`.
      dataset: `data.Dataset`.
    """
    folder = journal.folder / "report"
    folder.mkdir(exist_ok=True)
    context = Context(results=Results(plan, journal, dataset), dataset=dataset, folder=folder)
    config = plan.config
    seeds = ", ".join(map(str, plan.seeds))
    result = Page(
        title=f"Flow-GAN reproduced on {dataset.name}",
        subtitle=f"The models of Grover, Dhar, Ermon (AAAI 2018), at scale {config.scale}, "
        f"{'seed' if len(plan.seeds) == 1 else 'seeds'} {seeds}",
        samples=opening(context),
        findings=findings(context),
        lead=_lead(plan, dataset),
        groups={title: [make(context) for make in sections] for title, sections in GROUPS.items()},
        differs=differences(context),
        terms=_terms(context),
        appendix=[
            *_seeds(context),
            _trainings(plan, journal),
            _stages(plan, journal),
            _evaluation(plan),
            _machine(context),
        ],
    )
    write_whole(folder / "index.html", to_html(result))
    write_whole(folder / "tables.csv", to_csv(result.tables))
    verdicts = {s.keys[0]: [dataclasses.asdict(verdict) for verdict in s.verdicts] for s in result.sections}
    tables = {table.key: table.to_dict() for table in result.tables}
    write_json(folder / "tables.json", {"tables": tables, "orderings": verdicts})
    return folder / "index.html"


def _lead(plan, dataset):
    scale = plan.config.scale
    meaning = {
        "tiny": "a check that everything works, after few steps of each training",
        "small": "trainings long enough to have learnt something, short of the paper's",
        "overnight": "what fits into a night of two cores, with the recipes that train fastest there",
        "full": "the paper's sizes, and the number of steps of the original commands where there are such",
    }[scale]
    seeds = len(plan.seeds)
    return [
        "“Better” and “worse” are by more than the error; “undecided” is a difference within it. ± is the standard "
        "error of the difference. "
        + (
            f"Numbers are means over {seeds} seeds."
            if seeds > 1
            else "All of this is of one seed, and another one's may differ by more."
        ),
        f"Every number and every statement on this page is computed from {len(plan.trainings)} trainings on "
        f"{dataset.name}, made by one command. Scale {scale}: {meaning}. The paper's values stand beside ours wherever "
        "it gives any.",
    ]


def _terms(context):
    """Return [(term, what it means here)]."""
    several = len(context.results.plan.seeds) > 1
    return [
        (
            "MLE, ADV, hybrid",
            "the same flow trained in three ways: by maximum likelihood; against a critic (WGAN) alone; by both, the "
            "objective being V / λ + NLL.",
        ),
        ("DCGAN", "a generator without a likelihood, trained as WGAN or by the Jensen-Shannon divergence (JS)."),
        ("NLL", f"negative log-likelihood in {context.unit}; of a flow it is exact. Lower is better."),
        (
            context.score,
            "how good and how varied samples are in the opinion of a classifier (Section 3.2). Higher is better.",
        ),
        ("AIS, KDE", "annealed importance sampling and kernel density: estimates of the NLL for models without one."),
        (
            "Weights",
            "best: those of the lowest validation NLL; best_score: of the highest score in training; latest: the last.",
        ),
        (
            "±",
            "mean and standard deviation over seeds."
            if several
            else "of an NLL its standard error over images; of a score its standard deviation over parts of the "
            "samples. Of a difference: its standard error.",
        ),
        (
            "undecided",
            "the difference is within its error (p above 0.05, Student's t). Where two models have values of the same "
            "images, z or seeds, it is taken in pairs. NLLs in training, and scores of one seed, count as independent. "
            "p-values of curves take the points as exchangeable, and so are low.",
        ),
        (
            "for these weights",
            "decided by the error over images, samples, z or validations of one seed's training; another seed's may "
            "differ by more. Without these words the spread over seeds decides.",
        ),
        ("(!)", "a number that should not be relied upon; “Checks” below it says why."),
        (
            "Colours",
            "those of the paper's figures. One that it does not have takes the models' from its Figure 4.",
        ),
    ]


def _seeds(context):
    """The numbers of each seed, where there are several."""
    plan = context.results.plan
    if len(plan.seeds) == 1:
        return []
    rows = []
    for role in dict.fromkeys(role for role, _ in plan.roles):
        checkpoint = None if role in (*FLOWS, *IMPLICIT) else "latest"
        nlls = [Value()] * len(plan.seeds) if role in IMPLICIT else context.nlls(role, checkpoint)
        for seed, nll, score in zip(plan.seeds, nlls, context.scores(role, checkpoint), strict=True):
            name = plan.training(role).name
            weights = checkpoint or "best, best_score"
            rows.append([name, str(seed), weights, cell(nll, digits(context)), cell(score)])
    header = ["Training", "Seed", "Weights", f"Test NLL ({context.unit})", context.score]
    notes = ["± of an NLL: standard error over images; of a score: deviation over its splits."]
    return [Table(key="seeds", title="Each seed", header=header, rows=rows, notes=notes)]


def _trainings(plan, journal):
    rows = []
    for training in plan.trainings:
        config = training.config
        values = [_shown(config, name) for name in _SHOWN]
        source = "MLE" if config.init_from_run is not None else "anew"
        outcome = journal.failure(training.key) or "finished"
        rows.append([training.title, source, *values, _minutes(journal.seconds(training.key)), training.key, outcome])
    header = ["Training", "Starts from", *_SHOWN.values(), "Minutes", "Folder in trainings/", "Outcome"]
    return Table(key="trainings", title="Trainings", header=header, rows=rows)


def _shown(config, name):
    if not config.n_critic and name in ("like_reg", "critic", "df_dim"):
        return "–"
    value = getattr(config, name)
    if name == "lr_schedule" and value == "exponential":
        return "constant" if config.lr_decay == 1 else f"x {config.lr_decay:g} a step"
    return value if isinstance(value, str) else f"{value:g}"


def _minutes(seconds):
    minutes = seconds / 60
    return Cell(minutes, digits=1 if minutes >= 1 else 2)


def _stages(plan, journal):
    stages = [*plan.trainings, *plan.stages]
    rows = [[stage.title, _minutes(journal.seconds(stage.key))] for stage in stages]
    total = sum(journal.seconds(stage.key) for stage in stages)
    rows.append(["Together", _minutes(total)])
    notes = [
        "Wall time of all processes that worked on it, without the time to start them and without the last stage of "
        "one that was killed outright."
    ]
    return Table(key="stages", title="Wall time of each stage", header=["Stage", "Minutes"], rows=rows, notes=notes)


def _evaluation(plan):
    values = plan.scale.evaluation | {"score_every (epochs)": plan.scale.score_every}
    rows = [[name, str(value)] for name, value in values.items()]
    for metric, own in plan.scale.of_metric.items():
        rows += [[f"{name}, of {metric}", str(value)] for name, value in own.items()]
    if plan.scale.flow:
        rows += [[f"{name}, of flows", str(value)] for name, value in plan.scale.flow.items()]
    for objective, own in plan.scale.of_objective.items():
        rows += [[f"{name}, of {objective}", str(value)] for name, value in own.items()]
    if plan.scale.implicit:
        rows += [[f"{name}, of DCGANs", str(value)] for name, value in plan.scale.implicit.items()]
    return Table(key="settings", title=f"What scale {plan.config.scale} sets", header=["Setting", "Value"], rows=rows)


def _machine(context):
    trained = {run_files.trained_on(training.folder) or "not recorded" for training in context.results.plan.trainings}
    named = {
        "Trained on": ", ".join(sorted(trained)),
        "Measured on": ", ".join(context.results.devices()) or "not recorded",
        "Page written on": device_name(),
        "Memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "System": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        **installed("matplotlib"),
    }
    rows: list[list[Cell | str]] = [[name, value] for name, value in named.items()]
    versions = context.results.versions()
    notes = ["From the third row on, of the process that wrote this page."]
    if len(versions) > 1:
        texts = (", ".join(f"{name} {version}" for name, version in each.items()) for each in versions)
        notes.append("Results were made with different versions: " + "; ".join(texts))
    return Table(key="machine", title="Machine and versions", header=["What", "Value"], rows=rows, notes=notes)
