"""Conditional Flow-GANs in Python: what `fit`, `evaluate` and `predict` take, replicas, saving."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import flow_gan
from flow_gan import data
from flow_gan.training.strategy import make_strategy
from tests.helpers.conditional import bright_by_class, bright_images, class_of

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 17, (60, 4, 4, 1)).astype(np.uint8)
LABELS = np.arange(60) % 3
OBJECTIVES = {
    "mle": {"n_critic": 0},
    "adv": {"n_critic": 2, "like_reg": 0.0},
    "hybrid": {"n_critic": 2, "like_reg": 1.0},
}


def make_model(objective="hybrid", dtype="float32", critic=None, optimizer=keras.optimizers.Adam, **others):
    generator = flow_gan.NICE((4, 4, 1), hidden_units=8, num_hidden_layers=0, num_classes=3, dtype=dtype)
    if critic is None:
        critic = flow_gan.critics.two_convolutions((4, 4, 1), filters=2, dense_units=8, num_classes=3, dtype=dtype)
    settings = OBJECTIVES[objective] | others
    model = flow_gan.FlowGAN(generator, critic if settings["n_critic"] else None, levels=17, **settings)
    model.compile(optimizer(1e-2), optimizer(1e-2) if settings["n_critic"] else None)
    return model


def batches_of(*given, **arguments):
    return data.training_batches(IMAGES, *given, labels=LABELS, **arguments)


def test_labels_go_with_their_images():
    number = np.arange(60, dtype=np.uint8).reshape(60, 1, 1, 1)
    labels = 7 * np.arange(60)
    for images, of_images in data.training_batches(number, 10, 0, 4, 9, 2, labels=labels).as_numpy_iterator():
        assert of_images.shape == (10, 2) and of_images.dtype == np.int32
        np.testing.assert_array_equal(of_images, labels[images[..., 0, 0, 0]])
    for batch in data.evaluation_batches(number, "test", 25, labels=labels).as_numpy_iterator():
        np.testing.assert_array_equal(batch["labels"], labels[batch["images"][:, 0, 0, 0]])


@pytest.mark.parametrize(
    "objective, critic_batches",
    [
        ("hybrid", "shared"),
        *(pytest.param(*case, marks=pytest.mark.slow) for case in (("mle", "shared"), ("adv", "fresh"))),
    ],
)
def test_two_replicas_equal_one(objective, critic_batches):
    weights, logs = [], []
    untrained = make_model(objective, "float64")
    for kind in ("one_device", "mirrored"):
        strategy = make_strategy(kind, 20)
        with strategy.scope():
            model = make_model(objective, "float64", optimizer=keras.optimizers.SGD, critic_batches=critic_batches)
        per_step = 2 if critic_batches == "fresh" and objective != "mle" else None
        steps = (20, 0, 0, 3, per_step)
        batches = batches_of(*steps)
        if kind == "mirrored":
            batches = strategy.distribute_datasets_from_function(
                lambda context, steps=steps: batches_of(*steps, range(2), 2)
            )
            strategy.extended.experimental_enable_get_next_as_optional = False
        history = model.fit(batches, steps_per_epoch=3, verbose=0)
        weights.append([v.numpy() for v in model.weights])
        logs.append([history.history[name] for name in sorted(history.history)])
        moved = np.abs(model.generator.prior_mean).max(1)
        if model.critic is not None:
            moved = np.concatenate([moved, np.abs(model.critic.embedding - untrained.critic.embedding).max(1)])
    for one, two in zip(*weights, strict=True):
        np.testing.assert_allclose(two, one, rtol=1e-8, atol=1e-11)
    np.testing.assert_allclose(logs[1], logs[0], rtol=1e-7)
    assert (moved > 0).all()  # With the critic's small initial weights some of it moves little.


def test_every_form_of_labelled_images():
    """The same training, whatever says which label an image has."""
    pairs = tf.data.Dataset.from_tensor_slices((IMAGES, LABELS)).batch(20)
    forms = [
        (IMAGES, LABELS),
        ((IMAGES, LABELS), None),
        (pairs, None),
        (pairs.map(lambda image, label: {"image": image, "label": label, "id": label}), None),
    ]
    found = []
    for x, y in forms:
        model = make_model("mle")
        model.fit(x, y, batch_size=None if isinstance(x, tf.data.Dataset) else 20, shuffle=False, verbose=0)
        found.append([v.numpy() for v in model.generator.trainable_variables])
        nll = model.evaluate(x, y, verbose=0, return_dict=True)["nll"]
        np.testing.assert_allclose(nll, -np.mean(model.predict(x if y is None else (x, y), verbose=0)), rtol=1e-5)
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    for one_batch in (model((IMAGES, LABELS)), model.predict_on_batch((IMAGES, LABELS))):
        np.testing.assert_allclose(one_batch, model.predict((IMAGES, LABELS), verbose=0), rtol=1e-4, atol=1e-4)
    assert np.isfinite(model.test_on_batch(IMAGES, LABELS, return_dict=True)["nll"])
    assert np.isfinite(model.train_on_batch(IMAGES[:20], LABELS[:20], return_dict=True)["nll"])


def test_fit_sets_the_shares_and_splits_labels_with_images():
    model = make_model("mle")
    labels = np.repeat([0, 1, 2], [40, 10, 10])
    history = model.fit(IMAGES, labels, batch_size=10, validation_split=0.25, verbose=0)
    np.testing.assert_allclose(model.generator.class_shares, [40 / 45, 5 / 45, 0], rtol=1e-6)
    expected = model.evaluate(IMAGES[45:], labels[45:], verbose=0, return_dict=True)["nll"]
    np.testing.assert_allclose(history.history["val_nll"][0], expected, rtol=1e-5)


class Recorder(keras.Model):
    """A critic that notes which labels come with which images."""

    def __init__(self, note):
        super().__init__()
        self.dense, self.note = keras.layers.Dense(1), note

    def call(self, pair):
        images, labels = pair
        if tf.executing_eagerly():
            self.note((class_of(images), np.array(labels)))
        return self.dense(tf.reshape(images, [-1, 16]))


@pytest.mark.parametrize("critic_batches", ["shared", "fresh"])
def test_each_image_goes_with_its_label_through_a_step(eagerly, monkeypatch, critic_batches):
    """The critic is asked D(G(z, y), y), D(x, y) and, for its penalty, D between them; the NLL is -log p(x | y)."""
    labels = np.random.default_rng(1).integers(0, 3, 60)
    images, generator = bright_images(labels), bright_by_class()
    calls, likelihoods = [], []
    model = flow_gan.FlowGAN(generator, Recorder(calls.append), n_critic=2, levels=17, critic_batches=critic_batches)
    model.compile(keras.optimizers.SGD(1e-9), keras.optimizers.SGD(1e-9))
    log_prob = generator.log_prob

    def noting(x, labels, training):
        likelihoods.append((class_of(x), np.array(labels)))
        return log_prob(x, labels, training)

    monkeypatch.setattr(generator, "log_prob", noting)
    calls.clear()
    shape = (12, 2) if critic_batches == "fresh" else (12,)
    count = np.prod(shape)
    model.make_step(tf.constant(images[:count].reshape(*shape, 4, 4, 1)), tf.constant(labels[:count].reshape(shape)))
    assert len(calls) == 2 * 3 + 1 and len(likelihoods) == 1
    for of_images, of_labels in [*calls, *likelihoods]:
        np.testing.assert_array_equal(of_labels, of_images)
        assert set(of_labels) == {0, 1, 2}


def test_images_on_the_device():
    found = []
    for on_device in (False, True):
        model = make_model("hybrid")
        if on_device:
            model.keep_on_device((IMAGES, LABELS))
        batches = data.training_indices(60, 20, 0, 0, 3) if on_device else batches_of(20, 0, 0, 3)
        model.fit(batches, verbose=0)
        found.append([v.numpy() for v in model.weights])
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_critic_projects():
    """D(x, y) - D(x, y') is the difference of the classes' vectors, projected on the features."""
    critic = flow_gan.critics.two_convolutions((4, 4, 1), "ce", filters=2, dense_units=8, num_classes=3)
    critic.embedding.assign(RNG.normal(size=critic.embedding.shape))
    x = RNG.random((5, 4, 4, 1), np.float32)
    features = x
    for layer in critic.stack[:-1]:
        features = layer(features)
    one, other = (critic((x, np.full(5, y))) for y in (0, 2))
    difference = critic.embedding[0] - critic.embedding[2]
    np.testing.assert_allclose(one - other, features @ difference[:, None], rtol=1e-2, atol=1e-8)
    assert np.abs(one - other).max() > 1e-7
    without = flow_gan.critics.two_convolutions((4, 4, 1), "ce", filters=2, dense_units=8)
    others = [v for v in critic.weights if v is not critic.embedding]
    for a, b in zip(without.weights, others, strict=True):
        np.testing.assert_array_equal(a, b)  # The same initial weights, and those of classes besides.
    for given in (x, None):
        with pytest.raises(flow_gan.UserError, match=r"no labels, but it has 3 classes|labels, but it has no classes"):
            critic(given) if given is not None else without((x, np.zeros(5, int)))


def test_a_critic_of_one_s_own():
    image, label = keras.Input((4, 4, 1)), keras.Input((), dtype="int32")
    joined = keras.layers.Concatenate()([keras.layers.Flatten()(image), keras.layers.Embedding(3, 4)(label)])
    model = make_model(critic=keras.Model((image, label), keras.layers.Dense(1)(joined)))
    history = model.fit(IMAGES, LABELS, batch_size=20, verbose=0)
    assert np.isfinite(history.history["critic_loss"]).all()
    only_images = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(1)])
    with pytest.raises(flow_gan.UserError, match=r"cannot take \(images \[batch, 4, 4, 1\], labels \[batch\]\)"):
        make_model(critic=only_images)
    other = flow_gan.critics.two_convolutions((4, 4, 1), filters=2, dense_units=8, num_classes=4)
    with pytest.raises(flow_gan.UserError, match="the critic's num_classes=4; expected the generator's, 3"):
        make_model(critic=other)


def test_a_saved_model_goes_on(tmp_path):
    """With the shares of the classes, which `fit` found."""
    model = make_model("hybrid")
    labels = np.repeat([0, 1, 2], [30, 20, 10])
    model.fit(IMAGES, labels, batch_size=20, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again.generator.class_shares, [1 / 2, 1 / 3, 1 / 6], rtol=1e-6)
    for one in (model, again):
        one.fit(IMAGES, labels, batch_size=20, shuffle=False, verbose=0)
    for a, b in zip(model.weights, again.weights, strict=True):
        np.testing.assert_array_equal(a, b)


WRONG = {
    "no labels": (IMAGES, None, "images without labels, which a conditional generator needs"),
    "out of range": (IMAGES, LABELS + 1, "a label of 3; expected 0 to 2, of 3 classes"),
    "negative": (IMAGES, LABELS - 1, "a label of -1; expected 0 to 2"),
    "too few": (IMAGES, LABELS[:5], r"labels int64 \[5\]; expected integers \[60\]"),
    "floats": (IMAGES, LABELS / 2, r"labels float64 \[60\]; expected integers \[60\]"),
    "a data set": (tf.data.Dataset.from_tensor_slices((IMAGES, LABELS + 1)).batch(20), None, "a label of 3"),
    "a data set of images": (tf.data.Dataset.from_tensor_slices(IMAGES).batch(20), None, "images without labels"),
}


@pytest.mark.parametrize("method", ["fit", "evaluate"])
@pytest.mark.parametrize("case", WRONG)
def test_wrong_labels(case, method):
    x, y, message = WRONG[case]
    with pytest.raises(flow_gan.UserError, match=message):
        getattr(make_model("mle"), method)(x, y, verbose=0)


def test_labels_of_a_model_without_classes():
    model = flow_gan.FlowGAN(flow_gan.NICE((4, 4, 1), 8, 0), n_critic=0, levels=17)
    model.compile("adam")
    with pytest.raises(flow_gan.UserError, match=r"fit\(y=...\) has no effect: .* for labels pass a generator"):
        model.fit(IMAGES, LABELS)
    with pytest.raises(flow_gan.UserError, match="2 parts per batch; expected only images"):
        model.evaluate((IMAGES, LABELS))
    with pytest.raises(flow_gan.UserError, match=r"fit\(sample_weight=...\) has no effect: all images count alike"):
        model.fit(IMAGES, sample_weight=np.ones(60))
