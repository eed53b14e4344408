"""The paper's figures. Each function draws one from numbers and writes it to a file, PNG or SVG by its suffix.

Several runs in one figure are given as {name: values} and keep their order and colour.
"""

import pathlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from flow_gan.evaluation.bandwidth import winning_bandwidths
from flow_gan.report import style
from flow_gan.report.values import Value

# Inches that a line of a legend takes, and its most letters.
_LEGEND_LINE = 0.17
_LEGEND_LETTERS = 58
_MOST_POINTS = 2000


@style.own_style
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
    figure = Figure((style.WIDE[0], 6.5) if has_critic else style.WIDE, layout="constrained")
    panels = figure.subplots(2, sharex=True, height_ratios=[2, 1]) if has_critic else [figure.subplots()]
    axes = panels[0]
    axes.set_ylabel(f"NLL ({unit})")
    for i, (name, run) in enumerate(runs.items()):
        colour = f"C{i}"
        for split, line in (("train", "--"), ("validation", "-")):
            axes.plot(
                run["step"],
                _finite(run[f"{split}_nll"]),
                line,
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
    style.save(figure, path)


def is_wide(values: Sequence[float | None]) -> bool:
    """Whether values, None where unknown, range over more than 20 times their median, so that a log axis is better."""
    known = _finite(values)
    known = known[np.isfinite(known)]
    return known.size > 0 and bool(np.ptp(known) > 20 * max(abs(np.median(known)), 1))


@style.own_style
def objective_curves(path: pathlib.Path, panels: Mapping[str, Mapping], unit: str, wide: Collection[str] = ()) -> None:
    """Draw a panel for each objective as in the paper's Figure 2: train and validation NLL, below them critic's loss.

    Args:
      path: file to write.
      panels: {title: run}, runs as in `learning_curves`.
      unit: of the NLL.
      wide: titles of the panels whose NLL grows over decades, on a symmetric log axis.
    """
    has_critic = any("critic_loss" in run for run in panels.values())
    figure = Figure((3.6 * len(panels), 4.2 if has_critic else 3.0), layout="constrained")
    rows = 2 if has_critic else 1
    grid = figure.subplots(rows, len(panels), squeeze=False, height_ratios=[3, 1][:rows])
    handles: dict[str, Any] = {}
    for (title, run), axes in zip(panels.items(), grid.T, strict=True):
        axes[0].set_title(title)
        axes[0].set_ylabel(f"NLL ({unit})")
        drawn = []
        for split, colour in (("train", style.TRAIN), ("validation", style.VALIDATION)):
            nll = _finite(run[f"{split}_nll"])
            drawn += axes[0].plot(run["step"], nll, color=colour, marker="o", label=f"{split} NLL")
        if title in wide:
            axes[0].set_yscale("symlog", linthresh=1.0)
        if "critic_loss" in run:
            axes[1].sharex(axes[0])
            axes[0].tick_params(labelbottom=False)
            axes[1].set_ylabel("critic's loss")
            loss = _thinned(run["critic_step"], run["critic_loss"])
            drawn += axes[1].plot(*loss, color=style.CRITIC, linewidth=1, label="critic's loss")
        elif has_critic:
            axes[1].remove()
        lowest = axes[-1] if "critic_loss" in run else axes[0]
        lowest.set_xlabel("generator updates")
        lowest.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
        handles |= {str(line.get_label()): line for line in drawn}
    _legend_above(figure, [*handles.values()], [*handles])
    style.save(figure, path)


@style.own_style
def trade_off(
    path: pathlib.Path,
    points: Sequence[tuple[str, Value, Value]],
    unit: str,
    score: str,
    colours: Mapping[str, Any] | None = None,
) -> None:
    """Draw NLL against sample score: a point for each lambda, joined in their order, with MLE and ADV at the ends.

    The axis shows the difference to the lowest NLL, linear near 0 and logarithmic beyond: hybrids and MLE lie close
    together, ADV far away.

    Args:
      path: file to write.
      points: [(name, NLL, score)] from ADV to MLE, all finite.
      unit: of the NLL.
      score: name of the score.
      colours: {name: colour}; in their order if None.
    """
    nlls = [nll.number for _, nll, _ in points if nll.number is not None]
    lowest = min(nlls)
    figure, axes = _axes(f"test NLL above the lowest, {_signed(f'{lowest:.2f}')} ({unit})", score)
    above = [nll - lowest for nll in nlls]
    if max(above) > 0:
        linear = max(above) / 50
        axes.set_xscale("symlog", linthresh=linear)
        # In the linear part 0 alone has room for a number.
        axes.xaxis.set_major_formatter(lambda x, _: _signed(f"{x:g}") if x == 0 or abs(x) >= linear else "")
    axes.plot(above, [value.number for *_, value in points], color="0.7", linewidth=1, zorder=1)
    colours = colours or _in_order(name for name, *_ in points)
    for x, (name, nll, value) in zip(above, points, strict=True):
        axes.errorbar(x, value.number, yerr=value.error, xerr=nll.error, color=colours[name], marker="o", label=name)
    _legend_above(figure, *axes.get_legend_handles_labels())
    style.save(figure, path)


@style.own_style
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
        axes.errorbar(run["step"], run["score"], yerr=_finite(run["std"]), color=colours[name], marker="o", label=name)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    _legend_above(figure, *axes.get_legend_handles_labels())
    style.save(figure, path)


@style.own_style
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
    _legend_above(figure, *axes.get_legend_handles_labels())
    style.save(figure, path)


@style.own_style
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
    axes.plot(bandwidths, nll, color=style.MIXTURE_NLL, marker="o", label="mixture, NLL")
    if run_nll is not None and np.isfinite(run_nll):
        axes.axhline(run_nll, color=style.RUN_NLL, linestyle="--", label=f"{run_name}, NLL")
    axes.set_xscale("log")
    axes.set_yscale("symlog", linthresh=10.0)
    handles, labels = axes.get_legend_handles_labels()
    wins = []
    if sweep.get("score") is not None:
        scores = np.asarray(sweep["score"], float)[order]
        score_axes = _right_of(axes, score)
        score_axes.plot(bandwidths, scores, color=style.MIXTURE_SCORE, marker="o", label=f"mixture, {score}")
        if run_score is not None:
            score_axes.axhline(run_score, color=style.RUN_SCORE, linestyle="--", label=f"{run_name}, {score}")
            if run_nll is not None:
                wins = winning_bandwidths(bandwidths.tolist(), nll.tolist(), scores.tolist(), run_nll, run_score)
        more, names = score_axes.get_legend_handles_labels()
        handles, labels = handles + more, labels + names
    for i in np.flatnonzero(np.isin(bandwidths, wins)):
        # Up to half-way to the neighbours, on the log axis.
        left = bandwidths[i] if i == 0 else np.sqrt(bandwidths[i - 1] * bandwidths[i])
        right = bandwidths[i] if i == len(bandwidths) - 1 else np.sqrt(bandwidths[i] * bandwidths[i + 1])
        axes.axvspan(left, right, color=style.WINS, alpha=0.2, linewidth=0)
    _legend_above(figure, handles, labels)
    style.save(figure, path)
    return wins


def _signed(number):
    return number.replace("-", "\N{MINUS SIGN}")


def _in_order(names):
    """Return {name: colour}, in their order."""
    return {name: f"C{i}" for i, name in enumerate(names)}


def _axes(x_label, y_label, size=style.SIZE):
    figure = Figure(size, layout="constrained")
    axes = figure.subplots()
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    return figure, axes


def _right_of(axes, label):
    """Return axes with a scale of their own on the right, and no second grid."""
    right = axes.twinx()
    right.set_ylabel(label)
    right.grid(visible=False)
    right.spines["right"].set_visible(True)
    # The curves of the left axis, which a figure is about, lie above those of the right one.
    axes.set_zorder(right.get_zorder() + 1)
    axes.patch.set_visible(False)
    return right


def _legend_above(figure, handles, labels):
    """Add a legend that hides no curve, as wide as the figure, which grows by what it takes beyond two lines."""
    width, height = figure.get_size_inches()
    columns = max(int(width / style.SIZE[0] * _LEGEND_LETTERS // (max(map(len, labels), default=0) + 8)), 1)
    lines = -(-len(labels) // columns)
    figure.set_size_inches(width, height + _LEGEND_LINE * max(lines - 2, 0))
    figure.legend(handles, labels, ncols=min(columns, max(len(labels), 1)), loc="outside upper center")


def _thinned(x, y):
    """Return at most `_MOST_POINTS` evenly spaced points of a curve: it looks the same, and an SVG is far smaller."""
    kept = np.unique(np.linspace(0, max(len(x) - 1, 0), _MOST_POINTS).astype(int))[: len(x)]
    return np.asarray(x)[kept], _finite(y)[kept]


def _finite(values):
    values = np.array([np.nan if value is None else value for value in values], float)
    values[~np.isfinite(values)] = np.nan
    return values
