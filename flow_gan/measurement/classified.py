"""Samples and real images as the classifier sees them, for all metrics of its predictions and features."""

import functools
import weakref
from collections.abc import Callable

import numpy as np

from flow_gan import data, evaluation
from flow_gan.config import Config
from flow_gan.evaluation.scores import Reference

# What the predictions depend on.
SETTINGS = ("classifier", "inception_weights", "score_samples", "seed")
# Class probabilities [n, K] and features [n, F].
Predictions = tuple[np.ndarray, np.ndarray]


def load_classifier(config: Config, dataset: data.Dataset) -> evaluation.Classifier:
    """Return the classifier that the settings name."""
    return evaluation.load_classifier(config.classifier, dataset, config.classifier_dir, config.inception_weights)


def read_statistics(config: Config, classifier: evaluation.Classifier) -> evaluation.FIDStatistics | None:
    """Return what `--fid_statistics` holds, None if it is not given.

    Raises:
      UserError: the file cannot be read, or is of other features than the classifier's.
    """
    if config.fid_statistics is None:
        return None
    statistics = evaluation.read_fid_statistics(config.fid_statistics)
    evaluation.check_same_features(statistics, config.fid_statistics, classifier)
    return statistics


class Classified:
    """What the classifier says of training images, of test images and of samples; each are classified once.

    The classifier is trained, or read from its file, at once.

    Args:
      config: with the settings of the classifier and of what is scored.
      dataset: the data.
      draw: function from a number to so many samples, float [n, H, W, C]; in training there is none, and `of` is asked.

    Attributes:
      classifier: `evaluation.Classifier`.
      reference: the `Reference` of training images, of as many as are scored or as there are.
    """

    def __init__(self, config: Config, dataset: data.Dataset, draw: Callable[[int], np.ndarray] | None = None):
        self.config = config
        self.dataset = dataset
        self.classifier = load_classifier(config, dataset)
        count = min(config.score_samples, len(dataset.train))
        self.reference: Reference = evaluation.make_reference(self.classifier, dataset.train, count)
        self._draw = draw
        self._last: tuple[weakref.ref, Predictions] | None = None

    @functools.cached_property
    def fid_statistics(self) -> evaluation.FIDStatistics | None:
        """What an FID is measured against in place of the reference."""
        return read_statistics(self.config, self.classifier)

    @functools.cached_property
    def test(self) -> Predictions:
        """Test images, as many; the same ones for every run."""
        images = self.dataset.test.images
        count = min(self.config.score_samples, len(images))
        return self.classifier.predict(data.fixed_sample(images, count)[np.arange(count)])

    @functools.cached_property
    def samples(self) -> Predictions:
        """As many samples as are scored."""
        assert self._draw is not None
        return self.classifier.predict(self._draw(self.config.score_samples))

    def of(self, samples: np.ndarray) -> Predictions:
        """Return the predictions of samples, float [n, H, W, C]; the same array is not classified twice in a row."""
        if self._last is None or self._last[0]() is not samples:
            self._last = weakref.ref(samples), self.classifier.predict(samples)
        return self._last[1]
