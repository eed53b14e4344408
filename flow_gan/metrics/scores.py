"""Scores of samples by a classifier: Inception score, MODE score and FID (paper, Section 3.2)."""

import dataclasses
import pathlib
from collections.abc import Callable

import numpy as np

from flow_gan import data, evaluation
from flow_gan.config import Config
from flow_gan.errors import UserError
from flow_gan.measurement.metric import Metric
from flow_gan.measurement.needs import LABELS, Need
from flow_gan.measurement.run import LoadedRun
from flow_gan.report import paper
from flow_gan.report.model_tables import OBJECTIVES, Column
from flow_gan.report.values import over_splits

# What a score depends on.
SETTINGS = ("classifier", "inception_weights", "score_samples", "score_splits", "seed")
# What is recorded of a score during training, and of real images, with TensorBoard's tags.
TAGS = {
    "inception_score": "scores/Inception score",
    "inception_score_std": "scores/Inception score std",
    "mode_score": "scores/MODE score",
    "mode_score_std": "scores/MODE score std",
    "fid": "scores/FID",
}

Judge = Callable[[np.ndarray], evaluation.SampleScores]


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


def make_judge(config: Config, dataset: data.Dataset) -> Judge:
    """Return the function from samples, float [n, H, W, C], to their `evaluation.SampleScores`.

    The classifier is trained, or taken from `--classifier_dir`, at once.
    """
    classifier = _load_classifier(config, dataset)
    statistics, name = None, ""
    if config.fid_statistics is not None:
        statistics, name = _read_statistics(config.fid_statistics, classifier), pathlib.Path(config.fid_statistics).name
    count = min(config.score_samples, len(dataset.train))
    reference = evaluation.make_reference(classifier, dataset.train, count)
    return lambda samples: evaluation.score_samples(
        classifier, samples, reference, config.score_splits, statistics, name
    )


def _load_classifier(config, dataset):
    return evaluation.load_classifier(config.classifier, dataset, config.classifier_dir, config.inception_weights)


def _read_statistics(path, classifier):
    """Return the `FIDStatistics` of a file; raise `UserError` unless they are of the classifier's features."""
    statistics = evaluation.read_fid_statistics(path)
    evaluation.check_same_features(statistics, path, classifier)
    return statistics


def _fitting_statistics(asked, config, dataset):
    if config.fid_statistics is None:
        return None
    try:
        # Alone first, before a classifier is trained for minutes.
        evaluation.read_fid_statistics(config.fid_statistics)
        _read_statistics(config.fid_statistics, _load_classifier(config, dataset))
    except UserError as error:
        return str(error)
    return None


# Of the file of statistics, to be of the classifier's features.
FITTING_STATISTICS = Need(_fitting_statistics, is_of_run=False)


def measure(run: LoadedRun) -> ScoresBesideTestImages:
    """Return the scores of the run's samples beside those of test images."""
    judge = make_judge(run.config, run.dataset)
    samples = judge(run.samples(run.config.score_samples))
    count = min(run.config.score_samples, len(run.dataset.test))
    test_images = judge(data.fixed_sample(run.dataset.test.images, count)[np.arange(count)])
    return ScoresBesideTestImages(
        samples, test_images, name=paper.score_name(run.dataset), label=paper.score_label(run.dataset)
    )


def write_statistics(run: LoadedRun, measured: ScoresBesideTestImages) -> list[pathlib.Path]:
    """Write the mean and the covariance of the samples' features, for `--fid_statistics` and for others' programs."""
    path = run.path("fid_statistics", "npz")
    evaluation.write_fid_statistics(path, measured.samples.statistics)
    return [path]


def score_in_training(config: Config, dataset: data.Dataset) -> Callable[[np.ndarray], dict[str, float]]:
    """Return the function from samples to what is recorded of them during training."""
    judge = make_judge(config, dataset)
    return lambda samples: _recorded(judge(samples))


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
