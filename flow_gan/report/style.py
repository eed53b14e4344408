"""How all figures look and are written, and the paper's colours."""

import os
import pathlib
from collections.abc import Mapping

import matplotlib
import matplotlib.style
from matplotlib.figure import Figure

# Models, as in the paper's Figures 4 and 8.
MODELS = {
    "mle": "tab:orange",
    "adv": "tab:green",
    "hybrid": "tab:blue",
    "dcgan_wgan": "tab:red",
    "dcgan_ce": "tab:purple",
}
# Its Figure 5 has other ones for two of them.
MODELS_IN_FIGURE_5 = MODELS | {"mle": "tab:cyan", "adv": "maroon"}
# Its Figure 2.
TRAIN, VALIDATION, CRITIC = "tab:red", "tab:blue", "tab:green"
# Its Figures 3 and 6: the mixture's curves, the dashed lines of a run such as ADV, and where the mixture wins.
MIXTURE_NLL, MIXTURE_SCORE = "tab:blue", "tab:red"
RUN_NLL, RUN_SCORE = "tab:cyan", "maroon"
WINS = "tab:green"

# Inches. On the page text has the size of the text around it, and at 400 pixels it can still be read.
SIZE = (4.4, 3.1)
# Of a figure with several curves of each run.
WIDE = (7.0, 4.5)

_RC = {
    "font.size": 9,
    "axes.titlesize": "medium",
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "errorbar.capsize": 2,
    "grid.alpha": 0.3,
    "image.interpolation": "nearest",
    "legend.fontsize": "small",
    "legend.frameon": False,
    "lines.linewidth": 1.5,
    "lines.markersize": 4,
    "savefig.dpi": 200,
    # With fixed ids the same figure gives the same SVG.
    "svg.hashsalt": "flow_gan",
}

# A decorator. A figure does not depend on the user's matplotlibrc, and needs no LaTeX for its text.
own_style = matplotlib.style.context(["default", _RC], after_reset=True)


def colours_of(kinds: Mapping[str, str | None]) -> dict[str, str]:
    """Return {name of a run: colour}: that of its kind in `MODELS`, or by their order if two would have the same.

    Args:
      kinds: {name of a run: "mle", "adv", ...}; None for a kind that the paper does not have.
    """
    found = [MODELS.get(kind or "") for kind in kinds.values()]
    if None in found or len(set(found)) < len(found):
        found = [f"C{i}" for i in range(len(found))]
    return {name: str(colour) for name, colour in zip(kinds, found, strict=True)}


def shades_of_hybrid(count: int) -> list[tuple[float, ...]]:
    """Return colours of hybrids from a small lambda to a large one, from light to dark."""
    blues = matplotlib.colormaps["Blues"]
    return [blues(0.35 + 0.6 * i / max(count - 1, 1)) for i in range(count)]


def save(
    figure: Figure, path: pathlib.Path, dpi: float | None = None, metadata: Mapping[str, str] | None = None
) -> None:
    """Write a figure completely or not at all, as the suffix of `path` says.

    Args:
      figure: the figure.
      path: file to write, PNG or SVG.
      dpi: pixels of a PNG per inch; the style's if None.
      metadata: {keyword: text} to write into a PNG.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}")
    kind = path.suffix[1:]
    # Without a date the same figure gives the same SVG.
    figure.savefig(temporary, format=kind, dpi=dpi, metadata={"Date": None} if kind == "svg" else metadata)
    os.replace(temporary, path)
