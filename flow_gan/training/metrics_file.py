"""metrics.jsonl: the record of every step of a run."""

import contextlib
import json
import pathlib

from flow_gan.training.files import finite, write_whole, writing


class MetricsFile:
    """metrics.jsonl: one JSON object per step, written in bulk; null is a value that is not finite.

    Args:
      path: the file.
      last_step: int, a run that is resumed at this step keeps the lines up to it and drops the rest.
    """

    def __init__(self, path: pathlib.Path, last_step: int = 0):
        if last_step and path.exists():
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
            kept = [line for line in lines if _step_of(line) <= last_step]
            write_whole(path, "".join(line + "\n" for line in kept))
        else:
            write_whole(path, "")
        self._path = path
        self._kept: str | None = None
        self._file = open(path, "a", encoding="utf-8")  # noqa: SIM115  for the whole run

    def write(self, records: list[dict[str, float]]) -> None:
        """Append dicts, each with "step"."""
        with writing(self._path):
            text = "".join(json.dumps(finite(record)) + "\n" for record in records)
            if self._kept is None:
                self._file.write(text)
                self._file.flush()
                return
            self._file.close()
            write_whole(self._path, self._kept + text)
            self._kept = None
            self._file = open(self._path, "a", encoding="utf-8")  # noqa: SIM115

    def take_back(self) -> dict[str, float]:
        """Return the last record, {name: float}; what is written next takes its place."""
        *kept, last = self._path.read_text(encoding="utf-8").splitlines()
        self._kept = "".join(line + "\n" for line in kept)
        return {name: float("nan") if value is None else value for name, value in json.loads(last).items()}

    def close(self) -> None:
        """Close the file."""
        # All was written by `write`, or a failure of it has been told.
        with contextlib.suppress(OSError):
            self._file.close()


def _step_of(line):
    try:
        return json.loads(line)["step"]
    except (ValueError, KeyError, TypeError):
        return float("inf")  # A line that a crash cut off.
