"""Tables as text that reads well in a terminal and as Markdown."""


def markdown(header, rows):
    """Return a table as Markdown, its columns aligned.

    Args:
      header: list of str.
      rows: list of lists of str, as long as the header.
    """
    lines = [header, ["-" * len(name) for name in header], *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    lines[1] = ["-" * width for width in widths]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    )
