"""The progress bar of a training."""

import math

from flow_gan import data
from flow_gan.progress import Progress
from flow_gan.training.steps import Steps


class ProgressBar:
    """The steps made, what they found, and the time.

    Args:
      steps: `Steps`.
      dataset: `data.Dataset`, whose unit of the NLL is shown.
    """

    def __init__(self, steps: Steps, dataset: data.Dataset):
        self._dataset = dataset
        self._bar = Progress(None, "training", steps.last, unit="step", initial=steps.first)

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
