"""Rows of images with a text below each."""

import dataclasses
import os
import pathlib
import warnings
from collections.abc import Sequence

import matplotlib.style
import numpy as np
from matplotlib.figure import Figure

# Inches of an image, of a line of text, and of a row's title.
_SIDE, _LINE, _TITLE = 1.15, 0.16, 0.3
# Characters of a line below an image.
_LONGEST = 20


@dataclasses.dataclass(frozen=True)
class PictureRow:
    """A row of images.

    Attributes:
      title: above them.
      images: uint8 [n, H, W, C], 0 to 255.
      texts: n texts, with a line break or without; long lines lose their beginning.
    """

    title: str
    images: np.ndarray = dataclasses.field(repr=False)
    texts: Sequence[str]


@matplotlib.style.context("default", after_reset=True)
def picture_rows(path: str | os.PathLike, rows: Sequence[PictureRow]) -> None:
    """Write rows of images, each with its text, as a PNG file; pixels stay squares and grey levels what they are."""
    columns = max(len(row.images) for row in rows)
    lines = max(text.count("\n") + 1 for row in rows for text in row.texts)
    height = _SIDE + _LINE * lines + _TITLE
    figure = Figure((max(columns, 3) * _SIDE, len(rows) * height), layout="constrained")
    for part, row in zip(figure.subfigures(len(rows), 1, squeeze=False)[:, 0], rows, strict=True):
        part.suptitle(_shortened(row.title, _LONGEST * max(columns, 3)), fontsize="medium", parse_math=False)
        places = part.subplots(1, columns, squeeze=False)[0]
        for axes in places:
            axes.axis("off")
        for axes, image, text in zip(places, row.images, row.texts, strict=False):
            axes.imshow(
                image[..., 0] if image.shape[-1] == 1 else image, cmap="gray", vmin=0, vmax=255, interpolation="nearest"
            )
            below = "\n".join(_shortened(line, _LONGEST) for line in text.split("\n"))
            axes.text(0.5, -0.04, below, ha="center", va="top", transform=axes.transAxes, fontsize=7, parse_math=False)
    with warnings.catch_warnings():
        # A character that the font lacks is drawn as a box.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure.savefig(pathlib.Path(path), format="png", dpi=150)


def _shortened(text, longest):
    # File names may have bytes that are no text.
    text = text if text.isprintable() else ascii(text)
    return text if len(text) <= longest else "..." + text[3 - longest :]
