"""What a person who waits sees: one line in a terminal of any width, and lines that can be read in a file."""

import contextlib
import io
import pathlib
import re
import sys

import keras
import numpy as np
import pytest

from flow_gan import evaluation, progress
from flow_gan.data import arrays, folder
from flow_gan.evaluation import cnn
from flow_gan.progress import Progress
from tests.helpers.terminals import terminal


@contextlib.contextmanager
def file(monkeypatch, seconds=0.0):
    """Context with a file as standard error, which is yielded."""
    stream = io.StringIO()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", stream)
        patch.setattr(progress, "SECONDS_IN_FILE", seconds)
        yield stream


def count(values, total=1000, step=200):
    with Progress(None, "training", total, unit="step") as bar:
        for i in range(0, total, step):
            bar.set_postfix_str(values(i + step), refresh=False)
            bar.update(step)


@pytest.mark.parametrize(
    "columns, last",
    [
        (20, r"1000/1000 *"),
        (40, r"1000/1000, train -1000\.00 nats *"),
        (60, r"1000/1000, train -1000\.00 nats, best -3299\.10 nats *"),
        (80, r"training: 1000/1000, train -1000\.00 nats, best -3299\.10 nats \[\d\d:\d\d<00:00\] *"),
        (118, r"training: 100%\|█+\| 1000/1000, train -1000\.00 nats, best -3299\.10 nats \[\S+<00:00, \S+step/s\]"),
    ],
)
def test_a_bar_fits_any_terminal_and_ends_on_the_last_value(monkeypatch, columns, last):
    with terminal(monkeypatch, columns) as drawn:
        count(lambda step: f"train {-step:.2f} nats, best -3299.10 nats")
    # Less than the terminal's width: the last column makes some terminals begin a new line.
    assert len(drawn) >= 5 and max(map(len, drawn)) < columns
    assert re.fullmatch(last, drawn[-1]), drawn[-1]


def test_a_terminal_that_does_not_tell_its_width(monkeypatch):
    """As in a container: the environment says it, or it is taken for 80 columns."""
    for given, columns in ((None, 80), ("50", 50), ("wide", 80)):
        if given is None:
            monkeypatch.delenv("COLUMNS", raising=False)
        else:
            monkeypatch.setenv("COLUMNS", given)
        with terminal(monkeypatch, 0) as drawn:
            count(lambda step: f"train {-step:.2f} nats, best -3299.10 nats, a third value of some length")
        assert drawn and columns - 25 < max(map(len, drawn)) < columns


def test_a_file_has_a_line_for_each_state(monkeypatch):
    with file(monkeypatch) as stream:
        count(lambda step: f"train {-step:.2f} nats")
    text = stream.getvalue()
    assert "\r" not in text and "\x1b" not in text and text.endswith("\n")
    lines = text.splitlines()
    assert len(lines) >= 6 and len({*lines}) == len(lines)
    assert re.fullmatch(r"training: 0/1000 \[00:00<\?, \?step/s\]", lines[0])
    assert re.fullmatch(r"training: 1000/1000, train -1000\.00 nats \[\d\d:\d\d<00:00, .*step/s\]", lines[-1])


def test_a_file_has_a_line_every_ten_seconds(monkeypatch):
    assert progress.SECONDS_IN_FILE == 10
    with file(monkeypatch, progress.SECONDS_IN_FILE) as stream:
        count(lambda step: f"train {-step:.2f} nats")
    assert len(stream.getvalue().splitlines()) == 2, "the first state and the last"


def test_a_bar_within_a_bar_moves_no_cursor_in_a_file(monkeypatch):
    with file(monkeypatch) as stream, Progress(None, "training", 2) as bar:
        for _ in range(2):
            with Progress(None, "samples", 3, leave=False) as inner:
                inner.update(3)
            bar.update()
    lines = stream.getvalue().splitlines()
    assert sum(line.startswith("samples: 3/3") for line in lines) == 2
    assert all(line.startswith(("training: ", "samples: ")) for line in lines)


def test_short_work_shows_nothing(monkeypatch):
    with terminal(monkeypatch, 80) as drawn:
        assert list(evaluation.progress(range(3), "NLL, test")) == [0, 1, 2]
    assert drawn == []


def test_a_reader_that_is_gone_ends_no_work(monkeypatch):
    class Gone(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

        def flush(self):
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stderr", Gone())
    count(lambda step: "")


@pytest.mark.parametrize("columns", [40, 118])
def test_all_long_work_is_shown_in_this_way(monkeypatch, columns):
    """Reading a folder, checking an array, training a classifier, and what is measured."""
    shown = []

    class Watched(Progress):
        def __init__(self, iterable, text, total=None, **how):
            shown.append(text)
            super().__init__(iterable, text, total, **(how | {"delay": 0.0}))

    for module in (folder, arrays, cnn, progress):
        monkeypatch.setattr(module, "Progress", Watched)
    monkeypatch.setattr(keras.Model, "train_on_batch", lambda *batch: 0.5)
    with terminal(monkeypatch, columns) as drawn:
        for _ in folder.in_steps(range(3000), "reading images"):
            pass
        arrays._check_levels("a.npy", "images", np.zeros((100, 4, 4, 1), np.uint8), 17)
        network = cnn.make_cnn((8, 8, 1), 2, 2, 0)
        recipe = cnn.Recipe(width=2, epochs=1, shift=0, flip=False)
        cnn.train_cnn(network, np.zeros((20, 8, 8, 1), np.uint8), np.zeros(20, np.int64), 17, recipe, 0)
        for _ in evaluation.progress(range(3), "a text that is as long as any of the package's"):
            pass
    assert len(shown) == 4 and len(drawn) >= 8 and max(map(len, drawn)) < columns


def test_nothing_else_draws_bars():
    package = pathlib.Path(progress.__file__).parent
    users = [path.name for path in package.rglob("*.py") if "tqdm" in path.read_text(encoding="utf-8")]
    assert users == ["progress.py"]
