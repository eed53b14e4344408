"""Tables 1 to 3."""

from flow_gan.report import claims, paper
from flow_gan.report.claims import ascending
from flow_gan.report.page import Cell, Section, Table
from flow_gan.report.values import Value, over_images
from flow_gan.reproduction.plan import FLOWS, IMPLICIT
from flow_gan.reproduction.sections.context import (
    NAMES,
    ascending_over_seeds,
    cell,
    checks_of_nll,
    checks_of_scores,
    digits,
    first_seed_alone,
)


def objectives(context):
    """Tables 1 and 2."""
    grey = context.is_grey
    published = paper.TABLE_1 if grey else paper.TABLE_2
    number = 1 if grey else 2
    rows = []
    for role in (*FLOWS, *IMPLICIT):
        has_nll = role in FLOWS
        stated = [Cell(value) for value in published[role]] if has_nll else [Cell(), Cell()]
        nll = context.nll_cell(role) if has_nll else "none"
        rows.append([context.roles[role], context.score_cell(role), nll, *stated])
    rows.append(["Real test images", context.ceiling_cell(), "–", Cell(), Cell()])
    label = context.score
    header = ["Objective", f"Best {label}", f"Test NLL ({context.unit})", f"Paper: {label}", "Paper: test NLL"]
    seeds = context.results.plan.seeds
    notes = [
        "Score at the weights of the highest score in training, NLL at those of the lowest validation NLL, as in the "
        "paper.",
        f"Mean ± standard deviation over seeds {', '.join(map(str, seeds))}."
        if len(seeds) > 1
        else "± of a score: standard deviation over its splits; of an NLL: standard error over test images.",
    ]
    table = Table(
        f"table-{number}", f"Table {number}: best score and test NLL, {context.dataset.name}", header, rows, notes
    )
    order = ("mle", "adv", "hybrid") if grey else ("mle", "hybrid", "adv")
    scores = [(NAMES[role], context.scores(role)) for role in order]
    better = ("hybrid", "mle", "adv") if grey else ("mle", "hybrid", "adv")
    nlls = [(NAMES[role], context.nlls(role)) for role in better]
    verdicts = [
        ascending_over_seeds(f"{label}: {' < '.join(NAMES[role] for role in order)}", scores),
        ascending_over_seeds(f"Test NLL: {' < '.join(NAMES[role] for role in better)}", nlls, digits(context)),
    ]
    return Section(
        [f"tables-{number}", f"table-{3 - number}"],
        f"Table {number}: score and likelihood",
        "on MNIST (Table 1) the hybrid has both the best score and the best likelihood; on CIFAR-10 (Table 2) it lies "
        f"between ADV and MLE in both. Here: on {context.dataset.name}, beside the paper's {context.paper_name}. "
        f"Table {3 - number} is that of the other data set, for --dataset="
        f"{'cifar10' if grey else 'mnist'}.",
        [],
        [table],
        verdicts,
        checks_of_nll(context, FLOWS) + checks_of_scores(context, (*FLOWS, *IMPLICIT)),
    )


def estimators(context):
    """Table 3."""
    found = {role: _estimates(context.results.result(role, "ais")) for role in FLOWS}
    rows, checks = [], []
    for role in FLOWS:
        result = context.results.result(role, "ais")
        parts = [result["nll"], result, result["kde"]] if result else [None] * 3
        failed = context.results.failure(role)
        marks = [bool(failed or (part and part["warnings"])) for part in parts]
        stated = [Cell(value) for value in paper.TABLE_3[role]]
        numbers = [cell(value, 2, mark) for value, mark in zip(found[role], marks, strict=True)]
        rows.append([context.roles[role], *numbers, *stated])
        if result:
            checks.append(_about_ais(NAMES[role], result))
            for name, part in zip(("exact", "KDE"), parts[::2], strict=True):
                checks += [f"(!) {NAMES[role]}, {name}: {warning}" for warning in part["warnings"]]
        checks += [f"(!) {NAMES[role]}, AIS: {warning}" for warning in context.first_seed_warnings(role, "ais")]
    names = [NAMES[role] for role in FLOWS]
    exact, ais, kde = ([found[role][i] for role in FLOWS] for i in range(3))

    def ranked(claim, values, order):
        by_name = dict(zip(FLOWS, values, strict=True))
        return ascending(claim, [(NAMES[role], by_name[role]) for role in order])

    verdicts = [
        ranked("Exact NLL: MLE < Hybrid < ADV", exact, ("mle", "hybrid", "adv")),
        ranked("AIS: ADV < Hybrid < MLE", ais, ("adv", "hybrid", "mle")),
        ranked("KDE: Hybrid < MLE < ADV", kde, ("hybrid", "mle", "adv")),
        claims.same_ranking("AIS does not rank the models as the exact NLL does", names, ais, exact, differ=True),
        claims.same_ranking("KDE does not rank the models as the exact NLL does", names, kde, exact, differ=True),
    ]
    header = ["Objective", "Exact", "AIS", "KDE", "Paper: exact", "Paper: AIS", "Paper: KDE"]
    table = Table(
        "estimators",
        "Table 3: estimates of the NLL (nats)",
        header,
        rows,
        ["Of the same images and weights, those of the best score. The paper's are of MNIST."],
    )
    return Section(
        ["table-3"],
        "Table 3: AIS and KDE against the exact likelihood",
        "AIS and KDE are far from the exact likelihood and rank the models in other orders (Section 5).",
        first_seed_alone(context),
        [table],
        verdicts,
        checks,
    )


def _about_ais(name, result):
    gap, acceptance = result["gap"], Cell(result["acceptance"])
    return (
        f"{name}, weights {result['checkpoint']} of step {result['step']}: AIS gap "
        f"{Cell(gap['nats'], gap['standard_error'])} nats ({'converged' if result['converged'] else 'not converged'}), "
        f"acceptance {acceptance}, σ {result['sigma']:.3g}, {result['num_images']} of {result['num_available']} "
        f"test images, {result['settings']['chains']} chains, {result['settings']['temperatures']} temperatures"
    )


def _estimates(result):
    if result is None:
        return [Value()] * 3
    nll, kde = result["nll"], result["kde"]
    ais = [None if log_prob is None else -log_prob for log_prob in result["log_prob"]]
    return [
        over_images(nll["nats"], nll["nats_standard_error"], nll["nats_per_image"]),
        over_images(result["nats"], result["nats_standard_error"], ais),
        over_images(kde["best_test_nll"], kde["best_test_standard_error"], kde["best_test_nll_per_image"]),
    ]
