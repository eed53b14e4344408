"""What the likelihoods of a conditional flow say without labels: log p(x), and a classifier that costs nothing more."""

from flow_gan import evaluation
from flow_gan.data import Dataset
from flow_gan.measurement.metric import Metric
from flow_gan.measurement.needs import CONDITIONAL
from flow_gan.measurement.run import LoadedRun
from flow_gan.report import paper
from flow_gan.report.model_tables import OBJECTIVES, Column
from flow_gan.report.values import over_images


def measure(run: LoadedRun) -> evaluation.ClassLikelihoods:
    """Return the figures of the images of the run's split."""
    config = run.config
    return evaluation.evaluate_class_likelihoods(
        run.model, run.dataset, config.split, config.batch_size, config.num_examples
    )


def columns(dataset: Dataset, split: str = "test") -> tuple[Column, ...]:
    """Return the columns of -log p(x), in the paper's unit, and of the accuracy."""
    name = paper.nll_name(dataset)

    def to_value(result):
        error, per_image = result[f"{name}_standard_error"], result["nats_per_image"]
        return over_images(result[name], error, per_image, dataset.in_nll_unit)

    marginal = Column(
        table=OBJECTIVES,
        heading=f"-log p(x) without label ({dataset.nll_unit})",
        number=name,
        error=f"{name}_standard_error",
        digits=2 if dataset.is_grey else 4,
        place=3,
        to_value=to_value,
    )
    accuracy = Column(
        table=OBJECTIVES,
        heading="Accuracy of the classes",
        number="accuracy",
        error="accuracy_standard_error",
        digits=4,
    )
    return marginal, accuracy


def remarks(results: dict[str, dict]) -> list[str]:
    """Return the warnings of the likelihoods of runs, and of how many images they are."""
    found = []
    for name, result in results.items():
        found += [f"(!) {name}, classes: {warning}" for warning in result["warnings"]]
        if result["num_images"] < result["num_available"]:
            found.append(f"{name}: {result['num_images']} of {result['num_available']} images in the classes")
    return found


METRIC = Metric(
    measure=measure,
    settings=("num_examples",),
    needs=(CONDITIONAL,),
    is_of_best_nll=True,
    is_of_likelihood=True,
    columns=columns,
    noun="likelihood of classes",
    remarks=remarks,
)
