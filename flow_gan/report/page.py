"""What the report consists of; `page_html` renders it."""

import csv
import dataclasses
import io
import pathlib
from collections.abc import Iterable, Mapping, Sequence

from flow_gan.report import claims
from flow_gan.report.tables import Cell, Table


@dataclasses.dataclass(frozen=True, kw_only=True)
class Picture:
    """A figure that has been drawn, of one panel or of several that stand beside each other where there is room.

    Attributes:
      key: unique on the page.
      panels: {title: the file, which is embedded}: an SVG is a drawing, a PNG shows pixels of images. The title is
        empty where there is nothing to tell apart.
      alternative: the text for screen readers, what it shows.
    """

    key: str
    panels: Mapping[str, pathlib.Path]
    alternative: str
    caption: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Section:
    """One of the paper's figures or tables and what this run has for it.

    Attributes:
      keys: anchors: "figure-3", "table-1", ...
      paper: what the paper shows.
      differs: what is done differently here.
      checks: what the numbers' reliability rests on.
    """

    keys: list[str]
    title: str
    paper: str
    differs: list[str] = dataclasses.field(default_factory=list)
    parts: Sequence[Picture | Table] = dataclasses.field(default_factory=list)
    verdicts: list[claims.Verdict] = dataclasses.field(default_factory=list)
    checks: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Page:
    """The report.

    Attributes:
      samples: what the page begins with; None if there is none.
      findings: [(of what, the rest of the sentence)], what matters most.
      lead: paragraphs below them.
      groups: {title: sections}.
      differs: what differs from the paper in all sections.
      terms: words that the page uses, and their meanings.
      appendix: trainings, stages, versions.
    """

    title: str
    subtitle: str
    samples: Picture | None
    findings: list[tuple[str, str]]
    lead: list[str]
    groups: Mapping[str, list[Section]]
    differs: list[str]
    terms: list[tuple[str, str]]
    appendix: list[Table]

    @property
    def sections(self) -> list[Section]:
        """All sections, in their order."""
        return [section for sections in self.groups.values() for section in sections]

    @property
    def tables(self) -> list[Table]:
        """All tables, in their order."""
        return [part for section in self.sections for part in section.parts if isinstance(part, Table)] + self.appendix


def to_csv(tables: Iterable[Table]) -> str:
    """Return tables as CSV, with a line for each cell: table, row, column, value, error, text."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["table", "row", "column", "value", "error", "text"])
    for table in tables:
        for row in table.rows:
            for column, cell in zip(table.header[1:], row[1:], strict=True):
                numbers = [cell.number, cell.error] if isinstance(cell, Cell) else [None, None]
                shown = ["" if value is None else repr(float(value)) for value in numbers]
                writer.writerow([table.key, str(row[0]), column, *shown, str(cell)])
    return text.getvalue()
