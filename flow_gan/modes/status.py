"""--mode=status: the progress of runs."""

import pathlib

from flow_gan.config import Config, refuse_unused
from flow_gan.errors import UserError
from flow_gan.run_files import CONFIG, UNREADABLE, RunStatus, find_runs, read_status

_HEADER = ("run", "state", "step", "best NLL", "score", "left", "last record")
_UNITS = (("s", 1), ("min", 60), ("h", 3600), ("days", 86_400))


def run(given: dict) -> None:
    """Print a table of the runs below `--runs_dir`, or of `--run_dir` alone.

    Raises:
      UserError: there is no such folder, or no run in it.
    """
    config = Config(**given)
    refuse_unused(given, "status")
    if config.run_dir is not None:
        folders, within = [pathlib.Path(config.run_dir)], pathlib.Path(config.run_dir).parent
        if not (folders[0] / CONFIG).is_file():
            raise UserError(f"--run_dir={config.run_dir} is not a run: it has no {CONFIG}")
    else:
        folders, within = find_runs(config.runs_dir), pathlib.Path(config.runs_dir)
        if not folders:
            raise UserError(f"--runs_dir={config.runs_dir} contains no run: no folder in it has a {CONFIG}")
    found = {str(folder.relative_to(within)): read_status(folder) for folder in folders}
    rows = [_HEADER, *(_row(name, status) for name, status in found.items())]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEADER))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    for name, status in found.items():
        if status.state == UNREADABLE:
            print(f"{name}: {status.problem}")


def _row(name: str, status: RunStatus) -> tuple[str, ...]:
    last = "?" if status.last_step is None else f"{status.last_step:,}"
    return (
        name,
        status.state,
        "-" if status.state == UNREADABLE else f"{status.step:,} of {last}",
        status.nll or "-",
        "-" if status.score is None else f"{status.score:.3f}",
        _duration(status.seconds_left),
        "-" if status.age is None else f"{_duration(status.age)} ago",
    )


def _duration(seconds: float | None) -> str:
    """Return a duration in the largest unit in which it is 2 or more."""
    if seconds is None:
        return "-"
    name, size = next(((n, s) for n, s in reversed(_UNITS) if seconds >= 2 * s), _UNITS[0])
    return f"{seconds / size:.0f} {name}"
