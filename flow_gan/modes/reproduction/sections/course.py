"""Figures 1, 2 and 5: samples, and the course of training."""

import math

import numpy as np
import PIL.Image

from flow_gan.modes.evaluate import result_path, score_name
from flow_gan.modes.reproduction.plan import FLOWS, IMPLICIT
from flow_gan.modes.reproduction.sections.context import (
    NAMES,
    ascending_over_seeds,
    cell,
    checks_of_nll,
    checks_of_scores,
    differences,
    digits,
)
from flow_gan.report import figures, orderings
from flow_gan.report.orderings import Value, ascending
from flow_gan.report.page import Picture, Section, Table


def samples(context):
    """Figure 1."""
    grids = {}
    for role in (*FLOWS, *IMPLICIT):
        run = context.findings.run(role, "pictures")
        if run and run.result("pictures"):
            path = result_path(run.folder, run.configured("pictures"), "samples", "png")
            grids[context.roles[role]] = np.asarray(PIL.Image.open(path))
    parts = []
    if grids:
        path = context.draw("figure-1", lambda p: figures.sample_panels(p, grids), vector=False)
        parts.append(
            Picture(
                "picture-1",
                path,
                f"Grids of 100 samples each of the models {', '.join(grids)} trained on {context.dataset.name}.",
                "Samples at the weights of the best score, the first 100 draws, nothing selected. DCGAN is ours to "
                "compare.",
            )
        )
    return Section(
        ["figure-1"],
        "Figure 1: samples",
        "samples of MLE are blurred or noisy, those of ADV and of the hybrid look best, and score so.",
        differences(context),
        parts,
        [_adv_scores_higher(context)],
        checks_of_scores(context, (*FLOWS, *IMPLICIT)),
    )


def _adv_scores_higher(context):
    values = [(NAMES[role], context.scores(role)) for role in ("mle", "adv")]
    return ascending_over_seeds(f"ADV has a higher best {context.score} than MLE", values)


def likelihood_curves(context):
    """Figure 2."""
    findings = context.findings
    runs = {role: findings.run(role, "nll") for role in FLOWS}
    curves = {role: run.curve(context.convert) for role, run in runs.items() if run}
    parts = []
    if curves:
        panels = {NAMES[role]: curve for role, curve in curves.items()}
        wide = [name for name, curve in panels.items() if _is_wide(curve)]
        path = context.draw("figure-2", lambda p: figures.objective_curves(p, panels, context.unit, wide))
        parts.append(
            Picture(
                "picture-2",
                path,
                "Curves of training and validation NLL over generator updates for MLE, ADV and the hybrid, with the "
                "critic's loss on a second axis.",
                f"Seed {findings.plan.seeds[0]}. Train NLL (red) is of a step's batch, under ADV in evaluation mode; "
                "validation NLL (blue) of all validation images; the critic's loss (green) is on the right axis."
                + (f" Log scale: {', '.join(wide)}." if wide else ""),
            )
        )
    parts.append(_final_table(context, curves))
    return Section(
        ["figure-2"],
        "Figure 2: likelihood during training",
        "MLE reaches a low validation NLL after few updates and later overfits; under ADV train and validation NLL "
        "rise together by orders of magnitude, while the WGAN loss settles and tells nothing of it.",
        differences(context),
        parts,
        _curve_verdicts(curves),
        checks_of_nll(context, FLOWS),
    )


def _is_wide(curve):
    values = [v for v in (*curve["nll"], *curve["validation_nll"]) if v is not None and math.isfinite(v)]
    return bool(values) and max(values) - min(values) > 20 * max(abs(float(np.median(values))), 1)


def _last(values, share=0.1):
    """Return the mean of the last tenth of values, None where one is not finite."""
    kept = values[-max(int(len(values) * share), 1) :]
    if not kept or any(v is None or not math.isfinite(v) for v in kept):
        return Value()
    return Value(float(np.mean(kept)))


def _curve_verdicts(curves):
    ends = {role: (_last(c["nll"]), _last(c["validation_nll"], 0)) for role, c in curves.items()}
    nothing = Value(), Value()
    mle, adv = ends.get("mle", nothing), ends.get("adv", nothing)
    empty = {name: [] for name in ("validation_step", "validation_nll", "step", "nll", "critic_step", "critic_loss")}
    course = curves.get("adv", empty)
    verdicts = [
        ascending("At the end of training ADV's validation NLL is above MLE's", [("MLE", mle[1]), ("ADV", adv[1])]),
        orderings.trend(
            "ADV's validation NLL rises during training", course["validation_step"], course["validation_nll"]
        ),
    ]
    gap = limit = Value()
    if all(v.is_known for v in (*adv, mle[1])):
        gap = Value(abs(adv[0].number - adv[1].number))
        limit = Value(0.1 * abs(adv[1].number - mle[1].number))
    claim = "Under ADV train and validation NLL stay together: a tenth of the distance to MLE at most"
    verdicts.append(orderings.at_most(claim, gap, limit, "difference at the end"))
    losses = dict(zip(course["critic_step"], course["critic_loss"], strict=True))
    pairs = [
        (losses[s], v) for s, v in zip(course["step"], course["nll"], strict=True) if v is not None and s in losses
    ]
    correlation = Value(abs(orderings.rank_correlation(*zip(*pairs, strict=True)))) if len(pairs) > 2 else Value()
    claim = "Under ADV the critic's loss tells little of the NLL: |rank correlation| of 0.5 at most"
    verdicts.append(orderings.at_most(claim, correlation, Value(0.5), "|rank correlation|"))
    claim = "MLE overfits in the end: its train NLL is below its validation NLL"
    return [*verdicts, ascending(claim, [("train", mle[0]), ("validation", mle[1])])]


def _final_table(context, curves):
    rows = []
    for role, curve in curves.items():
        known = [v for v in curve["validation_nll"] if v is not None and math.isfinite(v)]
        best = Value(min(known)) if known else Value()
        ends = _last(curve["nll"]), _last(curve["validation_nll"], 0)
        rows.append([NAMES[role], *(cell(value, digits(context)) for value in (best, ends[1], ends[0]))])
    header = ["Objective", "Lowest validation NLL", "Validation NLL at the end", "Train NLL, last tenth of the steps"]
    return Table("curve-ends", f"Ends of the curves ({context.unit})", header, rows)


def score_curves(context):
    """Figure 5."""
    findings, name = context.findings, score_name(context.dataset)
    runs = {context.roles[role]: findings.run(role) for role in (*FLOWS, *IMPLICIT)}
    curves = {role: run.scores(name) for role, run in runs.items() if run and run.scores(name)}
    parts = []
    if curves:
        path = context.draw("figure-5", lambda p: figures.score_curves(p, curves, context.score))
        points = max(len(curve["step"]) for curve in curves.values())
        parts.append(
            Picture(
                "picture-5",
                path,
                f"{context.score} of samples over generator updates for {', '.join(curves)}.",
                f"Seed {findings.plan.seeds[0]}, up to {points} scores of a training; bars: deviation over splits.",
            )
        )
    ends = {role: curve["score"][-1] for role, curve in curves.items()}
    values = [(role, Value(ends.get(role))) for role in ("MLE", "ADV")]
    verdicts = [ascending(f"ADV's {context.score} is above MLE's at the end of training, too", values)]
    return Section(
        ["figure-5"],
        "Figure 5: sample quality during training",
        "ADV's score rises well above MLE's and ends there.",
        differences(context),
        parts,
        verdicts,
        checks_of_scores(context, (*FLOWS, *IMPLICIT)),
    )
