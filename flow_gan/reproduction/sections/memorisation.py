"""Beside Figure 7: whether the models repeat training images, as the mixture does."""

from flow_gan.measurement import result_path
from flow_gan.metrics.memorisation import SPACES, above_test_images, authenticity
from flow_gan.report import image_figures
from flow_gan.report.claims import ascending
from flow_gan.report.page import Picture, Section
from flow_gan.report.tables import Cell, Rows, Table
from flow_gan.report.values import Value
from flow_gan.reproduction.plan import FLOWS
from flow_gan.reproduction.sections.context import Context, cell, first_seed_alone, marks

_METRIC = "memorisation"


def memorisation(context: Context) -> Section:
    """Authenticity of samples, of the mixture's and of test images, and the samples beside training images."""
    found = {role: context.results.result(role, _METRIC) for role in FLOWS}
    known = {role: result for role, result in found.items() if result}
    parts: list[Picture | Table] = []
    panels = _panels(context)
    if panels:
        parts.append(
            Picture(
                key="picture-memorisation",
                panels=panels,
                alternative="rows of a sample and of the training images nearest to it.",
                caption="In each row a sample, its three nearest training images in pixels, and its three nearest in "
                "the classifier's features. Above the first draws, below those that are closest to a training image.",
            )
        )
    checks = marks(context, FLOWS, _METRIC, "authenticity")
    if known:
        parts.append(_table(context, known))
        any_result = next(iter(known.values()))
        checks.insert(0, f"Features are those of the classifier {any_result['classifier']}.")
    return Section(
        keys=["memorisation"],
        title="Beside Figure 7: memorisation",
        paper="the mixture memorises the training images; ADV, whose NLL is as high on them as on others, does not "
        "(Section 3.3). Authenticity (Alaa et al. 2022), which the paper does not have, measures it: the share of "
        "samples that are further from their nearest training image than that one is from its nearest other.",
        differs=first_seed_alone(context),
        parts=parts,
        verdicts=[_copies(known)],
        checks=checks,
    )


def _panels(context):
    """Return {name of a flow: its samples beside training images}, of those that have the picture."""
    panels = {}
    for role in FLOWS:
        run = context.results.run(role, _METRIC)
        if run and run.result(_METRIC):
            picture = result_path(run.folder, run.configured(_METRIC), _METRIC, "png")
            if picture.exists():
                panels[context.roles[role]] = context.keep_grid(
                    f"memorisation-{role}", image_figures.bare_grid(picture)
                )
    return panels


def _table(context, known):
    """Authenticity of all models, of the mixture and of test images, and how far they are from that of the latter."""
    rows: Rows = []
    for role, result in known.items():
        marked = bool(context.first_seed_warnings(role, _METRIC))
        rows.append([context.roles[role], *_cells(result, result, marked)])
    # The same images for every model.
    any_result = next(iter(known.values()))
    mixture = any_result["mixture"]
    rows.append([f"Mixture, σ = {mixture['bandwidth']:g}", *_cells(mixture, any_result)])
    tested = any_result["test_images"]
    rows.append(["Real test images", *(c for space in SPACES for c in (cell(authenticity(tested[space]), 3), Cell()))])
    header = ["Model"]
    for space in SPACES:
        header += [f"Authenticity, {space}", f"{space.capitalize()}, minus test images"]
    notes = [
        "±: standard error of a binomial share, and of the difference. Below 0 beyond it: samples are closer to "
        "training images than test images are. What looks like no image is far from all, and authentic."
    ]
    return Table(key="memorisation-table", title="Authenticity", header=header, rows=rows, notes=notes)


def _cells(part, result, is_marked=False):
    cells = []
    for space in SPACES:
        step = above_test_images(part[space], result, space)
        cells.append(cell(authenticity(part[space]), 3, is_marked))
        cells.append(Cell() if step is None else Cell(step.number, step.error, digits=3))
    return cells


def _copies(known):
    result = next(iter(known.values()), None)
    sets = {"the mixture": "mixture", "test images": "test_images"}
    values = [(name, authenticity(result[key]["pixels"]) if result else Value()) for name, key in sets.items()]
    return ascending("The mixture's samples repeat training images: they are less authentic than test images", values)
