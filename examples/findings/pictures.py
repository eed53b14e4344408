"""The pictures of the experiments, each drawn from numbers alone."""

import matplotlib.style
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import SymmetricalLogLocator

# A figure looks the same whatever the user's matplotlibrc says.
_own_style = matplotlib.style.context("default", after_reset=True)


@_own_style
def score_against_nll(path, curves):
    """Draw MODE score against NLL, a line for each way.

    The NLL is drawn as what it is above the lowest, on an axis that is linear up to 1 nat and logarithmic beyond.

    Args:
      path: file to write.
      curves: {name: [(label, {"NLL": Value, "MODE score": Value})]}. Points that are not known are left out.
    """
    points = {
        name: [
            (label, v["NLL"], v["MODE score"]) for label, v in curve if v["NLL"].is_known and v["MODE score"].is_known
        ]
        for name, curve in curves.items()
    }
    numbers = [nll.number for curve in points.values() for _, nll, _ in curve] or [0.0]
    lowest = min(numbers)
    figure = Figure((7.5, 5.0), layout="constrained")
    axes = figure.subplots()
    if max(numbers) - lowest > 1:
        axes.set_xscale("symlog", linthresh=1.0)
    axes.set_xlabel(f"test NLL above the lowest, {lowest:.2f} (nats); lower is better")
    axes.set_ylabel("MODE score, higher is better")
    axes.margins(x=0.12)
    axes.grid(alpha=0.3)
    for name, curve in points.items():
        x, y = [nll.number - lowest for _, nll, _ in curve], [score.number for *_, score in curve]
        errors = {"xerr": _errors(nll for _, nll, _ in curve), "yerr": _errors(score for *_, score in curve)}
        axes.errorbar(x, y, **errors, marker="o", capsize=2, linewidth=1, elinewidth=0.5, label=name)
        for place, (label, *_) in zip(zip(x, y, strict=True), curve, strict=True):
            axes.annotate(label, place, textcoords="offset points", xytext=(4, 4), fontsize="x-small")
    figure.legend(fontsize="small", ncols=3, loc="outside upper center")
    figure.savefig(path, dpi=150)


@_own_style
def bars(path, groups, heights, unit):
    """Draw bars of several models side by side in groups, on an axis that is linear up to 10 and logarithmic beyond.

    Args:
      path: file to write.
      groups: list of str.
      heights: {model: list of float, or None, one for each group}.
      unit: str, of the heights.
    """
    figure = Figure((8.5, 5.0), layout="constrained")
    axes = figure.subplots()
    width = 0.8 / len(heights)
    for i, (name, values) in enumerate(heights.items()):
        places = np.arange(len(groups)) + (i - (len(heights) - 1) / 2) * width
        axes.bar(places, [np.nan if value is None else value for value in values], width, label=name)
    axes.axhline(0, color="0.3", linewidth=0.8)
    axes.set_yscale("symlog", linthresh=10.0)
    axes.yaxis.set_major_locator(SymmetricalLogLocator(base=10.0, linthresh=10.0, subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_xticks(range(len(groups)), groups)
    axes.set_ylabel(unit)
    axes.grid(alpha=0.3, axis="y")
    figure.legend(fontsize="small", ncols=2, loc="outside upper center")
    figure.savefig(path, dpi=150)


def _errors(values):
    return [value.error or 0.0 for value in values]
