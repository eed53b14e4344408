"""MLE and then a hybrid, against a hybrid from scratch, in the same time of training."""

from examples.findings import pictures, tables
from examples.findings.lab import HYBRID_LAMBDA, Trial
from flow_gan.report.tables import Cell, Table
from flow_gan.report.values import Value, over_seeds


def mle(lab, seed):
    """Return the MLE part, a `Trial`."""
    return Trial(name="mle", title="MLE", seed=seed, settings=lab.flow("mle"), steps=lab.recipe_steps("mle"))


def warm(lab, seed):
    """Return the hybrid from the MLE flow, a `Trial`."""
    settings = lab.flow("hybrid", HYBRID_LAMBDA[lab.dataset])
    steps = lab.recipe_steps("hybrid")
    return Trial(
        name="hybrid_warm", title="hybrid from MLE", seed=seed, settings=settings, steps=steps, source=mle(lab, seed)
    )


def scratch(lab, seed):
    """Return the hybrid from scratch, with as many steps as fit into the time of the other two.

    A step of it is one of the hybrid part, and counted with its seconds. None before those are trained.
    """
    first, second = mle(lab, seed), warm(lab, seed)
    if not (lab.is_trained(first) and lab.is_trained(second)):
        return None
    saved = first.steps * lab.seconds_per_step(first) / lab.seconds_per_step(second)
    return Trial(
        name="hybrid_scratch",
        title="hybrid from scratch",
        seed=seed,
        settings=second.settings,
        steps=second.steps + round(saved),
    )


def trials(lab):
    """Yield the trials, each after those whose seconds its steps follow from."""
    for seed in lab.seeds:
        yield mle(lab, seed)
        yield warm(lab, seed)
        trial = scratch(lab, seed)
        if trial is not None:
            yield trial


def report(lab):
    """Return (tables, function that draws a path)."""
    parts = {
        "MLE": [mle(lab, seed) for seed in lab.seeds],
        "hybrid from MLE": [warm(lab, seed) for seed in lab.seeds],
        "hybrid from scratch": [scratch(lab, seed) for seed in lab.seeds],
    }
    found = {name: tables.scored(lab, made) for name, made in parts.items()}
    rows = []
    for name, made in parts.items():
        steps, seconds = [], []
        for trial, before in zip(made, parts["MLE"], strict=True):
            spent = [before, trial] if name == "hybrid from MLE" else [trial]
            if all(part is not None and lab.is_trained(part) for part in spent):
                steps.append(Value(float(trial.steps)))
                seconds.append(Value(sum(part.steps * lab.seconds_per_step(part) for part in spent)))
        counted = [Cell(value.number, value.error, digits=0) for value in map(over_seeds, (steps, seconds))]
        rows.append([name, *counted, *tables.cells(found[name])])
    gain = tables.differences(found["hybrid from MLE"], found["hybrid from scratch"])
    rows.append(["from MLE, minus from scratch", "", "", *gain])
    notes = [
        f"λ = {HYBRID_LAMBDA[lab.dataset]:g}. Seconds: steps times the run's own median seconds per step, without "
        "start-up and validations; those of the hybrid from MLE count its MLE, too.",
        *(tables.spread(lab), tables.paired(lab)),
    ]
    header = ["Training", "Steps", "Seconds", *tables.HEADER.values()]
    table = Table(
        key="warm-start",
        title=f"A hybrid from MLE and from scratch, {lab.dataset}",
        header=header,
        rows=rows,
        notes=notes,
    )
    return [table], lambda path: pictures.score_against_nll(
        path, {name: [("", values)] for name, values in found.items()}
    )
