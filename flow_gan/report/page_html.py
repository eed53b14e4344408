"""The report as one self-contained HTML file: no network, no script, no other file."""

import base64
import pathlib
import re
from xml.etree import ElementTree

from flow_gan.report import claims
from flow_gan.report.page import Page
from flow_gan.report.tables import Cell, Table

_STYLE = (pathlib.Path(__file__).parent / "page.css").read_text(encoding="utf-8")
_MIME = {".svg": "image/svg+xml", ".png": "image/png"}
# Of a file. In the dark drawings are inverted, pixels of images never.
_KINDS = {".svg": "drawing", ".png": "pixels"}
# Of a status: its sign, its class, and how many statements it is said of, one and several.
_STATUSES = {
    claims.HOLDS: ("✓", "holds", ("holds", "hold")),
    claims.FAILS: ("✗", "fails", ("does not hold", "do not hold")),
    claims.UNDECIDED: ("≈", "undecided", ("is undecided", "are undecided")),
    claims.UNKNOWN: ("?", "unknown", ("cannot be told", "cannot be told")),
}
# The places after the groups: anchor and title.
_SUMMARY = "summary", "What holds"
_DIFFERS = "differs", "What differs from the paper"
_WORDS = "words", "Words and signs"
_APPENDIX = "appendix", "How it was made"


def to_html(page: Page) -> str:
    """Return a page as HTML."""
    root = _element("html", lang="en")
    head = _add(root, "head")
    _add(head, "meta", charset="utf-8")
    _add(head, "meta", name="viewport", content="width=device-width, initial-scale=1")
    _add(head, "meta", name="color-scheme", content="light dark")
    _add(head, "title", page.title)
    _add(head, "style", _STYLE)
    body = _add(root, "body")
    header = _add(body, "header")
    _add(header, "h1", page.title)
    _add(header, "p", page.subtitle, **{"class": "subtitle"})
    main = _add(body, "main")
    if page.samples:
        _picture(main, page.samples)
    findings = _add(main, "ul", **{"class": "findings"})
    for subject, rest in page.findings:
        _add(_add(findings, "li"), "strong", subject).tail = _typeset(rest)
    for paragraph in page.lead:
        _add(main, "p", paragraph, **{"class": "note"})
    _contents(main, page)
    for title, sections in page.groups.items():
        _group(main, title, sections)
    _summary(main, page)
    _differences(main, page.differs)
    _words(main, page.terms)
    _appendix(main, page.appendix)
    return "<!DOCTYPE html>\n" + ElementTree.tostring(root, encoding="unicode", method="html") + "\n"


def _element(tag, text=None, **attributes):
    element = ElementTree.Element(tag, attributes)
    element.text = text
    return element


def _add(parent, tag, text=None, **attributes):
    element = _element(tag, text, **attributes)
    parent.append(element)
    return element


def _kept(parent):
    """Add and return what no page break divides: a heading and what it is the heading of."""
    return _add(parent, "div", **{"class": "kept"})


def _typeset(text):
    """Return text with minus signs before negative numbers."""
    return re.sub(r"(?<![\w.-])-(?=\d)", "\N{MINUS SIGN}", text)


def _anchor(title):
    return title.lower().replace(" ", "-")


def _contents(main, page):
    contents = _add(main, "nav", id="contents")
    for title, sections in page.groups.items():
        _links(contents, title, [(section.keys[0], section.title) for section in sections])
    _links(contents, "More", [_SUMMARY, _DIFFERS, _WORDS, _APPENDIX])


def _links(contents, title, places):
    column = _add(contents, "div")
    _add(column, "strong", title)
    items = _add(column, "ul")
    for key, text in places:
        _add(_add(items, "li"), "a", text, href=f"#{key}")


def _group(main, title, sections):
    group = _add(main, "section", id=_anchor(title))
    for section in sections:
        place = _add(group, "section", id=section.keys[0])
        for key in section.keys[1:]:
            _add(place, "span", id=key)
        kept = _kept(place)
        if section is sections[0]:
            _add(kept, "h2", title)
        _section(place, kept, section)


def _section(place, kept, section):
    _add(kept, "h3", section.title)
    said = _add(kept, "p", **{"class": "paper"})
    _add(said, "strong", "The paper: ").tail = section.paper
    for part in section.parts:
        (_table if isinstance(part, Table) else _picture)(kept, part)
        kept = place
    if section.verdicts:
        outcome = _add(place, "p", "Statements in this run: ", **{"class": "outcome"})
        _add(outcome, "a", _counted(section.verdicts), href=f"#{_of_verdicts(section)}").tail = "."
    for line in section.differs:
        _add(place, "p", line, **{"class": "note"})
    _checks(place, section.checks)


def _checks(place, lines):
    if not lines:
        return
    marked = sum(line.startswith("(!)") for line in lines)
    folded = _add(place, "details", **{"class": "checks"})
    _add(folded, "summary", "Checks" + (f", {marked} of them (!)" if marked else ""))
    items = _add(folded, "ul")
    for line in lines:
        _add(items, "li", _typeset(line))


def _counted(verdicts):
    """Return how many hold, do not, ..., as words."""
    counts = {status: sum(verdict.status == status for verdict in verdicts) for status in _STATUSES}
    parts = [f"{n} {_STATUSES[status][2][n > 1]}" for status, n in counts.items() if n]
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _of_verdicts(section):
    return f"holds-{section.keys[0]}"


def _summary(main, page):
    """All verdicts, in a group for each figure or table."""
    verdicts = [verdict for section in page.sections for verdict in section.verdicts]
    summary, kept = _titled(main, *_SUMMARY)
    if verdicts:
        _add(
            kept,
            "p",
            f"Of {len(verdicts)} statements, the paper's and at the end ours, {_counted(verdicts)} in this run. "
            "The numbers that decide each of them stand below it.",
        )
    for section in page.sections:
        if section.verdicts:
            heading = _add(kept, "h3", id=_of_verdicts(section))
            _add(heading, "a", section.title, href=f"#{section.keys[0]}")
            for verdict in section.verdicts:
                _verdict(kept, verdict)
                kept = summary
            kept = _kept(summary)


def _verdict(place, verdict):
    sign, kind, _ = _STATUSES[verdict.status]
    is_of_weights = verdict.status in (claims.HOLDS, claims.FAILS) and not verdict.is_clear
    status = f"{sign} {verdict.status}{' for these weights' if is_of_weights else ''}"
    line = _add(place, "p", **{"class": f"verdict {kind}"})
    _add(line, "strong", status).tail = f": {verdict.claim}."
    _add(line, "span", f"{_typeset(verdict.detail)}.", **{"class": "detail"})


def _titled(main, key, title):
    """Add a section with a heading; return the section, and what stands with its heading."""
    place = _add(main, "section", id=key)
    kept = _kept(place)
    _add(kept, "h2", title)
    return place, kept


def _differences(main, lines):
    _, kept = _titled(main, *_DIFFERS)
    items = _add(kept, "ul")
    for line in lines:
        _add(items, "li", line)


def _words(main, terms):
    _, kept = _titled(main, *_WORDS)
    words = _add(kept, "dl")
    for term, meaning in terms:
        _add(words, "dt", term)
        _add(words, "dd", meaning)


def _appendix(main, tables):
    key, title = _APPENDIX
    folded = _add(main, "details", id=key)
    _add(_add(folded, "summary"), "h2", title)
    for table in tables:
        _table(folded, table)


def _picture(place, picture):
    figure = _add(place, "figure", id=picture.key)
    kinds = " ".join(sorted({_KINDS[path.suffix] for path in picture.panels.values()}))
    panels = _add(figure, "div", **{"class": f"panels {kinds}{' one' if len(picture.panels) == 1 else ''}"})
    for title, path in picture.panels.items():
        panel = _add(panels, "div")
        if title:
            _add(panel, "span", title, **{"class": "panel"})
        data = base64.b64encode(path.read_bytes()).decode()
        alternative = f"{title}: {picture.alternative}" if title else picture.alternative
        _add(panel, "img", src=f"data:{_MIME[path.suffix]};base64,{data}", alt=alternative)
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
