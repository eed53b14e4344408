"""Whether samples repeat training images: nearest neighbours and authenticity, in pixels and a classifier's features.

The paper's Gaussian mixture (Section 3.4) memorises by construction: its samples stand beside the run's as what the
measure has to find, test images as what repeats nothing.
"""

import dataclasses
import math
import pathlib

import numpy as np

from flow_gan import data, evaluation
from flow_gan.data import Dataset
from flow_gan.errors import NotFiniteError
from flow_gan.measurement import classified
from flow_gan.measurement.metric import Metric
from flow_gan.measurement.needs import CLASSIFIER_FILES, LABELS, TEST_SPLIT, Need
from flow_gan.measurement.run import LoadedRun
from flow_gan.report import paper
from flow_gan.report.model_tables import OBJECTIVES, Column
from flow_gan.report.values import Difference, Value, difference

# What images are compared by, in results and for people.
SPACES = ("pixels", "features")
# Nearest training images that the picture shows of a sample.
_NEIGHBOURS = 3
# Samples in the picture of each kind: those drawn first, and those closest to a training image.
_SHOWN = 5
_MEANING = (
    "authenticity is the share of images that are further from their nearest training image than that one is from its "
    "nearest other; copies are not, so that a model that memorises is less authentic than test images"
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Memorisation:
    """How close samples, test images and samples of the mixture are to training images.

    Attributes:
      samples, test_images, mixture: {"pixels" or "features": `evaluation.Closeness`}, without features where there is
        no classifier.
      images: uint8 [n, H, W, C], the samples on the grey levels of the data.
      bandwidth: of the mixture.
      classifier: the name of the one whose features they are, or why there is none.
    """

    samples: dict[str, evaluation.Closeness] = dataclasses.field(repr=False)
    test_images: dict[str, evaluation.Closeness] = dataclasses.field(repr=False)
    mixture: dict[str, evaluation.Closeness] = dataclasses.field(repr=False)
    images: np.ndarray = dataclasses.field(repr=False)
    bandwidth: float
    classifier: str

    def __str__(self) -> str:
        result = self.to_dict()
        lines = [_MEANING, f"{len(self.images)} samples; {_about_features(result)}"]
        for space in self.samples:
            sets = {
                "samples": self.samples[space],
                f"{len(self.test_images[space])} test images": self.test_images[space],
                f"mixture of bandwidth {self.bandwidth:g}": self.mixture[space],
            }
            numbers = (
                f"{name} {evaluation.with_error(close.authenticity, close.standard_error, 3)}"
                for name, close in sets.items()
            )
            lines.append(f"{space}: {', '.join(numbers)}; the samples are {compared(result, space)}")
        return "\n".join(lines)

    def to_dict(self) -> dict:
        """Return all figures by name: those of the samples, and likewise of "test_images" and the "mixture"."""
        samples, test_images, mixture = (
            {space: sets[space].to_dict() if space in sets else None for space in SPACES}
            for sets in (self.samples, self.test_images, self.mixture)
        )
        about = {"classifier": self.classifier, "mixture": mixture | {"bandwidth": self.bandwidth}}
        return samples | {"test_images": test_images} | about


def measure(run: LoadedRun) -> Memorisation:
    """Return how close samples of the run, test images and samples of the mixture are to training images.

    All are compared on the grey levels of the data, as a file would store them, so that no noise tells them apart.
    """
    config, dataset = run.config, run.dataset
    samples = run.samples(config.score_samples)
    if not np.isfinite(samples).all():
        raise NotFiniteError("samples hold values that are not finite")
    train, test = dataset.train.images, dataset.test.images
    tested = data.fixed_sample(test, min(config.score_samples, len(test)))[:]
    # As many centres as samples, which may be far fewer than the images.
    centres = data.fixed_sample(train, min(config.score_samples, len(train)))
    mixture = evaluation.IsotropicMixture.of_images(centres, dataset.levels)
    copies = mixture.sample(config.score_samples, paper.COPYING_BANDWIDTH, config.seed).numpy()
    parts = [data.quantize(samples, dataset.levels), tested, data.quantize(copies, dataset.levels)]
    images = np.concatenate(parts)
    spaces = {"pixels": evaluation.closeness(images, train, _NEIGHBOURS)}
    classifier = LABELS.why_not("a classifier", config, dataset)
    if classifier is None:
        network = classified.load_classifier(config, dataset)
        of_images, of_train = (network.predict(each)[1] for each in (images, train))
        spaces["features"] = evaluation.closeness(of_images, of_train, _NEIGHBOURS)
        classifier = network.name
    ends = np.cumsum([len(part) for part in parts])
    found = [
        {space: close[start:end] for space, close in spaces.items()}
        for start, end in zip([0, *ends], ends, strict=False)
    ]
    return Memorisation(
        samples=found[0],
        test_images=found[1],
        mixture=found[2],
        images=parts[0],
        bandwidth=paper.COPYING_BANDWIDTH,
        classifier=classifier,
    )


def draw(run: LoadedRun, found: Memorisation) -> list[pathlib.Path]:
    """Draw samples beside their nearest training images: those drawn first, and those closest in pixels."""
    first = np.arange(min(_SHOWN, len(found.images)))
    # The one that is furthest inside of the radius of a training image comes first.
    closest = np.argsort(found.samples["pixels"].margins, kind="stable")[:_SHOWN]
    labels = [f"sample {i + 1}" for i in first] + [f"closest, sample {i + 1}" for i in closest]
    shown = np.concatenate([first, closest])
    columns, column_labels = [found.images[shown]], ["sample"]
    for space, close in found.samples.items():
        columns += [run.dataset.train.images[indices] for indices in close.indices[shown].T]
        column_labels += [space] * _NEIGHBOURS
    rows = np.stack(columns, axis=1) / (run.levels - 1)
    title = "samples and their nearest training images, the nearest first: the first draws,\n"
    title += "and the draws that are closest in pixels, against how close training images are there"
    return [run.save_grid("memorisation", rows, title, labels, column_labels)]


def authenticity(part: dict | None) -> Value:
    """Return the `Value` of what is stored of some images in one of `SPACES`."""
    return Value() if part is None else Value(part["authenticity"], part["standard_error"])


def above_test_images(part: dict | None, result: dict, space: str) -> Difference | None:
    """Return the authenticity of some images minus that of test images in one of `SPACES`; None where there is none."""
    if part is None:
        return None
    return difference(authenticity(part), authenticity(result["test_images"][space]))


def compared(result: dict, space: str) -> str:
    """Return how the samples of a stored result compare with test images in one of `SPACES`, in words."""
    step = above_test_images(result[space], result, space)
    if step is None:
        return "not compared"
    error = math.nan if step.error is None else step.error
    if step.is_below() or step.is_above():
        order = "less" if step.number < 0 else "more"
        return f"{order} authentic than test images, by {evaluation.with_error(abs(step.number), error, 3)}"
    return f"as authentic as test images, within the error of the difference, {error:.3f}"


def _about_features(result):
    if result["features"] is None:
        return f"features are left out: {result['classifier']}"
    return f"features of the classifier {result['classifier']}"


def columns(dataset: Dataset, split: str = "test") -> tuple[Column, ...]:
    """Return the columns of the authenticity in pixels and in features."""
    return tuple(
        Column(
            table=OBJECTIVES,
            heading=f"Authenticity, {space}",
            number="authenticity",
            error="standard_error",
            part=space,
            real_images="test_images",
            digits=3,
            place=60 + i,
        )
        for i, space in enumerate(SPACES)
    )


def remarks(results: dict[str, dict]) -> list[str]:
    """Return what authenticity is, whose features there are, and which runs repeat training images."""
    found = [_MEANING]
    for name, result in results.items():
        parts = (f"{space}: {compared(result, space)}" for space in SPACES if result[space])
        found.append(f"{name}: {'; '.join(parts)}; {_about_features(result)}")
    return found


def _too_few_training_images(asked, config, dataset):
    if len(dataset.train) >= _NEIGHBOURS:
        return None
    return (
        f"{asked} needs the {_NEIGHBOURS} training images nearest to a sample, and --dataset={config.dataset} has "
        f"{len(dataset.train)}; expected {_NEIGHBOURS} or more"
    )


METRIC = Metric(
    measure=measure,
    draw=draw,
    settings=classified.SETTINGS,
    needs=(TEST_SPLIT, CLASSIFIER_FILES, Need(_too_few_training_images, is_of_run=False)),
    columns=columns,
    noun="authenticity",
    remarks=remarks,
)
