"""The progress bar of a training."""

import contextlib
import math
import sys

from tqdm import tqdm

from flow_gan import data
from flow_gan.training.steps import Steps

# What matters most comes first: a narrow terminal cuts the end off.
_FORMAT = "{l_bar}{bar}| {n_fmt}/{total_fmt}{postfix} [{elapsed}<{remaining}, {rate_fmt}]"


class ProgressBar:
    """One line on standard error: the steps made, what they found, and the time.

    Args:
      steps: `Steps`.
      dataset: `data.Dataset`, whose unit of the NLL is shown.
    """

    def __init__(self, steps: Steps, dataset: data.Dataset):
        self._dataset = dataset
        self._bar = tqdm(
            file=_Forgiving(sys.stderr),
            total=steps.last,
            initial=steps.first,
            desc="training",
            unit="step",
            mininterval=0.5 if sys.stderr.isatty() else 10,
            dynamic_ncols=True,
            bar_format=_FORMAT,
        )

    def update(self) -> None:
        """Count a step."""
        self._bar.update()

    def show(self, record: dict[str, float], best_nll: float) -> None:
        """Show a step's values, and the lowest validation NLL so far if there is one that is finite."""
        if "nll" in record:
            text = f"train {self._dataset.format_nll(record['nll'])}"
        else:
            text = f"critic {record['critic_loss']:.3f}, generator {record['generator_loss']:.3f}"
        if math.isfinite(best_nll):
            text += f", best {self._dataset.format_nll(best_nll)}"
        self._bar.set_postfix_str(text, refresh=False)

    def close(self) -> None:
        """Draw the bar for the last time."""
        self._bar.close()


class _Forgiving:
    """A stream that may be gone, as a pipe's is when Ctrl-C has ended its reader first: training must not end of it."""

    def __init__(self, stream):
        self._stream = stream

    def __getattr__(self, name):
        return getattr(self._stream, name)

    def write(self, text):
        with contextlib.suppress(OSError):
            self._stream.write(text)

    def flush(self):
        with contextlib.suppress(OSError):
            self._stream.flush()
