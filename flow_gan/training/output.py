"""Output files and folders: checked before anything is computed, and written completely or not at all."""

import contextlib
import os
import pathlib
import re
import tempfile
from collections.abc import Iterator

from flow_gan.errors import UserError, brief
from flow_gan.training.run_folder import check_free

# Of a file's name; --output=lambda-0.1 is a folder.
_SUFFIX = re.compile(r"\.[A-Za-z]\w*")


def output_file(path: str, suffixes: tuple[str, ...]) -> pathlib.Path:
    """Return the path of a file that is to be made.

    Raises:
      UserError: there is something, or its suffix is none of `suffixes`.
    """
    found = pathlib.Path(path)
    if found.suffix.lower() not in suffixes or _is_folder(path):
        raise UserError(f"--output={path}; expected a file whose name ends in {' or '.join(suffixes)}")
    check_free("output", path, may_be_empty=False)
    return found


def output_folder(path: str, or_else: str = "") -> pathlib.Path:
    """Return the path of a folder that is to be made, or is empty.

    Args:
      or_else: what else could be made, which the error for a name of another suffix says.

    Raises:
      UserError: there is something, or the name looks like that of a file.
    """
    found = pathlib.Path(path)
    if _SUFFIX.fullmatch(found.suffix) and not _is_folder(path):
        raise UserError(f"--output={path}; expected a folder, whose name may end in / to say so{or_else}")
    check_free("output", path)
    return found


def next_free(folder: pathlib.Path, name: str, *suffixes: str) -> pathlib.Path:
    """Return <folder>/<name>-<n> with the first of the suffixes, n so that there is nothing with any of them."""
    number = 1
    while any(os.path.lexists(folder / f"{name}-{number}{suffix}") for suffix in suffixes):
        number += 1
    return folder / f"{name}-{number}{suffixes[0]}"


@contextlib.contextmanager
def whole(path: pathlib.Path, flag: str = "output") -> Iterator[pathlib.Path]:
    """Context in which a file or a folder is written at another path, from which it is moved to its own at the end.

    After an error nothing of it remains. If something exists at its own path by then, that is kept.

    Args:
      path: of the file or the folder.
      flag: the setting whose value the path is.

    Raises:
      UserError: it cannot be written.
    """
    made = [parent for parent in path.parents if not parent.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".unfinished-{flag.removesuffix('_dir')}-", dir=path.parent) as folder:
            written = pathlib.Path(folder) / path.name
            yield written
            check_free(flag, path)
            written.rename(path)
    except BaseException as error:
        for parent in made:
            with contextlib.suppress(OSError):
                parent.rmdir()
        if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
            raise UserError(f"--{flag}={path} cannot be written: {brief(error)}") from error
        raise


def _is_folder(path):
    return path.endswith(os.sep) or os.path.isdir(path)
