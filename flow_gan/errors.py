"""The one exception that a user's mistake raises."""

import math
import numbers


class UserError(ValueError):
    """Something that the user can put right: a setting, a file, a folder.

    The message is one line that names the flag or argument, the value received and what was expected.
    The command line prints it without a traceback and leaves with exit status 2.
    """

    # Keras adds the arguments of a layer's call, on lines of their own, to errors that lack this mark.
    _keras_call_info_injected = True


class NotFiniteError(UserError):
    """A model's numbers are not finite: a loss, a weight, a sample, a Jacobian."""


def check_choice(name, value, choices):
    """Raise `UserError` unless `value`, the setting called `name`, is one of `choices`."""
    if value not in choices:
        raise UserError(f"{name}={value!r} is unknown; expected one of: {', '.join(choices)}")


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
