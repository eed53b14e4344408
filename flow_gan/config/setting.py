"""What is known of a setting besides its name, type and default, as metadata of its dataclass field."""

import dataclasses
import math
import os
from typing import Any, ClassVar

from flow_gan.errors import UserError, check_choice, home_expanded

_KEY = "setting"
# TensorFlow counts steps, images and seeds in 32 bits.
_TOO_LARGE = 2**31
# Modes that take an existing run; "train" does with --resume.
EXISTING_RUN = ("train", "evaluate", "sample", "score", "interpolate", "inpaint", "export")


class Section:
    """Settings that belong together: a dataclass whose fields are made by `setting`."""

    TITLE: ClassVar[str]

    def check(self) -> None:
        """Raise `UserError` where settings of this section contradict each other."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Setting:
    """What is known of a setting.

    Attributes:
      text: str, what `--help` says.
      choices: the values that it can have; None for any of its type.
      at_least, more_than, at_most, less_than: bounds of a number.
      models: the kinds of generator that have it; None for all.
      changes_in: the modes in which it may be given although a run exists, or although `--scale` sets a reproduction;
        other settings are fixed there. "train" means `--resume`.
      identifies: bool, whether trainings that differ only in this setting count as different.
      is_later: bool, whether there were reproductions before there was this setting. At its default it then tells no
        training from another, so that the names of their folders stay.
      of_weights: bool, whether it decides only how a generator gets its weights, not what it computes with them.
      is_path: bool, a path, in which ~ is the home directory.
      is_list: bool, names or paths with commas.
    """

    text: str
    choices: tuple[str, ...] | None = None
    at_least: float | None = None
    more_than: float | None = None
    at_most: float | None = None
    less_than: float | None = None
    models: tuple[str, ...] | None = None
    changes_in: tuple[str, ...] = ()
    identifies: bool = True
    is_later: bool = False
    of_weights: bool = False
    is_path: bool = False
    is_list: bool = False

    def check(self, name: str, value: Any) -> None:
        """Raise `UserError` unless the value of the setting `name` is one of its choices and within its bounds."""
        if self.choices:
            check_choice(f"--{name}", value, self.choices)
        if isinstance(value, int | float) and not self._is_within(value):
            raise UserError(f"--{name}={value}; expected {' and '.join(self._bounds())}")
        if type(value) is int and value >= _TOO_LARGE:
            raise UserError(f"--{name}={value}; expected less than 2^31")

    def _is_within(self, value):
        if not self._bounds():
            return True
        return (
            math.isfinite(value)
            and (self.at_least is None or value >= self.at_least)
            and (self.more_than is None or value > self.more_than)
            and (self.at_most is None or value <= self.at_most)
            and (self.less_than is None or value < self.less_than)
        )

    def _bounds(self):
        """Return the bounds in words, a list of str."""
        words = []
        if self.at_least is not None:
            words.append(f"{self.at_least:g} or more")
        if self.more_than is not None:
            words.append(f"more than {self.more_than:g}")
        if self.at_most is not None:
            words.append(f"at most {self.at_most:g}")
        if self.less_than is not None:
            words.append(f"less than {self.less_than:g}")
        return words


def setting(default: Any, text: str, **known: Any) -> Any:
    """Return a dataclass field with this default; `known` are attributes of its `Setting`."""
    return dataclasses.field(default=default, metadata={_KEY: Setting(text=text, **known)})


def about(field: dataclasses.Field) -> Setting:
    """Return the `Setting` of a field."""
    return field.metadata[_KEY]


def kind(field: dataclasses.Field) -> str:
    """Return the type of a field's values other than None: "str", "int", "float" or "bool"."""
    return str(getattr(field.type, "__name__", field.type)).split(" | ")[0]


def plain(field: dataclasses.Field, value: Any) -> Any:
    """Return a value in its field's own type: paths as str, numpy's scalars as Python's, ~ as the home directory.

    Raises:
      UserError: the value has another type.
    """
    if value is None and field.default is None:
        return None
    # Without numpy itself, which takes long to import.
    value = value.item() if hasattr(value, "dtype") and hasattr(value, "item") else value
    of = kind(field)
    if of == "str" and isinstance(value, str | os.PathLike):
        return _plain_text(field, os.fspath(value))
    if of == "float" and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if of == "int" and isinstance(value, int):
        return int(value)
    if of == "bool" and isinstance(value, bool):
        return value
    expected = {"str": "text or a path", "float": "a number", "int": "an integer", "bool": "True or False"}[of]
    raise UserError(f"--{field.name}={value!r}; expected {expected}")


def _plain_text(field, text):
    known = about(field)
    parts = [part.strip() for part in text.split(",")] if known.is_list else [text]
    if known.is_path:
        parts = [home_expanded(f"--{field.name}", part) for part in parts]
    return ",".join(parts)
