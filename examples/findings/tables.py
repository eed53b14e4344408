"""What the tables of the experiments share: values over seeds, their cells, and the files."""

import pathlib
from collections.abc import Iterable, Sequence

from examples.findings.lab import Lab, Trial
from flow_gan.report.tables import Cell, Table, markdown
from flow_gan.report.values import Value, difference, over_images, over_seeds, over_splits
from flow_gan.training.files import write_json, write_whole

# {measure of a trial: its column}.
HEADER = {"NLL": "Test NLL (nats)", "MODE score": "MODE score", "FID": "FID"}


def spread(lab: Lab) -> str:
    """Return what ± means, a sentence."""
    if lab.num_seeds > 1:
        return f"Latest weights; mean ± standard deviation over seeds 0 to {lab.num_seeds - 1}."
    return "Latest weights, one seed. ± of an NLL: standard error over test images; of a score: deviation over splits."


def paired(lab: Lab) -> str:
    """Return what ± of a difference means, a sentence."""
    if lab.num_seeds > 1:
        return "Differences are means over pairs of seeds ± their standard error."
    return (
        "Differences ± standard error: of NLLs over pairs of test images; otherwise the errors count as independent, "
        "and one that is not known as 0."
    )


def scored(lab: Lab, trials: Sequence[Trial | None], nll: str = "nll", scores: str = "scores") -> dict[str, Value]:
    """Return {measure: `Value`} of the trials of all seeds, the measures of `HEADER`.

    Args:
      lab: `Lab`.
      trials: one for each seed, None where there is none.
      nll, scores: the metrics that are read.
    """
    nlls = [lab.result(trial, nll) for trial in trials]
    judged = [lab.result(trial, scores) for trial in trials]
    found = {
        "NLL": [over_images(r["nats"], r["nats_standard_error"], r["nats_per_image"]) if r else Value() for r in nlls],
        "MODE score": [
            over_splits(r["mode_score"], r["mode_score_std"], r["splits"]) if r else Value() for r in judged
        ],
        "FID": [Value(r["fid"]) if r else Value() for r in judged],
    }
    return {name: over_seeds(values) for name, values in found.items()}


def cell(value: Value) -> Cell:
    """Return the cell of a value."""
    return Cell(value.number, value.error)


def minus(high: Value, low: Value) -> Cell:
    """Return the cell of a difference, empty where one of the two is missing."""
    if not (high.is_known and low.is_known):
        return Cell()
    found = difference(high, low)
    return Cell(found.number, found.error)


def cells(values: dict[str, Value], names: Iterable[str] = tuple(HEADER)) -> list[Cell | str]:
    """Return the cells of measures by name."""
    return [cell(values[name]) for name in names]


def differences(
    high: dict[str, Value], low: dict[str, Value], names: Iterable[str] = tuple(HEADER)
) -> list[Cell | str]:
    """Return the cells of the differences of measures by name."""
    return [minus(high[name], low[name]) for name in names]


def write(stem: pathlib.Path, tables: list[Table], about: dict) -> None:
    """Write tables as <stem>.json and <stem>.md, which shows <stem>.png, too."""
    write_json(stem.with_name(f"{stem.name}.json"), about | {table.key: table.to_dict() for table in tables})
    parts = []
    for table in tables:
        # A bar ends a cell of Markdown.
        lines: list[Sequence[Cell | str]] = [table.header, *table.rows]
        header, *rows = [[str(cell).replace("|", "\\|") for cell in line] for line in lines]
        parts += [f"**{table.title}**", markdown(header, rows), *table.notes]
    parts.append(f"![{tables[0].title}]({stem.name}.png)")
    write_whole(stem.with_name(f"{stem.name}.md"), "\n\n".join(parts) + "\n")
