import numpy as np
import tensorflow as tf

import flow_gan
from flow_gan.evaluation import pictures
from flow_gan.evaluation.interpolation import latent_path
from tests.helpers.conditional import bright_by_class, class_of

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


def test_a_row_for_each_class():
    rows = pictures.classes(bright_by_class(), columns=2, seed=3)
    np.testing.assert_array_equal(class_of(rows), [[0, 0], [1, 1], [2, 2]])


def test_temperatures_of_a_conditional_flow():
    """Each column has one label, drawn from p(y)."""
    model = bright_by_class()
    model.set_class_shares([1, 0, 1])
    rows = pictures.temperatures(model, columns=6, seed=3)
    labels = class_of(rows)
    assert set(labels[0]) == {0, 2} and (labels == labels[:1]).all()
    for row, temperature in ((rows[1], 0.5), (rows[-1], 1.0)):
        np.testing.assert_allclose(row, model.sample(6, seed=3, temperature=temperature), atol=1e-6)
        np.testing.assert_allclose(row, model.sample(6, labels[0], 3, temperature), atol=1e-6)
