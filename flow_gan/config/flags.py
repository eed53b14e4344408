"""The settings as flags of the command line."""

import dataclasses
import textwrap

from absl import flags

from flow_gan.config.config import SECTIONS, Config
from flow_gan.config.setting import about, kind
from flow_gan.errors import UserError, brief, home_expanded

_INTRODUCTION = """\
Train, evaluate and sample Flow-GANs (Grover, Dhar, Ermon, AAAI 2018).

  python -m flow_gan.main                                    hybrid NICE on scikit-learn's digits
  python -m flow_gan.main --flagfile=runs/NAME.flags         a preset; flags after it override it
  python -m flow_gan.main --mode=evaluate --run_dir=FOLDER   the test NLL of a run; more by --metrics
  python -m flow_gan.main --mode=compare --run_dirs=A,B,C    several runs in the paper's tables and figures
  python -m flow_gan.main --mode=reproduce --dataset=digits  the whole paper: models, tables, figures
  python -m flow_gan.main --mode=sample --run_dir=FOLDER     a grid of samples
  python -m flow_gan.main --mode=export --run_dir=FOLDER     a SavedModel, for plain TensorFlow"""


class _Flags(flags.FlagValues):
    """absl's, but a flagfile is UTF-8 whatever the locale says, with a byte-order mark or without."""

    def read_flags_from_files(self, argv, force_gnu=True):
        """Return the words of a command line with those of each --flagfile in its place."""
        return _with_flagfiles(argv)


def _with_flagfiles(argv, within=()):
    words, rest = [], iter(argv)
    for word in rest:
        name, has_value, path = word.partition("=")
        if name not in ("--flagfile", "-flagfile"):
            words.append(word)
            continue
        path = home_expanded("--flagfile", path.strip() if has_value else next(rest, ""))
        if path in within:
            raise UserError(f"--flagfile={path} names itself, by way of {' and '.join(within)}")
        try:
            with open(path, encoding="utf-8-sig") as file:
                lines = [line.strip() for line in file]
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"--flagfile={path} cannot be read as UTF-8 text: {error}") from error
        lines = [line for line in lines if line and not line.startswith(("#", "//"))]
        words += _with_flagfiles(lines, (*within, path))
    return words


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
    """Return what `--help` shows: every flag with its default, by section."""
    lines = [_INTRODUCTION]
    for section in SECTIONS:
        lines += ["", f"{section.TITLE}:"]
        for field in dataclasses.fields(section):
            known = about(field)
            text = f"{known.text} ({' | '.join(known.choices)})" if known.choices else known.text
            default = "" if field.default is None or field.type is bool else f"={field.default}"
            lines.append(f"  --{field.name}{default}")
            lines += textwrap.wrap(text, 92, initial_indent=" " * 6, subsequent_indent=" " * 6)
    return "\n".join(lines)


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
        raise UserError(f"argument {rest[0]!r} is no flag; flags start with --, see --help")
    given = {field.name: values[field.name].value for field in dataclasses.fields(Config) if values[field.name].present}
    return given, values["help"].value
