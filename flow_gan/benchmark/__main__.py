"""The command line: python -m flow_gan.benchmark [--flags of main] [--steps=N] [--against=torch] [--json]."""

import importlib
import json
import sys
from collections.abc import Sequence

from absl import flags

from flow_gan import command_line, start_up
from flow_gan import config as config_module
from flow_gan.benchmark import against, report
from flow_gan.errors import UserError

DEFAULT_STEPS = 20
DEFAULT_PAIRS = 3


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (without the program's name); return the exit status."""
    if argv is None:
        start_up.make_tensorflow_lean()
    return command_line.run(lambda: _main(sys.argv[1:] if argv is None else argv), "interrupted; nothing was written")


def _main(argv):
    values = config_module.define_flags()
    flags.DEFINE_integer("steps", DEFAULT_STEPS, "training steps to time, besides the first", flag_values=values)
    flags.DEFINE_string("against", None, "compare with another library: torch", flag_values=values)
    flags.DEFINE_integer("pairs", DEFAULT_PAIRS, "comparisons with --against", flag_values=values)
    flags.DEFINE_boolean("json", False, "print JSON alone", flag_values=values)
    given, wants_help = config_module.parse(argv, values)
    if wants_help:
        print(report.HELP)
        return
    config = config_module.Config(**given)
    if config.mode != "train" or config.resume:
        raise UserError("a benchmark trains a new model; --mode and --resume cannot be set")
    if config.conditional:
        raise UserError("a benchmark is of models without labels; leave --conditional out")
    if values["steps"].value < 1:
        raise UserError(f"--steps={values['steps'].value}; expected 1 or more")
    if values["against"].value:
        against.check(config, values["against"].value, values["pairs"].value)
        compared = against.compare(argv, values["steps"].value, values["pairs"].value)
        print(json.dumps(compared, indent=2) if values["json"].value else against.text(compared))
        return
    # TensorFlow is imported as late as in a training.
    result = importlib.import_module("flow_gan.benchmark.figures").benchmark(config, values["steps"].value)
    print(json.dumps(result, indent=2) if values["json"].value else report.text(result))


if __name__ == "__main__":
    sys.exit(main())
