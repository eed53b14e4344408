"""Progress of long work, on standard error: a bar in a terminal of any width, lines in a file or a pipe."""

import contextlib
import os
import sys
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm
from tqdm.utils import disp_len, disp_trim

# Between two updates.
SECONDS_IN_TERMINAL = 0.5
SECONDS_IN_FILE = 10.0

# From the fullest to the barest: the first that fits is shown. A bar of less than `_LEAST_BAR` columns says nothing.
_COUNT = "{n_fmt}/{total_fmt}{postfix}"
_FORMATS = (
    "{desc}: {percentage:3.0f}%|{bar}| " + _COUNT + " [{elapsed}<{remaining}, {rate_fmt}]",
    "{desc}: {percentage:3.0f}%|{bar}| " + _COUNT + " [{elapsed}<{remaining}]",
    "{desc}: " + _COUNT + " [{elapsed}<{remaining}]",
    "{desc}: " + _COUNT,
    _COUNT,
)
_IN_FILE = "{desc}: " + _COUNT + " [{elapsed}<{remaining}, {rate_fmt}]"
_LEAST_BAR = 4
# Where a terminal does not tell its width, and the environment variable COLUMNS does not either.
_COLUMNS = 80


class Progress(tqdm):
    """A progress bar, or what stands for it in a file.

    In a terminal it is one line, which is drawn over and over, and shorter than the terminal is wide: what does not fit
    is left out as a whole, the bar and the times first, so that no number is cut. In a file or a pipe it is a line
    every `SECONDS_IN_FILE`, without carriage returns.

    Args:
      iterable: what is done; None where the caller counts: `with Progress(None, text, total) as bar: bar.update(n)`.
      text: what is being done.
      total: how many; `len(iterable)` if None.
      unit: of what is counted.
      initial: how many are done already.
      leave: whether the last state stays.
      delay: seconds before it appears.
    """

    def __init__(
        self,
        iterable: Iterable | None,
        text: str,
        total: int | None = None,
        *,
        unit: str = "it",
        initial: int = 0,
        leave: bool = True,
        delay: float = 0.0,
    ):
        self._stream = sys.stderr
        self._in_terminal = self._stream.isatty()
        super().__init__(
            iterable,
            text,
            total,
            leave=leave,
            file=_Terminal(self._stream) if self._in_terminal else _File(self._stream),
            mininterval=SECONDS_IN_TERMINAL if self._in_terminal else SECONDS_IN_FILE,
            unit=unit,
            initial=initial,
            delay=delay,
        )

    def __str__(self) -> str:
        if not self._in_terminal:
            return self._formatted(_IN_FILE)
        # A line as wide as the terminal would make some of them begin a new one.
        columns = _columns(self._stream) - 1
        for text in _FORMATS:
            has_bar = "{bar}" in text
            needed = disp_len(self._formatted(text.replace("{bar}", ""))) + (_LEAST_BAR if has_bar else 0)
            if needed <= columns:
                return self._formatted(text, columns if has_bar else None)
        counts, *values = self._formatted(_COUNT).split(", ")
        while values and disp_len(", ".join([counts, *values])) > columns:
            values.pop()
        return disp_trim(", ".join([counts, *values]), columns)

    def _formatted(self, text, columns=None):
        return self.format_meter(**(self.format_dict | {"bar_format": text, "ncols": columns}))


def progress(iterable: Iterable | None, text: str, total: int | None = None) -> Progress:
    """Return the `Progress` of work that may be short: it appears after a second and vanishes at the end."""
    return Progress(iterable, text, total, leave=False, delay=1.0)


def _columns(stream):
    """Return the width of a terminal."""
    with contextlib.suppress(OSError, ValueError):
        columns = os.get_terminal_size(stream.fileno()).columns
        if columns > 0:
            return columns
    given = os.environ.get("COLUMNS", "")
    return int(given) if given.isdecimal() and int(given) > 0 else _COLUMNS


class _Terminal:
    """A stream that may be gone, as a pipe's is when Ctrl-C has ended its reader first: no work must end of it."""

    def __init__(self, stream):
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text):
        with contextlib.suppress(OSError):
            self._stream.write(text)

    def flush(self):
        with contextlib.suppress(OSError):
            self._stream.flush()


class _File(_Terminal):
    """The same for a file: each state is a line, and moves of a cursor are left out."""

    _last = ""

    def write(self, text):
        text = text.replace("\x1b[A", "").strip()
        # The end repeats the last state.
        if text and text != self._last:
            self._last = text
            super().write(f"{text}\n")
