"""A terminal of a width, and what is drawn in it."""

import contextlib
import fcntl
import os
import pty
import re
import struct
import sys
import termios
import threading

from flow_gan import progress


@contextlib.contextmanager
def terminal(monkeypatch, columns):
    """Context with a terminal as standard error; yields the list that has what was drawn in it afterwards."""
    reader, writer = pty.openpty()
    fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    sent, drawn = [], []

    def read():
        with contextlib.suppress(OSError):  # What Linux says when the other end is closed.
            while part := os.read(reader, 10_000):
                sent.append(part)

    thread = threading.Thread(target=read)
    thread.start()
    with open(writer, "w", encoding="utf-8") as stream, monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", stream)
        patch.setattr(progress, "SECONDS_IN_TERMINAL", 0.0)
        yield drawn
    thread.join()
    os.close(reader)
    drawn += [line for line in re.split(r"[\r\n]+", b"".join(sent).decode()) if line.strip()]
