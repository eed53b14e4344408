"""Signals that ask a run to stop."""

import contextlib
import os
import signal
import threading

_ASKING = (signal.SIGTERM, signal.SIGINT)


class Stopped(KeyboardInterrupt):
    """A run stopped because a signal asked it to.

    Args:
      received: `signal.Signals`.
      step: int, the last step that counts.
      run_dir: folder of the run, or None for a process that writes none.
    """

    def __init__(self, received, step, run_dir):
        self.signal = received
        where = f"; it goes on from there with --resume --run_dir={run_dir}" if run_dir else "; the chief alone saves"
        super().__init__(f"{received.name}: training stopped, saved up to step {step}{where}")


class Interrupted(KeyboardInterrupt):
    """A signal came while something ran that may be broken off and done again."""


class StopSignals:
    """Context in which SIGTERM and Ctrl-C (SIGINT) ask the run to stop, instead of ending the process.

    Until `protect` is called nothing can be lost, and a signal raises `Interrupted` at once; then it waits to
    be asked for. A second one ends the process, as KeyboardInterrupt. Only the main thread of a process has signals;
    elsewhere none is ever received.

    Attributes:
      received: the first signal that came, `signal.Signals`, or None.
    """

    def __init__(self):
        self.received = None
        self._may_interrupt = True
        self._before = {}

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._receive) for number in _ASKING}
        return self

    def __exit__(self, *exception):
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def protect(self):
        """Let signals wait from now on: there is something to save."""
        self._may_interrupt = False

    @contextlib.contextmanager
    def interruptible(self):
        """Context that a signal breaks off with `Interrupted`, at once or on entry."""
        before = self._may_interrupt
        try:
            self._may_interrupt = True
            if self.received:
                raise Interrupted
            yield
        finally:
            self._may_interrupt = before

    def _receive(self, number, frame):
        if self.received:
            raise KeyboardInterrupt
        self.received = signal.Signals(number)
        if self._may_interrupt:
            raise Interrupted
        with contextlib.suppress(OSError):
            # Not print: the signal may have come in the middle of one, and the reader of a pipe may be gone.
            os.write(2, f"{self.received.name}: stopping after this step; once more to leave unsaved\n".encode())
