"""TensorFlow's import without the messages of every start: that oneDNN is on, and that there is no GPU.

TensorFlow logs these before it reads TF_CPP_MIN_LOG_LEVEL, so that they can only be filtered from standard error.
"""

import contextlib
import faulthandler
import importlib.util
import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

# 303 is CUDA's error when its library is missing. Other failures are shown, since there is a GPU then.
_NO_CUDA = b"Could not find cuda drivers"
_TOLD_AT_EVERY_START = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog|"
    rb"[IE]\d{4} .*(oneDNN custom operations are on|" + _NO_CUDA + rb"|failed call to cuInit.*\(303\))"
)


def make_tensorflow_quiet() -> None:
    """Let TensorFlow log only errors from its first import on, unless the user has set its log level."""
    if "tensorflow" in sys.modules or "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        return
    # Errors only: among the warnings is one for each float64 operation that oneDNN does not support.
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
    sys.meta_path.insert(0, _Finder())


class _Finder:
    """Finds TensorFlow as Python would, and lets it be run quietly."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """Return the specification of a module, None if it is not TensorFlow's."""
        if name != "tensorflow":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module
            setattr(spec.loader, "exec_module", lambda module: _run_quietly(run, module))  # noqa: B010  a method
        return spec


def _run_quietly(run, tensorflow):
    logger = logging.getLogger("tensorflow")
    is_unset = logger.level == logging.NOTSET
    with _filtered_standard_error() as told:
        run(tensorflow)
        if is_unset:
            logger.setLevel(logging.ERROR)
        told.seek(0)
        if _NO_CUDA in told.read():
            # TensorFlow repeats this when it first lists the devices. Nothing has restricted the visible devices yet.
            tensorflow.config.list_physical_devices()


@contextlib.contextmanager
def _filtered_standard_error() -> Iterator[Any]:
    """Context that holds back standard error, also of C code, and at its end writes what is not filtered out."""
    with tempfile.TemporaryFile() as told, contextlib.ExitStack() as stack:
        try:
            stream = stack.enter_context(os.fdopen(os.dup(2), "wb", buffering=0))
        except OSError:
            # There is no standard error.
            yield told
            return
        if not faulthandler.is_enabled():
            # If the process crashes in this context, its traceback is still shown.
            faulthandler.enable(stream)
            stack.callback(faulthandler.disable)
        os.dup2(told.fileno(), 2)
        try:
            yield told
        finally:
            os.dup2(stream.fileno(), 2)
            told.seek(0)
            with contextlib.suppress(OSError):
                stream.write(b"".join(line for line in told if not _TOLD_AT_EVERY_START.match(line)))
