"""The command line: python -m flow_gan.main [--flags], see --help."""

import importlib
import sys

from flow_gan import command_line, config, start_up

_INTERRUPTED = "interrupted; to continue a training run from its latest checkpoint, pass --resume and --run_dir"


def main(argv: list[str] | None = None) -> int:
    """Run the command line `argv` (without the program's name); return the exit status."""
    if argv is None:
        start_up.make_tensorflow_lean()
    return command_line.run(lambda: _main(sys.argv[1:] if argv is None else argv), _INTERRUPTED)


def _main(argv):
    given, wants_help = config.parse(argv)
    if wants_help:
        print(config.help_text())
        return
    mode = config.Config(**given).mode
    # TensorFlow takes seconds to import, and is not needed to report a bad value.
    importlib.import_module(f"flow_gan.modes.{mode}").run(given)


if __name__ == "__main__":
    sys.exit(main())
