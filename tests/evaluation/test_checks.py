import math

import numpy as np
import tensorflow as tf

import flow_gan
from flow_gan.evaluation import checks

SHAPE = (4, 4, 1)
SOUND = {
    "finite_fraction": 1.0,
    "round_trip_largest": 1e-6,
    "round_trip_mean": 1e-7,
    "round_trip_limit": 0.5 / 256,
    "batch_dependence": 1e-4,
    "num_checked": 10,
    "num_batch_checked": 4,
    "rounding": 2e-5,
    "num_rounding_checked": 7,
}


def images_of(count):
    return np.random.default_rng(0).random((count, *SHAPE), np.float32)


def test_warnings():
    assert checks.Checks(**SOUND).warnings == []
    for name, value, text in [
        ("finite_fraction", 0.99, "99.00 %"),
        ("round_trip_largest", 0.5, "off by up to 0.5"),
        ("round_trip_largest", math.nan, "off by up to nan"),
        ("batch_dependence", math.inf, "inf nats"),
        ("rounding", 0.3, "differs by up to 0.3 nats from that computed in float64"),
    ]:
        (warning,) = checks.Checks(**SOUND | {name: value}).warnings
        assert text in warning


def test_round_trip_sees_an_inverse_that_is_not_one(monkeypatch):
    generator = flow_gan.NICE(SHAPE, hidden_units=8, num_hidden_layers=1, logit_alpha=0.01)
    errors = checks.round_trip_errors(generator, images_of(3))
    assert errors.shape == (3, *SHAPE) and 0 < tf.reduce_max(errors) < 1e-5
    decode = generator.decode
    monkeypatch.setattr(generator, "decode", lambda z: decode(z) + 0.25)
    np.testing.assert_allclose(checks.round_trip_errors(generator, images_of(3)), 0.25, atol=1e-5)


def test_round_trip_is_not_taken_from_a_cache(monkeypatch):
    """The logit of exactly 1 - alpha = 1 in float32 is infinite: no z gives such a white pixel back."""
    generator = flow_gan.NICE(SHAPE, hidden_units=8, num_hidden_layers=1, logit_alpha=1e-9)
    errors = checks.round_trip_errors(generator, np.ones((2, *SHAPE), np.float32))
    assert not np.isfinite(errors.numpy()).all()


def test_batch_dependence():
    images = images_of(8)
    alone = lambda x: np.sum(x, (1, 2, 3))  # noqa: E731
    assert checks.batch_dependence(alone, images) == 0
    # The second half becomes its negative.
    with_batch = lambda x: np.sum(x, (1, 2, 3)) + np.mean(x)  # noqa: E731
    expected = abs(np.mean(1 - images[4:]) - np.mean(images[4:])) / 2
    np.testing.assert_allclose(checks.batch_dependence(with_batch, images), expected, rtol=1e-3)
    last = lambda x: np.where(x[-1, 0, 0, 0] == images[-1, 0, 0, 0], np.inf, alone(x))  # noqa: E731
    assert checks.batch_dependence(last, images) == math.inf
    assert checks.batch_dependence(lambda x: np.full(len(x), np.nan), images) == 0
    # A single image, beside itself and beside its negative.
    assert checks.batch_dependence(alone, images[:1]) == 0
    single = abs(np.mean(1 - images[:1]) - np.mean(images[:1])) / 2
    np.testing.assert_allclose(checks.batch_dependence(with_batch, images[:1]), single, rtol=1e-3)


def test_in_words():
    assert str(checks.Checks(**SOUND)) == (
        "round trip |x - G(f(x))| 1e-06 at most, 1e-07 in the mean (10 images); 100 % finite; changes by 0.0001 nats "
        "at most with the rest of the batch (4 images), by 2e-05 nats at most in float64 (7 images)"
    )


def test_batch_dependence_of_the_releases_batch_norm():
    generator = flow_gan.RealNVP((4, 4, 1), residual_blocks=1, filters=4, batch_norm="batch")
    assert checks.batch_dependence(generator.log_prob, images_of(8)) > checks.BATCH_LIMIT
    generator = flow_gan.RealNVP((4, 4, 1), residual_blocks=1, filters=4)
    assert checks.batch_dependence(generator.log_prob, images_of(8)) < 1e-3
