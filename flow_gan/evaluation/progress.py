"""Progress bars."""

import sys

from tqdm import tqdm


def progress(iterable, text, total=None):
    """Return `iterable` with a progress bar, which shows up where it takes over a second and goes once done.

    Without an iterable, None, the caller moves the bar: `with progress(None, text, total) as bar: bar.update(n)`.
    """
    interval = 0.5 if sys.stderr.isatty() else 10
    return tqdm(iterable, text, total, leave=False, delay=1, mininterval=interval, dynamic_ncols=True)
