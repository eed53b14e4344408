"""The settings as flags of the command line."""

import dataclasses
import pathlib
import textwrap

from absl import flags

from flow_gan.config.config import SECTIONS, Config
from flow_gan.config.presets import PRESETS, preset_file
from flow_gan.config.setting import about, kind
from flow_gan.errors import UserError, brief, home_expanded

_INTRODUCTION = """\
Train, evaluate and sample Flow-GANs (Grover, Dhar, Ermon, AAAI 2018).

  python -m flow_gan.main                                    hybrid NICE on scikit-learn's digits
  python -m flow_gan.main --preset=NAME                      a preset, see the end; flags after it override it
  python -m flow_gan.main --mode=evaluate --run_dir=FOLDER   the test NLL of a run; more by --metrics
  python -m flow_gan.main --mode=compare --run_dirs=A,B,C    compare runs in the paper's tables and figures
  python -m flow_gan.main --mode=reproduce --dataset=digits  the whole paper: models, tables, figures
  python -m flow_gan.main --mode=sample --run_dir=FOLDER     a grid of samples; with --output as many files as you like
  python -m flow_gan.main --mode=score --run_dir=FOLDER --images=FOLDER       log p of each of your images
  python -m flow_gan.main --mode=interpolate --run_dir=FOLDER --images=A,B    pictures between two images
  python -m flow_gan.main --mode=inpaint --run_dir=FOLDER --images=A --mask=M what the model puts where M is white
  python -m flow_gan.main --mode=export --run_dir=FOLDER     a SavedModel, for plain TensorFlow
  python -m flow_gan.main --mode=status                      progress of all runs, and the time that they still need"""


class _Flags(flags.FlagValues):
    """absl's flags, with --preset, and with flagfiles in UTF-8 in every locale, with or without a byte-order mark."""

    def read_flags_from_files(self, argv, force_gnu=True):
        """Return the words of a command line, each --flagfile and --preset replaced by the words that it contains."""
        return _with_files(argv)


def _with_files(argv, within=()):
    words, rest = [], iter(argv)
    for word in rest:
        name, has_value, value = word.partition("=")
        name = name.removeprefix("-").removeprefix("-")
        if not word.startswith("-") or name not in ("flagfile", "preset"):
            words.append(word)
            continue
        value = value.strip() if has_value else next(rest, "")
        path = str(preset_file(value)) if name == "preset" else home_expanded("--flagfile", value)
        if path in within:
            raise UserError(f"--flagfile={path} includes itself, by way of {' and '.join(within)}")
        lines = [line for line in _read(path) if line and not line.startswith(("#", "//"))]
        words += _with_files(lines, (*within, path))
    return words


def _read(path):
    try:
        with open(path, encoding="utf-8-sig") as file:
            return [line.strip() for line in file]
    except (OSError, UnicodeDecodeError) as error:
        name = pathlib.Path(path).stem
        instead = f"; --preset={name} is the preset of that name" if name in PRESETS else ""
        raise UserError(f"--flagfile={path} cannot be read as UTF-8 text: {error}{instead}") from error


def define_flags() -> flags.FlagValues:
    """Return absl flag values with one flag per setting."""
    values = _Flags()
    define = {
        "str": flags.DEFINE_string,
        "int": flags.DEFINE_integer,
        "float": flags.DEFINE_float,
        "bool": flags.DEFINE_boolean,
    }
    for field in dataclasses.fields(Config):
        define[kind(field)](field.name, field.default, about(field).text, flag_values=values)
    flags.DEFINE_boolean("help", False, "show this text", short_name="h", flag_values=values)
    return values


def help_text() -> str:
    """Return what `--help` shows: every flag with its default, by section, and the names of the presets."""
    lines = [_INTRODUCTION]
    for section in SECTIONS:
        lines += ["", f"{section.TITLE}:"]
        for field in dataclasses.fields(section):
            known = about(field)
            text = f"{known.text} ({' | '.join(known.choices)})" if known.choices else known.text
            default = "" if field.default is None or field.type is bool else f"={field.default}"
            lines.append(f"  --{field.name}{default}")
            lines += textwrap.wrap(text, 92, initial_indent=" " * 6, subsequent_indent=" " * 6)
    lines += ["", "Presets (--preset=NAME; a file of your own is --flagfile=FILE, a flag on each line):"]
    lines += textwrap.wrap(", ".join(PRESETS), 92, initial_indent=" " * 6, subsequent_indent=" " * 6)
    return "\n".join(lines)


def preset(name: str) -> dict:
    """Return {setting: value} of a preset.

    Raises:
      UserError: there is no preset of that name.
    """
    return parse([f"--preset={name}"])[0]


def parse(argv: list[str], values: flags.FlagValues | None = None) -> tuple[dict, bool]:
    """Return (settings given, whether help is asked for) of a command line without the program's name.

    Args:
      argv: list of str.
      values: the flags, from `define_flags`; a program may have added its own, which are read from there.

    Raises:
      UserError: an unknown flag, a value of the wrong type, a missing flagfile, or a stray argument.
    """
    values = define_flags() if values is None else values
    try:
        rest = values(["flow_gan", *argv])[1:]
    except flags.Error as error:
        raise UserError(brief(error)) from error
    if rest:
        raise UserError(f"argument {rest[0]!r} is not a flag; flags start with --, see --help")
    given = {field.name: values[field.name].value for field in dataclasses.fields(Config) if values[field.name].present}
    return given, values["help"].value
