"""What the paper does not have: ADV with the batch norm and the penalty of the release exchanged."""

from flow_gan.report.claims import all_above, ascending
from flow_gan.report.page import Section
from flow_gan.report.tables import Cell, Rows, Table
from flow_gan.report.values import Value
from flow_gan.reproduction.plan import ABLATIONS
from flow_gan.reproduction.sections.context import Context, checks_of_nll, marks


def ablation(context: Context) -> Section:
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
    rows: Rows = []
    for role, name in names.items():
        anew = context.nll_cell(role, "latest", "nll_reestimated") if role in again else "has none"
        share = _share(plain[role], again.get(role, Value()), plain["sweep_mle"])
        numbers = [context.nll_cell(role, "latest"), anew, Cell(share.number, digits=1)]
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
        all_above(
            "ADV's NLL is above MLE's with the column-wise and with the right penalty",
            mle,
            [("ADV, column-wise", plain["adv_column"]), ("ADV, whole gradient", plain["adv_plain"])],
        ),
    ]
    return Section(
        keys=["ablation-section"],
        title="Ablation: batch norm and penalty of the release",
        paper="ADV's bad likelihood comes from an ill-conditioned Jacobian (Section 5.1). The paper says nothing of "
        "two things in its release that might add to it: batch norm's moving averages are filled from the sampling "
        "path, and the gradient penalty takes its norm column by column.",
        differs=[],
        parts=[Table(key="ablation", title="ADV with parts exchanged", header=header, rows=rows, notes=notes)],
        verdicts=verdicts,
        checks=checks_of_nll(context, (*names, "sweep_mle"), "latest")
        + marks(context, again, "nll_reestimated", "moving averages re-estimated", "latest")
        + marks(context, (*names, "sweep_mle"), "scores", context.score, "latest"),
    )


def _share(plain, again, reference):
    if not all(value.is_known for value in (plain, again, reference)) or plain.number == reference.number:
        return Value()
    return Value(100 * (plain.number - again.number) / (plain.number - reference.number))
