"""Files that are written whole or not at all."""

import contextlib
import json
import math
import os
import pathlib
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from flow_gan.errors import UserError


@contextlib.contextmanager
def writing(path: str | os.PathLike) -> Iterator[None]:
    """Context in which `path` is written: what the system refuses (a full disk, no permission) is a `UserError`."""
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        reason = " ".join(str(error).split())[:300]
        raise UserError(
            f"{path} cannot be written: {reason}. What was written before is as it was: make room, then go on: with "
            "--resume if a run was training, with the same command if a reproduction was"
        ) from error


def write_whole(path: pathlib.Path, text: str) -> None:
    """Write a text file so that a crash leaves the old or the new content, never a part."""
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
