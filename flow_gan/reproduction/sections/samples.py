"""Figure 1: samples. Those of the flows, beside real images, are what the page begins with."""

import pathlib

import numpy as np

from flow_gan import data
from flow_gan.measurement import result_path
from flow_gan.report import image_figures
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

# As many as there are samples of a model, in rows of ten.
_SHOWN, _COLUMNS = 100, 10


def opening(context: Context) -> Picture | None:
    """Return real images and the samples of the flows; None where no flow has samples."""
    panels = _panels(context, FLOWS)
    if not panels:
        return None
    count = len(_real(context))
    return Picture(
        key="picture-1",
        panels={"Real test images": _real_panel(context)} | panels,
        alternative=f"a grid of images, {context.dataset.name}.",
        caption=f"Figure 1. The first {count} test images, and beside them 100 samples of each model, the first that "
        "were drawn, at the weights with the best score. "
        + " ".join(["Nothing is selected.", *first_seed_alone(context)]),
    )


def samples(context: Context) -> Section:
    """Figure 1: the samples of the DCGANs, and what the section says of all."""
    parts: list[Picture | Table] = []
    panels = _panels(context, IMPLICIT)
    if panels:
        parts.append(
            Picture(
                key="picture-1-dcgan",
                panels=panels,
                alternative=f"a grid of 100 samples, {context.dataset.name}.",
                caption="Samples of the DCGANs, in the same way. The paper shows none; they are here to compare.",
            )
        )
    if panels or _panels(context, FLOWS):
        _draw_all(context)
    return Section(
        keys=["figure-1"],
        title="Figure 1: samples",
        paper="at the weights with the best score, ADV's samples are better than MLE's, by the score and to the eye "
        "(Section 3.3). The samples of MLE, ADV and the hybrid are at the top of this page.",
        differs=first_seed_alone(context),
        parts=parts,
        verdicts=[_adv_scores_higher(context)],
        checks=checks_of_scores(context, (*FLOWS, *IMPLICIT)),
    )


def _panels(context: Context, roles: tuple[str, ...]) -> dict[str, pathlib.Path]:
    """Return {name of a model: its grid of samples}, of those that have one."""
    found = {}
    for role in roles:
        run = context.results.run(role, "pictures")
        if run and run.result("pictures"):
            picture = result_path(run.folder, run.configured("pictures"), "samples", "png")
            found[context.roles[role]] = context.keep_grid(f"samples-{role}", image_figures.bare_grid(picture))
    return found


def _real(context):
    return np.asarray(context.dataset.test.images[:_SHOWN])


def _real_panel(context):
    grid = data.image_grid(_real(context) / (context.dataset.levels - 1), _COLUMNS)
    return context.keep_grid("real-images", grid)


def _draw_all(context):
    """Write all of it as one picture, for use elsewhere."""
    panels = {"Real test images": _real_panel(context)} | _panels(context, (*FLOWS, *IMPLICIT))
    grids = {name: image_figures.bare_grid(path) for name, path in panels.items()}
    context.draw("figure-1", lambda path: image_figures.sample_panels(path, grids))


def _adv_scores_higher(context):
    values = [(NAMES[role], context.scores(role)) for role in ("mle", "adv")]
    return ascending_over_seeds(f"ADV has a higher best {context.score} than MLE", values)
