"""The paper's figures. Each function draws one from numbers alone and writes it to a file, PNG or SVG by its name.

Where several runs are drawn together, they come as {name: values} and keep their order and colour.
"""

import os

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

_SIZE = (7.0, 4.5)


def learning_curves(path, runs, unit, log_scale=False):
    """Draw train and validation NLL, and the critic's loss where there is one, over steps (Figure 2).

    Args:
      path: file to write.
      runs: {name: {"step": [n], "nll": [n], "validation_step": [v], "validation_nll": [v]}, with "critic_step"
        and "critic_loss" [c] if there is a critic}, NLLs in `unit`. Values that are not finite are left out.
      unit: str, of the NLL.
      log_scale: bool, NLL on a log axis, as the paper has it where adversarial training lets it grow over decades; a
        symmetric one, since an NLL may be negative.
    """
    figure, axes = _axes("step", f"NLL ({unit})")
    critic_axes = None
    for i, (name, run) in enumerate(runs.items()):
        colour = f"C{i}"
        axes.plot(run["step"], _finite(run["nll"]), color=colour, alpha=0.5, linewidth=1, label=f"{name}, train")
        axes.plot(
            run["validation_step"],
            _finite(run["validation_nll"]),
            color=colour,
            marker=".",
            label=f"{name}, validation",
        )
        if "critic_loss" in run:
            if critic_axes is None:
                critic_axes = axes.twinx()
                critic_axes.set_ylabel("critic's loss")
            critic_axes.plot(
                run["critic_step"],
                _finite(run["critic_loss"]),
                color=colour,
                linestyle=":",
                linewidth=1,
                label=f"{name}, critic's loss",
            )
    if log_scale:
        axes.set_yscale("symlog", linthresh=1.0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    handles, labels = axes.get_legend_handles_labels()
    if critic_axes is not None:
        more, names = critic_axes.get_legend_handles_labels()
        handles, labels = handles + more, labels + names
    _legend_above(figure, handles, labels)
    _save(figure, path)


def score_curves(path, runs, score):
    """Draw a sample score over steps (Figure 5).

    Args:
      path: file to write.
      runs: {name: {"step": [n], "score": [n], "std": [n]}}.
      score: str, name of the score.
    """
    figure, axes = _axes("step", score)
    for i, (name, run) in enumerate(runs.items()):
        axes.errorbar(run["step"], run["score"], yerr=run["std"], color=f"C{i}", marker=".", capsize=2, label=name)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(fontsize="small")
    _save(figure, path)


def singular_value_cdf(path, runs):
    """Draw the cumulative distribution of singular values of dG/dz on a log axis (Figures 4 and 8).

    Args:
      path: file to write.
      runs: {name: singular values, any shape}. Zeros stand at the left edge.
    """
    figure, axes = _axes("singular value s", "fraction of singular values less than s")
    positive = [np.ravel(values)[np.ravel(values) > 0] for values in runs.values()]
    lowest = min((float(values.min()) for values in positive if values.size), default=1e-12)
    for i, (name, values) in enumerate(runs.items()):
        values = np.sort(np.maximum(np.ravel(values), lowest))
        axes.plot(values, np.arange(1, len(values) + 1) / len(values), color=f"C{i}", label=name)
    axes.set_xscale("log")
    axes.set_ylim(0, 1)
    axes.legend(fontsize="small")
    _save(figure, path)


def mixture_sweep(path, sweep, run_name, run_nll, run_score, score, unit):
    """Draw NLL and sample score of the Gaussian mixture over its bandwidth, against a run's (Figures 3 and 6).

    The bandwidths where the mixture has both the lower NLL and the higher score are shaded.

    Args:
      path: file to write.
      sweep: {"bandwidths": [n], "nll": [n], "score": [n] or None}, NLLs in `unit`.
      run_name: str, what the dashed lines stand for.
      run_nll, run_score: float or None, the run's, as dashed lines.
      score: str, name of the score.
      unit: str, of the NLL.

    Returns:
      list of the shaded bandwidths.
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
    wins = np.zeros(len(bandwidths), bool)
    if sweep.get("score") is not None:
        scores = np.asarray(sweep["score"], float)[order]
        score_axes = axes.twinx()
        score_axes.set_ylabel(score)
        score_axes.plot(bandwidths, scores, color="C3", marker=".", label=f"mixture, {score}")
        if run_score is not None:
            score_axes.axhline(run_score, color="maroon", linestyle="--", label=f"{run_name}, {score}")
            if run_nll is not None:
                # A model without a finite likelihood loses to any.
                wins = (nll < (run_nll if np.isfinite(run_nll) else np.inf)) & (scores > run_score)
        more, names = score_axes.get_legend_handles_labels()
        handles, labels = handles + more, labels + names
    for i in np.flatnonzero(wins):
        # Up to half-way to the neighbours, on the log axis.
        left = bandwidths[i] if i == 0 else np.sqrt(bandwidths[i - 1] * bandwidths[i])
        right = bandwidths[i] if i == len(bandwidths) - 1 else np.sqrt(bandwidths[i] * bandwidths[i + 1])
        axes.axvspan(left, right, color="green", alpha=0.2, linewidth=0)
    _legend_above(figure, handles, labels)
    _save(figure, path)
    return bandwidths[wins].tolist()


def _axes(x_label, y_label):
    figure = Figure(_SIZE, layout="constrained")
    axes = figure.subplots()
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.grid(alpha=0.3)
    return figure, axes


def _legend_above(figure, handles, labels):
    # Two axes share the picture, and a legend inside would hide the curves of one.
    figure.legend(handles, labels, fontsize="small", ncols=2, loc="outside upper center")


def _finite(values):
    values = np.array([np.nan if value is None else value for value in values], float)
    values[~np.isfinite(values)] = np.nan
    return values


def _save(figure, path):
    """Write a figure whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}")
    figure.savefig(temporary, format=path.suffix[1:], dpi=150)
    os.replace(temporary, path)
