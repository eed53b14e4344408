"""Conditional flows: p(x | y) of each class, and what needs labels."""

import numpy as np
import pytest
import tensorflow as tf

import flow_gan
from flow_gan import random
from flow_gan.networks.normalization import moving_averages

CLASSES = 3
FLOWS = {
    "nice": lambda shape, dtype, **others: flow_gan.NICE(
        shape, hidden_units=12, num_hidden_layers=1, num_classes=CLASSES, dtype=dtype, **others
    ),
    "real_nvp": lambda shape, dtype, **others: flow_gan.RealNVP(
        shape, residual_blocks=1, filters=4, scales=1, num_classes=CLASSES, dtype=dtype, **others
    ),
    "glow": lambda shape, dtype, **others: flow_gan.Glow(
        shape, depth_per_scale=2, scales=1, filters=4, num_classes=CLASSES, dtype=dtype, **others
    ),
}
LABELS = np.array([0, 1, 2, 2, 0])


def perturbed(make, shape, dtype, alpha=1e-7):
    generator = make(shape, dtype)
    generator.logit_alpha = alpha
    rng = np.random.default_rng(0)
    for variable in [*generator.trainable_variables, *moving_averages(generator)]:
        noise = 0.1 * rng.normal(size=variable.shape)
        variable.assign(np.exp(noise) if "variance" in variable.path else variable.numpy() + noise)
    return generator


def images_of(shape, dtype, count=5):
    return np.random.default_rng(0).uniform(0.02, 0.98, size=(count, *shape)).astype(dtype)


@pytest.fixture(params=FLOWS)
def flow(request):
    return perturbed(FLOWS[request.param], (4, 4, 1), "float64")


def test_round_trip_and_change_of_variables(flow):
    x = images_of((4, 4, 1), "float64")
    z = flow.encode(x, LABELS)
    np.testing.assert_allclose(flow.decode(z, LABELS), x, atol=1e-9)
    expected = flow.prior.log_prob(z) + flow.bijector(LABELS).inverse_log_det_jacobian(x)
    np.testing.assert_allclose(flow.log_prob(x, LABELS), expected, rtol=1e-12)
    np.testing.assert_allclose(flow(x, LABELS), expected, rtol=1e-12)
    distribution = flow.distribution(LABELS)
    assert (distribution.batch_shape, distribution.event_shape) == ((5,), (4, 4, 1))
    assert distribution.sample(2, seed=0).shape == (2, 5, 4, 4, 1)


def test_log_determinant_of_each_class(flow):
    image = images_of((4, 4, 1), "float64", count=1)
    x = tf.constant(np.repeat(image, 16, 0))
    for label in range(CLASSES):
        with tf.GradientTape() as tape:
            tape.watch(x)
            trace = tf.linalg.trace(flow.encode(x, np.full(16, label)))
        jacobian = tf.reshape(tape.gradient(trace, x), [16, 16])
        log_det = flow.bijector([label]).inverse_log_det_jacobian(image)[0]
        np.testing.assert_allclose(log_det, np.linalg.slogdet(jacobian)[1], rtol=1e-8)


@pytest.mark.parametrize("make", [FLOWS["nice"], lambda *given: FLOWS["nice"](*given, prior="gaussian")])
def test_density_of_each_class_integrates_to_one(make):
    generator = perturbed(make, (1, 2, 1), "float64", alpha=0.01)
    y = np.arange(-40, 40, 0.2)
    sigmoid = 1 / (1 + np.exp(-y))
    x = (sigmoid - 0.01) / 0.98
    dx_dy = sigmoid * (1 - sigmoid) / 0.98
    images = np.stack(np.meshgrid(x, x, indexing="ij"), -1).reshape(-1, 1, 2, 1)
    weights = np.outer(dx_dy, dx_dy).ravel() * 0.2**2
    density = np.exp(generator.log_prob_by_class(images).numpy())
    totals = np.sum(np.where(weights[:, None] > 0, density * weights[:, None], 0), 0)
    np.testing.assert_allclose(totals, np.ones(CLASSES), atol=1e-3)
    centre = generator.log_prob_by_class(np.full((1, 1, 2, 1), 0.5)).numpy()[0]
    assert np.abs(centre[0] - centre[1]) > 0.01


def test_all_classes_in_one_pass(flow, monkeypatch):
    x = images_of((4, 4, 1), "float64")
    kind, calls = type(flow.networks[0]), []
    call = kind.call
    monkeypatch.setattr(kind, "call", lambda self, *args, **kwargs: calls.append(self) or call(self, *args, **kwargs))
    by_class = flow.log_prob_by_class(x).numpy()
    assert calls == list(flow.networks)
    for label in range(CLASSES):
        np.testing.assert_allclose(by_class[:, label], flow.log_prob(x, np.full(5, label)), rtol=1e-12)
    flow.set_class_shares([1, 0, 3])
    joint = flow.joint_log_prob(x).numpy()
    np.testing.assert_allclose(joint[:, [0, 2]], by_class[:, [0, 2]] + np.log([0.25, 0.75]), rtol=1e-12)
    assert (joint[:, 1] == -np.inf).all()


def test_equal_classes_are_the_model_without_them():
    """At the start, so that a conditional flow begins where one without classes does."""
    x = images_of((4, 4, 1), "float32")
    without = flow_gan.NICE((4, 4, 1), hidden_units=12, num_hidden_layers=1)
    flow = FLOWS["nice"]((4, 4, 1), "float32")
    np.testing.assert_allclose(flow.log_prob(x, LABELS), without.log_prob(x), rtol=1e-6)
    np.testing.assert_allclose(flow.decode(np.ones((5, 16)), LABELS), without.decode(np.ones((5, 16))), rtol=1e-6)


def test_each_class_is_moved_by_its_own_images():
    flow = FLOWS["nice"]((4, 4, 1), "float64")
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(flow.log_prob(images_of((4, 4, 1), "float64"), [0, 0, 2, 2, 2]))
    for gradient in tape.gradient(loss, [flow.prior_mean.value, flow.prior_log_scale.value]):
        gradient = tf.convert_to_tensor(gradient)
        sizes = np.abs(gradient).max(1)
        assert sizes[0] > 0.01 and sizes[1] == 0 and sizes[2] > 0.01
        assert np.abs(gradient[0] - gradient[2]).max() > 0.01


def test_labels_are_drawn_by_their_shares():
    flow = FLOWS["nice"]((4, 4, 1), "float32")
    flow.set_class_shares([30, 0, 90])
    np.testing.assert_allclose(flow.class_shares, [0.25, 0, 0.75])
    key = random.key(0, random.Stream.LABEL)
    labels = flow.sample_labels(key, 0, 4000).numpy()
    counts = np.bincount(labels, minlength=CLASSES)
    assert counts[1] == 0 and abs(counts[0] / 4000 - 0.25) < 5 * np.sqrt(0.25 * 0.75 / 4000)
    np.testing.assert_array_equal(flow.sample_labels(key, 100, 50), labels[100:150])
    flow.set_class_shares([30, 90, 0])
    assert flow.sample_labels(key, 0, 4000).numpy().max() == 1


def test_samples(flow):
    """Without labels they are those of the labels that are drawn, whatever the number of images."""
    samples = flow.sample(6, seed=3)
    labels = flow.sample_labels(random.key(3, random.Stream.LABEL, random.Stream.SAMPLE), 0, 6)
    np.testing.assert_array_equal(samples, flow.sample(6, labels, seed=3))
    np.testing.assert_allclose(flow.sample(4, seed=3), samples[:4], atol=1e-12)
    assert np.abs(flow.sample(6, (labels + 1) % CLASSES, seed=3) - samples).max() > 0.01


def test_config_and_shares_are_kept(tmp_path):
    flow = perturbed(FLOWS["nice"], (4, 4, 1), "float32")
    flow.set_class_shares([1, 0, 3])
    again = flow_gan.NICE.from_config(flow.get_config())
    assert again.num_classes == CLASSES
    assert [v.shape for v in again.class_variables] == [(3, 16), (3, 16), (3,)]
    assert flow.log_scale_variables == [flow.log_scale, flow.prior_log_scale]
    flow.save_weights(tmp_path / "flow.weights.h5")
    again.load_weights(tmp_path / "flow.weights.h5")
    np.testing.assert_array_equal(again.class_shares, [0.25, 0, 0.75])


LABELS_MISSING = "no labels, which a conditional generator needs; expected integers \\[N\\] of 0 to 2"
OUT_OF_RANGE = "a label of 3; expected 0 to 2, of 3 classes"


@pytest.mark.parametrize("name", ["log_prob", "encode", "distribution", "bijector", "decode"])
def test_what_is_refused(name):
    flow, without = FLOWS["nice"]((4, 4, 1), "float32"), flow_gan.NICE((4, 4, 1), hidden_units=4)
    given = {"decode": [np.ones((2, 16))], "bijector": [], "distribution": []}.get(
        name, [images_of((4, 4, 1), "float32", 2)]
    )
    for generator, labels, message in (
        (flow, None, LABELS_MISSING),
        (flow, [0, 3], OUT_OF_RANGE),
        (flow, [0, -1], "a label of -1; expected 0 to 2"),
        (flow, [0.0, 1.0], r"labels float64 \[2\]; expected integers \[N\]"),
        (flow, 0, r"labels int64 \[\]; expected integers \[N\]"),
        (flow, [[0], [1, 2]], r"labels=\[\[0\], \[1, 2\]\]; expected integers \[N\]"),
        (flow, ["cat", "dog"], r"labels string \[2\]; expected integers \[N\]"),
        (without, [0, 1], "labels, of a generator without classes; expected none"),
        (flow_gan.DCGAN((4, 4, 1), filters=2), [0, 1], "has no likelihood|labels, of a generator without classes"),
    ):
        if name == "bijector" and not generator.has_likelihood:
            continue
        with pytest.raises(flow_gan.UserError, match=message):
            getattr(generator, name)(*given, labels)


@pytest.mark.parametrize("given", [1, 4])
@pytest.mark.parametrize("labels", [[0], [0, 1, 2]])
def test_a_label_for_each_image(given, labels):
    """One label would stand for all images, and one image for all labels."""
    if given == len(labels):
        return
    flow, images = FLOWS["nice"]((4, 4, 1), "float32"), images_of((4, 4, 1), "float32", given)
    calls = {
        "log_prob": lambda: flow.log_prob(images, labels),
        "encode": lambda: flow.encode(images, labels),
        "decode": lambda: flow.decode(np.ones((given, 16)), labels),
        "sample": lambda: flow.sample(given, labels),
    }
    calls["log_prob"] = tf.function(calls["log_prob"], autograph=False)
    for name, call in calls.items():
        with pytest.raises(flow_gan.UserError, match=f"{name}: {len(labels)} labels of {given} images; expected one"):
            call()
    critic = flow_gan.critics.two_convolutions((4, 4, 1), filters=2, dense_units=4, num_classes=CLASSES)
    with pytest.raises(flow_gan.UserError, match=f"was given {len(labels)} labels of {given} images; expected one"):
        critic((images, np.array(labels)))


def test_other_refusals():
    without = flow_gan.NICE((4, 4, 1), hidden_units=4)
    with pytest.raises(flow_gan.UserError, match="NICE has no classes; expected a generator with num_classes"):
        without.log_prob_by_class(images_of((4, 4, 1), "float32"))
    with pytest.raises(flow_gan.UserError, match=r"labels int64 \[\]|of a generator without classes.*such as seed=0"):
        without.sample(4, 0)
    with pytest.raises(flow_gan.UserError, match="num_classes=0; expected an integer, 1 to 2147483647"):
        flow_gan.NICE((4, 4, 1), hidden_units=4, num_classes=0)
    flow = FLOWS["nice"]((4, 4, 1), "float32")
    for counts in ([1, 2], [0, 0, 0], [1, -1, 1], "abc", [[1], [1, 2]], None):
        with pytest.raises(flow_gan.UserError, match=r"counts=.*; expected 3 numbers of 0 or more, not all 0"):
            flow.set_class_shares(counts)
    with pytest.raises(flow_gan.UserError, match="NICE has no classes; expected a generator with num_classes"):
        without.set_class_shares([1, 2])
    with pytest.raises(flow_gan.UserError, match="num_classes=True; expected an integer, 1 to 2147483647"):
        flow_gan.NICE((4, 4, 1), hidden_units=4, num_classes=True)
