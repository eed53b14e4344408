"""Exact negative log-likelihood of held-out images (paper, Tables 1 and 2)."""

from typing import Any

from flow_gan import evaluation
from flow_gan.data import Dataset
from flow_gan.measurement.metric import Metric
from flow_gan.measurement.needs import LIKELIHOOD
from flow_gan.measurement.run import LoadedRun
from flow_gan.report import paper
from flow_gan.report.model_tables import ESTIMATORS, OBJECTIVES, Column
from flow_gan.report.values import Value, difference, over_images


def measure(run: LoadedRun) -> evaluation.NLL:
    """Return the NLL of the run's split."""
    config = run.config
    return evaluation.evaluate_nll(
        run.model, run.dataset, config.split, config.batch_size, config.noise_draws, config.num_examples
    )


def in_nats(result: dict) -> Value:
    """Return the `Value` of a stored NLL in nats, with those of its images."""
    return over_images(result["nats"], result["nats_standard_error"], result["nats_per_image"])


def exact(part: str | None = None) -> Column:
    """Return Table 3's column of the exact NLL; `part` is that of the stored result which holds it."""
    return Column(
        table=ESTIMATORS,
        heading="Exact",
        number="nats",
        error="nats_standard_error",
        part=part,
        place=1,
        paper={objective: numbers[0] for objective, numbers in paper.TABLE_3.items()},
        paper_heading="Paper: exact",
        to_value=in_nats,
    )


def columns(dataset: Dataset, split: str = "test") -> tuple[Column, ...]:
    """Return the columns of the NLL, in the paper's unit, and of the estimators' exact NLL."""
    held_out = in_paper_unit(
        dataset,
        f"{split.capitalize()} NLL",
        place=2,
        paper={objective: numbers[1] for objective, numbers in paper.objectives_table(dataset).items()},
        paper_heading="Paper: test NLL",
    )
    return held_out, exact()


def in_paper_unit(dataset: Dataset, heading: str, **kwargs: Any) -> Column:
    """Return the column of a mean over images that a result has in nats and bits/dim, in the paper's unit.

    Args:
      dataset: decides on the unit.
      heading: what it is, without its unit.
      **kwargs: of `Column`.
    """
    name = paper.nll_name(dataset)

    def to_value(result):
        error, per_image = result[f"{name}_standard_error"], result["nats_per_image"]
        return over_images(result[name], error, per_image, dataset.in_nll_unit)

    return Column(
        table=OBJECTIVES,
        heading=f"{heading} ({dataset.nll_unit})",
        number=name,
        error=f"{name}_standard_error",
        digits=2 if dataset.is_grey else 4,
        to_value=to_value,
        **kwargs,
    )


def remarks(results: dict[str, dict]) -> list[str]:
    """Return the warnings of the NLLs of runs, which are given the label, and how far each is above the lowest."""
    given = {name: ", given the label" * result.get("is_given_label", False) for name, result in results.items()}
    found = checks(results, "the NLL")
    found += [f"{name}: its NLL is -log p(x | y), given the label" for name, text in given.items() if text]
    return found + differences("NLL", {name + given[name]: in_nats(result) for name, result in results.items()})


def checks(results: dict[str, dict], noun: str, what: str = "") -> list[str]:
    """Return the warnings of the likelihoods of runs, each after name and `what`, and of how many images they are."""
    found = []
    for name, result in results.items():
        found += [f"(!) {name}{what}: {warning}" for warning in result["warnings"]]
        if result["num_images"] < result["num_available"]:
            found.append(f"{name}: {result['num_images']} of {result['num_available']} images in {noun}")
    return found


def differences(noun: str, values: dict[str, Value]) -> list[str]:
    """Return by how many nats each of the {name: NLL} is above the lowest, in pairs of images: a list of sentences."""
    known = {name: value.number for name, value in values.items() if value.number is not None and value.is_known}
    if len(known) < 2:
        return []
    best = min(known, key=known.__getitem__)
    return [
        f"{noun} in nats, {name} - {best}: {difference(values[name], values[best])}" for name in known if name != best
    ]


METRIC = Metric(
    measure=measure,
    settings=("num_examples", "noise_draws"),
    needs=(LIKELIHOOD,),
    is_of_best_nll=True,
    is_of_likelihood=True,
    is_of_every_model=True,
    columns=columns,
    noun="NLL",
    remarks=remarks,
)
