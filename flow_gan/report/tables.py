"""Tables, as text that reads well in a terminal and as Markdown; `page` renders them as HTML."""

import dataclasses
import math


@dataclasses.dataclass(frozen=True)
class Cell:
    """A number in a table.

    Attributes:
      number: None where there is none.
      digits: decimals.
      is_marked: whether it has a warning.
      note: what follows it in words.
    """

    number: float | None = None
    error: float | None = None
    _: dataclasses.KW_ONLY
    digits: int = 2
    is_marked: bool = False
    note: str = ""

    def __str__(self) -> str:
        return self._text("±", "\N{MINUS SIGN}") or "–"

    def ascii(self) -> str:
        """Return it for a terminal, whose font and encoding may lack what `str` has."""
        return self._text("+-", "-") or "-"

    def _text(self, plus_minus, minus):
        if self.number is None:
            return ""
        if not math.isfinite(self.number):
            text = "not finite"
        else:
            text = f"{self.number:.{self.digits}f}".replace("-", minus)
        if math.isfinite(self.number) and self.error is not None and math.isfinite(self.error):
            text += f" {plus_minus} {self.error:.{self.digits}f}"
        return text + (" (!)" if self.is_marked else "") + (f", {self.note}" if self.note else "")


Rows = list[list[Cell | str]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Table:
    """A table.

    Attributes:
      key: such as "table-1", unique on the page.
      rows: as long as the header.
      notes: paragraphs below it.
    """

    key: str
    title: str
    header: list[str]
    rows: Rows
    notes: list[str] = dataclasses.field(default_factory=list)

    def to_dict(self) -> dict:
        """Return it as a dict for JSON, with {"value", "error", "warned"} for a `Cell`."""

        def plain(cell):
            if not isinstance(cell, Cell):
                return cell
            numbers = [v if v is not None and math.isfinite(v) else None for v in (cell.number, cell.error)]
            return dict(zip(("value", "error"), numbers, strict=True)) | {"warned": cell.is_marked}

        rows = [dict(zip(self.header, map(plain, row), strict=True)) for row in self.rows]
        return {"title": self.title, "rows": rows, "notes": self.notes}


def markdown(header: list[str], rows: list[list[str]]) -> str:
    """Return a table as Markdown, its columns aligned; rows are as long as the header."""
    lines = [header, ["-" * len(name) for name in header], *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    lines[1] = ["-" * width for width in widths]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    )


def to_markdown(table: Table) -> str:
    """Return a table with its title and notes for a terminal, which is Markdown, too."""
    rows = [[cell.ascii() if isinstance(cell, Cell) else cell for cell in row] for row in table.rows]
    return markdown(table.header, rows) + "\n\n" + "\n".join([table.title, *table.notes])
