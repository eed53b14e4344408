"""Differences of numbers: in pairs, as independent, and without errors."""

import math

import numpy as np
import pytest
import scipy.stats

from flow_gan.report.values import Difference, Value, difference, over_seeds, over_splits


def of_samples(samples, over="images"):
    error = np.std(samples, ddof=1) / math.sqrt(len(samples))
    return Value(float(np.mean(samples)), float(error), samples=tuple(samples), over=over)


def test_models_on_the_same_images_are_compared_in_pairs():
    """Two NLLs that go together image by image, as MLE's and the hybrid's do on the digits."""
    rng = np.random.default_rng(0)
    images = rng.normal(-85, 10, size=250)
    mle, hybrid = of_samples(images), of_samples(images + 0.3 + 0.1 * rng.normal(size=250))
    paired = difference(hybrid, mle)
    test = scipy.stats.ttest_rel(hybrid.samples, mle.samples)
    np.testing.assert_allclose([paired.number / paired.error, paired.freedom], [test.statistic, 249])
    assert paired.pairs == "250 images" and paired.is_above() and not paired.is_below()
    independent = difference(Value(hybrid.number, hybrid.error), Value(mle.number, mle.error))
    assert independent.error > 50 * paired.error and not independent.is_above()


def test_an_image_that_one_of_them_lacks_is_in_no_pair():
    first = Value(1.0, 1.0, samples=(1.0, 2.0, math.nan, 4.0), over="images")
    second = Value(1.0, 1.0, samples=(0.0, 1.0, 5.0, 3.5), over="images")
    found = difference(first, second)
    assert found.pairs == "3 images" and found.number == pytest.approx(2.5 / 3)
    # Of other things they are no pairs, and of one pair there is no error.
    assert difference(first, of_samples([1.0, 2.0, 3.0, 4.0], "seeds")).pairs is None
    assert (
        difference(Value(1.0, 0.5, samples=(1.0,), over="z"), Value(0.0, 0.5, samples=(0.0,), over="z")).pairs is None
    )


def test_means_of_independent_parts_are_compared_as_welch_does():
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 1, size=5), rng.normal(1, 3, size=10)
    found = difference(*(Value(np.mean(x), np.std(x, ddof=1), len(x)) for x in (b, a)))
    test = scipy.stats.ttest_ind(b, a, equal_var=False)
    np.testing.assert_allclose([found.number / found.error, found.freedom], [test.statistic, test.df])


def test_three_seeds_have_the_factor_of_student():
    assert Difference(1.0, 1.0, 2).margin() == pytest.approx(4.303, abs=1e-3)
    assert Difference(1.0, 1.0).margin() == pytest.approx(1.96, abs=1e-2)
    values = [of_samples([n - 1, n + 1]) for n in (1.0, 2.0, 4.0)]
    together = over_seeds(values)
    assert (together.number, together.parts, together.over) == (pytest.approx(7 / 3), 3, "seeds")
    better = over_seeds([of_samples([n - 1, n + 1]) for n in (1.4, 2.5, 4.4)])
    found = difference(better, together)
    assert found.pairs == "3 seeds" and found.is_above()
    # As independent three seeds would not tell them apart.
    assert not difference(Value(better.number, better.error, 3), Value(together.number, together.error, 3)).is_above()


def test_seeds_that_are_missing():
    one = of_samples([1.0, 2.0])
    assert over_seeds([Value(), one]) is one and not over_seeds([Value(), Value()]).is_known
    two = over_seeds([Value(1.0), Value(), Value(3.0)])
    assert (two.number, two.parts) == (2.0, 2) and math.isnan(two.samples[1])


@pytest.mark.parametrize("number, above, below", [(1.0, True, False), (0.0, False, True), (-1.0, False, True)])
def test_without_errors_the_numbers_decide(number, above, below):
    found = difference(Value(number), Value(0.0))
    assert (found.error, found.is_above(), found.is_below()) == (None, above, below)
    assert "error not known" in str(found)


def test_within_the_error_it_is_neither():
    found = Difference(1.0, 0.6)
    assert not found.is_above() and not found.is_below() and found.is_above(level=0.2)


def test_what_is_no_mean_is_compared_by_its_resamples():
    """The median of all values is not the mean of those of each z, and may be ordered the other way."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(20, 1))
    values = {"low": np.exp(z + rng.normal(size=(20, 50))), "high": 1.2 * np.exp(z + rng.normal(size=(20, 50)))}
    rows = rng.integers(20, size=(500, 20))
    low, high = (
        Value(float(np.median(v)), parts=20, over="z", resamples=tuple(float(np.median(v[chosen])) for chosen in rows))
        for v in values.values()
    )
    found = difference(high, low)
    assert found.number == high.number - low.number and found.freedom == 19 and found.pairs == "20 z"
    spread = np.std(np.subtract(high.resamples, low.resamples), ddof=1)
    assert found.error == pytest.approx(spread * math.sqrt(20 / 19))
    alone = [np.std(value.resamples) for value in (low, high)]
    assert found.error < 0.6 * math.hypot(*alone)
    assert difference(high, Value(low.number)).pairs is None


def test_a_score_s_deviation_over_splits_has_the_divisor_n():
    scores = np.array([5.0, 6.0, 8.0])
    value = over_splits(scores.mean(), scores.std(), 3)
    assert value.standard_error == pytest.approx(scipy.stats.sem(scores)) and value.parts == 3
    assert over_splits(5.0, None, 3).standard_error is over_splits(5.0, 0.0, 1).standard_error is None


def test_samples_of_unequal_length_are_no_pairs():
    assert difference(of_samples([1.0, 2.0, 3.0]), of_samples([1.0, 2.0])).pairs is None
