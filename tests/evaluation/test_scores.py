"""Inception score, MODE score and FID against closed forms."""

import json
import math

import numpy as np
import pytest
import scipy.linalg

import flow_gan
from flow_gan import data
from flow_gan.errors import NotFiniteError
from flow_gan.evaluation import classifier, scores


def one_hot(labels, num_classes=10):
    return np.eye(num_classes)[labels]


@pytest.mark.parametrize("splits", [1, 10])
def test_certain_predictions_over_all_classes_score_their_number(splits):
    probabilities = one_hot(np.arange(200) % 10)
    results = scores.inception_score(probabilities, splits), scores.mode_score(probabilities, np.full(10, 0.1))
    for result in results:
        # The deviation of a single part is not known.
        deviation = np.nan if splits == 1 and result is results[0] else 0
        np.testing.assert_allclose(result, [10, deviation], rtol=1e-13, atol=1e-13)


def test_equal_predictions_score_1():
    probabilities = np.tile(np.random.default_rng(0).dirichlet(np.ones(10)), (50, 1))
    np.testing.assert_allclose(scores.inception_score(probabilities, 5), [1, 0], atol=1e-14)
    np.testing.assert_allclose(scores.mode_score(probabilities, probabilities[0], 5), [1, 0], atol=1e-14)


def test_inception_score_of_two_classes_by_hand():
    probabilities = [[0.9, 0.1], [0.5, 0.5]]
    p, q = 0.7, 0.3
    divergences = [0.9 * math.log(0.9 / p) + 0.1 * math.log(0.1 / q), 0.5 * math.log(0.5 / p) + 0.5 * math.log(0.5 / q)]
    np.testing.assert_allclose(scores.inception_score(probabilities, 1), [math.exp(sum(divergences) / 2), np.nan])


def test_splits_are_scored_apart():
    """The parts [0, 1, 2, 3] and [0, 0, 1, 1] score 4 and 2; sample standard deviations would be 1.41."""
    probabilities = one_hot([0, 1, 2, 3, 0, 0, 1, 1], 4)
    np.testing.assert_allclose(scores.inception_score(probabilities, 2), [3, 1])


def test_mode_score_of_a_missing_class_by_hand():
    """Certain predictions of 4 classes in equal shares 1 - e, and the fifth with probability e.

    KL(p(y|x) || p*) is log 5 but for e, and KL(p* || p(y)) = 4/5 log((1/5) / ((1 - e) / 4)) + 1/5 log((1/5) / e).
    """
    e = 1e-3
    probabilities = (1 - e) * one_hot(np.arange(40) % 4, 5) + e * one_hot(np.full(40, 4), 5)
    entropy = -(1 - e) * math.log(1 - e) - e * math.log(e)
    penalty = 0.8 * math.log(0.2 / ((1 - e) / 4)) + 0.2 * math.log(0.2 / e)
    expected = math.exp(math.log(5) - entropy - penalty)
    np.testing.assert_allclose(scores.mode_score(probabilities, np.full(5, 0.2), 1)[0], expected, rtol=1e-12)
    np.testing.assert_allclose(scores.inception_score(probabilities, 1)[0], 4 ** (1 - e), rtol=1e-12)
    # Without any probability the penalty is infinite.
    assert scores.mode_score(one_hot(np.arange(40) % 4, 5), np.full(5, 0.2), 10) == (0.0, 0.0)


def test_mode_score_weighs_by_the_training_labels():
    """Samples that follow p* score exp H(p*); uniform ones less, by the paper's order of the divergences."""
    shares = np.array([0.5, 0.3, 0.2])
    matched = one_hot(np.repeat([0, 1, 2], [5, 3, 2]), 3)
    np.testing.assert_allclose(scores.mode_score(matched, shares, 1)[0], math.exp(-(shares @ np.log(shares))))
    uniform = one_hot(np.arange(30) % 3, 3)
    cross = -np.log(shares).mean() - shares @ np.log(3 * shares)
    np.testing.assert_allclose(scores.mode_score(uniform, shares, 1)[0], math.exp(cross))
    np.testing.assert_allclose(scores.inception_score(uniform, 1)[0], 3)


def features_with(mean, covariance, count, rng):
    """Return features whose sample mean and sample covariance are exactly those given."""
    normal = rng.normal(size=(count, len(mean)))
    normal -= normal.mean(0)
    normal = normal @ np.linalg.inv(np.linalg.cholesky(np.cov(normal, rowvar=False))).T
    return mean + normal @ np.linalg.cholesky(covariance).T


def random_covariance(rng, size=6):
    factor = rng.normal(size=(size, size))
    return factor @ factor.T + 0.1 * np.eye(size)


def test_fid_of_equal_covariances_is_the_distance_of_the_means():
    rng = np.random.default_rng(0)
    first, second, covariance = rng.normal(size=6), rng.normal(size=6), random_covariance(rng)
    result = scores.fid(features_with(first, covariance, 50, rng), features_with(second, covariance, 80, rng))
    np.testing.assert_allclose(result, np.sum((first - second) ** 2), rtol=1e-11)


def test_fid_of_any_gaussians_against_the_matrix_square_root():
    rng = np.random.default_rng(1)
    mean, first, second = rng.normal(size=6), random_covariance(rng), random_covariance(rng)
    result = scores.fid(features_with(mean, first, 50, rng), features_with(0 * mean, second, 80, rng))
    root = scipy.linalg.sqrtm(first @ second).real
    np.testing.assert_allclose(result, mean @ mean + np.trace(first + second - 2 * root), rtol=1e-10)
    # In one dimension: (m1 - m2)^2 + (s1 - s2)^2.
    np.testing.assert_allclose(scores.fid([[0.0], [2.0]], [[1.0], [7.0]]), 9 + (math.sqrt(2) - math.sqrt(18)) ** 2)


@pytest.mark.parametrize("count, size", [(100, 8), (5, 40)], ids=["regular", "singular"])
def test_fid_of_equal_sets_is_0(count, size):
    features = np.random.default_rng(2).normal(size=(count, size)) * 10.0 ** np.linspace(-3, 3, size)
    assert 0 <= scores.fid(features, features[::-1]) < 1e-12 * np.sum(np.var(features, 0))
    np.testing.assert_allclose(scores.fid(features, features + 3), 9 * size, rtol=1e-8)


UNIFORM = np.full((4, 5), 0.2)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: scores.inception_score(UNIFORM, 5), "splits=5 of 4 samples; expected 1 to the number of samples"),
        (lambda: scores.inception_score(UNIFORM, 0), "splits=0 of 4 samples"),
        (lambda: scores.inception_score(2 * UNIFORM, 1), "probabilities hold rows that are not distributions"),
        (lambda: scores.inception_score([[1.5, -0.5]], 1), "probabilities hold rows that are not distributions"),
        (lambda: scores.inception_score(np.nan * UNIFORM, 1), "probabilities hold values that are not finite"),
        (lambda: scores.inception_score(UNIFORM[0], 1), r"probabilities are \[5\]; expected \[n, K\]"),
        (lambda: scores.mode_score(UNIFORM, [1.0, 0, 0, 0, 0], 1), "expected one probability above 0 for each class"),
        (lambda: scores.mode_score(UNIFORM, np.full(4, 0.25), 1), r"for probabilities \[4, 5\]; expected one"),
        (lambda: scores.mode_score(UNIFORM, np.full(5, 0.3), 1), "label_distribution hold rows that are not distrib"),
        (lambda: scores.fid(UNIFORM, UNIFORM[:1]), r"reference_features are \[1, 5\], features \[4, 5\]; expected"),
        (lambda: scores.fid(UNIFORM, UNIFORM[:, :2]), r"reference_features are \[4, 2\], features \[4, 5\]"),
        (lambda: scores.fid(np.inf * UNIFORM, UNIFORM), "features hold values that are not finite"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(flow_gan.UserError, match=message):
        call()


def test_probabilities_that_are_not_finite_are_told_from_bad_arguments():
    with pytest.raises(NotFiniteError, match="probabilities hold values that are not finite"):
        scores.inception_score(np.nan * UNIFORM, 1)


def corner_classifier(**settings):
    """A classifier that needs no training: the logits of images [1, 2, 1] are their pixels, times 1000."""
    return classifier.Classifier(
        "corners", lambda images: (1000 * images[:, 0, :, 0], images[:, 0, :, 0]), (1, 2, 1), 256, "note", **settings
    )


def corner_images(labels):
    return (255 * one_hot(labels, 2)).astype(np.uint8).reshape(-1, 1, 2, 1)


def test_score_samples():
    judge = corner_classifier(test_accuracy=0.75)
    train = data.Split(corner_images([0, 0, 0, 1]), np.array([0, 0, 0, 1]))
    reference = scores.make_reference(judge, train)
    np.testing.assert_allclose(reference.label_distribution, [0.75, 0.25])
    # Dequantised, as a flow's samples are, they are the training images themselves.
    samples = data.dequantize(train.images, np.random.default_rng(0).uniform(size=train.images.shape), 256)
    result = scores.score_samples(judge, samples, reference, splits=1)
    shares = math.exp(-0.75 * math.log(0.75) - 0.25 * math.log(0.25))
    np.testing.assert_allclose([result.inception_score, result.mode_score], shares, rtol=1e-12)
    np.testing.assert_allclose(result.fid, 0, atol=1e-14)
    assert (result.num_samples, result.num_reference, result.splits) == (4, 4, 1)
    shown = result.to_dict()
    # As text, since the deviation of a single part is NaN, which equals nothing.
    assert str(json.loads(json.dumps(shown))) == str(shown) and shown["label_distribution"] == "training labels"
    assert str(result).splitlines() == [
        "Inception score  1.755 +- unknown",
        "MODE score       1.755 +- unknown (p* from training labels)",
        "FID              0.000 (4 samples against 4 training images)",
        "classifier       corners, test accuracy 75.00 %; 4 samples, 1 splits",
        "resizing         none",
        "note: note",
    ]


def test_a_classifier_that_does_not_know_the_labels_predicts_their_distribution():
    judge = corner_classifier(knows_labels=False)
    train = data.Split(corner_images([0, 0, 0, 1, 1]))
    reference = scores.make_reference(judge, train)
    np.testing.assert_allclose(reference.label_distribution, [0.6, 0.4])
    result = scores.score_samples(judge, train.images / 255, reference, splits=1)
    assert result.label_distribution == "mean prediction on training images"
    np.testing.assert_allclose(result.mode_score, math.exp(-0.6 * math.log(0.6) - 0.4 * math.log(0.4)))


def test_a_classifier_of_the_labels_needs_them():
    with pytest.raises(flow_gan.UserError, match="split has no labels; the classifier corners expected"):
        scores.make_reference(corner_classifier(), data.Split(corner_images([0, 0, 1, 1])))


def test_reference_of_fewer_images_is_spread_over_all():
    judge = corner_classifier()
    split = data.Split(corner_images([0, 0, 0, 1]), np.array([0, 0, 0, 1]))
    reference = scores.make_reference(judge, split, 2)
    np.testing.assert_array_equal(reference.features, [[1, 0], [0, 1]])
    np.testing.assert_allclose(reference.label_distribution, [0.75, 0.25])
    with pytest.raises(flow_gan.UserError, match="num_images=5; expected 2 to 4, the number of training images"):
        scores.make_reference(judge, split, 5)
    with pytest.raises(flow_gan.UserError, match="splits=10 of 4 samples"):
        scores.score_samples(judge, split.images, reference)
