"""KID of samples against test images, on the features of the scores' classifier (Binkowski et al. 2018)."""

import dataclasses
from collections.abc import Callable

import numpy as np

from flow_gan import evaluation
from flow_gan.data import Dataset
from flow_gan.measurement import classified
from flow_gan.measurement.metric import Metric
from flow_gan.measurement.needs import LABELS, SUBSETS
from flow_gan.measurement.run import LoadedRun
from flow_gan.report.model_tables import OBJECTIVES, TRAINING_IMAGES, Column

# What is recorded of it during training, with TensorBoard's tags.
TAGS = {"kid": "scores/KID", "kid_std": "scores/KID std"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class KIDBesideTrainingImages:
    """KID of samples, and of training images, which are as good as samples can be, both against test images.

    Attributes:
      samples, training_images: `evaluation.KID`.
      num_samples, num_training, num_test: how many images they are of.
      classifier: str, whose features they are.
      note: str, what the values can be compared with.
    """

    samples: evaluation.KID
    training_images: evaluation.KID
    num_samples: int
    num_training: int
    num_test: int
    classifier: str
    note: str

    def __str__(self) -> str:
        return (
            f"KID  {self.samples}: {self.num_samples} samples against {self.num_test} test images\n"
            f"{self.num_training} training images against the same: {self.training_images}\n"
            f"features of {self.classifier}; note: {self.note}"
        )

    def to_dict(self) -> dict:
        """Return all figures by name, those of training images as "training_images"."""
        rest = {name: getattr(self, name) for name in ("num_samples", "num_test", "classifier", "note")}
        of_training = self.training_images.to_dict() | {"num_images": self.num_training}
        return self.samples.to_dict() | rest | {TRAINING_IMAGES: of_training}


def measure(run: LoadedRun) -> KIDBesideTrainingImages:
    """Return the KID of the run's samples beside that of training images."""
    images = run.classified
    (_, samples), (_, test), training = images.samples, images.test, images.reference.features
    return KIDBesideTrainingImages(
        samples=_kid(run.config, samples, test),
        training_images=_kid(run.config, training, test),
        num_samples=len(samples),
        num_training=len(training),
        num_test=len(test),
        classifier=images.classifier.name,
        note=images.classifier.note,
    )


def _kid(config, features, reference):
    return evaluation.evaluate_kid(features, reference, config.kid_subsets, config.kid_subset_size)


def score_in_training(images: classified.Classified) -> Callable[[np.ndarray], dict[str, float]]:
    """Return the function from samples to what is recorded of them during training.

    It is against training images, as the FID is: test images have no part in a training.
    """
    reference = images.reference.features

    def score(samples):
        found = _kid(images.config, images.of(samples)[1], reference)
        return {name: getattr(found, name) for name in TAGS}

    return score


def columns(dataset: Dataset, split: str = "test") -> tuple[Column, ...]:
    """Return the column of the KID."""
    return (
        Column(table=OBJECTIVES, heading="KID", number="kid", error="kid_std", real_images=TRAINING_IMAGES, digits=4),
    )


def remarks(results: dict[str, dict]) -> list[str]:
    """Return what the KIDs of runs are of."""
    return [
        f"{name}: KID of {result['num_samples']} samples against {result['num_test']} test images, in "
        f"{result['subsets']} subsets of {result['subset_size']}, on features of {result['classifier']}"
        for name, result in results.items()
    ]


METRIC = Metric(
    measure=measure,
    settings=(*classified.SETTINGS, "kid_subsets", "kid_subset_size"),
    needs=(LABELS, SUBSETS),
    is_of_every_model=True,
    columns=columns,
    noun="KID",
    remarks=remarks,
    score_in_training=score_in_training,
    tags=TAGS,
)
