"""Trained classifiers, their cache, and InceptionV3 with stand-in weights."""

import dataclasses
import itertools

import keras
import numpy as np
import pytest

import flow_gan
from flow_gan import data
from flow_gan.data import public
from flow_gan.evaluation import classifier, cnn


def striped(count, image_shape=(4, 4, 1), seed=0):
    """Images of two classes: noise that is brighter in the upper half, or in the lower."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    images = rng.integers(0, 60, (count, *image_shape))
    images[labels == 0, :2] += 100
    images[labels == 1, 2:] += 100
    return data.Split(images.astype(np.uint8), labels)


def striped_dataset(**changes):
    splits = {"train": striped(256), "validation": striped(4), "test": striped(50, seed=1)}
    return data.Dataset(**({"name": "stripes", "image_shape": (4, 4, 1), "levels": 256} | splits | changes))


@pytest.fixture(autouse=True)
def short_training(monkeypatch):
    """6 epochs are enough for stripes."""
    whole = cnn.make_recipe
    monkeypatch.setattr(
        classifier,
        "make_recipe",
        lambda d: dataclasses.replace(whole(d), epochs=6) if d.name == "stripes" else whole(d),
    )


@pytest.fixture
def trainings(monkeypatch):
    """A list that grows by the data's size with every training."""
    calls = []
    train_cnn = classifier.train_cnn

    def counted(network, images, *rest):
        calls.append(len(images))
        train_cnn(network, images, *rest)

    monkeypatch.setattr(classifier, "train_cnn", counted)
    return calls


@pytest.fixture(scope="module")
def digits_classifier(tmp_path_factory):
    return classifier.load_classifier("cnn", data.load("digits"), tmp_path_factory.mktemp("digits"))


def test_digits_are_recognised(digits_classifier):
    digits = data.load("digits")
    assert digits_classifier.test_accuracy >= classifier.TARGET_ACCURACY["digits"] == 0.975
    probabilities, features = digits_classifier.predict(digits.test.images)
    assert np.mean(probabilities.argmax(1) == digits.test.labels) == digits_classifier.test_accuracy
    assert probabilities.shape == (250, 10) and features.shape == (250, 64) and features.dtype == np.float64
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-14)


def test_dequantised_images_are_judged_as_the_images(digits_classifier):
    images = data.load("digits").test.images
    expected = digits_classifier.predict(images)
    for noise in (0.0, 0.5, 0.999):
        for got, want in zip(
            digits_classifier.predict(np.asarray(data.dequantize(images, noise, 17))), expected, strict=True
        ):
            np.testing.assert_array_equal(got, want)
    # What a file cannot hold is clipped.
    for got, want in zip(digits_classifier.predict(np.where(images > 7, 3.0, -3.0)), expected, strict=True):
        assert got.shape == want.shape and np.isfinite(got).all()


def test_predictions_do_not_depend_on_the_batches():
    """250 images are a batch; the last one of 510 is short."""
    judge = classifier.Classifier("first", lambda x: (x[:, 0, :, 0], x[:, 0, :, 0]), (1, 2, 1), 256, "")
    images = np.random.default_rng(0).integers(0, 256, (510, 1, 2, 1)).astype(np.uint8)
    _, features = judge.predict(images)
    np.testing.assert_allclose(features, images[:, 0, :, 0] / 255, rtol=1e-6)


def test_training_is_cached_and_deterministic(tmp_path, trainings):
    dataset = striped_dataset()
    first = classifier.load_classifier("cnn", dataset, tmp_path / "a")
    again = classifier.load_classifier("cnn", dataset, tmp_path / "a")
    assert trainings == [256]
    keras.utils.set_random_seed(5)
    anew = classifier.load_classifier("cnn", dataset, tmp_path / "b")
    assert trainings == [256, 256]
    assert first.test_accuracy == again.test_accuracy == anew.test_accuracy > 0.9
    expected = first.predict(dataset.test.images)[1]
    np.testing.assert_array_equal(again.predict(dataset.test.images)[1], expected)
    np.testing.assert_allclose(anew.predict(dataset.test.images)[1], expected, rtol=1e-4, atol=1e-5)
    assert [path.name for path in tmp_path.glob("a/*")] == [path.name for path in tmp_path.glob("b/*")]


def test_training_leaves_global_random_state_alone(tmp_path):
    np.random.seed(3)
    expected = np.random.uniform(size=3)
    np.random.seed(3)
    classifier.load_classifier("cnn", striped_dataset(), tmp_path)
    np.testing.assert_array_equal(np.random.uniform(size=3), expected)


def test_other_data_or_another_seed_is_another_classifier(tmp_path, trainings, monkeypatch):
    monkeypatch.setattr(classifier, "train_cnn", lambda network, images, *rest: trainings.append(len(images)))
    classifier.load_classifier("cnn", striped_dataset(), tmp_path)
    classifier.load_classifier("cnn", striped_dataset(), tmp_path, seed=1)
    classifier.load_classifier("cnn", striped_dataset(train=striped(258)), tmp_path)
    assert trainings == [256, 256, 258] and len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("harm", ["cut", "byte", "text", "foreign", "empty"])
def test_a_bad_cache_is_noticed_and_rebuilt(harm, tmp_path, trainings, monkeypatch, caplog):
    monkeypatch.setattr(classifier, "train_cnn", lambda *args: trainings.append(0))
    classifier.load_classifier("cnn", striped_dataset(), tmp_path)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    if harm == "foreign":
        with np.load(path) as arrays:
            np.savez(path, **(dict(arrays) | {"fingerprint": "other"}))
    else:
        at = len(whole) // 2
        path.write_bytes(
            {
                "cut": whole[:at],
                "byte": whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :],
                "text": b"no archive",
                "empty": b"",
            }[harm]
        )
    with caplog.at_level("WARNING"):
        classifier.load_classifier("cnn", striped_dataset(), tmp_path)
    assert len(trainings) == 2 and f"{path} cannot be used" in caplog.text and "trained again" in caplog.text
    classifier.load_classifier("cnn", striped_dataset(), tmp_path)
    assert len(trainings) == 2 and list(tmp_path.iterdir()) == [path]


def test_a_training_or_a_writing_that_breaks_off_leaves_nothing(tmp_path, monkeypatch):
    def break_off(*args, **kwargs):
        raise KeyboardInterrupt

    for module, name in ((classifier, "train_cnn"), (np, "savez")):
        with monkeypatch.context() as patch:
            patch.setattr(classifier, "train_cnn", lambda *args: None)
            patch.setattr(module, name, break_off)
            with pytest.raises(KeyboardInterrupt):
                classifier.load_classifier("cnn", striped_dataset(), tmp_path)
        assert list(tmp_path.iterdir()) == []


def test_low_accuracy_warns(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(classifier, "train_cnn", lambda *args: None)
    monkeypatch.setitem(classifier.TARGET_ACCURACY, "stripes", 1.01)
    with caplog.at_level("WARNING"):
        result = classifier.load_classifier("cnn", striped_dataset(), tmp_path)
    shown = f"test accuracy of {100 * result.test_accuracy:.2f} %, below 101.00 %"
    assert f"the classifier of stripes has a {shown}: its scores mean little" in caplog.text


def test_augmentation():
    images = np.random.default_rng(0).integers(1, 256, (600, 6, 6, 2)).astype(np.uint8)
    shifted = cnn._augment(images.copy(), cnn.Recipe(width=1, epochs=1, shift=2, flip=True), np.random.default_rng(1))
    padded = np.pad(images, [(0, 0), (2, 2), (2, 2), (0, 0)])

    def what_was_done(i):
        """Return (flipped, first row, first column) of the window of the padded image that image i has become."""
        for flip, y, x in itertools.product((False, True), range(5), range(5)):
            source = padded[i, :, ::-1] if flip else padded[i]
            if np.array_equal(source[y : y + 6, x : x + 6], shifted[i]):
                return flip, y, x
        raise AssertionError(f"image {i} is no shifted image")

    assert len({what_was_done(i) for i in range(600)}) == 2 * 5 * 5


def test_recipes():
    def recipe(name, shape, count):
        return cnn.make_recipe(
            data.Dataset(name=name, image_shape=shape, levels=256, train=range(count), validation=None, test=None)
        )

    assert recipe("digits", (8, 8, 1), 1297) == cnn.Recipe(width=32, epochs=40, shift=1, flip=False)
    assert recipe("mnist", (28, 28, 1), 50_000) == cnn.Recipe(width=32, epochs=4, shift=3, flip=False)
    assert recipe("cifar10", (32, 32, 3), 45_000) == cnn.Recipe(width=64, epochs=8, shift=4, flip=True)
    assert not recipe("svhn_cropped", (32, 32, 3), 68_257).flip


@pytest.mark.parametrize("shape, features", [((2, 3, 1), 8), ((8, 8, 1), 16), ((28, 28, 1), 32), ((64, 64, 3), 32)])
def test_networks_of_any_image_shape(shape, features):
    network = cnn.make_cnn(shape, 4, 8, seed=0)
    assert [output.shape for output in network(np.zeros((2, *shape)))] == [(2, 4), (2, features)]
    first, *_ = cnn.make_cnn(shape, 4, 8, seed=0).get_weights()
    np.testing.assert_array_equal(first, network.get_weights()[0])
    assert not np.array_equal(first, cnn.make_cnn(shape, 4, 8, seed=1).get_weights()[0])


def test_bad_arguments(tmp_path):
    def load(name="cnn", **changes):
        weights = changes.pop("inception_weights", None)
        return classifier.load_classifier(name, striped_dataset(**changes), tmp_path, weights)

    no_labels = dataclasses.replace(striped(10), labels=None)
    for call, message in [
        (lambda: load("resnet"), "classifier='resnet' is unknown; expected one of: cnn, inception_v3"),
        (lambda: load(train=no_labels), "stripes has no train labels"),
        (lambda: load(test=no_labels), "stripes has no test labels"),
        (lambda: load(train=data.Split(striped(4).images, np.array([0, 2, 2, 0]))), r"are \[0, 2\]; expected 0, 1"),
        (lambda: load(train=data.Split(striped(4).images, np.zeros(4, int))), r"are \[0\]; expected 0, 1"),
        (lambda: load(train=data.Split(striped(4).images, -np.ones(4, int))), "labels hold -1; expected 0 or more"),
        (lambda: load(inception_weights="f"), "inception_weights=f cannot be set for classifier=cnn"),
        (lambda: load("inception_v3", inception_weights="no.h5"), "inception_weights=no.h5: there is no such file"),
        (lambda: load("inception_v3", image_shape=(4, 4, 2)), "images of 1 or 3 channels, but these have 2"),
    ]:
        with pytest.raises(flow_gan.UserError, match=message):
            call()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "images, message",
    [
        (np.zeros((3, 2, 2, 1)), r"images are \[3, 2, 2, 1\]; the classifier c expected \[n, 1, 2, 1\]"),
        (np.zeros((0, 1, 2, 1)), r"images are \[0, 1, 2, 1\]"),
        (np.full((3, 1, 2, 1), np.nan), "images hold values that are not finite"),
    ],
)
def test_bad_images(images, message):
    judge = classifier.Classifier("c", lambda x: (x[:, 0, :, 0], x[:, 0, :, 0]), (1, 2, 1), 256, "")
    with pytest.raises(flow_gan.UserError, match=message):
        judge.predict(images)


def test_inception_without_weights_and_network(tmp_path, monkeypatch):
    def no_network():
        raise OSError("no route to host")

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(public, "check_network", no_network)
    with pytest.raises(flow_gan.UserError, match=r"no route to host\); pass inception_weights=FILE"):
        classifier.load_classifier("inception_v3", striped_dataset(), tmp_path)


@pytest.mark.slow
def test_inception_with_random_weights_from_a_file(tmp_path):
    """The plumbing alone: random weights classify nothing."""
    path = tmp_path / "random.weights.h5"
    original = keras.applications.InceptionV3(weights=None)
    original.save_weights(path)
    judge = classifier.load_classifier("inception_v3", striped_dataset(), tmp_path, str(path))
    assert judge.name == f"inception_v3 ({path.name})" and not judge.knows_labels and judge.test_accuracy is None
    images = striped(2).images
    probabilities, features = judge.predict(images)
    assert features.shape == (2, 2048)
    large = keras.ops.image.resize(np.repeat(images, 3, -1).astype(np.float32), (299, 299))
    expected = original(keras.applications.inception_v3.preprocess_input(np.array(large)))
    np.testing.assert_allclose(probabilities, expected, rtol=1e-3, atol=1e-6)
    path.write_bytes(path.read_bytes()[:10_000])
    with pytest.raises(flow_gan.UserError, match=r"cannot be loaded .*; expected classify_image_graph_def.pb"):
        classifier.load_classifier("inception_v3", striped_dataset(), tmp_path, path)
