"""How every command line reports errors: one line that says what is wrong, and the exit status."""

import contextlib
import os
import signal
import sys
from collections.abc import Callable

from flow_gan.errors import UserError, brief
from flow_gan.signals import Stopped


def run(work: Callable[[], object], interrupted: str) -> int:
    """Run `work()`; return the exit status: 0, 2 for an error, or 128 plus the number of the signal that ended it.

    Args:
      work: what the command line does; its result is not used.
      interrupted: message after Ctrl-C, unless `work` has one of its own.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A character that the terminal's encoding lacks, as in the name of a folder, must not end a run. Each line
            # is written at once, in a file too, where it is read while the work goes on.
            stream.reconfigure(errors="backslashreplace", line_buffering=True)
    try:
        status = _run(work, interrupted)
        if sys.stdout is not None:
            # Flushed here, since a failure of Python's own flush at exit would have another status and message.
            sys.stdout.flush()
        return status
    except BrokenPipeError:
        # `head` and the like close the pipe when they have read enough. The status is that of a process that
        # SIGPIPE has ended.
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
            f"error: out of memory ({brief(error)}); expected a smaller --batch_size, smaller or fewer images, or a "
            "smaller model"
        )
        return 2
    return 0


def _is_out_of_memory(error):
    # TensorFlow is not imported just for this.
    tensorflow = sys.modules.get("tensorflow")
    return isinstance(error, MemoryError) or (
        tensorflow is not None and isinstance(error, tensorflow.errors.ResourceExhaustedError)
    )


def _complain(what):
    with contextlib.suppress(OSError):
        # The reader of a pipe may be gone.
        print(what, file=sys.stderr)


def _discard_output():
    """Discard what is still to be written to standard output."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
