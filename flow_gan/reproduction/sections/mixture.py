"""Figures 3, 6 and 7: the Gaussian mixture."""

import math

from flow_gan.measurement import result_path
from flow_gan.measurement.run import converted_error
from flow_gan.report import claims, figures, image_figures
from flow_gan.report.page import Picture, Section
from flow_gan.report.tables import Cell, Rows, Table
from flow_gan.report.values import Value, over_splits
from flow_gan.reproduction.sections.context import Context, cell, digits, first_seed_alone


def mixture(context: Context) -> Section:
    """Figures 3 and 6."""
    results = context.results
    run, sweep = results.run("adv", "gmm"), results.result("adv", "gmm")
    parts, checks = [], [f"(!) {warning}" for warning in context.first_seed_warnings("adv", "gmm")]
    if run and sweep:
        nll = _in_unit(context, sweep["run_validation_nll"], sweep["run_validation_standard_error"])
        in_unit = [context.convert(v) for v in sweep["validation_nll"]]
        curve = {"bandwidths": sweep["bandwidths"], "nll": in_unit, "score": sweep.get("scores")}

        def draw(path):
            number = nll.number if nll.is_known else math.inf
            figures.mixture_sweep(path, curve, "ADV", number, sweep["run_score"], context.score, context.unit)

        wins = sweep["bandwidths_that_win"]
        parts.append(
            Picture(
                key="picture-3",
                panels={"": context.draw("figure-3-and-6", draw)},
                alternative="NLL and score of the Gaussian mixture over its bandwidth, with ADV's as dashed lines"
                + (
                    f"; bandwidths {min(wins):.3g} to {max(wins):.3g}, where the mixture wins on both, are shaded."
                    if wins
                    else "; no bandwidth wins on both."
                ),
                caption=f"ADV at its weights {run.checkpoint('gmm')}; NLLs of validation images. "
                + ("Green: the" if wins else "At no bandwidth the")
                + " mixture has both the lower NLL and the higher score.",
            )
        )
        parts.append(_table(context, sweep, nll, bool(checks)))
        checks.insert(
            0,
            f"{sweep['num_centres']} training images as centres; NLL of {sweep['num_validation']} of "
            f"{sweep['num_available'][0]} validation images.",
        )
    claim = "Some mixture of Gaussians on the training images has both a lower NLL and a higher score than ADV"
    verdict = claims.some(claim, _against(sweep, nll=True), "bandwidths")
    return Section(
        keys=["figure-6", "figure-3"],
        title="Figures 3 and 6: a Gaussian mixture against ADV",
        paper="a mixture that memorises the training images outperforms ADV on both held-out likelihood and score over "
        "a range of bandwidths (Figure 3 on CIFAR-10, Figure 6 on MNIST). Here: on " + context.dataset.name + ".",
        differs=first_seed_alone(context),
        parts=parts,
        verdicts=[verdict],
        checks=checks,
    )


def _against(sweep, nll):
    """Return {bandwidth: [(high, low)]}, what the mixture must win: the score and, with `nll`, the NLL of each image.

    None where there is no score.
    """
    if not sweep or not sweep.get("scores") or sweep["run_score"] is None:
        return None
    splits = sweep["config"]["score_splits"]
    adv = over_splits(sweep["run_score"], sweep["run_score_std"], splits)
    scores = zip(sweep["scores"], sweep["scores_std"], strict=True)
    candidates = {b: [(over_splits(*score, splits), adv)] for b, score in zip(sweep["bandwidths"], scores, strict=True)}
    # A model without a finite likelihood loses to any.
    if nll and sweep["run_validation_nll"] is not None:
        excess = zip(sweep["run_minus_mixture"], sweep["run_minus_mixture_standard_error"], strict=True)
        for pairs, value in zip(candidates.values(), excess, strict=True):
            pairs.append((Value(*value), Value(0.0)))
    return candidates


def _in_unit(context, nats, error):
    """Return the `Value` of an NLL of nats with its standard error, in the data set's unit."""
    if nats is None:
        return Value()
    return Value(context.convert(nats), converted_error(error, context.convert))


def _table(context, sweep, nll, is_marked):
    """The best mixture and ADV beside each other."""
    best = [
        _in_unit(context, sweep[f"best_{split}_nll"], sweep[f"best_{split}_standard_error"])
        for split in ("validation", "test")
    ]
    scores = sweep.get("scores")
    score = Cell(scores[sweep["bandwidths"].index(sweep["best_bandwidth"])] if scores else None)
    decimals = digits(context)
    numbers = [Cell(sweep["best_bandwidth"], digits=3), *(cell(value, decimals) for value in best), score]
    rows: Rows = [
        ["Mixture of lowest validation NLL", *numbers],
        ["ADV", Cell(), cell(nll, decimals, is_marked), Cell(), Cell(sweep["run_score"])],
    ]
    header = ["Model", "Bandwidth σ", f"Validation NLL ({context.unit})", f"Test NLL ({context.unit})", context.score]
    return Table(key="mixture", title="The mixture and ADV", header=header, rows=rows)


def mixture_samples(context: Context) -> Section:
    """Figure 7."""
    run, sweep = context.results.run("adv", "gmm"), context.results.result("adv", "gmm")
    panels = {}
    if run and sweep:
        shown = {"best": sweep["best_bandwidth"]}
        if sweep["bandwidths_that_win"]:
            shown["winning"] = sweep["bandwidths_that_win"][0]
        for which, bandwidth in shown.items():
            path = result_path(run.folder, run.configured("gmm"), f"gmm-samples-{which}", "png")
            label = {"best": "lowest validation NLL", "winning": "narrowest that wins"}[which]
            if path.exists():
                grid = context.keep_grid(f"mixture-{which}", image_figures.bare_grid(path))
                panels[f"σ = {bandwidth:.3g}, {label}"] = grid
    parts: list[Picture | Table] = []
    if panels:
        grids = {name: image_figures.bare_grid(path) for name, path in panels.items()}
        context.draw("figure-7", lambda path: image_figures.sample_panels(path, grids))
        parts.append(
            Picture(
                key="picture-7",
                panels=panels,
                alternative="a grid of 100 samples of the Gaussian mixture.",
                caption="Samples of the mixture: a training image and noise of one standard deviation σ.",
            )
        )
    claim = "A mixture with a score above ADV's has a bandwidth among those searched"
    return Section(
        keys=["figure-7"],
        title="Figure 7: samples of the mixture",
        paper="for small bandwidths (0.07 on CIFAR-10) its samples are of high quality, since they are training "
        "images.",
        differs=first_seed_alone(context),
        parts=parts,
        verdicts=[claims.some(claim, _against(sweep, nll=False), "bandwidths")],
    )
