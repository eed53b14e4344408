"""Classifiers of the user's own: Keras models and SavedModels."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf

import flow_gan
from flow_gan import data
from flow_gan.evaluation import classifier

SHAPE = (2, 2, 1)


def split(count, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    return data.Split(rng.integers(0, 17, (count, *SHAPE)).astype(np.uint8), np.arange(count) % classes)


def dataset(classes=3, **changes):
    splits = {"train": split(30, classes), "validation": split(4), "test": split(12, classes, seed=1)}
    return data.Dataset(**({"name": "made", "image_shape": SHAPE, "levels": 17} | splits | changes))


def two_outputs(activation=None, shape=SHAPE, classes=3):
    images = keras.Input(shape)
    features = keras.layers.Dense(4, activation="tanh")(keras.layers.Flatten()(images))
    scores = keras.layers.Dense(classes, activation=activation)(features)
    return keras.Model(images, (scores, features))


def load(path, of=None):
    return classifier.load_classifier(str(path), of or dataset(), "unused")


@pytest.fixture
def saved(tmp_path):
    """The function that saves a Keras model and returns the path."""

    def save(model, name="own.keras"):
        path = tmp_path / name
        model.save(path) if name.endswith(".keras") else model.export(path, verbose=False)
        return path

    return save


@pytest.mark.parametrize("activation", [None, "softmax"])
@pytest.mark.parametrize("name", ["own.keras", "exported"])
def test_logits_or_probabilities_and_features_of_images_in_0_1(name, activation, saved):
    keras.utils.set_random_seed(0)
    model = two_outputs(activation)
    judge = load(saved(model, name))
    images = split(9, seed=5).images
    scores, features = (np.asarray(part) for part in model(images / np.float32(16)))
    if activation is None:
        scores = np.asarray(tf.nn.softmax(scores))
    got_scores, got_features = judge.predict(images)
    np.testing.assert_allclose(got_scores, scores, rtol=1e-5)
    np.testing.assert_allclose(got_features, features, rtol=1e-5, atol=1e-6)
    assert judge.name == name and judge.is_own and judge.num_features == 4
    assert f"3 {'logits' if activation is None else 'probabilities'}" in judge.note and "your own" in judge.note


@pytest.mark.parametrize("ends_with_softmax", [False, True])
def test_of_one_output_the_features_are_what_the_last_weights_take(ends_with_softmax, saved):
    layers = [keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(5), keras.layers.Dense(3)]
    model = keras.Sequential([*layers, *([keras.layers.Softmax()] if ends_with_softmax else [])])
    _, features = load(saved(model)).predict(split(6).images)
    expected = keras.Model(model.inputs[0], layers[2].output)(split(6).images / np.float32(16))
    np.testing.assert_allclose(features, expected, rtol=1e-5, atol=1e-6)


def test_a_dict_names_its_features(tmp_path, saved):
    """In whatever order, of a Keras model and of a SavedModel that is not Keras's."""
    model = two_outputs()
    images = split(5).images
    expected = [np.asarray(part) for part in model(images / np.float32(16))]
    scores, features = model.outputs
    named = keras.Model(model.inputs, {"features": features, "zz_logits": scores})
    module = tf.Module()
    module.weights = [weight.value for weight in model.weights]

    @tf.function(input_signature=[tf.TensorSpec([None, *SHAPE], tf.float32, "x")])
    def serve(x):
        scores, features = model(x)
        return {"features": features, "a_logits": scores}

    tf.saved_model.save(module, str(tmp_path / "plain"), {"serving_default": serve})
    for path in (saved(named), tmp_path / "plain"):
        probabilities, features = load(path).predict(images)
        np.testing.assert_allclose(features, expected[1], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(probabilities, tf.nn.softmax(expected[0]), rtol=1e-5)


def test_the_data_sets_classes_are_known_by_their_number(saved):
    path = saved(two_outputs())
    judge = load(path)
    probabilities, _ = judge.predict(dataset().test.images)
    assert judge.knows_labels and judge.test_accuracy == np.mean(probabilities.argmax(1) == dataset().test.labels)
    for other in (dataset(classes=2), dataset(train=data.Split(split(30).images))):
        judge = load(path, other)
        assert not judge.knows_labels and judge.test_accuracy is None


def test_the_network_is_its_files_content(tmp_path, saved):
    path = saved(two_outputs())
    name = load(path).network_name
    moved = tmp_path / "moved.keras"
    moved.write_bytes(path.read_bytes())
    assert load(moved).network_name == name
    assert load(saved(two_outputs())).network_name != name


class Wavy(keras.layers.Layer):
    """A layer that is not registered."""

    def call(self, x):
        return tf.sin(x)


def not_finite():
    model = two_outputs()
    model.set_weights([np.full_like(weight, np.nan) for weight in model.get_weights()])
    return model


def convolutional():
    images = keras.Input(SHAPE)
    hidden = keras.layers.Conv2D(4, 1)(images)
    return keras.Model(images, (keras.layers.Dense(3)(keras.layers.Flatten()(hidden)), hidden))


def three_outputs():
    model = two_outputs()
    return keras.Model(model.inputs, [*model.outputs, *model.outputs[:1]])


def unnamed():
    model = two_outputs()
    return keras.Model(model.inputs, {"classes": model.outputs[0], "embedding": model.outputs[1]})


def two_inputs():
    inputs = [keras.Input(SHAPE), keras.Input(SHAPE)]
    hidden = keras.layers.Flatten()(keras.layers.Add()(inputs))
    return keras.Model(inputs, (keras.layers.Dense(3)(hidden), hidden))


BAD = {
    "other size": (lambda: two_outputs(shape=(4, 4, 1)), r"takes \(None, 4, 4, 1\); expected one input, .*2, 2, 1\]"),
    "two inputs": (two_inputs, "expected one input"),
    "one class": (lambda: two_outputs(classes=1), r"gives \[16, 1\] and \[16, 4\] of 16 images; expected two outputs"),
    "maps": (convolutional, r"gives \[16, 3\] and \[16, 2, 2, 4\] of 16 images; expected two outputs"),
    "three outputs": (three_outputs, "has 3 outputs; expected two outputs"),
    "unnamed": (unnamed, "has the outputs classes, embedding; expected one of them to be called features"),
    "not finite": (not_finite, "values that are not finite"),
    "no weights": (lambda: keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten()]), "no layer with weights"),
    "not registered": (
        lambda: keras.Sequential([keras.Input(SHAPE), Wavy()]),
        "could not be deserialized",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_models_that_do_not_fit(kind, saved):
    make, message = BAD[kind]
    with pytest.raises(flow_gan.UserError, match=message) as error:
        load(saved(make()))
    assert "\n" not in str(error.value) and "own.keras" in str(error.value)


def test_files_that_are_no_models(tmp_path, saved):
    path = tmp_path / "own.keras"
    for content, message in ((None, "there is no such file"), (b"", "cannot be loaded"), (b"PK", "cannot be loaded")):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(flow_gan.UserError, match=f"--classifier={re.escape(str(path))}.*{message}"):
            load(path)
    with pytest.raises(flow_gan.UserError, match="cannot be loaded"):
        load(tmp_path)
    tf.saved_model.save(tf.Module(), str(tmp_path / "empty"))
    with pytest.raises(flow_gan.UserError, match="has no signature serving_default"):
        load(tmp_path / "empty")
    with pytest.raises(flow_gan.UserError, match="inception_weights=w cannot be set for classifier="):
        classifier.load_classifier(str(saved(two_outputs())), dataset(), "unused", "w")
