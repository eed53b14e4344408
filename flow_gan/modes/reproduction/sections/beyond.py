"""What the paper has not: the trade-off curve and the ablation."""

from flow_gan.modes.reproduction.plan import ABLATIONS, lambda_role
from flow_gan.modes.reproduction.sections.context import checks_of_nll, marks
from flow_gan.report import figures, orderings
from flow_gan.report.orderings import ascending
from flow_gan.report.page import Cell, Picture, Section, Table
from flow_gan.report.values import Value


def trade_off(context):
    """NLL against score over lambda, MLE and ADV as the ends."""
    plan = context.findings.plan
    roles = {"ADV (λ = 0)": "sweep_adv"} | {f"λ = {v:g}": lambda_role(v) for v in plan.lambdas} | {"MLE": "sweep_mle"}
    nlls = {name: context.nll(role, "latest") for name, role in roles.items()}
    scores = {name: context.scored(role, "latest") for name, role in roles.items()}
    points = [(name, nlls[name], scores[name]) for name in roles if nlls[name].is_known and scores[name].is_known]
    steps = plan.training("sweep_mle").config.max_steps
    over = f"mean and standard deviation over {len(plan.seeds)} seeds" if len(plan.seeds) > 1 else "one seed"
    parts = []
    if points:
        path = context.draw("trade-off", lambda p: figures.trade_off(p, points, context.unit, context.score))
        parts.append(
            Picture(
                "picture-trade-off",
                path,
                f"{context.score} against test NLL, a point for each lambda from ADV to MLE.",
                f"Each point is one objective after {steps:,} updates, both numbers of the same weights; {over}. NLLs "
                "are drawn above the lowest of all, on a scale that is linear near it and logarithmic beyond.",
            )
        )
    rows = [
        [name, context.nll_cell(role, "latest"), context.score_cell(role, "latest")] for name, role in roles.items()
    ]
    header = ["Objective", f"Test NLL ({context.unit})", context.score]
    start = " from the MLE flow" if plan.scale.warm_start else ""
    notes = [f"After {steps:,} updates{start}, latest weights; {over}. The objective is V / λ + NLL."]
    parts.append(Table("trade-off", "The trade-off over λ", header, rows, notes))
    verdicts = [_best_of_both(plan.lambdas, nlls, scores)] if context.is_grey else _interpolation(context, nlls, scores)
    return Section(
        ["trade-off-section"],
        "Trade-off: likelihood against sample quality over λ",
        "varying λ one interpolates between adversarial training (λ = 0) and MLE (very high λ): on CIFAR-10 the hybrid "
        "lies between the two on both counts, on MNIST it outperforms both (Section 4). The paper draws no such curve.",
        [],
        parts,
        verdicts,
        checks_of_nll(context, roles.values(), "latest")
        + marks(context, roles.values(), "scores", context.score, "latest"),
    )


def _interpolation(context, nlls, scores):
    """What the paper finds on CIFAR-10."""
    places, names = list(range(len(nlls))), list(nlls)
    return [
        orderings.trend(
            f"{what} falls from ADV over growing λ to MLE",
            places,
            [value.number for value in values.values()],
            falls=True,
            names=names,
        )
        for what, values in (("NLL", nlls), (context.score, scores))
    ]


def _best_of_both(lambdas, nlls, scores):
    """What the paper finds on MNIST."""
    claim = "Some hybrid has both a lower NLL and a higher score than either MLE or ADV"
    ends = ("ADV (λ = 0)", "MLE")
    if not all(values[end].is_known for values in (nlls, scores) for end in ends):
        return orderings.some(claim, None, "ends of the trade-off")
    lowest = min((nlls[end] for end in ends), key=lambda value: value.number)
    highest = max((scores[end] for end in ends), key=lambda value: value.number)
    hybrids = {v: (nlls[f"λ = {v:g}"], scores[f"λ = {v:g}"]) for v in lambdas}
    candidates = {
        v: [(lowest, nll), (score, highest)] for v, (nll, score) in hybrids.items() if nll.is_known and score.is_known
    }
    return orderings.some(claim, candidates, "values of λ")


def ablation(context):
    """How much of ADV's bad likelihood is the batch norm or the penalty of the release."""
    names = {
        "adv_plain": "ADV, penalty on the whole gradient",
        "adv_column": "ADV, column-wise penalty (released)",
        "adv_released": "ADV, column-wise penalty, averages moved 6 times a step (released)",
        "adv_no_norm": "ADV, no batch norm",
    }
    assert set(ABLATIONS) == set(names)
    plain = {role: context.nll(role, "latest") for role in (*names, "sweep_mle")}
    again = {role: context.nll(role, "latest", "nll_reestimated") for role in names if role != "adv_no_norm"}
    rows = []
    for role, name in names.items():
        anew = context.nll_cell(role, "latest", "nll_reestimated") if role in again else "has none"
        share = _share(plain[role], again.get(role, Value()), plain["sweep_mle"])
        numbers = [context.nll_cell(role, "latest"), anew, Cell(share.number, None, 1)]
        rows.append([name, *numbers, context.score_cell(role, "latest")])
    ends = context.nll_cell("sweep_mle", "latest"), context.score_cell("sweep_mle", "latest")
    rows.append(["MLE, to compare", ends[0], Cell(), Cell(), ends[1]])
    header = [
        "Training",
        f"Test NLL ({context.unit})",
        "The same, moving averages re-estimated on data",
        "Share of the distance to MLE that this closes (%)",
        context.score,
    ]
    notes = [
        "Latest weights; of a training that failed the last good ones. "
        "Re-estimated: batch norm's averages of the pass x → z over training images, no training."
    ]
    mle = ("MLE", plain["sweep_mle"])
    verdicts = [
        ascending(
            "ADV's NLL stays above MLE's with moving averages re-estimated on data",
            [mle, ("ADV re-estimated", again["adv_plain"])],
        ),
        ascending(
            "ADV's NLL stays above MLE's without batch norm", [mle, ("ADV without batch norm", plain["adv_no_norm"])]
        ),
        ascending(
            "ADV's NLL is above MLE's with the column-wise and with the right penalty",
            [mle, ("the nearer of the two", _lower(plain["adv_plain"], plain["adv_column"]))],
        ),
    ]
    return Section(
        ["ablation-section"],
        "Ablation: batch norm and penalty of the release",
        "ADV's bad likelihood comes from an ill-conditioned Jacobian (Section 5.1). The paper says nothing of two "
        "things in its release that might add to it: batch norm's moving averages are filled from the sampling path, "
        "and the gradient penalty takes its norm column by column.",
        [],
        [Table("ablation", "ADV with parts exchanged", header, rows, notes)],
        verdicts,
        checks_of_nll(context, (*names, "sweep_mle"), "latest")
        + marks(context, again, "nll_reestimated", "moving averages re-estimated", "latest")
        + marks(context, (*names, "sweep_mle"), "scores", context.score, "latest"),
    )


def _share(plain, again, reference):
    if not all(value.is_known for value in (plain, again, reference)) or plain.number == reference.number:
        return Value()
    return Value(100 * (plain.number - again.number) / (plain.number - reference.number))


def _lower(first, second):
    known = [value for value in (first, second) if value.is_known]
    return min(known, key=lambda value: value.number) if len(known) == 2 else Value()
