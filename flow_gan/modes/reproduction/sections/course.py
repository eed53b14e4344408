"""Figures 1, 2 and 5: samples, and the course of training."""

import math

import numpy as np
import PIL.Image

from flow_gan.modes.evaluate import result_path, score_name
from flow_gan.modes.reproduction.plan import FLOWS, IMPLICIT
from flow_gan.modes.reproduction.sections.context import (
    COLOURS,
    NAMES,
    ascending_over_seeds,
    cell,
    checks_of_nll,
    checks_of_scores,
    digits,
    first_seed_alone,
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
        "at the weights of the best score ADV's samples are better than MLE's, by the score and to the eye (3.3).",
        first_seed_alone(context),
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
        wide = [name for name, curve in panels.items() if figures.is_wide(curve["nll"] + curve["validation_nll"])]
        path = context.draw("figure-2", lambda p: figures.objective_curves(p, panels, context.unit, wide))
        parts.append(
            Picture(
                "picture-2",
                path,
                "Curves of training and validation NLL over generator updates for MLE, ADV and the hybrid, with the "
                "critic's loss on a second axis.",
                f"Seed {findings.plan.seeds[0]}. Train NLL (red) is of a step's batch, under ADV in evaluation mode; "
                "validation NLL (blue) of all validation images; the critic's loss without its penalty (green) is on "
                "the right axis." + (f" Log scale: {', '.join(wide)}." if wide else ""),
            )
        )
    parts.append(_final_table(context, curves))
    return Section(
        ["figure-2"],
        "Figure 2: likelihood during training",
        "MLE reaches a low validation NLL after few updates, and its train NLL begins to diverge from it; under ADV "
        "train and validation NLL track each other and rise, to values orders of magnitude worse than MLE's, while the "
        "WGAN loss settles and tells nothing of it (Section 3.3).",
        first_seed_alone(context),
        parts,
        _curve_verdicts(curves),
        checks_of_nll(context, FLOWS),
    )


def _end(curve):
    """Return the last validation NLL with its standard error, a `Value`."""
    if not curve or not curve["validation_nll"]:
        return Value()
    return Value(curve["validation_nll"][-1], curve["validation_error"][-1])


def _gaps(curve):
    """Return (steps, validation NLLs, what they are above the train NLL of the same step), where all are finite."""
    train = dict(zip(curve["step"], curve["nll"], strict=True))
    found = [
        (step, value, value - train[step])
        for step, value in zip(curve["validation_step"], curve["validation_nll"], strict=True)
        if Value(value).is_known and Value(train.get(step)).is_known
    ]
    return tuple(zip(*found, strict=True)) or ((), (), ())


_NO_CURVE = {name: [] for name in ("validation_step", "validation_nll", "step", "nll", "critic_step", "critic_loss")}


def _curve_verdicts(curves):
    mle, adv = (curves.get(role, _NO_CURVE) for role in ("mle", "adv"))
    ends = [("MLE", _end(curves.get("mle"))), ("ADV", _end(curves.get("adv")))]
    claim = "ADV's validation NLL rises during training"
    verdicts = [
        ascending("At the end of training ADV's validation NLL is above MLE's", ends),
        orderings.trend(claim, adv["validation_step"], adv["validation_nll"]),
    ]
    gap = limit = Value()
    _, validation, gaps = _gaps(adv)
    if gaps and ends[0][1].is_known:
        gap = Value(float(np.mean(np.abs(gaps))))
        limit = Value(0.1 * float(np.mean(np.abs(np.subtract(validation, ends[0][1].number)))))
    claim = "Under ADV train and validation NLL track each other: to a tenth of the distance to MLE, on average"
    verdicts.append(orderings.at_most(claim, gap, limit, "difference of the two"))
    losses = dict(zip(adv["critic_step"], adv["critic_loss"], strict=True))
    pairs = [(losses[s], v) for s, v in zip(adv["step"], adv["nll"], strict=True) if v is not None and s in losses]
    correlation = Value(abs(orderings.rank_correlation(*zip(*pairs, strict=True)))) if len(pairs) > 2 else Value()
    claim = "Under ADV the critic's loss tells little of the NLL: |rank correlation| of 0.5 at most"
    verdicts.append(orderings.at_most(claim, correlation, Value(0.5), "|rank correlation|"))
    steps, _, gaps = _gaps(mle)
    return [*verdicts, orderings.trend("MLE's train NLL diverges from its validation NLL: the gap rises", steps, gaps)]


def _final_table(context, curves):
    rows = []
    for role, curve in curves.items():
        known = [v for v in curve["validation_nll"] if v is not None and math.isfinite(v)]
        best = Value(min(known)) if known else Value()
        train = [v for v in curve["nll"] if v is not None and math.isfinite(v)][-1:]
        train = Value(train[0]) if train else Value()
        rows.append([NAMES[role], *(cell(value, digits(context)) for value in (best, _end(curve), train))])
    header = ["Objective", "Lowest validation NLL", "Validation NLL at the end", "Train NLL of the last step's batch"]
    return Table("curve-ends", f"Ends of the curves ({context.unit})", header, rows)


def score_curves(context):
    """Figure 5."""
    findings, name = context.findings, score_name(context.dataset)
    runs = {role: findings.run(role) for role in (*FLOWS, *IMPLICIT)}
    found = {role: run.scores(name) for role, run in runs.items() if run}
    found = {role: curve for role, curve in found.items() if curve}
    curves = {context.roles[role]: curve for role, curve in found.items()}
    colours = {context.roles[role]: COLOURS[role] for role in found}
    parts = []
    if curves:
        path = context.draw("figure-5", lambda p: figures.score_curves(p, curves, context.score, colours))
        points = max(len(curve["step"]) for curve in curves.values())
        parts.append(
            Picture(
                "picture-5",
                path,
                f"{context.score} of samples over generator updates for {', '.join(curves)}.",
                f"Seed {findings.plan.seeds[0]}, up to {points} scores of a training; bars: deviation over splits.",
            )
        )
    splits = findings.plan.scale.evaluation["score_splits"]
    ends = {role: Value(curve["score"][-1], curve["std"][-1], splits) for role, curve in found.items()}
    values = [(NAMES[role], ends.get(role, Value())) for role in ("mle", "adv")]
    verdicts = [ascending(f"ADV's {context.score} is above MLE's at the end of training, too", values)]
    return Section(
        ["figure-5"],
        "Figure 5: sample quality during training",
        "ADV significantly outperforms MLE with respect to the final score (Section 3.3; curves in Appendix B).",
        first_seed_alone(context),
        parts,
        verdicts,
        checks_of_scores(context, (*FLOWS, *IMPLICIT)),
    )
