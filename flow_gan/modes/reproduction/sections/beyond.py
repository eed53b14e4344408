"""What the paper has not: the trade-off curve and the ablation."""

from flow_gan.modes.reproduction.plan import ABLATIONS, lambda_role
from flow_gan.modes.reproduction.sections.context import cell, checks_of_nll, digits
from flow_gan.report import figures, orderings
from flow_gan.report.orderings import Value, ascending
from flow_gan.report.page import Cell, Picture, Section, Table


def trade_off(context):
    """NLL against score over lambda, MLE and ADV as the ends."""
    plan = context.findings.plan
    roles = {"ADV (λ = 0)": "sweep_adv"} | {f"λ = {v:g}": lambda_role(v) for v in plan.lambdas} | {"MLE": "sweep_mle"}
    nlls = {name: context.nll(role, "latest") for name, role in roles.items()}
    scores = {name: context.scored(role, "latest") for name, role in roles.items()}
    points = [
        (name, (nlls[name].number, nlls[name].error), (scores[name].number, scores[name].error)) for name in roles
    ]
    steps = plan.training("sweep_mle").config.max_steps
    over = f"mean and standard deviation over {len(plan.seeds)} seeds" if len(plan.seeds) > 1 else "one seed"
    parts = []
    if any(None not in (nll[0], score[0]) for _, nll, score in points):
        path = context.draw("trade-off", lambda p: figures.trade_off(p, points, context.unit, context.score))
        parts.append(
            Picture(
                "picture-trade-off",
                path,
                f"{context.score} against test NLL, a point for each lambda from ADV to MLE.",
                f"Each point is one model after {steps:,} updates, both numbers of the same weights; {over}.",
            )
        )
    rows = [[name, cell(nlls[name], digits(context)), cell(scores[name])] for name in roles]
    header = ["Objective", f"Test NLL ({context.unit})", context.score]
    notes = [f"After {steps:,} updates, latest weights; {over}. The objective is V / λ + NLL."]
    parts.append(Table("trade-off", "The trade-off over λ", header, rows, notes))
    places = list(range(len(roles)))
    verdicts = [
        orderings.trend(
            "NLL falls from ADV over growing λ to MLE", places, [v.number for v in nlls.values()], falls=True
        ),
        orderings.trend(
            f"{context.score} falls from ADV over growing λ to MLE",
            places,
            [v.number for v in scores.values()],
            falls=True,
        ),
        _best_of_both(plan.lambdas, nlls, scores),
    ]
    return Section(
        ["trade-off-section"],
        "Trade-off: likelihood against sample quality over λ",
        "varying λ one interpolates between adversarial training (λ = 0) and MLE (very high λ): smoothly on CIFAR-10, "
        "while on MNIST a hybrid outperforms both ends on both counts (Section 4). The paper draws no such curve.",
        [],
        parts,
        verdicts,
        checks_of_nll(context, roles.values(), "latest"),
    )


def _best_of_both(lambdas, nlls, scores):
    claim = "Some hybrid has both a lower NLL than MLE and a higher score than ADV"
    ends = nlls["MLE"], scores["ADV (λ = 0)"]
    if not all(value.is_known for value in (*ends, *nlls.values(), *scores.values())):
        return orderings.some(claim, None, "values of λ")
    better = [
        v
        for v in lambdas
        if nlls[f"λ = {v:g}"].number < ends[0].number and scores[f"λ = {v:g}"].number > ends[1].number
    ]
    return orderings.some(claim, better, "values of λ")


def ablation(context):
    """How much of ADV's bad likelihood is the batch norm or the penalty of the release."""
    names = {
        "sweep_adv": "ADV, penalty on the whole gradient",
        "adv_column": "ADV, column-wise penalty (released)",
        "adv_released": "ADV, column-wise penalty, averages moved 6 times a step (released)",
        "adv_no_norm": "ADV, no batch norm",
    }
    findings = context.findings
    assert set(ABLATIONS) < set(names)
    plain = {role: context.nll(role, "latest") for role in (*names, "sweep_mle")}
    again = {role: context.nll(role, "latest", "nll_reestimated") for role in names if role != "adv_no_norm"}
    rows = []
    for role, name in names.items():
        marked = bool(findings.warnings(role, "nll", "latest"))
        anew = cell(again[role], digits(context)) if role in again else "has none"
        share = _share(plain[role], again.get(role, Value()), plain["sweep_mle"])
        rows.append(
            [
                name,
                cell(plain[role], digits(context), marked),
                anew,
                Cell(share.number, None, 1),
                cell(context.scored(role, "latest")),
            ]
        )
    rows.append(
        [
            "MLE, to compare",
            cell(plain["sweep_mle"], digits(context)),
            Cell(),
            Cell(),
            cell(context.scored("sweep_mle", "latest")),
        ]
    )
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
    notes += [
        f"{names[role]}, seed {seed}: {findings.failure(role, seed)}"
        for role in names
        for seed in findings.plan.seeds
        if findings.failure(role, seed)
    ]
    mle = ("MLE", plain["sweep_mle"])
    verdicts = [
        ascending(
            "ADV's NLL stays above MLE's with moving averages re-estimated on data",
            [mle, ("ADV re-estimated", again["sweep_adv"])],
        ),
        ascending(
            "ADV's NLL stays above MLE's without batch norm", [mle, ("ADV without batch norm", plain["adv_no_norm"])]
        ),
        ascending(
            "ADV's NLL is above MLE's with the column-wise and with the right penalty",
            [mle, ("the nearer of the two", _lower(plain["sweep_adv"], plain["adv_column"]))],
        ),
    ]
    return Section(
        ["ablation-section"],
        "Ablation: batch norm and penalty of the release",
        "the bad likelihood of ADV is put down to an ill-conditioned Jacobian. The release fills batch norm's moving "
        "averages from the sampling path and takes the gradient penalty's norm column by column: how much is "
        "that?",
        [],
        [Table("ablation", "ADV with parts exchanged", header, rows, notes)],
        verdicts,
        checks_of_nll(context, (*names, "sweep_mle"), "latest"),
    )


def _share(plain, again, reference):
    if not all(value.is_known for value in (plain, again, reference)) or plain.number == reference.number:
        return Value()
    return Value(100 * (plain.number - again.number) / (plain.number - reference.number))


def _lower(first, second):
    known = [value for value in (first, second) if value.is_known]
    return min(known, key=lambda value: value.number) if len(known) == 2 else Value()
