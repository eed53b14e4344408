"""ADV by critic: does a critic that makes better samples make a worse likelihood?"""

from examples.findings import pictures, tables
from examples.findings.lab import Trial
from flow_gan.report.tables import Table

# The release's for MNIST, and the one for colour images, with layer norms, at three widths: (critic, df_dim).
CRITICS = (("mnist", 64), ("dcgan", 8), ("dcgan", 16), ("dcgan", 32))


def adv(lab, seed, critic="dcgan", df_dim=16, metrics=("nll", "scores")):
    """Return ADV against a critic, a `Trial`."""
    settings = lab.flow("adv") | {"critic": critic, "df_dim": df_dim}
    title = f"ADV, critic {critic}, {df_dim} filters"
    return Trial(
        name=f"adv_{critic}{df_dim}",
        title=title,
        seed=seed,
        settings=settings,
        steps=lab.recipe_steps("adv"),
        metrics=metrics,
    )


def trials(lab):
    """Yield the trials."""
    for seed in lab.seeds:
        for critic in CRITICS:
            yield adv(lab, seed, *critic)


def report(lab):
    """Return (tables, function that draws a path)."""
    rows, curves, first = [], {}, None
    for critic, df_dim in CRITICS:
        made = [adv(lab, seed, critic, df_dim) for seed in lab.seeds]
        found = tables.scored(lab, made)
        name = f"{critic}, {df_dim} filters"
        compared = ["", "", ""] if first is None else tables.differences(found, first)
        first = first or found
        rows.append([name, str(made[0].steps), *tables.cells(found), *compared])
        curves[name] = [("", found)]
    columns = tables.HEADER.values()
    header = ["Critic", "Steps", *columns, *(f"{column}, minus the first" for column in columns)]
    notes = ["The first critic is the release's for MNIST.", tables.spread(lab), tables.paired(lab)]
    table = Table(key="critics", title=f"ADV by critic, {lab.dataset}", header=header, rows=rows, notes=notes)
    return [table], lambda path: pictures.score_against_nll(path, curves)
