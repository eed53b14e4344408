"""The folder of one run."""

import contextlib
import json
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import filelock

from flow_gan.config import Config
from flow_gan.data import is_path
from flow_gan.errors import PATTERN_CHARACTERS, UserError, brief, check_tensorflow_path
from flow_gan.run_files import CONFIG, LOCK, METRICS, PROGRESS
from flow_gan.training.files import write_json, write_whole

_PROBE = ".probe"
_ANOTHER = "pass another one"
_RESUME = f"{_ANOTHER}, or --resume to continue that run"


class RunFolder:
    """Paths of a run.

        config.json    the effective configuration
        data.json      the digest of its data, of a folder or a file where it lay, of a conditional run its class names
        initial_weights.json  what was taken from another run, if anything was (`--init_from_run`)
        metrics.jsonl  one line per step
        progress.json  when its training was started, at which step and on what, and where it ends
        checkpoints/   latest/, averaged/, best/ and best_score/
        tensorboard/   train/ and validation/
        samples/       sample grids
        evaluation/    results of evaluations

    Args:
      path: the folder.
      config: its configuration, which can put three of the subfolders elsewhere.
    """

    def __init__(self, path: str | os.PathLike, config: Config):
        self.path = pathlib.Path(path)
        self.config_file = self.path / CONFIG
        self.data_file = self.path / "data.json"
        self.metrics_file = self.path / METRICS
        self.checkpoints = pathlib.Path(config.checkpoint_dir or self.path / "checkpoints")
        self.tensorboard = pathlib.Path(config.log_dir or self.path / "tensorboard")
        self.samples = pathlib.Path(config.sample_dir or self.path / "samples")
        self.evaluation = self.path / "evaluation"
        self._lock = filelock.FileLock(self.path / LOCK)

    def lock(self) -> None:
        """Keep other processes from training in this folder, until `unlock` or the end of this process, by any death.

        Raises:
          UserError: another one trains in it, or the folder cannot be written.
        """
        try:
            self._lock.acquire(timeout=0)
        except filelock.Timeout as error:
            raise UserError(f"--run_dir={self.path} is in use: another process trains in it") from error
        except OSError as error:
            raise UserError(f"--run_dir={self.path} cannot be written: {error}") from error

    def unlock(self) -> None:
        """Let other processes train in this folder."""
        release(self._lock)

    def write_config(self, config: Config) -> None:
        """Write config.json, whole or not at all."""
        write_whole(self.config_file, config.to_json())
        self.samples.mkdir(parents=True, exist_ok=True)

    def write_data(self, name: str, digest: str | None, class_names: Sequence[str] | None = None) -> None:
        """Record on which data the run is trained.

        Args:
          name: the setting `dataset`.
          digest: of `data.Dataset`, or None where it does not count.
          class_names: of a conditional run, where its labels have names.
        """
        about = {"digest": digest, "path": os.path.abspath(name) if is_path(name) else None}
        write_json(self.data_file, about if class_names is None else about | {"class_names": list(class_names)})

    def write_progress(self, progress: dict) -> None:
        """Record when a training starts, at which step, and where it ends; see `run_files.progress`."""
        write_json(self.path / PROGRESS, progress)

    def write_initial_weights(self, taken: dict) -> None:
        """Record what was taken from which run."""
        write_json(self.path / "initial_weights.json", taken)

    def data_digest(self) -> str | None:
        """Return the digest of the data that the run was trained on; None if none is recorded."""
        return read_data(self.path)["digest"]

    def has_other_data(self, digest: str | None) -> bool:
        """Whether the digest is known to be another one than that of the run's data."""
        own = self.data_digest()
        return None not in (own, digest) and own != digest


def release(lock: filelock.FileLock) -> None:
    """Release a `filelock.FileLock` that is held, and leave no file of it."""
    if lock.is_locked:
        # While it is held: one that waits for the file which is gone notices it, and locks a new one.
        with contextlib.suppress(OSError):
            os.unlink(lock.lock_file)
    lock.release()


def check_paths(config: Config) -> None:
    """Raise `UserError` if TensorFlow could not read what a new run or a resumed one writes."""
    folder = "runs_dir" if config.run_dir is None else "run_dir"
    for name in (folder, "checkpoint_dir"):
        if getattr(config, name) is not None:
            check_tensorflow_path(f"--{name}", getattr(config, name))


def create(config: Config) -> RunFolder:
    """Make the folder of a new run, `--run_dir` or the next free name, and return it as a `RunFolder` that is locked.

    Raises:
      UserError: a folder of the run exists and is not empty, or cannot be made.
    """
    own = {name: getattr(config, name) for name in ("run_dir", "checkpoint_dir", "log_dir", "sample_dir")}
    for name, path in own.items():
        if path is not None:
            check_free(name, path, remedy=_RESUME if name == "run_dir" else _ANOTHER)
    for name in ("checkpoint_dir", "log_dir", "sample_dir", "run_dir"):
        if own[name] is not None:
            _make(f"--{name}={own[name]}", pathlib.Path(own[name]))
    path = config.run_dir
    if path is None:
        dataset = pathlib.Path(config.dataset.partition(":")[0]).stem
        dataset = "".join("_" if character in PATTERN_CHARACTERS else character for character in dataset)
        path = _next_free(config, f"{dataset}_{config.model_type}_{config.objective}")
    folder = RunFolder(path, config)
    folder.lock()
    try:
        # Another process may have passed the check above at the same time.
        check_free("run_dir", path, remedy=_RESUME)
        folder.write_config(config)
    except BaseException:
        folder.unlock()
        raise
    return folder


def _is_empty_folder(path):
    # What a process that begins here, or was killed as it began, may have left.
    return os.path.isdir(path) and set(os.listdir(path)) <= {LOCK, _PROBE, f"{CONFIG}.tmp"}


def _make(name, path):
    """Make a folder and try to write into it."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / _PROBE
        probe.touch()
        probe.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"{name} cannot be written: {error}") from error


def check_writable(folder: RunFolder) -> None:
    """Raise `UserError` unless the results of a run can be written, before they are computed."""
    _make(f"--run_dir={folder.path}", folder.evaluation)


def read_config(run_dir: str | os.PathLike) -> tuple[str, pathlib.Path]:
    """Return (text, path) of the config.json of an existing run."""
    check_tensorflow_path("--run_dir", run_dir)
    path = pathlib.Path(run_dir) / CONFIG
    try:
        return path.read_text(encoding="utf-8"), path
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"--run_dir={run_dir} is not a run: it has no readable config.json ({error})") from error


def read_data(run_dir: str | os.PathLike) -> dict[str, Any]:
    """Return {"digest": str, "path": str or None, "class_names": list or None} of the data of an existing run.

    What is not recorded is None.

    Raises:
      UserError: its data.json cannot be read.
    """
    path = pathlib.Path(run_dir) / "data.json"
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return {"digest": stored["digest"], "path": stored["path"], "class_names": stored.get("class_names")}
    except FileNotFoundError:
        return {"digest": None, "path": None, "class_names": None}  # A run of before there were digests.
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} does not tell the data of the run ({brief(error)}); expected what training writes"
        ) from error


def new_folder(config: Config, name: str) -> pathlib.Path:
    """Make the folder `--run_dir`, or the next free <runs_dir>/<name>-<n>, for what is not a run; return its path.

    Raises:
      UserError: the folder exists and is not empty, or cannot be made.
    """
    if config.run_dir is None:
        return _next_free(config, name)
    check_free("run_dir", config.run_dir)
    _make(f"--run_dir={config.run_dir}", pathlib.Path(config.run_dir))
    return pathlib.Path(config.run_dir)


def check_free(flag: str, path: str | os.PathLike, may_be_empty: bool = True, remedy: str = _ANOTHER) -> None:
    """Raise `UserError` if there is anything at a path where something is to be made.

    Args:
      flag: the setting whose value the path is.
      path: of a folder.
      may_be_empty: whether an empty folder may be there already.
      remedy: what can be done.
    """
    if os.path.lexists(path) and not (may_be_empty and _is_empty_folder(path)):
        raise UserError(f"--{flag}={path} exists already and is left as it is; {remedy}")


def _next_free(config, name):
    _make(f"--runs_dir={config.runs_dir}", pathlib.Path(config.runs_dir))
    number = 1
    while True:
        path = pathlib.Path(config.runs_dir) / f"{name}-{number}"
        try:
            path.mkdir()
            return path
        except FileExistsError:
            number += 1
