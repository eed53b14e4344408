"""Requirements of metrics on a run, and the sentences that say why a run does not meet them."""

import dataclasses
from collections.abc import Callable

from flow_gan import evaluation
from flow_gan.config import Config
from flow_gan.data import Dataset
from flow_gan.errors import UserError


@dataclasses.dataclass(frozen=True)
class Need:
    """What a metric needs.

    Attributes:
      why_not: function from (what asks for it, such as "--metrics=nll", the configuration, the data) to a sentence, or
        to None where the need is met.
      is_of_run: bool, whether the run itself decides: `--mode=compare` leaves the metric out of such a run's row. What
        the data or other settings decide is an error. Where it is true the data may be None.
    """

    why_not: Callable[[str, Config, Dataset | None], str | None]
    is_of_run: bool = True


def _likelihood(asked, config, dataset):
    if config.has_likelihood:
        return None
    return f"{asked} needs a likelihood, and --model_type={config.model_type} has none"


def _moving_averages(asked, config, dataset):
    if config.batch_norm and config.batch_norm_adaptive:
        return None
    return f"{asked} needs batch norm with moving averages, and the run has none"


def _prior_without_edge(asked, config, dataset):
    if config.prior != "uniform":
        return None
    return f"{asked} needs a prior on all of R^k, but --prior=uniform has bounded support, which HMC cannot sample"


def _conditional(asked, config, dataset):
    if config.conditional:
        return None
    return f"{asked} needs a model of labels, and the run is not --conditional"


def _unconditional(asked, config, dataset):
    if not config.conditional:
        return None
    return f"{asked} is not for a --conditional run, which is given labels; --metrics=labels measures its log p(x)"


def _labels(asked, config, dataset):
    if config.classifier != "cnn" or (dataset.train.labels is not None and dataset.test.labels is not None):
        return _classifier_files(asked, config, dataset)
    return (
        f"{asked} needs labels of training and test images, and --dataset={config.dataset} has none; expected a "
        "labelled data set, or --classifier=inception_v3"
    )


def _num_compared(config, dataset):
    """Return the size of the smallest of the sets whose features are compared, and what decides it, in words."""
    sizes = config.score_samples, len(dataset.train), len(dataset.test)
    words = f"--score_samples={sizes[0]}, and {sizes[1]} training and {sizes[2]} test images"
    return min(sizes), words


def _subsets(asked, config, dataset):
    size = config.kid_subset_size
    count, words = _num_compared(config, dataset)
    if (size or 2) <= count:
        return None
    given = "" if size is None else f"--kid_subset_size={size} with "
    expected = "2 images or more of each" if count < 2 else f"2 to {count}"
    return f"{given}{asked}, which has {words}; expected {expected}"


def _neighbours(asked, config, dataset):
    neighbours = config.prdc_neighbours
    count, words = _num_compared(config, dataset)
    if neighbours < count:
        return None
    expected = "2 images or more of each" if count < 2 else f"1 to {count - 1}, less than any of them"
    return f"--prdc_neighbours={neighbours} with {asked}, which has {words}; expected {expected}"


def _classifier_files(asked, config, dataset):
    try:
        evaluation.check_classifier(config.classifier, dataset, config.inception_weights)
    except UserError as error:
        return str(error)
    return None


def _test_split(asked, config, dataset):
    if config.split == "test":
        return None
    return (
        f"--split={config.split} with {asked}, which uses training images for its model and validation images for its "
        "choices; expected --split=test"
    )


LIKELIHOOD = Need(_likelihood)
# Batch norm's, which a pass over training images can estimate anew.
MOVING_AVERAGES = Need(_moving_averages)
PRIOR_WITHOUT_EDGE = Need(_prior_without_edge)
# A model p(x | y), or one without labels.
CONDITIONAL = Need(_conditional)
UNCONDITIONAL = Need(_unconditional)
# Of a classifier that comes from a file: it has to be there and to take such images.
CLASSIFIER_FILES = Need(_classifier_files, is_of_run=False)
# Of the images, to train and to test the classifier that judges samples; or its file, likewise.
LABELS = Need(_labels, is_of_run=False)
# For a subset, or for a neighbourhood.
SUBSETS = Need(_subsets, is_of_run=False)
NEIGHBOURS = Need(_neighbours, is_of_run=False)
# A metric that makes choices on validation images can only be measured on test images.
TEST_SPLIT = Need(_test_split, is_of_run=False)
