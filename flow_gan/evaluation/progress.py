"""Progress bars."""

import sys
from collections.abc import Iterable

from tqdm import tqdm


def progress(iterable: Iterable | None, text: str, total: int | None = None) -> tqdm:
    """Return `iterable` with a progress bar, which appears after a second and vanishes at the end.

    Where it is None, the caller moves the bar: `with progress(None, text, total) as bar: bar.update(n)`.
    """
    interval = 0.5 if sys.stderr.isatty() else 10
    return tqdm(iterable, text, total, leave=False, delay=1, mininterval=interval, dynamic_ncols=True)
