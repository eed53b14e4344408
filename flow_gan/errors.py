"""The exception that a user's mistake raises, and checks that raise it."""

import math
import numbers
import os
import sys
from collections.abc import Collection
from typing import Any

from flow_gan.keras_internals import WithoutCallInfo

# TensorFlow takes a path with one of these for a pattern, and does not find the file of that very name.
PATTERN_CHARACTERS = "[]*?\\"
# Characters of another library's error that a message of ours repeats.
_BRIEF = 400


class UserError(WithoutCallInfo, ValueError):
    """Something that the user can correct: a setting, a file, a folder.

    The message is one line that names the flag or argument, the value received and what was expected.
    The command line prints it without a traceback and leaves with exit status 2.
    """


class NotFiniteError(UserError):
    """A model's numbers are not finite: a loss, a weight, a sample, a Jacobian.

    Attributes:
      known: the message without parts that belong to this machine, such as paths.
    """

    def __init__(self, message: str, known: str | None = None):
        super().__init__(message)
        self.known = message if known is None else known


def brief(error: object) -> str:
    """Return what an error of another library says in one line, cut off where it is long; its type if it says nothing.

    Example:
      >>> brief(OSError("no space\\n  left"))
      'no space left'
    """
    return " ".join(str(error).split())[:_BRIEF] or type(error).__name__


def check_choice(name: str, value: object, choices: Collection[str]) -> None:
    """Raise `UserError` unless `value`, the setting called `name`, is one of `choices`."""
    if value not in choices:
        raise UserError(f"{name}={value!r} is unknown; expected one of: {', '.join(choices)}")


def check_tensorflow_path(name: str, path: str | os.PathLike) -> None:
    """Raise `UserError` if TensorFlow would read another path than `path`, the setting called `name`.

    It takes some characters for a pattern, but only when it reads, so that a run there would be lost; and it assumes
    that the names of all files are UTF-8.
    """
    path = os.fspath(path)
    found = [character for character in PATTERN_CHARACTERS if character in path]
    if found:
        raise UserError(
            f"{name}={path} contains {' '.join(found)}, which TensorFlow takes for a pattern, so that it could not "
            "read the files that it writes there; expected a path without any of [ ] * ? \\"
        )
    try:
        is_the_same = path.encode() == os.fsencode(path)
    except UnicodeEncodeError:
        is_the_same = False
    if not is_the_same:
        raise UserError(
            f"{name}={path!a} is not a file name in UTF-8, which TensorFlow expects (file names are in "
            f"{sys.getfilesystemencoding()} here); expected ASCII letters, or a locale such as LC_ALL=C.UTF-8"
        )


def home_expanded(name: str, path: str | os.PathLike) -> str:
    """Return `path`, the setting called `name`, with the home directory in place of a leading ~.

    Raises:
      UserError: the home directory is not known.
    """
    expanded = os.path.expanduser(path)
    if expanded.startswith("~"):
        raise UserError(
            f"{name}={path}: the home directory is not known, since the environment variable HOME is not set or "
            "there is no such user; expected a path without ~"
        )
    return expanded


def check_number(name: str, value: Any, lowest: int | float, highest: int | float = math.inf) -> None:
    """Raise `UserError` unless `value`, the argument called `name`, is a finite number from `lowest` to `highest`.

    Where `lowest` is an int it has to be an integer, below 2^31, since TensorFlow's are.
    """
    is_int = isinstance(lowest, int)
    if is_int:
        highest = min(highest, 2**31 - 1)
    kind: Any = numbers.Integral if is_int else numbers.Real
    is_number = isinstance(value, kind) and not isinstance(value, bool)
    if not is_number or not lowest <= value <= highest or not math.isfinite(value):
        upper = "or more" if math.isinf(highest) else f"to {highest}"
        raise UserError(f"{name}={value!r}; expected {'an integer' if is_int else 'a number'}, {lowest:g} {upper}")
