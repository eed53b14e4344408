"""Records of a run: the values of its steps and of its validations."""

import math
import time
from typing import Any

import numpy as np

from flow_gan import data
from flow_gan.training.files import writing
from flow_gan.training.non_finite import failure
from flow_gan.training.resume import OpenRun

# A record waits no longer than this for those that are written with it, however slow the steps are.
SECONDS_BETWEEN_WRITES = 10


class Recorder:
    """Collects the values of steps, and writes metrics.jsonl, TensorBoard's events and sample grids.

    The values stay on the device until they are collected.

    Args:
      run: `OpenRun`.
    """

    def __init__(self, run: OpenRun):
        self._model = run.model
        self._samples = run.folder.samples
        self._metrics_file = run.open_metrics_file()
        self._tensorboard = run.open_tensorboard()
        self._tensorboard.hparams(run.config.hparams)
        self._pending: list[tuple[int, dict[str, Any]]] = []
        self._collected_at = -math.inf

    def add(self, step: int, logs: dict[str, Any]) -> None:
        """Take the values of a step, {name: scalar}, to be collected."""
        self._pending.append((step, logs))

    @property
    def has_pending(self) -> bool:
        """Whether there are steps to collect."""
        return bool(self._pending)

    @property
    def is_overdue(self) -> bool:
        """Whether nothing has been collected for `SECONDS_BETWEEN_WRITES`."""
        return time.monotonic() - self._collected_at > SECONDS_BETWEEN_WRITES

    def collect(self) -> list[dict[str, float]]:
        """Bring the steps since the last call to the host, to be written as {"step": ..., name: float}.

        Raises:
          NotFiniteError: a value is not finite; the steps before it are then written.
        """
        records: list[dict[str, float]] = []
        for step, logs in self._pending:
            record = {"step": step} | {name: float(value) for name, value in logs.items()}
            if step % self._model.nll_interval and not self._model.objective.has_likelihood:
                record.pop("nll", None)
            for name, value in record.items():
                # In ADV the NLL is no part of the objective, and may overflow while training goes well.
                if not math.isfinite(value) and (name != "nll" or self._model.objective.has_likelihood):
                    self.write(records)
                    raise failure(step, f"{name} is {value}")
            records.append(record)
        self._pending = []
        self._collected_at = time.monotonic()
        return records

    def write(self, records: list[dict[str, float]]) -> None:
        """Write records to metrics.jsonl."""
        self._metrics_file.write(records)

    def take_back(self) -> dict[str, float]:
        """Return the last record written; what is written next takes its place."""
        return self._metrics_file.take_back()

    def write_curves(self, record: dict[str, float]) -> None:
        """Write a step's record to TensorBoard."""
        self._tensorboard.train(int(record["step"]), record)

    def write_grid(self, step: int, grid: np.ndarray) -> None:
        """Write a sample grid, uint8 [H, W, C]."""
        path = self._samples / f"step-{step:07d}.png"
        with writing(path):
            data.save_png(path, grid)
        self._tensorboard.samples(step, grid)

    def write_validation(self, step: int, nll: float, best_nll: float, latents: Any) -> None:
        """Write the validation NLL, the lowest so far, and the latents of validation images to TensorBoard."""
        self._tensorboard.validation(step, nll, best_nll, latents)

    def write_scores(self, step: int, figures: dict[str, float]) -> None:
        """Write scores of samples, {tag: figure}, to TensorBoard."""
        self._tensorboard.scores(step, figures)

    def flush(self) -> None:
        """Bring all events to the disk."""
        self._tensorboard.flush()

    def close(self) -> None:
        """Close the files."""
        self._metrics_file.close()
        self._tensorboard.close()
