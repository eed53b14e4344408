"""The report of a reproduction: figures, tables, and the page that holds them."""

import dataclasses
import importlib.metadata
import os
import platform

import psutil
import tensorflow as tf

from flow_gan.modes.reproduction.findings import Findings
from flow_gan.modes.reproduction.sections import SECTIONS, Context
from flow_gan.report import page
from flow_gan.report.page import Cell, Page, Table
from flow_gan.training.run_folder import write_json, write_whole

_PACKAGES = ("tensorflow", "keras", "tensorflow-probability", "numpy", "scikit-learn", "matplotlib")
_SHOWN = {
    **{"n_critic": "Critic updates", "like_reg": "λ", "max_steps": "Steps", "batch_size": "Batch"},
    **{"learning_rate": "Rate", "lr_decay": "Decay", "beta1": "β₁"},
}


def write(plan, journal, dataset):
    """Draw all figures and write the tables and the page; return the path of index.html.

    Args:
      plan: `plan.Plan`.
      journal: `journal.Journal`.
      dataset: `data.Dataset`.
    """
    folder = journal.folder / "report"
    folder.mkdir(exist_ok=True)
    context = Context(Findings(plan, journal), dataset, folder)
    sections = [make(context) for make in SECTIONS]
    config = plan.config
    seeds = ", ".join(map(str, plan.seeds))
    result = Page(
        "Flow-GAN, reproduced",
        f"Grover, Dhar, Ermon (AAAI 2018) on {dataset.name}, scale {config.scale}, "
        f"{'seed' if len(plan.seeds) == 1 else 'seeds'} {seeds}",
        _lead(plan, dataset),
        sections,
        [_trainings(plan, journal), _stages(plan, journal), _evaluation(plan), _machine()],
    )
    write_whole(folder / "index.html", page.to_html(result))
    write_whole(folder / "tables.csv", page.to_csv(result.tables))
    verdicts = {s.keys[0]: [dataclasses.asdict(verdict) for verdict in s.verdicts] for s in sections}
    tables = {table.key: table.to_dict() for table in result.tables}
    write_json(folder / "tables.json", {"tables": tables, "orderings": verdicts})
    return folder / "index.html"


def _lead(plan, dataset):
    scale = plan.config.scale
    meaning = {
        "tiny": "a check that everything works, after few steps of each training",
        "small": "trainings long enough to have learnt something, short of the paper's",
        "full": "the paper's sizes, and the number of steps of the original commands where there are such",
    }[scale]
    return [
        f"Every number and every statement below is computed from {len(plan.trainings)} trainings on {dataset.name}, "
        f"made by one command. Scale {scale}: {meaning}. The paper's values stand beside ours wherever it gives any.",
        "NLL is the negative log-likelihood, exact for a flow; lower is better. (!) marks a number with a failed "
        "check, which is named below it.",
    ]


def _trainings(plan, journal):
    rows = []
    for training in plan.trainings:
        config = training.config
        values = [
            "–" if name == "like_reg" and not config.n_critic else f"{getattr(config, name):g}" for name in _SHOWN
        ]
        outcome = journal.failure(training.key) or "finished"
        rows.append([training.title, *values, Cell(journal.seconds(training.key), None, 0), training.key, outcome])
    header = ["Training", *_SHOWN.values(), "Seconds", "Folder in trainings/", "Outcome"]
    return Table("trainings", "Trainings", header, rows)


def _stages(plan, journal):
    stages = [*plan.trainings, *plan.stages]
    rows = [[stage.title, Cell(journal.seconds(stage.key), None, 1)] for stage in stages]
    total = sum(journal.seconds(stage.key) for stage in stages)
    rows.append(["Together", Cell(total, None, 1)])
    notes = ["Wall time over all sessions of the reproduction, without the time to start the process."]
    return Table("stages", "Wall time of each stage", ["Stage", "Seconds"], rows, notes)


def _evaluation(plan):
    values = plan.scale.evaluation | {"score_every (epochs)": plan.scale.score_every}
    rows = [[name, str(value)] for name, value in values.items()]
    for metric, own in plan.scale.of_metric.items():
        rows += [[f"{name}, of {metric}", str(value)] for name, value in own.items()]
    if plan.scale.flow:
        rows += [[f"{name}, of flows", str(value)] for name, value in plan.scale.flow.items()]
    if plan.scale.implicit:
        rows += [[f"{name}, of DCGANs", str(value)] for name, value in plan.scale.implicit.items()]
    return Table("settings", f"What scale {plan.config.scale} sets", ["Setting", "Value"], rows)


def _machine():
    devices = [f"{device.device_type} {device.name}" for device in tf.config.list_physical_devices()]
    rows = [
        ["Processor", _processor()],
        ["Cores", str(os.cpu_count())],
        ["Memory", f"{psutil.virtual_memory().total / 2**30:.0f} GiB"],
        ["TensorFlow's devices", ", ".join(devices)],
        ["System", f"{platform.system()} {platform.release()}"],
        ["Python", platform.python_version()],
        *([package, importlib.metadata.version(package)] for package in _PACKAGES),
    ]
    return Table("machine", "Machine and versions", ["What", "Value"], rows)


def _processor():
    try:
        with open("/proc/cpuinfo") as lines:
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
