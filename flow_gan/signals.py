"""Signals that ask a run to stop."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from typing import Self

_ASKING = (signal.SIGTERM, signal.SIGINT)


class Stopped(KeyboardInterrupt):
    """A run stopped because a signal asked it to.

    Args:
      received: the signal.
      step: the last step that counts.
      run_dir: folder of the run, or None for a process that writes none.
    """

    def __init__(self, received: signal.Signals, step: int, run_dir: str | os.PathLike | None):
        self.signal = received
        where = f"; to continue, pass --resume --run_dir={run_dir}" if run_dir else "; only the chief saves"
        super().__init__(f"{received.name}: training stopped, saved up to step {step}{where}")


class Interrupted(KeyboardInterrupt):
    """A signal came during work that can be interrupted and repeated."""


class StopSignals:
    """Context in which SIGTERM and Ctrl-C (SIGINT) ask the run to stop, instead of ending the process.

    Until `protect` is called there is nothing to lose, and a signal raises `Interrupted` at once; afterwards it is only
    noted in `received`. A second signal raises KeyboardInterrupt. Only the main thread of a process receives signals;
    in other threads the context does nothing.

    Attributes:
      received: the first signal that came, or None.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._may_interrupt = True
        self._before: dict = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._receive) for number in _ASKING}
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def stopped(self, step: int, run_dir: str | os.PathLike | None) -> Stopped:
        """Return the exception of a run that the signal received stops; see `Stopped`."""
        assert self.received is not None
        return Stopped(self.received, step, run_dir)

    def protect(self) -> None:
        """From now on only note signals, since there is something to save."""
        self._may_interrupt = False

    @contextlib.contextmanager
    def interruptible(self) -> Iterator[None]:
        """Context in which a signal raises `Interrupted`; one that came before raises it on entry."""
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
            os.write(
                2, f"{self.received.name}: stopping after this step; send it again to stop without saving\n".encode()
            )
