"""What the paper does not have: the trade-off between likelihood and sample quality over lambda."""

from flow_gan.report import claims, figures, style
from flow_gan.report.page import Picture, Section
from flow_gan.report.tables import Rows, Table
from flow_gan.reproduction.plan import lambda_role
from flow_gan.reproduction.sections.context import Context, checks_of_nll, marks


def trade_off(context: Context) -> Section:
    """NLL against score over lambda, MLE and ADV as the ends."""
    plan = context.results.plan
    roles = {"ADV (λ = 0)": "sweep_adv"} | {f"λ = {v:g}": lambda_role(v) for v in plan.lambdas} | {"MLE": "sweep_mle"}
    nlls = {name: context.nll(role, "latest") for name, role in roles.items()}
    scores = {name: context.scored(role, "latest") for name, role in roles.items()}
    points = [(name, nlls[name], scores[name]) for name in roles if nlls[name].is_known and scores[name].is_known]
    steps = plan.training("sweep_mle").config.max_steps
    over = f"mean and standard deviation over {len(plan.seeds)} seeds" if len(plan.seeds) > 1 else "one seed"
    parts: list[Picture | Table] = []
    if points:
        shades = dict(zip(map(lambda_role, plan.lambdas), style.shades_of_hybrid(len(plan.lambdas)), strict=True))
        ends = {"sweep_adv": style.MODELS["adv"], "sweep_mle": style.MODELS["mle"]}
        colours = {name: (ends | shades)[role] for name, role in roles.items()}
        path = context.draw("trade-off", lambda p: figures.trade_off(p, points, context.unit, context.score, colours))
        parts.append(
            Picture(
                key="picture-trade-off",
                panels={"": path},
                alternative=f"{context.score} against test NLL, a point for each lambda from ADV to MLE.",
                caption=f"Each point is one objective after {steps:,} updates, both numbers of the same weights; "
                f"{over}. Better is to the left and above. NLLs are drawn above the lowest of all, on a scale that is "
                "linear near it and logarithmic beyond.",
            )
        )
    rows: Rows = [
        [name, context.nll_cell(role, "latest"), context.score_cell(role, "latest")] for name, role in roles.items()
    ]
    header = ["Objective", f"Test NLL ({context.unit})", context.score]
    start = " from the MLE flow" if plan.scale.warm_start else ""
    notes = [f"After {steps:,} updates{start}, latest weights; {over}. The objective is V / λ + NLL."]
    parts.append(Table(key="trade-off", title="The trade-off over λ", header=header, rows=rows, notes=notes))
    verdicts = [_best_of_both(plan.lambdas, nlls, scores)] if context.is_grey else _interpolation(context, nlls, scores)
    return Section(
        keys=["trade-off-section"],
        title="Trade-off: likelihood against sample quality over λ",
        paper="varying λ one interpolates between adversarial training (λ = 0) and MLE (very high λ): on CIFAR-10 the "
        "hybrid lies between the two on both counts, on MNIST it outperforms both (Section 4). The paper draws no such "
        "curve.",
        differs=[],
        parts=parts,
        verdicts=verdicts,
        checks=checks_of_nll(context, roles.values(), "latest")
        + marks(context, roles.values(), "scores", context.score, "latest"),
    )


def _interpolation(context, nlls, scores):
    """What the paper finds on CIFAR-10."""
    places, names = list(range(len(nlls))), list(nlls)
    return [
        claims.trend(
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
        return claims.some(claim, None, "ends of the trade-off")
    lowest = min((nlls[end] for end in ends), key=lambda value: value.number)
    highest = max((scores[end] for end in ends), key=lambda value: value.number)
    hybrids = {v: (nlls[f"λ = {v:g}"], scores[f"λ = {v:g}"]) for v in lambdas}
    candidates = {
        v: [(lowest, nll), (score, highest)] for v, (nll, score) in hybrids.items() if nll.is_known and score.is_known
    }
    return claims.some(claim, candidates, "values of λ")
