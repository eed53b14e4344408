"""The progress of a run, read from its files. Nothing in here imports TensorFlow."""

import dataclasses
import fcntl
import json
import os
import pathlib
import time
from typing import Any

from flow_gan import image_kinds
from flow_gan.config import from_json
from flow_gan.errors import UserError, brief

CONFIG = "config.json"
METRICS = "metrics.jsonl"
PROGRESS = "progress.json"
LOCK = ".lock"

RUNNING, STOPPED, FINISHED, UNREADABLE = "running", "stopped", "finished", "unreadable"


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunStatus:
    """The progress of a run.

    Attributes:
      state: `RUNNING` while a process holds the run's lock, which is released however the process ends; otherwise
        `FINISHED` after the last step, `STOPPED` before it, or `UNREADABLE`.
      step: the last recorded step.
      last_step: the step at which it ends; None if unknown.
      nll: the lowest validation NLL, as text with its unit; None if there is none.
      score: the highest score of samples in training, None if there is none.
      seconds_left: estimated from the steps since it was started, if it is running; None if unknown.
      age: seconds since the last record; None without one.
      problem: why it is unreadable.
    """

    state: str
    step: int = 0
    last_step: int | None = None
    nll: str | None = None
    score: float | None = None
    seconds_left: float | None = None
    age: float | None = None
    problem: str = ""


def progress(first_step: int, last_step: int, levels: int, device: str) -> dict[str, Any]:
    """Return what `PROGRESS` holds of a training that starts now.

    Args:
      first_step, last_step: steps made before and after it.
      levels: grey levels of the data.
      device: what computes, by its name.
    """
    steps = {"first_step": first_step, "last_step": last_step}
    return {"started": time.time(), **steps, "levels": levels, "device": device}


def trained_on(run_dir: pathlib.Path) -> str | None:
    """Return the name of what a run was last trained on; None where it is not recorded."""
    try:
        return json.loads((run_dir / PROGRESS).read_text(encoding="utf-8")).get("device")
    except (OSError, ValueError, AttributeError):
        return None


def find_runs(folder: str) -> list[pathlib.Path]:
    """Return the runs below a folder, at any depth, in alphabetical order.

    Raises:
      UserError: there is no such folder.
    """
    if not os.path.isdir(folder):
        raise UserError(f"--runs_dir={folder}: there is no such folder")
    found = []
    for path, folders, files in os.walk(folder):
        if CONFIG in files:
            found.append(pathlib.Path(path))
            folders.clear()
    return sorted(found)


def read_status(run_dir: pathlib.Path) -> RunStatus:
    """Return the progress of a run, from its files alone; a run that is being trained is not disturbed."""
    try:
        config = from_json((run_dir / CONFIG).read_text(encoding="utf-8"), run_dir / CONFIG)
        begun = _read_progress(run_dir)
        step, best_nll, best_score = _read_metrics(run_dir / METRICS, config)
    except (OSError, ValueError, KeyError, TypeError) as error:
        return RunStatus(state=UNREADABLE, problem=brief(error))
    last_step = begun.get("last_step", config.max_steps)
    if is_locked(run_dir):
        state = RUNNING
    else:
        state = FINISHED if last_step is not None and step >= last_step else STOPPED
    written = _written(run_dir / METRICS)
    seconds_left = None
    if state == RUNNING and written is not None and begun and step > begun["first_step"]:
        pace = (written - begun["started"]) / (step - begun["first_step"])
        seconds_left = pace * (begun["last_step"] - step)
    height, width, channels = config.input_height, config.input_width, config.c_dim
    nll = None
    if best_nll is not None and height and width and channels:
        nll = image_kinds.format_nll(best_nll, (height, width, channels), begun.get("levels", 256))
    return RunStatus(
        state=state,
        step=step,
        last_step=last_step,
        nll=nll,
        score=best_score,
        seconds_left=seconds_left,
        age=None if written is None or not step else max(time.time() - written, 0.0),
    )


def is_locked(run_dir: pathlib.Path) -> bool:
    """Whether a process is training in a run's folder."""
    try:
        with open(run_dir / LOCK, "rb") as file:
            # A shared lock, which fails only while a training process holds its exclusive one.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _read_progress(run_dir):
    """Return what `progress` gave; empty for a run that has not begun, or of an earlier version."""
    try:
        begun = json.loads((run_dir / PROGRESS).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return {name: type_(begun[name]) for name, type_ in _TYPES.items()}


_TYPES: dict[str, Any] = {"started": float, "first_step": int, "last_step": int, "levels": int}


def _read_metrics(path, config):
    """Return (last step, lowest validation NLL, highest score) of metrics.jsonl; None for missing ones."""
    score = image_kinds.score_name((config.c_dim or 1,))
    marks = {"validation_nll": b'"validation_nll":', score: f'"{score}":'.encode()}
    found: dict[str, list[float]] = {name: [] for name in marks}
    last = b""
    try:
        with open(path, "rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    break  # It is being written.
                last = line
                # Few lines of a long run have these, and parsing all lines as JSON would take seconds.
                if any(mark in line for mark in marks.values()):
                    record = json.loads(line)
                    for name, values in found.items():
                        if record.get(name) is not None:
                            values.append(record[name])
    except FileNotFoundError:
        pass
    step = int(json.loads(last)["step"]) if last else 0
    nlls, scores = found.values()
    return step, min(nlls, default=None), max(scores, default=None)


def _written(path):
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return None
