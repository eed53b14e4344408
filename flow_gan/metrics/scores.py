"""Scores of samples by a classifier: Inception score, MODE score and FID (paper, Section 3.2)."""

import dataclasses
import pathlib
from collections.abc import Callable

import numpy as np

from flow_gan import data, evaluation
from flow_gan.errors import UserError
from flow_gan.measurement import classified
from flow_gan.measurement.classified import Classified
from flow_gan.measurement.metric import Metric
from flow_gan.measurement.needs import LABELS, Need
from flow_gan.measurement.run import LoadedRun
from flow_gan.report import paper
from flow_gan.report.model_tables import OBJECTIVES, Column
from flow_gan.report.values import over_splits

# What a score depends on.
SETTINGS = (*classified.SETTINGS, "score_splits")
# What is recorded of a score during training, and of real images, with TensorBoard's tags.
TAGS = {
    "inception_score": "scores/Inception score",
    "inception_score_std": "scores/Inception score std",
    "mode_score": "scores/MODE score",
    "mode_score_std": "scores/MODE score std",
    "fid": "scores/FID",
}


@dataclasses.dataclass(frozen=True)
class ScoresBesideTestImages:
    """The scores of samples, and those of as many test images, which are as good as samples can be.

    Attributes:
      samples, test_images: `evaluation.SampleScores`.
      name, label: str, the score that the paper gives for such images, in results and for people.
    """

    samples: evaluation.SampleScores
    test_images: evaluation.SampleScores
    name: str
    label: str

    def __str__(self) -> str:
        of_test = self.test_images
        value = evaluation.with_error(getattr(of_test, self.name), getattr(of_test, f"{self.name}_std"), 3)
        return (
            f"{self.samples}\n{of_test.num_samples} test images have a {self.label} of {value} and an FID of "
            f"{of_test.fid:.3f}"
        )

    def to_dict(self) -> dict:
        """Return all figures by name, those of test images as "test_images"."""
        of_test = _recorded(self.test_images) | {"num_images": self.test_images.num_samples}
        return self.samples.to_dict() | {"test_images": of_test}


def score(images: Classified, predictions: classified.Predictions) -> evaluation.SampleScores:
    """Return the scores of what the classifier says of samples, such as `images.samples` or `images.of(samples)`."""
    path = images.config.fid_statistics
    return evaluation.score_predictions(
        images.classifier,
        *predictions,
        reference=images.reference,
        splits=images.config.score_splits,
        statistics=images.fid_statistics,
        statistics_name="" if path is None else pathlib.Path(path).name,
    )


def _fitting_statistics(asked, config, dataset):
    if config.fid_statistics is None:
        return None
    try:
        # Alone first, before a classifier is trained for minutes.
        evaluation.read_fid_statistics(config.fid_statistics)
        classified.read_statistics(config, classified.load_classifier(config, dataset))
    except UserError as error:
        return str(error)
    return None


# Of the file of statistics, to be of the classifier's features.
FITTING_STATISTICS = Need(_fitting_statistics, is_of_run=False)


def measure(run: LoadedRun) -> ScoresBesideTestImages:
    """Return the scores of the run's samples beside those of test images."""
    images = run.classified
    samples, test_images = (score(images, part) for part in (images.samples, images.test))
    return ScoresBesideTestImages(
        samples, test_images, name=paper.score_name(run.dataset), label=paper.score_label(run.dataset)
    )


def write_statistics(run: LoadedRun, measured: ScoresBesideTestImages) -> list[pathlib.Path]:
    """Write the mean and the covariance of the samples' features, for `--fid_statistics` and for others' programs."""
    path = run.path("fid_statistics", "npz")
    evaluation.write_fid_statistics(path, measured.samples.statistics)
    return [path]


def score_in_training(images: Classified) -> Callable[[np.ndarray], dict[str, float]]:
    """Return the function from samples to what is recorded of them during training."""
    return lambda samples: _recorded(score(images, images.of(samples)))


def _recorded(scores):
    return {name: getattr(scores, name) for name in TAGS}


def columns(dataset: data.Dataset, split: str = "test") -> tuple[Column, ...]:
    """Return the columns of the score that the paper gives for such images, and of the FID."""
    name, label = paper.score_name(dataset), paper.score_label(dataset)
    score = Column(
        table=OBJECTIVES,
        heading=label,
        number=name,
        error=f"{name}_std",
        real_images="test_images",
        digits=3,
        place=1,
        paper={objective: numbers[0] for objective, numbers in paper.objectives_table(dataset).items()},
        paper_heading=f"Paper: {label}",
        to_value=lambda result: over_splits(result[name], result[f"{name}_std"], result["splits"]),
    )
    return score, Column(table=OBJECTIVES, heading="FID", number="fid", real_images="test_images")


def remarks(results: dict[str, dict]) -> list[str]:
    """Return the samples and the classifier of the scores of runs, and their warnings."""
    found = []
    for name, result in results.items():
        accuracy = result["classifier_test_accuracy"]
        known = "" if accuracy is None else f", test accuracy {100 * accuracy:.2f} %"
        samples = f"{result['num_samples']} samples in {result['splits']} splits"
        # Results of earlier versions do not say it.
        against = f"; FID against {result['fid_reference']}" if "fid_reference" in result else ""
        resizing = f"; resizing: {result['resizing']}" if "resizing" in result else ""
        found.append(f"{name}: scores of {samples} by {result['classifier']}{known}{against}{resizing}")
    found += sorted({result["note"] for result in results.values()})
    return found + [
        f"(!) {name}, score: {warning}" for name, result in results.items() for warning in result.get("warnings", [])
    ]


METRIC = Metric(
    measure=measure,
    draw=write_statistics,
    settings=(*SETTINGS, "fid_statistics"),
    needs=(LABELS, FITTING_STATISTICS),
    is_of_every_model=True,
    columns=columns,
    noun="score",
    remarks=remarks,
    score_in_training=score_in_training,
    tags=TAGS,
)
