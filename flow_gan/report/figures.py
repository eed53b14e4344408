"""The paper's figures. Each function draws one from numbers and writes it to a file, PNG or SVG by its suffix.

Several runs in one figure are given as {name: values} and keep their order and colour.
"""

import math
import os
import pathlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import matplotlib
import matplotlib.style
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from flow_gan.evaluation.bandwidth import winning_bandwidths
from flow_gan.report.values import Value

# A figure does not depend on the user's matplotlibrc, and needs no LaTeX for its text.
_own_style = matplotlib.style.context("default", after_reset=True)
_SIZE = (7.0, 4.5)
_MOST_POINTS = 2000


@_own_style
def learning_curves(path: pathlib.Path, runs: Mapping[str, Mapping], unit: str, log_scale: bool = False) -> None:
    """Draw train and validation NLL over steps, and below them the critic's losses where there are any (Figure 2).

    Args:
      path: file to write.
      runs: {name: {"step": [v], "train_nll": [v], "validation_nll": [v]}, with "critic_step" and "critic_loss" [c]
        if there is a critic}, NLLs in `unit`. Values that are not finite are left out.
      unit: of the NLL.
      log_scale: NLL on a log axis, as in the paper, where it grows over decades in adversarial training; a symmetric
        one, since an NLL may be negative.
    """
    has_critic = any("critic_loss" in run for run in runs.values())
    figure = Figure((7.0, 6.5) if has_critic else _SIZE, layout="constrained")
    panels = figure.subplots(2, sharex=True, height_ratios=[2, 1]) if has_critic else [figure.subplots()]
    axes = panels[0]
    axes.set_ylabel(f"NLL ({unit})")
    for i, (name, run) in enumerate(runs.items()):
        colour = f"C{i}"
        for split, style in (("train", "--"), ("validation", "-")):
            axes.plot(
                run["step"],
                _finite(run[f"{split}_nll"]),
                style,
                color=colour,
                marker=".",
                label=f"{name}, {split}",
            )
        if "critic_loss" in run:
            losses = _thinned(run["critic_step"], run["critic_loss"])
            panels[-1].plot(*losses, color=colour, linewidth=1, label=name)
    if log_scale:
        axes.set_yscale("symlog", linthresh=1.0)
    if has_critic:
        panels[-1].set_ylabel("critic's loss")
    for panel in panels:
        panel.grid(alpha=0.3)
    panels[-1].set_xlabel("generator updates")
    panels[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    _legend_above(figure, *axes.get_legend_handles_labels())
    _save(figure, path)


def is_wide(values: Sequence[float | None]) -> bool:
    """Whether values, None where unknown, range over more than 20 times their median, so that a log axis is better."""
    known = _finite(values)
    known = known[np.isfinite(known)]
    return known.size > 0 and bool(np.ptp(known) > 20 * max(abs(np.median(known)), 1))


@_own_style
def objective_curves(path: pathlib.Path, panels: Mapping[str, Mapping], unit: str, wide: Collection[str] = ()) -> None:
    """Draw a panel for each objective as in the paper's Figure 2: train and validation NLL, and the critic's loss.

    Args:
      path: file to write.
      panels: {title: run}, runs as in `learning_curves`.
      unit: of the NLL.
      wide: titles of the panels whose NLL grows over decades, on a symmetric log axis.
    """
    figure = Figure((5.0 * len(panels), 3.9), layout="constrained")
    handles: dict[str, Any] = {}
    for axes, (title, run) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        axes.set_title(title, fontsize="medium")
        axes.set_xlabel("generator updates")
        axes.set_ylabel(f"NLL ({unit})")
        axes.grid(alpha=0.3)
        drawn = []
        for split, colour in (("train", "C3"), ("validation", "C0")):
            nll = _finite(run[f"{split}_nll"])
            drawn += axes.plot(run["step"], nll, color=colour, marker=".", label=f"{split} NLL")
        if title in wide:
            axes.set_yscale("symlog", linthresh=1.0)
        if "critic_loss" in run:
            right = axes.twinx()
            right.set_ylabel("critic's loss")
            loss = _thinned(run["critic_step"], run["critic_loss"])
            drawn += right.plot(*loss, color="C2", linewidth=1, alpha=0.8, label="critic's loss")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
        handles |= {str(line.get_label()): line for line in drawn}
    figure.legend([*handles.values()], [*handles], fontsize="small", ncols=3, loc="outside upper center")
    _save(figure, path)


@_own_style
def trade_off(path: pathlib.Path, points: Sequence[tuple[str, Value, Value]], unit: str, score: str) -> None:
    """Draw NLL against sample score: a point for each lambda, joined in their order, with MLE and ADV at the ends.

    The axis shows the difference to the lowest NLL, linear near 0 and logarithmic beyond: hybrids and MLE lie close
    together, ADV far away.

    Args:
      path: file to write.
      points: [(name, NLL, score)] from ADV to MLE, all finite.
      unit: of the NLL.
      score: name of the score.
    """
    nlls = [nll.number for _, nll, _ in points if nll.number is not None]
    lowest = min(nlls)
    figure, axes = _axes(
        f"test NLL above the lowest, {lowest:.2f} ({unit}); lower is better", f"{score}, higher is better"
    )
    above = [nll - lowest for nll in nlls]
    if max(above) > 0:
        axes.set_xscale("symlog", linthresh=max(above) / 50)
    axes.plot(above, [value.number for *_, value in points], color="0.7", linewidth=1, zorder=1)
    colours = matplotlib.colormaps["viridis"](np.linspace(0, 0.95, len(points)))
    for x, (name, nll, value), colour in zip(above, points, colours, strict=True):
        axes.errorbar(
            x, value.number, yerr=value.error, xerr=nll.error, color=colour, marker="o", capsize=2, label=name
        )
    axes.legend(fontsize="small", ncols=2)
    _save(figure, path)


@_own_style
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
        axes.imshow(grid, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        axes.set_title(name, fontsize="medium")
    _save(figure, path)


@_own_style
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
        axes.set_title(title, fontsize="medium")
        values = np.ma.masked_invalid(values)
        figure.colorbar(axes.imshow(values, cmap="viridis", interpolation="nearest"), ax=axes, label=unit, shrink=0.8)
    _save(figure, path)


@_own_style
def score_curves(
    path: pathlib.Path, runs: Mapping[str, Mapping], score: str, colours: Mapping[str, str] | None = None
) -> None:
    """Draw a sample score over steps (Figure 5).

    Args:
      path: file to write.
      runs: {name: {"step": [n], "score": [n], "std": [n]}}.
      score: name of the score.
      colours: {name: colour}; in their order if None.
    """
    figure, axes = _axes("generator updates", score)
    colours = colours or _in_order(runs)
    for name, run in runs.items():
        axes.errorbar(
            run["step"], run["score"], yerr=_finite(run["std"]), color=colours[name], marker=".", capsize=2, label=name
        )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(fontsize="small")
    _save(figure, path)


@_own_style
def singular_value_cdf(
    path: pathlib.Path, runs: Mapping[str, Sequence | np.ndarray], colours: Mapping[str, str] | None = None
) -> None:
    """Draw the cumulative distribution of singular values of dG/dz on a log axis (Figures 4 and 8).

    Args:
      path: file to write.
      runs: {name: singular values, any shape}. Zeros are drawn at the left edge.
      colours: {name: colour}; in their order if None.
    """
    figure, axes = _axes("singular value s", "fraction of singular values less than s")
    positive = [np.ravel(values)[np.ravel(values) > 0] for values in runs.values()]
    lowest = min((float(values.min()) for values in positive if values.size), default=1e-12)
    colours = colours or _in_order(runs)
    for name, values in runs.items():
        values = np.sort(np.maximum(np.ravel(values), lowest))
        axes.plot(*_thinned(values, np.arange(1, len(values) + 1) / len(values)), color=colours[name], label=name)
    axes.set_xscale("log")
    axes.set_ylim(0, 1)
    axes.legend(fontsize="small")
    _save(figure, path)


@_own_style
def mixture_sweep(
    path: pathlib.Path,
    sweep: Mapping[str, Any],
    run_name: str,
    run_nll: float | None,
    run_score: float | None,
    score: str,
    unit: str,
) -> list[float]:
    """Draw NLL and sample score of the Gaussian mixture over its bandwidth, and those of a run (Figures 3 and 6).

    The bandwidths where the mixture has both the lower NLL and the higher score are shaded.

    Args:
      path: file to write.
      sweep: {"bandwidths": [n], "nll": [n], "score": [n] or None}, NLLs in `unit`.
      run_name: name of the run.
      run_nll, run_score: of the run, drawn as dashed lines.
      score: name of the score.
      unit: of the NLL.

    Returns:
      The shaded bandwidths.
    """
    figure, axes = _axes("bandwidth", f"NLL ({unit})")
    bandwidths = np.asarray(sweep["bandwidths"])
    order = np.argsort(bandwidths)
    bandwidths, nll = bandwidths[order], np.asarray(sweep["nll"], float)[order]
    axes.plot(bandwidths, nll, color="C0", marker=".", label="mixture, NLL")
    if run_nll is not None and np.isfinite(run_nll):
        axes.axhline(run_nll, color="C9", linestyle="--", label=f"{run_name}, NLL")
    axes.set_xscale("log")
    axes.set_yscale("symlog", linthresh=10.0)
    handles, labels = axes.get_legend_handles_labels()
    wins = []
    if sweep.get("score") is not None:
        scores = np.asarray(sweep["score"], float)[order]
        score_axes = axes.twinx()
        score_axes.set_ylabel(score)
        score_axes.plot(bandwidths, scores, color="C3", marker=".", label=f"mixture, {score}")
        if run_score is not None:
            score_axes.axhline(run_score, color="maroon", linestyle="--", label=f"{run_name}, {score}")
            if run_nll is not None:
                wins = winning_bandwidths(bandwidths.tolist(), nll.tolist(), scores.tolist(), run_nll, run_score)
        more, names = score_axes.get_legend_handles_labels()
        handles, labels = handles + more, labels + names
    for i in np.flatnonzero(np.isin(bandwidths, wins)):
        # Up to half-way to the neighbours, on the log axis.
        left = bandwidths[i] if i == 0 else np.sqrt(bandwidths[i - 1] * bandwidths[i])
        right = bandwidths[i] if i == len(bandwidths) - 1 else np.sqrt(bandwidths[i] * bandwidths[i + 1])
        axes.axvspan(left, right, color="green", alpha=0.2, linewidth=0)
    _legend_above(figure, handles, labels)
    _save(figure, path)
    return wins


def _in_order(runs):
    """Return {name: colour}, in the order of the runs."""
    return {name: f"C{i}" for i, name in enumerate(runs)}


def _axes(x_label, y_label):
    figure = Figure(_SIZE, layout="constrained")
    axes = figure.subplots()
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.grid(alpha=0.3)
    return figure, axes


def _legend_above(figure, handles, labels):
    # There are several axes or many names, and a legend inside would hide curves.
    columns = 2 if max(map(len, labels), default=0) < 45 else 1
    figure.legend(handles, labels, fontsize="small", ncols=columns, loc="outside upper center")


def _thinned(x, y):
    """Return at most `_MOST_POINTS` evenly spaced points of a curve: it looks the same, and an SVG is far smaller."""
    kept = np.unique(np.linspace(0, max(len(x) - 1, 0), _MOST_POINTS).astype(int))[: len(x)]
    return np.asarray(x)[kept], _finite(y)[kept]


def _finite(values):
    values = np.array([np.nan if value is None else value for value in values], float)
    values[~np.isfinite(values)] = np.nan
    return values


def _save(figure, path):
    """Write a figure completely or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}")
    kind = path.suffix[1:]
    # Without a date and with fixed ids, the same figure gives the same SVG.
    with matplotlib.rc_context({"svg.hashsalt": "flow_gan"}):
        figure.savefig(temporary, format=kind, dpi=150, metadata={"Date": None} if kind == "svg" else None)
    os.replace(temporary, path)
