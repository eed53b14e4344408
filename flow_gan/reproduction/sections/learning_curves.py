"""Figures 2 and 5: likelihood and sample quality during training."""

import dataclasses
import math

import numpy as np

from flow_gan import training
from flow_gan.report import claims, figures, paper, style
from flow_gan.report.claims import ascending
from flow_gan.report.page import Picture, Section
from flow_gan.report.tables import Rows, Table
from flow_gan.report.values import Value, difference, over_splits
from flow_gan.reproduction.plan import FLOWS, IMPLICIT
from flow_gan.reproduction.sections.context import (
    NAMES,
    Context,
    cell,
    checks_of_nll,
    checks_of_scores,
    digits,
    first_seed_alone,
)


@dataclasses.dataclass(frozen=True)
class LearningCurve:
    """What the validations of a training have found, in evaluation mode and with the same images and noise each time.

    Attributes:
      steps: list of int, after which they were made.
      train: list of `Value`, NLLs of the fixed training images with their standard errors.
      validation: list of `Value`, those of the validation images.
      critic_losses: list of float, mean of the critic's loss over the steps since the validation before; NaN where none
        is known.
    """

    steps: list[int] = dataclasses.field(default_factory=list)
    train: list[Value] = dataclasses.field(default_factory=list)
    validation: list[Value] = dataclasses.field(default_factory=list)
    critic_losses: list[float] = dataclasses.field(default_factory=list)

    @classmethod
    def of_curve(cls, curve: dict[str, list]) -> "LearningCurve":
        """Return that of what `FinishedRun.curve` returns."""

        def nlls(split):
            return [Value(*pair) for pair in zip(curve[f"{split}_nll"], curve[f"{split}_error"], strict=True)]

        return cls(
            steps=curve["step"],
            train=nlls("train"),
            validation=nlls("validation"),
            critic_losses=_means_between(curve["step"], curve),
        )

    @property
    def gaps(self) -> list[Value]:
        """The held-out gaps, validation NLL - train NLL, a list of `Value`."""
        return [_difference(*pair) for pair in zip(self.validation, self.train, strict=True)]

    @property
    def end(self) -> Value:
        """The last validation NLL, a `Value`."""
        return self.validation[-1] if self.validation else Value()


def _means_between(steps, curve):
    """Return the mean of the critic's loss over the steps after each of `steps` but the last, up to the next one."""
    losses = np.array([math.nan if v is None else v for v in curve.get("critic_loss", [])], float)
    at = np.asarray(curve.get("critic_step", []))
    means = []
    for after, last in zip([0, *steps], steps, strict=False):
        known = losses[(at > after) & (at <= last)]
        known = known[np.isfinite(known)]
        means.append(float(known.mean()) if known.size else math.nan)
    return means


def _difference(high, low):
    """Return the `Value` of high - low, of which one may be unknown."""
    if not (high.is_known and low.is_known):
        return Value()
    step = difference(high, low)
    return Value(step.number, step.error)


def _size(value, factor=1.0):
    """Return the `Value` of factor |value|."""
    if not value.is_known:
        return Value()
    return Value(factor * abs(value.number), None if value.error is None else factor * value.error)


def _mean(values):
    """Return the `Value` of a mean over validations; their images are the same, so its error is theirs, no smaller."""
    known = [value for value in values if value.is_known]
    if not known:
        return Value()
    errors = [value.error for value in known]
    mean_error = None if None in errors else float(np.mean(errors))
    return Value(float(np.mean([value.number for value in known])), mean_error)


def likelihood_curves(context: Context) -> Section:
    """Figure 2."""
    results = context.results
    runs = {role: results.run(role, "nll") for role in FLOWS}
    curves = {role: run.curve(context.convert) for role, run in runs.items() if run}
    found = {role: LearningCurve.of_curve(curve) for role, curve in curves.items()}
    parts: list[Picture | Table] = []
    if curves:
        panels = {NAMES[role]: curve for role, curve in curves.items()}
        wide = [n for n, curve in panels.items() if figures.is_wide(curve["train_nll"] + curve["validation_nll"])]
        context.draw("figure-2", lambda path: figures.objective_curves(path, panels, context.unit, wide))
        watched = {split: len(images) for split, images in training.watched_images(context.dataset).items()}
        parts.append(
            Picture(
                key="picture-2",
                panels={NAMES[role]: _panel(context, role, curves[role], wide) for role in curves},
                alternative="curves of training and validation NLL over generator updates, and where there is a critic "
                "its loss below them.",
                caption=f"Seed {results.plan.seeds[0]}. NLL at each validation, in evaluation mode, of "
                f"{watched['train']:,} training images, always the same (red), and of all {watched['validation']:,} "
                "validation images (blue). Below it the critic's loss of each step, without its penalty (green)."
                + (f" Log scale: {', '.join(wide)}." if wide else ""),
            )
        )
    parts.append(_final_table(context, found))
    return Section(
        keys=["figure-2"],
        title="Figure 2: likelihood during training",
        paper="MLE reaches a low validation NLL after few updates, and its train NLL begins to diverge from it; under "
        "ADV train and validation NLL track each other and rise, to values orders of magnitude worse than MLE's, while "
        "the WGAN loss settles and tells nothing of it (Section 3.3).",
        differs=first_seed_alone(context),
        parts=parts,
        verdicts=_verdicts_on_curves(*(found.get(role, LearningCurve()) for role in ("mle", "adv"))),
        checks=checks_of_nll(context, FLOWS),
    )


def _panel(context, role, curve, wide):
    """Draw one of the panels alone, so that on a narrow page they can stand below each other."""
    is_wide = [""] if NAMES[role] in wide else []
    return context.draw(
        f"figure-2-{role}",
        lambda path: figures.objective_curves(path, {"": curve}, context.unit, is_wide),
        kinds=("svg",),
    )


def _verdicts_on_curves(mle, adv):
    distance = _mean([_size(_difference(value, mle.end)) for value in adv.validation])
    pairs = zip(adv.critic_losses, adv.validation, strict=True)
    known = [(loss, value.number) for loss, value in pairs if math.isfinite(loss) and value.is_known]
    return [
        ascending("At the end of training ADV's validation NLL is above MLE's", [("MLE", mle.end), ("ADV", adv.end)]),
        _rises("ADV's validation NLL rises during training", adv.steps, adv.validation),
        claims.at_most(
            "Under ADV train and validation NLL track each other: to a tenth of the distance to MLE, on average",
            _mean([_size(gap) for gap in adv.gaps]),
            _size(distance, 0.1),
            "difference of the two",
        ),
        claims.uncorrelated(
            "Under ADV the critic's loss tells little of the NLL: |rank correlation| of 0.5 at most",
            [loss for loss, _ in known],
            [nll for _, nll in known],
        ),
        _rises("MLE's train NLL diverges from its validation NLL: the gap rises", mle.steps, mle.gaps),
    ]


def _rises(claim, steps, values):
    return claims.trend(claim, steps, [value.number for value in values])


def _final_table(context, found):
    rows: Rows = []
    for role, curve in found.items():
        known = [value for value in curve.validation if value.is_known]
        values = [
            min(known, key=lambda value: value.number, default=Value()),
            curve.end,
            curve.train[-1] if curve.train else Value(),
            curve.gaps[-1] if curve.gaps else Value(),
            _mean(curve.gaps),
        ]
        rows.append([NAMES[role], *(cell(value, digits(context)) for value in values)])
    header = ["Objective", "Lowest validation NLL", "Validation NLL at the end", "Train NLL at the end"]
    header += ["Held-out gap at the end", "Mean held-out gap"]
    notes = [
        "Held-out gap: validation NLL − train NLL of the fixed training images. Of the mean over all validations the "
        "error is no smaller, since the images are the same each time."
    ]
    return Table(key="curve-ends", title=f"Ends of the curves ({context.unit})", header=header, rows=rows, notes=notes)


def score_curves(context: Context) -> Section:
    """Figure 5."""
    results, name = context.results, paper.score_name(context.dataset)
    runs = {role: results.run(role) for role in (*FLOWS, *IMPLICIT)}
    found = {role: curve for role, run in runs.items() if run and (curve := run.scores(name))}
    curves = {context.roles[role]: curve for role, curve in found.items()}
    colours = {context.roles[role]: style.MODELS_IN_FIGURE_5[role] for role in found}
    parts: list[Picture | Table] = []
    if curves:
        path = context.draw("figure-5", lambda p: figures.score_curves(p, curves, context.score, colours))
        points = max(len(curve["step"]) for curve in curves.values())
        parts.append(
            Picture(
                key="picture-5",
                panels={"": path},
                alternative=f"{context.score} of samples over generator updates for {', '.join(curves)}.",
                caption=f"Seed {results.plan.seeds[0]}, up to {points} scores of a training; bars: deviation over "
                "splits.",
            )
        )
    splits = results.plan.scale.evaluation["score_splits"]
    ends = {role: over_splits(curve["score"][-1], curve["std"][-1], splits) for role, curve in found.items()}
    values = [(NAMES[role], ends.get(role, Value())) for role in ("mle", "adv")]
    verdicts = [ascending(f"ADV's {context.score} is above MLE's at the end of training, too", values)]
    return Section(
        keys=["figure-5"],
        title="Figure 5: sample quality during training",
        paper="ADV significantly outperforms MLE with respect to the final score (Section 3.3; curves in Appendix B).",
        differs=first_seed_alone(context),
        parts=parts,
        verdicts=verdicts,
        checks=checks_of_scores(context, (*FLOWS, *IMPLICIT)),
    )
