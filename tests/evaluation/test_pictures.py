import numpy as np
import tensorflow as tf

import flow_gan
from flow_gan.evaluation import pictures
from flow_gan.evaluation.interpolation import latent_path

SHAPE = (4, 4, 1)


def generator():
    return flow_gan.NICE(SHAPE, hidden_units=8, num_hidden_layers=1, logit_alpha=0.01)


def images_of(count, seed=0):
    return np.random.default_rng(seed).random((count, *SHAPE), np.float32)


def test_reconstructions():
    images = images_of(3)
    rows = pictures.reconstructions(generator(), images)
    assert rows.shape == (3, 3, *SHAPE)
    np.testing.assert_array_equal(rows[0], images)
    np.testing.assert_allclose(rows[1], images, atol=1e-5)
    assert rows[2].max() == 1


def test_a_reconstruction_that_is_not_finite_shows(monkeypatch):
    model, images = generator(), images_of(2)
    decode = model.decode
    monkeypatch.setattr(model, "decode", lambda z: tf.concat([decode(z)[:1] + 0.5, decode(z)[1:] * np.nan], 0))
    _, _, difference = pictures.reconstructions(model, images)
    np.testing.assert_allclose(difference[0], 1, atol=1e-4)
    np.testing.assert_array_equal(difference[1], 1)


def test_interpolations_run_from_one_image_to_the_other():
    model, first, second = generator(), images_of(2), images_of(2, seed=1)
    rows = pictures.interpolations(model, first, second, columns=5)
    assert rows.shape == (2, 5, *SHAPE)
    np.testing.assert_allclose(rows[:, 0], first, atol=1e-5)
    np.testing.assert_allclose(rows[:, -1], second, atol=1e-5)
    z = latent_path("logistic", model.encode(first), model.encode(second), 3)[:, 1]
    np.testing.assert_allclose(rows[:, 2], model.decode(z), atol=1e-5)


def test_temperatures_scale_one_z():
    model = generator()
    rows = pictures.temperatures(model, columns=4, seed=3)
    assert rows.shape == (len(pictures.TEMPERATURES), 4, *SHAPE)
    np.testing.assert_allclose(np.clip(rows[-1], 0, 1), model.sample(4, seed=3), atol=1e-5)
    np.testing.assert_allclose(np.clip(rows[1], 0, 1), model.sample(4, seed=3, temperature=0.5), atol=1e-5)
