"""Figures made of images: grids of samples beside each other, rows of images with their labels, maps of the pixels."""

import math
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
import PIL.Image
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from flow_gan.data import image_grid, is_grey
from flow_gan.report import style

# Pixels of a written picture per inch, and the least side of an image in it.
_DPI = 100
_MIN_SIDE = 56
# Of a PNG file: where in it the grid is, "left top right bottom" in pixels.
_BOX = "Grid"


@style.own_style
def sample_panels(path: pathlib.Path, grids: Mapping[str, np.ndarray]) -> None:
    """Draw grids of samples, at most three side by side, each under its name (Figures 1 and 7).

    Args:
      path: file to write.
      grids: {name: uint8 image [H, W] or [H, W, 3]}.
    """
    columns = min(len(grids), 3)
    rows = math.ceil(len(grids) / columns)
    figure = Figure((9.0, rows * (9.0 / columns + 0.4)), layout="constrained")
    places = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in places:
        axes.axis("off")
    for axes, (name, grid) in zip(places, grids.items(), strict=False):
        _show(axes, grid)
        axes.set_title(name)
    style.save(figure, path)


@style.own_style
def labelled_rows(
    path: pathlib.Path, rows: np.ndarray, title: str, row_labels: Sequence[str] = (), column_labels: Sequence[str] = ()
) -> None:
    """Write images as a grid with a title and a label at each row or above each column.

    Pixels are enlarged to squares, all of one size. `bare_grid` returns the grid alone.

    Args:
      path: file to write.
      rows: float [rows, columns, H, W, C] in [0, 1].
      title: what the picture shows, above all; lines are not broken.
      row_labels: as many as rows; none if empty.
      column_labels: as many as columns; none if empty.
    """
    rows = np.asarray(rows)
    _, count, height, width, _ = rows.shape
    scale = math.ceil(_MIN_SIDE / min(height, width))
    grid = image_grid(rows.reshape(-1, *rows.shape[2:]), columns=count)
    grid = grid.repeat(scale, 0).repeat(scale, 1)
    # In whole pixels, so that all squares are of one size; a letter of 9 points is about 8 wide, a line 18 high.
    longest, of_title = (
        max((len(line) for text in texts for line in text.split("\n")), default=0) for texts in (row_labels, [title])
    )
    size, margin = np.array(grid.shape[1::-1]), 10
    left = margin + (8 * longest + 10 if row_labels else 0)
    above = margin + 18 * len(title.split("\n")) + (24 if column_labels else 6)
    whole = np.array([max(left + size[0], margin + 8 * of_title) + margin, above + size[1] + margin])
    figure = Figure((whole[0] / _DPI, whole[1] / _DPI))
    figure.text(*(margin / whole[0], 1 - margin / whole[1]), title, verticalalignment="top")
    axes = figure.add_axes((*(np.array([left, margin]) / whole), *(size / whole)))
    _show(axes, grid)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labeltop=True, labelbottom=False)
    axes.set_yticks(*_places(row_labels, (height + 1) * scale))
    axes.set_xticks(*_places(column_labels, (width + 1) * scale))
    box = left, above, left + size[0], above + size[1]
    style.save(figure, path, dpi=_DPI, metadata={_BOX: " ".join(map(str, box))})


def bare_grid(path: pathlib.Path) -> np.ndarray:
    """Return the grid of a picture of `labelled_rows` without its labels, uint8; another picture as it is."""
    with PIL.Image.open(path) as picture:
        box = picture.info.get(_BOX)
        if box is None:
            return np.asarray(picture)
        left, top, right, bottom = map(int, box.split())
        return np.asarray(picture.convert("RGB").crop((left, top, right, bottom)))


def _show(axes: Axes, grid: np.ndarray) -> None:
    grid = grid[..., None] if grid.ndim == 2 else grid
    # As colours, which are drawn as they are; a map from grey levels rounds.
    axes.imshow(grid.repeat(3, -1) if is_grey(grid.shape) else grid)


def _places(labels, pitch):
    return [(i + 0.5) * pitch for i in range(len(labels))], labels


@style.own_style
def pixel_maps(path: pathlib.Path, maps: Mapping[str, np.ndarray], unit: str) -> None:
    """Draw values of each pixel as heat maps side by side, each with its own colour bar.

    Args:
      path: file to write.
      maps: {title: float [H, W]}. Values that are not finite stay white.
      unit: of all of them.
    """
    figure = Figure((3.4 * len(maps), 3.2), layout="constrained")
    for axes, (title, values) in zip(figure.subplots(1, len(maps), squeeze=False)[0], maps.items(), strict=True):
        axes.axis("off")
        axes.set_title(title)
        values = np.ma.masked_invalid(values)
        figure.colorbar(axes.imshow(values, cmap="viridis"), ax=axes, label=unit, shrink=0.8)
    style.save(figure, path)
