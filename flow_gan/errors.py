"""The one exception that a user's mistake raises."""


class UserError(ValueError):
    """Something that the user can put right: a setting, a file, a folder.

    The message is one line that names the flag or argument, the value received and what was expected.
    The command line prints it without a traceback and leaves with exit status 2.
    """


class NotFiniteError(UserError):
    """A model's numbers are not finite: a loss, a weight, a sample, a Jacobian."""


def check_choice(name, value, choices):
    """Raise `UserError` unless `value`, the setting called `name`, is one of `choices`."""
    if value not in choices:
        raise UserError(f"{name}={value!r} is unknown; expected one of: {', '.join(choices)}")
