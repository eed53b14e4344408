"""What the likelihoods of a conditional flow say without labels: log p(x), and a classifier that costs nothing more."""

from flow_gan import evaluation
from flow_gan.data import Dataset
from flow_gan.measurement.metric import Metric
from flow_gan.measurement.needs import CONDITIONAL
from flow_gan.measurement.run import LoadedRun
from flow_gan.metrics import nll
from flow_gan.report.model_tables import OBJECTIVES, Column


def measure(run: LoadedRun) -> evaluation.ClassLikelihoods:
    """Return the figures of the images of the run's split."""
    config = run.config
    return evaluation.evaluate_class_likelihoods(
        run.model, run.dataset, config.split, config.batch_size, config.num_examples
    )


def columns(dataset: Dataset, split: str = "test") -> tuple[Column, ...]:
    """Return the columns of -log p(x), in the paper's unit, and of the accuracy."""
    marginal = nll.in_paper_unit(dataset, "-log p(x) without label", place=3)
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
    return nll.checks(results, "the classes", ", classes")


def remarks_beside(results: dict[str, dict[str, dict]]) -> list[str]:
    """Return by how many nats each -log p(x) is above the lowest; of a run without labels it is the NLL."""
    without = {name: result for name, result in results["nll"].items() if not result.get("is_given_label", False)}
    return nll.differences(
        "-log p(x)", {name: nll.in_nats(result) for name, result in (without | results["labels"]).items()}
    )


METRIC = Metric(
    measure=measure,
    settings=("num_examples",),
    needs=(CONDITIONAL,),
    is_of_best_nll=True,
    is_of_likelihood=True,
    columns=columns,
    noun="likelihood of classes",
    remarks=remarks,
    remarks_beside=remarks_beside,
)
