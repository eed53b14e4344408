"""What the command line says."""

import re

from flow_gan.main import main


def assert_refused(argv, message, capsys):
    """Assert exit status 2 and one line of error that says `message`."""
    assert main(argv) == 2, argv
    printed = capsys.readouterr()
    lines = printed.err.strip().splitlines()
    errors = [line for line in lines if line.startswith("error: ")]
    assert len(errors) == 1 and lines[-1] == errors[0] and re.search(message, errors[0]), printed.err
    assert "Traceback" not in printed.err and printed.out == ""
