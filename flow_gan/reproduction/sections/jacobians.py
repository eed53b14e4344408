"""Figures 4 and 8: singular values of the Jacobian."""

import math

import numpy as np

from flow_gan import evaluation
from flow_gan.report import claims, figures, paper, style
from flow_gan.report.claims import ascending
from flow_gan.report.page import Picture, Section
from flow_gan.report.tables import Cell, Rows, Table
from flow_gan.report.values import Value
from flow_gan.reproduction.plan import FLOWS, IMPLICIT
from flow_gan.reproduction.sections.context import NAMES, Context, first_seed_alone

# Resamples of z for the error of a distance of two distributions, each of which is sorted.
_DISTANCES = 200


def jacobians(context: Context) -> Section:
    """Figures 4 and 8."""
    results = context.results
    spectra = {role: results.result(role, "jacobian") for role in (*FLOWS, *IMPLICIT)}
    known = {role: result for role, result in spectra.items() if result}
    parts: list[Picture | Table] = []
    checks: list[str] = []
    rows: Rows = []
    if known:
        values = {context.roles[role]: result["singular_values"] for role, result in known.items()}
        colours = {context.roles[role]: style.MODELS[role] for role in known}
        draws = len(next(iter(known.values()))["singular_values"])
        path = context.draw("figure-4-and-8", lambda p: figures.singular_value_cdf(p, values, colours))
        parts.append(
            Picture(
                key="picture-4",
                panels={"": path},
                alternative="Cumulative distributions of the singular values of dG/dz on a log axis for "
                f"{', '.join(values)}.",
                caption=f"All singular values at {draws} samples z of the prior together (paper: 64).",
            )
        )
    stated = paper.LOG_DETERMINANTS[context.paper_dataset]
    measured = {role: _spectrum(result) for role, result in spectra.items()}
    for role, (determinant, spread, condition, median) in measured.items():
        own = Cell(stated[role]) if role in stated else Cell()
        warnings = context.first_seed_warnings(role, "jacobian")
        numbers = (
            _cell(determinant, 2, bool(warnings)),
            _cell(spread),
            _cell(condition),
            _cell(median, 6),
            own,
        )
        rows.append([context.roles[role], *numbers])
        result = spectra[role]
        if result:
            gap = result["disagreement"]
            own_formula = (
                "" if gap is None else f", sum of log singular values and the flow's formula {gap:.2g} nats apart"
            )
            checks.append(f"{NAMES[role]}: computed in float64, weights {result['checkpoint']}{own_formula}")
        checks += [f"(!) {NAMES[role]}: {warning}" for warning in warnings]
    header = [
        *("Model", "Mean log |det dG/dz| (nats)", "Spread of log₁₀ s", "Median log₁₀ condition number"),
        *("Median singular value", f"Paper: log-determinant, {context.paper_name}"),
    ]
    notes = [
        "Spread: standard deviation of log₁₀ s, where s is not 0. Of a DCGAN the log-determinant is the sum of log s. "
        "±: standard error over z, by the bootstrap."
    ]
    parts.append(
        Table(
            key="jacobian", title="Singular values of the generator's Jacobian", header=header, rows=rows, notes=notes
        )
    )
    determinants = [(NAMES[role], measured[role][0]) for role in ("adv", "hybrid", "mle")]
    verdicts = [
        ascending("Log-determinant: ADV < Hybrid < MLE", determinants),
        ascending(
            "ADV's singular values are spread wider than MLE's", [(NAMES[r], measured[r][1]) for r in ("mle", "adv")]
        ),
        _nearer(spectra),
    ]
    for role in IMPLICIT:
        medians = [(NAMES[r], measured[r][3]) for r in (role, "mle")]
        verdicts.append(ascending(f"{NAMES[role]} has lower singular values than MLE (medians)", medians, 6))
    return Section(
        keys=["figure-4", "figure-8"],
        title="Figures 4 and 8: singular values of the Jacobian",
        paper="MLE's singular values lie in a narrow range, ADV's are spread widely, the hybrid's match MLE's, and the "
        f"DCGANs' are shifted to lower values (Figure 4 on MNIST, Figure 8 on CIFAR-10). Here: on "
        f"{context.dataset.name}.",
        differs=first_seed_alone(context),
        parts=parts,
        verdicts=verdicts,
        checks=checks,
    )


def _spectrum(result):
    """Return `Value`s of log-determinant, spread of log10 s, median log10 condition number and median s."""
    names = ("log_determinant", "log_spread", "log_condition", "median")
    return [_summary(result, name) for name in names] if result else [Value()] * len(names)


def _cell(value, decimals=2, is_marked=False):
    return Cell(value.number, value.standard_error, digits=decimals, is_marked=is_marked)


def _summary(result, name):
    part, draws = result["summaries"][name], len(result["singular_values"])
    if part["standard_error"] is None:
        return Value(part["value"])
    resamples = tuple(math.nan if value is None else value for value in part["resamples"])
    return Value(part["value"], part["standard_error"] * math.sqrt(draws), draws, over="z", resamples=resamples)


def _nearer(spectra):
    claim = "The hybrid's distribution of singular values is nearer to MLE's than ADV's is"
    if not all(spectra[role] for role in FLOWS):
        return claims.Verdict(claim=claim, status=claims.UNKNOWN, detail="a spectrum is missing")
    reference = np.array(spectra["mle"]["singular_values"])

    def distance(role):
        own = np.array(spectra[role]["singular_values"])
        resamples = evaluation.resampled(claims.largest_distance, own, reference, times=_DISTANCES)
        return Value(
            claims.largest_distance(own, reference), parts=len(own), over="z", resamples=tuple(resamples.tolist())
        )

    return ascending(claim, [(f"distance of {NAMES[role]}", distance(role)) for role in ("hybrid", "adv")], 3)
