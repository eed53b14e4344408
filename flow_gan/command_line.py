"""What every command line does with errors: one line that says what is wrong, and the exit status."""

import contextlib
import os
import signal
import sys

from flow_gan.errors import UserError, brief
from flow_gan.signals import Stopped


def run(work, interrupted):
    """Run `work()`; return the exit status: 0, 2 for an error, or 128 and the number of the signal that ended it.

    Args:
      work: function without arguments.
      interrupted: str, what is said after Ctrl-C, where `work` itself says nothing.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # What the terminal's encoding lacks, in the name of a folder for example, ends no run.
            stream.reconfigure(errors="backslashreplace")
    try:
        status = _run(work, interrupted)
        if sys.stdout is not None:
            # Now, since Python's own flush at the end has a status and words of its own.
            sys.stdout.flush()
        return status
    except BrokenPipeError:
        # As of a program that the signal ended: `head` and the like have read enough.
        _discard_output()
        return 128 + signal.SIGPIPE
    except OSError as error:
        _complain(f"error: standard output cannot be written: {error}")
        _discard_output()
        return 2


def _run(work, interrupted):
    try:
        work()
    except BrokenPipeError:
        raise
    except (UserError, OSError) as error:
        _complain(f"error: {error}")
        return 2
    except Stopped as stopped:
        _complain(stopped)
        return 128 + stopped.signal
    except KeyboardInterrupt:
        _complain(interrupted)
        return 128 + signal.SIGINT
    except Exception as error:
        if not _is_out_of_memory(error):
            raise
        _complain(
            f"error: the memory does not suffice ({brief(error)}); expected a smaller --batch_size, smaller or fewer "
            "images, or a smaller model"
        )
        return 2
    return 0


def _is_out_of_memory(error):
    # Without TensorFlow, if it was not needed.
    tensorflow = sys.modules.get("tensorflow")
    return isinstance(error, MemoryError) or (
        tensorflow is not None and isinstance(error, tensorflow.errors.ResourceExhaustedError)
    )


def _complain(what):
    with contextlib.suppress(OSError):
        # The reader of a pipe may be gone.
        print(what, file=sys.stderr)


def _discard_output():
    """Let what is still to be written to standard output go nowhere."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
