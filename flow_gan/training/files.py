"""Files that are written whole or not at all."""

import contextlib
import json
import math
import os
import pathlib
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from flow_gan.errors import UserError, brief


@contextlib.contextmanager
def writing(path: str | os.PathLike) -> Iterator[None]:
    """Context in which `path` is written: an error of the system (full disk, no permission) becomes a `UserError`."""
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        raise UserError(
            f"{path} cannot be written: {brief(error)}. Earlier files are intact: make room, then continue a training "
            "run with --resume, or a reproduction with the same command"
        ) from error


def write_whole(path: pathlib.Path, text: str) -> None:
    """Write a text file so that a crash leaves either the old or the new content, never a part."""
    temporary = path.with_name(path.name + ".tmp")
    with writing(path):
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)


def write_json(path: pathlib.Path, value: Any) -> None:
    """Write `value` as a JSON file, making its folder; see `finite`."""
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps(finite(value), indent=2) + "\n")


def finite(value: Any) -> Any:
    """Return `value` with None in place of floats that are not finite, which JSON does not know.

    Args:
      value: a dict, a list or a tuple of such values, or what they hold.
    """
    if isinstance(value, dict):
        return {name: finite(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
