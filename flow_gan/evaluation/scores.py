"""Scores of sample quality (paper, Section 3.2): Inception score, MODE score and FID."""

import dataclasses
import functools
import math

import numpy as np
from scipy.special import rel_entr

from flow_gan.data import Split
from flow_gan.errors import NotFiniteError, UserError
from flow_gan.evaluation.classifier import Classifier, label_counts
from flow_gan.evaluation.features import check_features
from flow_gan.evaluation.fid_statistics import FIDStatistics, fid_statistics
from flow_gan.evaluation.text import with_error


def inception_score(probabilities: np.ndarray, splits: int = 10) -> tuple[float, float]:
    """Return the Inception score (Salimans et al. 2016; paper, Section 3.2), mean and standard deviation over splits.

        exp(E_x KL(p(y|x) || p(y))),  p(y) = E_x p(y|x)

    It is between 1 and the number of classes K.

    Args:
      probabilities: [n, K], p(y|x) of n samples.
      splits: number of consecutive parts, equal in size up to 1, that are scored separately.

    Returns:
      (mean, standard deviation) of the parts' scores; the deviation is that of the parts themselves (divisor `splits`),
      as in the release, and NaN for a single part.

    Raises:
      UserError: rows are not distributions, or there are fewer samples than splits.
    """
    return _score_parts(probabilities, splits, lambda part: _mean_divergence(part, part.mean(0)))


def mode_score(probabilities: np.ndarray, label_distribution: np.ndarray, splits: int = 10) -> tuple[float, float]:
    """Return the MODE score (Che et al. 2017) by the paper's formula, mean and standard deviation over splits.

        exp(E_x KL(p(y|x) || p*(y)) - KL(p*(y) || p(y))),  p(y) = E_x p(y|x)

    It is 0 if some class has no sample. In the release's formula p* cancels, which gives the Inception score.

    Args:
      probabilities: [n, K], p(y|x) of n samples.
      label_distribution: [K], p*(y) of the training data, without zeros.
      splits: see `inception_score`.

    Returns:
      See `inception_score`.

    Raises:
      UserError: as for `inception_score`, or the label distribution does not match.
    """
    expected = _check_distributions("label_distribution", np.atleast_2d(label_distribution))[0]
    if expected.shape != np.shape(probabilities)[1:] or not expected.all():
        raise UserError(
            f"label_distribution={np.round(expected, 4).tolist()} for probabilities {list(np.shape(probabilities))}; "
            "expected one probability above 0 for each class"
        )
    return _score_parts(
        probabilities,
        splits,
        lambda part: _mean_divergence(part, expected) - rel_entr(expected, part.mean(0)).sum(),
    )


def fid(features: np.ndarray, reference_features: np.ndarray) -> float:
    """Return the FID, the Frechet distance of two Gaussians fitted to features (Heusel et al. 2017).

        |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2))

    It increases when fewer images are used on either side, so only values for the same numbers can be compared.

    Args:
      features: [n, F], n of 2 or more.
      reference_features: [m, F], m of 2 or more.

    Returns:
      0 or more.

    Raises:
      UserError: the shapes do not match, or a value is not finite.
    """
    features, reference_features = check_features(features, reference_features)
    return fid_statistics(features).distance(fid_statistics(reference_features))


def _mean_divergence(probabilities, other):
    """Return E_x KL(p(y|x) || other(y)) of [n, K] and [K]."""
    return rel_entr(probabilities, other).sum(1).mean()


def _score_parts(probabilities, splits, log_score):
    probabilities = _check_distributions("probabilities", probabilities)
    if not 1 <= splits <= len(probabilities):
        raise UserError(f"splits={splits} of {len(probabilities)} samples; expected 1 to the number of samples")
    scores = np.exp([log_score(part) for part in np.array_split(probabilities, splits)])
    return float(scores.mean()), float(scores.std()) if splits > 1 else math.nan


def _check_distributions(name, values):
    """Return the float64 array [n, K]; raise `UserError` unless its rows are distributions."""
    values = np.asarray(values, np.float64)
    if values.ndim != 2 or not values.size:
        raise UserError(f"{name} are {list(values.shape)}; expected [n, K]")
    if not np.all(np.isfinite(values)):
        raise NotFiniteError(f"{name} hold values that are not finite; expected distributions")
    if not (np.all(values >= 0) and np.all(np.abs(values.sum(1) - 1) < 1e-4)):
        raise UserError(f"{name} hold rows that are not distributions; expected values of 0 or more that add up to 1")
    return values


@dataclasses.dataclass(frozen=True)
class Reference:
    """A classifier's view of training images, with which samples are compared.

    Attributes:
      features: float64 [m, F], the classifier's features of training images.
      label_distribution: float64 [K], p*(y).
    """

    features: np.ndarray = dataclasses.field(repr=False)
    label_distribution: np.ndarray = dataclasses.field(repr=False)

    @functools.cached_property
    def statistics(self) -> FIDStatistics:
        """Their mean and covariance."""
        return fid_statistics(self.features)


@dataclasses.dataclass(frozen=True, kw_only=True)
class SampleScores:
    """Scores of samples by a classifier.

    Attributes:
      inception_score, inception_score_std: see `inception_score`.
      mode_score, mode_score_std: see `mode_score`.
      fid: see `fid`.
      fid_reference: what it is measured against, in words.
      num_reference: images of that; None where a file of statistics does not say.
      resizing: see `Classifier`.
      classifier: the classifier's name.
      classifier_test_accuracy: its accuracy on the test images, if the data set has labels of its classes.
      label_distribution: the source of p*(y) in the MODE score.
      note: a sentence that says what the scores can be compared with.
      statistics: of the samples' features.
    """

    inception_score: float
    inception_score_std: float
    mode_score: float
    mode_score_std: float
    fid: float
    fid_reference: str
    num_samples: int
    num_reference: int | None
    splits: int
    classifier: str
    classifier_test_accuracy: float | None
    label_distribution: str
    resizing: str
    note: str
    statistics: FIDStatistics = dataclasses.field(repr=False, compare=False)

    def __str__(self) -> str:
        accuracy = self.classifier_test_accuracy
        known = "" if accuracy is None else f", test accuracy {100 * accuracy:.2f} %"
        return (
            f"Inception score  {with_error(self.inception_score, self.inception_score_std, 3)}\n"
            f"MODE score       {with_error(self.mode_score, self.mode_score_std, 3)} (p* from "
            f"{self.label_distribution})\n"
            f"FID              {self.fid:.3f} ({self.num_samples} samples against {self.fid_reference})\n"
            f"classifier       {self.classifier}{known}; {self.num_samples} samples, {self.splits} splits\n"
            f"resizing         {self.resizing}\n"
            f"note: {self.note}"
        )

    def to_dict(self) -> dict:
        """Return all figures by name."""
        names = (field.name for field in dataclasses.fields(self) if field.name != "statistics")
        return {name: getattr(self, name) for name in names}


def make_reference(classifier: Classifier, split: Split, num_images: int | None = None) -> Reference:
    """Return the `Reference` of training images, for any number of `score_samples`.

    p*(y) is the share of each label among all training images. A classifier with other classes (InceptionV3) cannot use
    the labels; p*(y) is then its mean prediction on the reference images, just as p(y) is its mean prediction on the
    samples.

    Args:
      split: of training images.
      num_images: number of images, evenly spaced, that give the features; None for all.

    Raises:
      UserError: there are not that many images.
    """
    num_images = len(split) if num_images is None else num_images
    if not 2 <= num_images <= len(split):
        raise UserError(f"num_images={num_images}; expected 2 to {len(split)}, the number of training images")
    chosen = np.linspace(0, len(split) - 1, num_images).astype(int)
    probabilities, features = classifier.predict(split.images[chosen])
    if not classifier.knows_labels:
        return Reference(features, probabilities.mean(0))
    if split.labels is None:
        raise UserError(f"split has no labels; the classifier {classifier.name} expected training images with labels")
    return Reference(features, label_counts(split.labels) / len(split))


def score_samples(
    classifier: Classifier,
    samples: np.ndarray,
    reference: Reference,
    splits: int = 10,
    statistics: FIDStatistics | None = None,
    statistics_name: str = "given statistics",
) -> SampleScores:
    """Return the `SampleScores` of samples.

    Args:
      samples: float [n, H, W, C] in [0, 1].
      reference, splits, statistics, statistics_name: see `score_predictions`.

    Raises:
      UserError: the samples have another shape, are not finite, or are fewer than `splits` or than 2.
    """
    samples = np.asarray(samples)
    if not 1 <= splits <= len(samples):
        raise UserError(f"splits={splits} of {len(samples)} samples; expected 1 to the number of samples")
    return score_predictions(classifier, *classifier.predict(samples), reference, splits, statistics, statistics_name)


def score_predictions(
    classifier: Classifier,
    probabilities: np.ndarray,
    features: np.ndarray,
    reference: Reference,
    splits: int = 10,
    statistics: FIDStatistics | None = None,
    statistics_name: str = "given statistics",
) -> SampleScores:
    """Return the `SampleScores` of samples that the classifier has classified.

    Args:
      probabilities, features: what `Classifier.predict` returns.
      reference: by the same classifier.
      splits: see `inception_score`.
      statistics: of the same network's features; the FID is measured against them instead of the reference.
      statistics_name: what they are, in words.

    Raises:
      UserError: there are fewer samples than `splits` or than 2.
    """
    inception, inception_std = inception_score(probabilities, splits)
    mode, mode_std = mode_score(probabilities, reference.label_distribution, splits)
    features, _ = check_features(features, reference.features)
    of_samples = fid_statistics(features, classifier.network_name)
    if statistics is None:
        statistics = reference.statistics
        against = f"{statistics.num_images} training images"
    else:
        against = f"{statistics_name}, of {statistics.num_images or 'an unknown number of'} images"
    return SampleScores(
        inception_score=inception,
        inception_score_std=inception_std,
        mode_score=mode,
        mode_score_std=mode_std,
        fid=of_samples.distance(statistics),
        fid_reference=against,
        num_samples=len(features),
        num_reference=statistics.num_images,
        splits=splits,
        classifier=classifier.name,
        classifier_test_accuracy=classifier.test_accuracy,
        label_distribution="training labels" if classifier.knows_labels else "mean prediction on training images",
        resizing=classifier.resizing,
        note=classifier.note,
        statistics=of_samples,
    )
