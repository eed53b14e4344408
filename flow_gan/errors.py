"""The one exception that a user's mistake raises, and checks that raise it."""

import math
import numbers
import os
import sys

from flow_gan.keras_internals import WithoutCallInfo

# With these in a path TensorFlow looks for the files that match it, and does not find those of that name.
PATTERN_CHARACTERS = "[]*?\\"
# Characters of another library's error that a message of ours repeats.
_BRIEF = 400


class UserError(WithoutCallInfo, ValueError):
    """Something that the user can put right: a setting, a file, a folder.

    The message is one line that names the flag or argument, the value received and what was expected.
    The command line prints it without a traceback and leaves with exit status 2.
    """


class NotFiniteError(UserError):
    """A model's numbers are not finite: a loss, a weight, a sample, a Jacobian.

    Attributes:
      known: str, what is known of it, without what is this machine's own, such as paths.
    """

    def __init__(self, message, known=None):
        super().__init__(message)
        self.known = message if known is None else known


def brief(error: object) -> str:
    """Return what an error of another library says in one line, cut off where it is long; its type if it says nothing.

    Example:
      >>> brief(OSError("no space\\n  left"))
      'no space left'
    """
    return " ".join(str(error).split())[:_BRIEF] or type(error).__name__


def check_choice(name, value, choices):
    """Raise `UserError` unless `value`, the setting called `name`, is one of `choices`."""
    if value not in choices:
        raise UserError(f"{name}={value!r} is unknown; expected one of: {', '.join(choices)}")


def check_tensorflow_path(name, path):
    """Raise `UserError` if `path`, the setting called `name`, is one that TensorFlow reads as another.

    It takes some characters for a pattern, but only when it reads, so that a run there would be lost; and it takes the
    name of every file for UTF-8.
    """
    path = os.fspath(path)
    found = [character for character in PATTERN_CHARACTERS if character in path]
    if found:
        raise UserError(
            f"{name}={path} holds {' '.join(found)}, which TensorFlow takes for a pattern, so that it could never read "
            "what it writes there; expected a path without any of [ ] * ? \\"
        )
    try:
        is_the_same = path.encode() == os.fsencode(path)
    except UnicodeEncodeError:
        is_the_same = False
    if not is_the_same:
        raise UserError(
            f"{name}={path!a} is not UTF-8 where the names of files are in {sys.getfilesystemencoding()}, so that "
            "TensorFlow would take it for another; expected letters of ASCII, or a locale such as LC_ALL=C.UTF-8"
        )


def home_expanded(name, path):
    """Return `path`, the setting called `name`, with the home directory in place of a leading ~.

    Raises:
      UserError: the home directory is not known.
    """
    expanded = os.path.expanduser(path)
    if expanded.startswith("~"):
        raise UserError(
            f"{name}={path}: the home directory is not known, for want of the environment variable HOME or of such a "
            "user; expected a path without ~"
        )
    return expanded


def check_number(name: str, value, lowest: int | float, highest: int | float = math.inf):
    """Raise `UserError` unless `value`, the argument called `name`, is a finite number from `lowest` to `highest`.

    Where `lowest` is an int it has to be an integer, below 2^31, since TensorFlow's are.
    """
    is_int = isinstance(lowest, int)
    if is_int:
        highest = min(highest, 2**31 - 1)
    kind = numbers.Integral if is_int else numbers.Real
    if not isinstance(value, kind) or not lowest <= value <= highest or not math.isfinite(value):
        upper = "or more" if math.isinf(highest) else f"to {highest}"
        raise UserError(f"{name}={value!r}; expected {'an integer' if is_int else 'a number'}, {lowest:g} {upper}")
