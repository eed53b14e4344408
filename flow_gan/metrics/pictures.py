"""Samples, temperatures and, of a flow, reconstructions and interpolations."""

import dataclasses
import pathlib

import numpy as np

from flow_gan import evaluation
from flow_gan.measurement.metric import Metric
from flow_gan.measurement.run import LoadedRun

# Images of a row.
_COLUMNS = 10


@dataclasses.dataclass(frozen=True)
class Pictures:
    """Images to look at.

    Attributes:
      rows: {name of a picture: float [rows, columns, H, W, C]}.
      files: {name of a picture: name of its file}.
    """

    rows: dict[str, np.ndarray] = dataclasses.field(repr=False)
    files: dict[str, str]

    def __str__(self) -> str:
        return ""

    def to_dict(self) -> dict:
        """Return the names of the files, and the temperatures of the rows of one of them."""
        return {"pictures": self.files, "temperatures": list(evaluation.TEMPERATURES)}


def measure(run: LoadedRun) -> Pictures:
    """Return the images of the pictures."""
    samples = run.samples(_COLUMNS**2)
    rows = {
        "samples": samples.reshape(_COLUMNS, _COLUMNS, *samples.shape[1:]),
        "temperatures": evaluation.temperatures(run.generator, _COLUMNS, run.config.seed),
    }
    if run.config.conditional:
        rows["classes"] = evaluation.classes(run.generator, _COLUMNS, run.config.seed)
    if run.config.has_likelihood:
        count = min(2 * _COLUMNS, len(run.dataset.split(run.config.split)))
        images = run.images(run.config.split, count)
        pairs = count // 2
        rows["reconstructions"] = evaluation.reconstructions(run.generator, images[:_COLUMNS])
        if pairs:
            ends = images[:pairs], images[pairs : 2 * pairs]
            rows["interpolations"] = evaluation.interpolations(run.generator, *ends)
    return Pictures(rows, {name: run.path(name, "png").name for name in rows})


def draw(run: LoadedRun, pictures: Pictures) -> list[pathlib.Path]:
    """Write each picture with its labels."""
    names = run.dataset.class_names
    return [run.save_grid(name, rows, *_labels(name, rows, names)) for name, rows in pictures.rows.items()]


def _labels(name, rows, class_names):
    """Return (title, labels of the rows, labels of the columns)."""
    if name == "samples":
        return "samples, the first draws, nothing selected", (), ()
    if name == "temperatures":
        return "samples G(t z), in each column of one z", [f"t = {t:g}" for t in evaluation.TEMPERATURES], ()
    if name == "classes":
        names = list(class_names or ()) + [str(y) for y in range(len(class_names or ()), len(rows))]
        return "samples of each class, in each column of one z", names, ()
    if name == "reconstructions":
        difference = "|x − G(f(x))|,\nthe largest white"
        return "images, and back from their z = f(x)", ["image x", "G(f(x))", difference], ()
    steps = rows.shape[1] - 1
    between = [f"{100 * i / steps:.0f} %" for i in range(1, steps)]
    return "from one image to another, through z", (), ["image", *between, "image"]


METRIC = Metric(measure=measure, draw=draw, settings=("seed",), noun="pictures")
