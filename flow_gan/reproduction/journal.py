"""What a reproduction has done: one process at a time on its folder, and a file that outlives it."""

import json
import os
import pathlib
import shlex

import filelock

from flow_gan.errors import UserError, check_tensorflow_path
from flow_gan.training.files import write_json
from flow_gan.training.run_folder import release

_LOCK = ".lock"
_FILE = "reproduction.json"


class Journal:
    """The folder of a reproduction, locked, with how long each stage took and what failed.

        reproduction.json   {"config": ..., "stages": {key: {"title", "seconds", "done"}}, "failed": {key: why}}
        trainings/          a run's folder for each training
        report/             index.html, figures and tables

    A stage's seconds are those of all processes that worked on it, but for one that was killed outright.

    Args:
      folder: path; made if it is not there.

    Raises:
      UserError: the folder holds something that is no reproduction, another process works in it, or it cannot be
        written.
    """

    def __init__(self, folder: str | pathlib.Path):
        check_tensorflow_path("--run_dir", folder)
        self.folder = pathlib.Path(folder)
        self._file = self.folder / _FILE
        if self.folder.exists() and not self.folder.is_dir():
            raise UserError(f"--run_dir={folder} is not a folder; expected one, or the path of a new one")
        found = set(os.listdir(self.folder)) if self.folder.exists() else set()
        if found - {_LOCK, f"{_FILE}.tmp", "trainings", "report"} and _FILE not in found:
            raise UserError(
                f"--run_dir={folder} exists already and is not a reproduction; it is left as it is, pass another one"
            )
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = filelock.FileLock(self.folder / _LOCK)
            self._lock.acquire(timeout=0)
        except filelock.Timeout as error:
            raise UserError(f"--run_dir={folder} is in use: another process reproduces in it") from error
        except OSError as error:
            raise UserError(f"--run_dir={folder} cannot be written: {error}") from error
        self._content = {"config": {}, "stages": {}, "failed": {}} | self._read()

    def _read(self):
        if not self._file.exists():
            return {}
        try:
            content = json.loads(self._file.read_text(encoding="utf-8"))
            stages = content["stages"].values()
            stages_ok = all({"title", "seconds", "done"} <= stage.keys() for stage in stages)
            if stages_ok and isinstance(content["failed"], dict):
                return content
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            pass
        self.close()
        raise UserError(
            f"{self._file} is not the file that a reproduction writes; remove it, and the trainings are found again, "
            "but not their times"
        )

    def close(self) -> None:
        """Let other processes work in the folder."""
        release(self._lock)

    def begin(self, config: dict) -> None:
        """Record with which settings the reproduction runs, {setting: value}."""
        self._content["config"] = config
        self._write()

    def is_done(self, key: str) -> bool:
        """Whether a stage has been finished."""
        return self._content["stages"].get(key, {}).get("done", False)

    def seconds(self, key: str) -> float:
        """Return how long a stage took up to now, 0 if it never began."""
        return self._content["stages"].get(key, {}).get("seconds", 0.0)

    def record(self, key: str, title: str, seconds: float, done: bool) -> None:
        """Add the seconds that were spent on a stage."""
        self._content["stages"][key] = {"title": title, "seconds": self.seconds(key) + seconds, "done": done}
        self._write()

    def failure(self, key: str) -> str | None:
        """Return why a training or a measure failed, a sentence, or None."""
        return self._content["failed"].get(key)

    def fail(self, key: str, why: str) -> None:
        """Record that a training or a measure failed, which it would again."""
        self._content["failed"][key] = why
        self._write()

    def forget_failure(self, key: str) -> None:
        """Let a training that failed be tried again, with its measures."""
        failed = self._content["failed"]
        self._content["failed"] = {k: why for k, why in failed.items() if k != key and not k.startswith(f"{key}/")}
        self._write()

    def _write(self):
        write_json(self._file, self._content)

    def command(self) -> str:
        """Return the command that goes on with it."""
        given = self._content["config"]
        flags = [f"--{name}={value}" for name, value in given.items() if name not in ("mode", "run_dir")]
        words = ["python", "-m", "flow_gan.main", "--mode=reproduce", *flags, f"--run_dir={self.folder}"]
        return shlex.join(words)
