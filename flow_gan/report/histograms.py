"""Histograms of what models say of two kinds of images."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from flow_gan.report import style

_BINS = 40
# Of all values of a panel, in percent. Values beyond these are in the outermost bars, so that they do not make all
# others one bar.
_RANGE = (1, 99)


@dataclasses.dataclass(frozen=True)
class Panel:
    """Values of two kinds of images.

    Attributes:
      own, other: numbers, infinite ones too; None or NaN where unknown.
      title: str, what they come to.
    """

    own: Sequence[float | None] | np.ndarray = dataclasses.field(repr=False)
    other: Sequence[float | None] | np.ndarray = dataclasses.field(repr=False)
    title: str


@style.own_style
def histograms(path: pathlib.Path, rows: Mapping[str, Mapping[str, Panel]], own: str, other: str) -> None:
    """Draw a row of histograms for each run, a panel for each of what is measured.

    Args:
      path: file to write.
      rows: {name of a run: {what is measured, with its unit: `Panel`}}. Runs may lack some.
      own, other: names of the two kinds of images.
    """
    columns = list(dict.fromkeys(name for panels in rows.values() for name in panels))
    figure = Figure((max(3.0 * len(columns), style.SIZE[0]), 2.6 * len(rows) + 0.4), layout="constrained")
    grid = figure.subplots(len(rows), len(columns), squeeze=False)
    for line, (name, panels) in zip(grid, rows.items(), strict=True):
        first = next(axes for axes, what in zip(line, columns, strict=True) if what in panels)
        first.set_ylabel(f"{name}\nshare of images")
        for axes, what in zip(line, columns, strict=True):
            if what not in panels:
                axes.set_axis_off()
                continue
            axes.set_title(panels[what].title)
            axes.set_xlabel(what)
            _draw(axes, panels[what], own, other)
    drawn = next(axes for axes in grid.ravel() if axes.get_legend_handles_labels()[0])
    figure.legend(*drawn.get_legend_handles_labels(), ncols=2, loc="outside upper center")
    style.save(figure, path)


def _draw(axes, panel, own, other):
    kinds = {own: np.array(panel.own, float), other: np.array(panel.other, float)}
    edges = _edges(np.concatenate([*kinds.values()]))
    for (name, values), colour in zip(kinds.items(), ("tab:blue", "tab:orange"), strict=True):
        known = values[~np.isnan(values)]
        shares = np.full(len(known), 1 / len(values))
        axes.hist(np.clip(known, edges[0], edges[-1]), edges, weights=shares, color=colour, alpha=0.5, label=name)


def _edges(values):
    finite = values[np.isfinite(values)]
    low, high = np.percentile(finite, _RANGE) if finite.size else (0.0, 0.0)
    return np.linspace(low, high, _BINS + 1) if high > low else np.array([low - 0.5, low + 0.5])
