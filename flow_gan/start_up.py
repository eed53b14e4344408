"""TensorFlow's first import: without the messages of every start, and in a command without what no command needs.

The messages, that oneDNN is on and that there is no GPU, are logged before TensorFlow reads TF_CPP_MIN_LOG_LEVEL, so
that they can only be filtered from standard error.
"""

import contextlib
import faulthandler
import gc
import importlib.util
import logging
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

# 303 is CUDA's error when its library is missing. Other failures are shown, since there is a GPU then.
_NO_CUDA = b"Could not find cuda drivers"
_TOLD_AT_EVERY_START = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog|"
    rb"[IE]\d{4} .*(oneDNN custom operations are on|" + _NO_CUDA + rb"|failed call to cuInit.*\(303\))"
)


# Packages that Keras and TensorFlow import if they are there: for notebooks, pictures, data frames, sparse matrices and
# scikit-learn's estimators.
_OPTIONS = ("IPython", "matplotlib", "pandas", "scipy", "sklearn")

# Functions that return the contexts of TensorFlow's first import.
_contexts: list[Callable[[], contextlib.AbstractContextManager]] = []


def make_tensorflow_quiet() -> None:
    """Let TensorFlow log only errors from its first import on, unless the user has set its log level."""
    if "tensorflow" in sys.modules or "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        return
    # Errors only: among the warnings is one for each float64 operation that oneDNN does not support.
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
    _surround(_quietly)


def make_tensorflow_lean() -> None:
    """Let TensorFlow's first import leave out packages that Keras and TensorFlow Probability import for other programs.

    Only for a process that is a command of this package. NICE on MNIST, by MLE, then takes 10.2 s of CPU to the end of
    its first step instead of 12.1, and 0.16 GB less (processes in turn on one core, AMD EPYC with AVX-512).
    """
    if "tensorflow" not in sys.modules:
        _surround(_leanly)


def _surround(context):
    if not _contexts:
        sys.meta_path.insert(0, _Finder())
    _contexts.append(context)


class _Finder:
    """Finds TensorFlow as Python would, and lets it be run in `_contexts`."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """Return the specification of a module, None if it is not TensorFlow's."""
        if name != "tensorflow":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module
            setattr(spec.loader, "exec_module", lambda module: _run_in_contexts(run, module))  # noqa: B010  a method
        return spec


def _run_in_contexts(run, tensorflow):
    with contextlib.ExitStack() as stack:
        for context in _contexts:
            stack.enter_context(context())
        run(tensorflow)


@contextlib.contextmanager
def _leanly():
    # A package whose entry is None cannot be imported: this is Python's own way to say so.
    hidden = [name for name in _OPTIONS if name not in sys.modules]
    modules: dict[str, Any] = sys.modules
    modules.update(dict.fromkeys(hidden))
    was_collecting = gc.isenabled()
    # Nearly all that is made stays; looking for garbage among it takes a fifth of the time.
    gc.disable()
    try:
        # Imported after TensorFlow, it would import its experimental parts at once.
        importlib.import_module("tensorflow_probability")
        yield
        # TensorFlow Probability needs this, and it has the same options.
        importlib.import_module("tf_keras")
    finally:
        for name in hidden:
            del sys.modules[name]
        if was_collecting:
            gc.enable()
        gc.freeze()


@contextlib.contextmanager
def _quietly():
    logger = logging.getLogger("tensorflow")
    is_unset = logger.level == logging.NOTSET
    with _filtered_standard_error() as told:
        yield
        if is_unset:
            logger.setLevel(logging.ERROR)
        told.seek(0)
        if _NO_CUDA in told.read():
            # TensorFlow repeats this when it first lists the devices. Nothing has restricted the visible devices yet.
            sys.modules["tensorflow"].config.list_physical_devices()


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
