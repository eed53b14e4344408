"""Precision, recall, density and coverage of samples against test images, on the features of the scores' classifier.

They take the distances of all pairs of images, so that they are not among the scores in training.
"""

import dataclasses

import numpy as np

from flow_gan import evaluation
from flow_gan.data import Dataset
from flow_gan.measurement import classified
from flow_gan.measurement.metric import Metric
from flow_gan.measurement.needs import LABELS, NEIGHBOURS
from flow_gan.measurement.run import LoadedRun
from flow_gan.report.model_tables import OBJECTIVES, TRAINING_IMAGES, Column

_NUMBERS = ("precision", "recall", "density", "coverage")


@dataclasses.dataclass(frozen=True, kw_only=True)
class PRDCBesideTrainingImages:
    """How samples lie among test images, and how training images do, which are as good as samples can be.

    Attributes:
      samples, training_images: `evaluation.PRDC`.
      num_images: of each kind; the values depend on it.
      classifier: str, whose features they are.
      note: str, what the values can be compared with.
    """

    samples: evaluation.PRDC
    training_images: evaluation.PRDC
    num_images: int
    classifier: str
    note: str

    def __str__(self) -> str:
        count = self.num_images
        return (
            f"{self.samples}: {count} samples against {count} test images, {self.samples.neighbours} neighbours\n"
            f"{count} training images against the same: {self.training_images}\n"
            f"features of {self.classifier}; note: {self.note}"
        )

    def to_dict(self) -> dict:
        """Return all figures by name, those of training images as "training_images"."""
        rest = {name: getattr(self, name) for name in ("num_images", "classifier", "note")}
        return self.samples.to_dict() | rest | {TRAINING_IMAGES: self.training_images.to_dict()}


def measure(run: LoadedRun) -> PRDCBesideTrainingImages:
    """Return the values of samples beside those of training images, of as many as there are of each kind."""
    images = run.classified
    every = images.samples[1], images.reference.features, images.test[1]
    count = min(map(len, every))
    samples, training, test = (_spread(features, count) for features in every)
    neighbours = run.config.prdc_neighbours
    return PRDCBesideTrainingImages(
        samples=evaluation.evaluate_prdc(samples, test, neighbours),
        training_images=evaluation.evaluate_prdc(training, test, neighbours),
        num_images=count,
        classifier=images.classifier.name,
        note=images.classifier.note,
    )


def _spread(features, count):
    """Return `count` rows, evenly spaced: images of a folder may be in the order of their classes."""
    return features[np.linspace(0, len(features) - 1, count).astype(int)]


def columns(dataset: Dataset, split: str = "test") -> tuple[Column, ...]:
    """Return a column for each of the four."""
    return tuple(
        Column(table=OBJECTIVES, heading=name.capitalize(), number=name, real_images=TRAINING_IMAGES, digits=3)
        for name in _NUMBERS
    )


def remarks(results: dict[str, dict]) -> list[str]:
    """Return what the values of runs are of."""
    return [
        f"{name}: precision, recall, density and coverage of {result['num_images']} samples against as many test "
        f"images, with {result['neighbours']} neighbours, on features of {result['classifier']}"
        for name, result in results.items()
    ]


METRIC = Metric(
    measure=measure,
    settings=(*classified.SETTINGS, "prdc_neighbours"),
    needs=(LABELS, NEIGHBOURS),
    is_of_every_model=True,
    columns=columns,
    noun="precision and recall",
    remarks=remarks,
)
