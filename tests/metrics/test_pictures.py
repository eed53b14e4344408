"""Every picture of `evaluate` says what it shows, and of which run and weights."""

import pathlib
import types

import numpy as np
import pytest

from flow_gan.evaluation import TEMPERATURES
from flow_gan.measurement import LoadedRun
from flow_gan.metrics import pictures
from flow_gan.report import image_figures

SHAPES = {"samples": (10, 10), "temperatures": (6, 10), "reconstructions": (3, 10), "interpolations": (10, 9)}


@pytest.fixture
def drawn(monkeypatch):
    """{name of the file: (title, labels of the rows, labels of the columns)}."""
    found = {}
    monkeypatch.setattr(image_figures, "labelled_rows", lambda path, rows, *texts: found.update({path.name: texts}))
    return found


def test_labels(drawn):
    run = types.SimpleNamespace(
        name="digits-1",
        config=types.SimpleNamespace(checkpoint="best"),
        dataset=types.SimpleNamespace(class_names=None),
        path=lambda name, suffix: pathlib.Path(f"{name}.{suffix}"),
    )
    run.save_grid = lambda *given: LoadedRun.save_grid(run, *given)
    rows = {name: np.zeros((*shape, 8, 8, 1)) for name, shape in SHAPES.items()}
    paths = pictures.draw(run, pictures.Pictures(rows, {}))
    assert [path.name for path in paths] == list(drawn) == [f"{name}.png" for name in SHAPES]
    for name, (title, row_labels, column_labels) in drawn.items():
        whose, what = title.split("\n")
        assert whose == "digits-1, best weights" and len(what) > 20
        shape = SHAPES[name.removesuffix(".png")]
        assert len(row_labels) in (0, shape[0]) and len(column_labels) in (0, shape[1])
    assert drawn["temperatures.png"][1] == [f"t = {t:g}" for t in TEMPERATURES]
    assert [label.split("\n")[0] for label in drawn["reconstructions.png"][1]] == [
        "image x",
        "G(f(x))",
        "|x − G(f(x))|,",
    ]
    assert drawn["interpolations.png"][2] == [
        *("image", "12 %", "25 %", "38 %", "50 %", "62 %", "75 %", "88 %", "image"),
    ]
