"""The report as one self-contained HTML file: no network, no script, no other file."""

import base64
import csv
import dataclasses
import io
import pathlib
from collections.abc import Iterable, Sequence
from xml.etree import ElementTree

from flow_gan.report import claims
from flow_gan.report.tables import Cell, Table

_STYLE = (pathlib.Path(__file__).parent / "page.css").read_text(encoding="utf-8")
_MIME = {".svg": "image/svg+xml", ".png": "image/png"}
_SYMBOLS = {claims.HOLDS: "✓", claims.FAILS: "✗", claims.UNDECIDED: "≈", claims.UNKNOWN: "?"}
_CLASSES = {
    claims.HOLDS: "holds",
    claims.FAILS: "fails",
    claims.UNDECIDED: "undecided",
    claims.UNKNOWN: "unknown",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Picture:
    """A figure that has been drawn.

    Attributes:
      key: unique on the page.
      path: the SVG or PNG file, which is embedded.
      alternative: the text for screen readers, what it shows.
    """

    key: str
    path: pathlib.Path
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
      lead: paragraphs at the beginning.
      terms: words that the page uses, and their meanings.
      differs: what differs from the paper in all sections.
      appendix: trainings, stages, versions.
    """

    title: str
    subtitle: str
    lead: list[str]
    terms: list[tuple[str, str]]
    differs: list[str]
    sections: list[Section]
    appendix: list[Table]

    @property
    def tables(self) -> list[Table]:
        """All tables, in their order."""
        return [part for section in self.sections for part in section.parts if isinstance(part, Table)] + self.appendix


def to_html(page: Page) -> str:
    """Return a page as HTML."""
    root = _element("html", lang="en")
    head = _add(root, "head")
    _add(head, "meta", charset="utf-8")
    _add(head, "meta", name="viewport", content="width=device-width, initial-scale=1")
    _add(head, "title", page.title)
    _add(head, "style", _STYLE)
    body = _add(root, "body")
    header = _add(body, "header")
    _add(header, "h1", page.title)
    _add(header, "p", page.subtitle, **{"class": "subtitle"})
    main = _add(body, "main")
    for paragraph in page.lead:
        _add(main, "p", paragraph)
    _summary(main, page)
    _list(main, "What differs from the paper everywhere", page.differs)
    words = _add(main, "dl")
    for term, meaning in page.terms:
        _add(words, "dt", term)
        _add(words, "dd", meaning)
    for section in page.sections:
        _section(main, section)
    appendix = _add(main, "section", id="appendix")
    _add(appendix, "h2", "How it was made")
    for table in page.appendix:
        _table(appendix, table)
    return "<!DOCTYPE html>\n" + ElementTree.tostring(root, encoding="unicode", method="html") + "\n"


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


def _element(tag, text=None, **attributes):
    element = ElementTree.Element(tag, attributes)
    element.text = text
    return element


def _add(parent, tag, text=None, **attributes):
    element = _element(tag, text, **attributes)
    parent.append(element)
    return element


def _summary(main, page):
    """The list of all verdicts, each a link to its section."""
    verdicts = [(section, verdict) for section in page.sections for verdict in section.verdicts]
    counts = [sum(v.status == status for _, v in verdicts) for status in _SYMBOLS]
    summary = _add(main, "section", id="summary")
    _add(summary, "h2", "What holds")
    _add(
        summary,
        "p",
        f"Of {len(verdicts)} statements, the paper's and at the end ours, {counts[0]} hold in this run, {counts[1]} do "
        f"not hold, {counts[2]} are undecided, and of {counts[3]} it cannot be told. Each is computed from the "
        "numbers below it.",
    )
    table = _add(_add(summary, "div", **{"class": "wide"}), "table", **{"class": "verdicts"})
    head = _add(_add(table, "thead"), "tr")
    for name in ("Where", "Statement", "In this run"):
        _add(head, "th", name, scope="col")
    rows = _add(table, "tbody")
    for section, verdict in verdicts:
        row = _add(rows, "tr")
        _add(_add(row, "td", **{"class": "where"}), "a", _short(section), href=f"#{section.keys[0]}")
        _add(row, "td", verdict.claim)
        _add(_add(row, "td"), "span", _status(verdict), **{"class": f"status {_CLASSES[verdict.status]}"})


def _short(section):
    return section.title.split(":")[0]


def _status(verdict):
    is_of_weights = verdict.status in (claims.HOLDS, claims.FAILS) and not verdict.is_clear
    return f"{_SYMBOLS[verdict.status]} {verdict.status}{', of these weights' if is_of_weights else ''}"


def _section(main, section):
    place = _add(main, "section", id=section.keys[0])
    for key in section.keys[1:]:
        _add(place, "span", id=key)
    _add(place, "h2", section.title)
    said = _add(place, "p", **{"class": "paper"})
    _add(said, "strong", "Paper: ").tail = section.paper
    for part in section.parts:
        (_table if isinstance(part, Table) else _picture)(place, part)
    for verdict in section.verdicts:
        line = _add(place, "p", **{"class": f"verdict {_CLASSES[verdict.status]}"})
        _add(line, "strong", f"{_status(verdict)}: {verdict.claim}.").tail = f" {verdict.detail}."
    _list(place, "What differs from the paper here", section.differs)
    _list(place, "Checks", section.checks)


def _list(place, title, lines):
    if lines:
        _add(place, "h3", title)
        items = _add(place, "ul")
        for line in lines:
            _add(items, "li", line)


def _picture(place, picture):
    figure = _add(place, "figure", id=picture.key)
    data = base64.b64encode(picture.path.read_bytes()).decode()
    kind = _MIME[picture.path.suffix]
    _add(figure, "img", src=f"data:{kind};base64,{data}", alt=picture.alternative)
    _add(figure, "figcaption", picture.caption)


def _table(place, table):
    outer = _add(place, "div", id=table.key, **{"class": "wide"})
    element = _add(outer, "table")
    _add(element, "caption", table.title)
    head = _add(_add(element, "thead"), "tr")
    for name in table.header:
        _add(head, "th", name, scope="col")
    rows = _add(element, "tbody")
    for row in table.rows:
        line = _add(rows, "tr")
        _add(line, "th", str(row[0]), scope="row")
        for cell in row[1:]:
            _add(line, "td", str(cell), **({"class": "number"} if isinstance(cell, Cell) else {}))
    for note in table.notes:
        _add(outer, "p", note, **{"class": "note"})
