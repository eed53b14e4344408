"""The paper's Tables 1 to 3 of any models, built here for `--mode=compare` and for the report."""

import dataclasses
from collections.abc import Callable

from flow_gan.report.tables import Cell, Rows, Table
from flow_gan.report.values import Value

# Tables 1 (grey images) and 2 (colour): sample score and likelihood. Table 3: estimates of the likelihood.
OBJECTIVES = "objectives"
ESTIMATORS = "estimators"
# The part of a result that is of training images, as good as samples can be where test images are the measure.
TRAINING_IMAGES = "training_images"
# In place of words that are missing.
NOTHING = "-"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Column:
    """A metric's column in one of the tables.

    Attributes:
      table: `OBJECTIVES` or `ESTIMATORS`.
      heading: str. Columns of several metrics with the same heading are one; a model's cell shows the first metric that
        is stored of it.
      number, error: names of the number and of its error in a stored result; no error if None.
      part: name of the part of the result, a dict, that has them; None for the result itself.
      real_images: name of the part of the result that has the same numbers of real images; None if it has none.
      digits: int, decimals.
      place: int, among the columns from the left. Those of the paper come first.
      paper: {objective: number} of the paper. Such a column stands in the table whether there are results or not.
      paper_heading: str, of these numbers.
      to_value: function from a stored result, or that part of it, to its `Value`, for comparing models; number and
        error if None.
    """

    table: str
    heading: str
    number: str
    error: str | None = None
    part: str | None = None
    real_images: str | None = None
    digits: int = 2
    place: int = 100
    paper: dict[str, float] | None = None
    paper_heading: str = ""
    to_value: Callable[[dict], Value] | None = None

    def found(self, result: dict | None) -> dict | None:
        """Return that part of a stored result which has the number, None where there is none."""
        return result if result is None or self.part is None else result[self.part]

    def value(self, result: dict | None) -> Value:
        """Return the `Value` of a stored result, for comparing models."""
        found = self.found(result)
        if found is None:
            return Value()
        return self.to_value(found) if self.to_value else Value(found[self.number], self._error(found))

    def cell(self, result: dict | None) -> Cell:
        """Return the cell of a stored result as it states itself, marked where it has warnings."""
        found = self.found(result)
        if found is None:
            return Cell()
        number = float("nan") if found[self.number] is None else found[self.number]
        return Cell(number, self._error(found), digits=self.digits, is_marked=bool(found.get("warnings")))

    def _error(self, found):
        return found[self.error] if self.error else None


# One for each metric that has the column.
Alternatives = dict[str, Column]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """A model in a table.

    Attributes:
      about: list of str, the model's name and what else stands before the numbers.
      cells: function from the `Alternatives` of a column to the model's cell, and to the name of the weights that it is
        of, which is shown where the table has them.
      objective: str, whose numbers of the paper stand beside it; None for nobody's.
    """

    about: list[str]
    cells: Callable[[Alternatives], tuple[Cell | str, str]]
    objective: str | None = None


def columns_of(
    table: str, of_metrics: dict[str, tuple[Column, ...]], stored: Callable[[str], list[dict]]
) -> list[Alternatives]:
    """Return the columns of a table, from the left.

    Args:
      table: `OBJECTIVES` or `ESTIMATORS`.
      of_metrics: {metric: its columns}.
      stored: function from a metric to the stored results of all models.
    """
    found: dict[str, Alternatives] = {}
    for metric, columns in of_metrics.items():
        for column in columns:
            if column.table == table:
                found.setdefault(column.heading, {})[metric] = column
    shown = [part for part in found.values() if _paper(part) or any(stored(metric) for metric in part)]
    return sorted(shown, key=lambda part: min(column.place for column in part.values()))


def model_table(
    *,
    key: str,
    title: str,
    lead: list[str],
    columns: list[Alternatives],
    rows: list[Row],
    notes: list[str],
    has_weights: bool = False,
) -> Table:
    """Return a table of models, the paper's numbers on its right.

    Args:
      key, title, notes: see `Table`.
      lead: headings of what stands in `Row.about`.
      columns: from `columns_of`.
      rows: the models.
      has_weights: bool, whether a column for the name of the weights follows each measure's.
    """
    header = list(lead)
    for part in columns:
        header += [_first(part).heading, *(["Weights"] if has_weights else [])]
    header += [_first(part).paper_heading for part in columns if _paper(part)]
    lines: Rows = []
    for row in rows:
        line: list[Cell | str] = [*row.about]
        for part in columns:
            cell, weights = row.cells(part)
            line += [cell, *([weights] if has_weights else [])]
        line += [Cell(_paper(part).get(row.objective)) for part in columns if _paper(part)]
        lines.append(line)
    return Table(key=key, title=title, header=header, rows=lines, notes=notes)


def real_images(about: list[str], columns: list[Alternatives], stored: Callable[[str], list[dict]]) -> list[Row]:
    """Return the row of real images by the same classifier, as good as samples can be; none if nothing is stored.

    Args:
      about: see `Row`.
      columns: from `columns_of`.
      stored: likewise.
    """

    def cells(part):
        for metric, column in part.items():
            for result in stored(metric):
                # Results of before they were stored beside lack the part.
                if column.real_images in result:
                    return column.cell(result[column.real_images]), NOTHING
        return Cell(), NOTHING

    return [Row(about=about, cells=cells)] if any(cells(part) != (Cell(), NOTHING) for part in columns) else []


def about_real_images(columns: list[Alternatives]) -> list[str]:
    """Return which images the row of real ones is of where they are not test images, as a list of sentences."""
    headings = [_first(part).heading for part in columns if _first(part).real_images == TRAINING_IMAGES]
    if not headings:
        return []
    return [f"Real images are test images; of {', '.join(headings)}, which are against test images, training images."]


def _first(part):
    return next(iter(part.values()))


def _paper(part):
    """Return the paper's numbers of a column, {objective: number}; None where there are none."""
    return next((column.paper for column in part.values() if column.paper), None)
