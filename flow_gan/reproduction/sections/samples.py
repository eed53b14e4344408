"""Figure 1: samples."""

import numpy as np
import PIL.Image

from flow_gan.measurement import result_path
from flow_gan.report import figures
from flow_gan.report.page import Picture, Section
from flow_gan.report.tables import Table
from flow_gan.reproduction.plan import FLOWS, IMPLICIT
from flow_gan.reproduction.sections.context import (
    NAMES,
    Context,
    ascending_over_seeds,
    checks_of_scores,
    first_seed_alone,
)


def samples(context: Context) -> Section:
    """Figure 1."""
    grids = {}
    for role in (*FLOWS, *IMPLICIT):
        run = context.results.run(role, "pictures")
        if run and run.result("pictures"):
            path = result_path(run.folder, run.configured("pictures"), "samples", "png")
            grids[context.roles[role]] = np.asarray(PIL.Image.open(path))
    parts: list[Picture | Table] = []
    if grids:
        path = context.draw("figure-1", lambda p: figures.sample_panels(p, grids), vector=False)
        parts.append(
            Picture(
                key="picture-1",
                path=path,
                alternative=f"Grids of 100 samples each of the models {', '.join(grids)} trained on "
                f"{context.dataset.name}.",
                caption="Samples at the weights of the best score, the first 100 draws, nothing selected. DCGAN is "
                "ours to compare.",
            )
        )
    return Section(
        keys=["figure-1"],
        title="Figure 1: samples",
        paper="at the weights of the best score ADV's samples are better than MLE's, by the score and to the eye "
        "(3.3).",
        differs=first_seed_alone(context),
        parts=parts,
        verdicts=[_adv_scores_higher(context)],
        checks=checks_of_scores(context, (*FLOWS, *IMPLICIT)),
    )


def _adv_scores_higher(context):
    values = [(NAMES[role], context.scores(role)) for role in ("mle", "adv")]
    return ascending_over_seeds(f"ADV has a higher best {context.score} than MLE", values)
