"""Can ADV's likelihood be repaired without moving its samples?"""

import functools

from examples.findings import critics, pictures, tables
from examples.findings.lab import SCORES_REESTIMATED, Trial
from flow_gan.report.tables import Table

STEPS = (1, 3, 10, 30, 100, 300)
LAMBDAS = (1e-4, 1e-3, 1e-2, 1e-1)
# A schedule by the number of steps would make trainings of 1, 3, ... steps different ones. Without it each is the
# beginning of the longest.
_CONTINUED = {"lr_schedule": "exponential", "warmup_steps": 0}


def adv(lab, seed):
    """Return the ADV training to be repaired, a `Trial`."""
    return critics.adv(lab, seed, metrics=("nll", "scores", "nll_reestimated", SCORES_REESTIMATED))


def counts(lab):
    """Return the numbers of steps, ascending, each once."""
    return sorted({lab.steps(count) for count in STEPS})


def mle(lab, seed, steps):
    """Return MLE from ADV's weights, a `Trial`, with the hybrids' settings, from which it differs by the objective."""
    settings = lab.flow("hybrid", 1.0) | _CONTINUED | {"n_critic": 0}
    return Trial(
        name=f"repair_mle_{steps}",
        title="MLE from ADV",
        seed=seed,
        settings=settings,
        steps=steps,
        source=adv(lab, seed),
    )


def hybrid(lab, seed, steps, like_reg):
    """Return a hybrid from ADV's weights, a `Trial`."""
    settings = lab.flow("hybrid", like_reg) | _CONTINUED
    title = f"hybrid, lambda {like_reg:g}, from ADV"
    return Trial(
        name=f"repair_lambda{like_reg:g}_{steps}",
        title=title,
        seed=seed,
        settings=settings,
        steps=steps,
        source=adv(lab, seed),
    )


def ways(lab):
    """Return {name: function from (seed, steps) to a `Trial`} of the trainings that repair."""
    hybrids = {f"hybrid, λ = {value:g}": functools.partial(hybrid, lab, like_reg=value) for value in LAMBDAS}
    return {"MLE": functools.partial(mle, lab)} | hybrids


def trials(lab):
    """Yield the trials, each after what it starts from."""
    for seed in lab.seeds:
        yield adv(lab, seed)
        for make in ways(lab).values():
            for steps in counts(lab):
                yield make(seed, steps)


def report(lab):
    """Return (tables, function that draws a path)."""
    names = ("NLL", "MODE score")
    broken = [adv(lab, seed) for seed in lab.seeds]
    start = tables.scored(lab, broken)
    again = tables.scored(lab, broken, "nll_reestimated", SCORES_REESTIMATED)
    rows = [["ADV", "0", *tables.cells(start, names), "", ""]]
    rows.append(["averages re-estimated", "0", *tables.cells(again, names), *tables.differences(again, start, names)])
    curves = {"averages re-estimated": [("ADV", start), ("re-estimated", again)]}
    for way, make in ways(lab).items():
        curves[way] = [("", start)]
        for steps in counts(lab):
            found = tables.scored(lab, [make(seed, steps) for seed in lab.seeds])
            rows.append([way, str(steps), *tables.cells(found, names), *tables.differences(found, start, names)])
            curves[way].append((str(steps), found))
    columns = [tables.HEADER[name] for name in names]
    header = ["Way", "Steps from ADV", *columns, *(f"{column}, minus ADV" for column in columns)]
    notes = [
        f"ADV has made {broken[0].steps} steps. Re-estimated: batch norm's averages of the pass x → z over training "
        "images, without training; its samples are drawn with these averages, too.",
        *(tables.spread(lab), tables.paired(lab)),
    ]
    table = Table(
        key="repair", title=f"ADV's likelihood repaired, {lab.dataset}", header=header, rows=rows, notes=notes
    )
    return [table], lambda path: pictures.score_against_nll(path, curves)
