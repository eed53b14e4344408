"""What `FlowGAN` takes to train, to evaluate and to predict, and how it refuses the rest."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

import flow_gan
from flow_gan import data
from flow_gan.training.strategy import distribute, make_strategy

SHAPE = (4, 4, 1)
LEVELS = 17
IMAGES = np.random.default_rng(0).integers(0, LEVELS, (23, *SHAPE)).astype(np.uint8)

# In float64: log p(x) is a sum of terms of size 10, which may nearly cancel.
ROUNDING = {"rtol": 0, "atol": 1e-12}


def make_model(levels=LEVELS, shape=SHAPE, dtype="float32"):
    model = flow_gan.FlowGAN(flow_gan.NICE(shape, 8, 0, dtype=dtype), n_critic=0, levels=levels)
    model.compile(keras.optimizers.SGD(1e-3))
    return model


@pytest.fixture(scope="module")
def model():
    return make_model()


def batches(*parts):
    return tf.data.Dataset.from_tensor_slices(parts[0] if len(parts) == 1 else parts).batch(7)


def of_unknown_shape(images):
    spec = tf.TensorSpec(None, tf.uint8)
    return tf.data.Dataset.from_generator(lambda: iter([images]), output_signature=spec)


FLOATS = r"float64 \[23, 4, 4, 1\], values 0\.0 to 1\.0; expected images uint8 \[N, 4, 4, 1\] of grey levels 0 to 16"
WRONG = {
    "floats": (lambda: IMAGES / 16.0, FLOATS),
    "floats, a data set": (lambda: batches(IMAGES / 16.0), r"float64 \[N, 4, 4, 1\]; expected images uint8"),
    "integers": (lambda: IMAGES.astype(np.int32), r"int32 \[23, 4, 4, 1\], values 0 to 16; expected images uint8"),
    "levels": (lambda: IMAGES + 184, r"a grey level of 200; expected 0 to 16, with levels=17"),
    "levels, a data set": (lambda: batches(IMAGES + 184), r"a grey level of 200; expected 0 to 16, with levels=17"),
    "no channel": (lambda: IMAGES[..., 0], r"uint8 \[23, 4, 4\].*; expected .*images\[\.\.\., None\] adds"),
    "no channel, a data set": (lambda: batches(IMAGES[..., 0]), r"uint8 \[N, 4, 4\]; expected images uint8"),
    "three channels": (
        lambda: np.repeat(IMAGES, 3, -1),
        r"uint8 \[23, 4, 4, 3\].*; expected images uint8 \[N, 4, 4, 1\]",
    ),
    "unbatched": (lambda: batches(IMAGES).unbatch(), r"uint8 \[4, 4, 1\]; expected .*use \.batch\(100\)"),
    "one image": (lambda: IMAGES[0], r"uint8 \[4, 4, 1\].*; expected .*images\[None\]"),
    "of unknown shape": (lambda: of_unknown_shape(IMAGES[0]), r"uint8 \[4, 4, 1\]; expected images uint8"),
    "none": (lambda: IMAGES[:0], r"uint8 \[0, 4, 4, 1\]; expected images"),
    "text": (lambda: np.array(["a.png"]), r"<U5 \[1\]; expected images"),
    "a list": (lambda: list(IMAGES), r"list; expected images uint8"),
    "a generator": (lambda: (image for image in IMAGES), r"generator; expected images uint8"),
    "nothing": (lambda: None, r"NoneType; expected images uint8"),
    "pairs": (lambda: batches(IMAGES, np.arange(23)), r"2 parts per batch; expected only images, without labels"),
    "another dict": (lambda: batches({"pixels": IMAGES}), r"a dict of pixels; expected images, or a dict with 'image'"),
    "ragged": (lambda: batches(tf.ragged.constant([[1], [2, 3]])), r"a data set of RaggedTensorSpec; expected images"),
}


@pytest.mark.parametrize("method", ["fit", "evaluate", "predict"])
@pytest.mark.parametrize("case", WRONG)
def test_other_things_than_grey_levels_are_refused(model, case, method):
    make, message = WRONG[case]
    before = [weight.numpy() for weight in model.weights]
    with pytest.raises(flow_gan.UserError, match=message) as error:
        getattr(model, method)(make(), verbose=0)
    assert str(error.value).startswith(f"{method}(x): ") and "\n" not in str(error.value)
    for weight, value in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)


ARRAYS = [case for case, (make, _) in WRONG.items() if isinstance(make(), np.ndarray) and case != "text"]


@pytest.mark.parametrize("method", ["__call__", "train_on_batch", "test_on_batch", "predict_on_batch"])
@pytest.mark.parametrize("case", ARRAYS)
def test_a_wrong_batch_is_refused(model, case, method):
    make, message = WRONG[case]
    with pytest.raises(flow_gan.UserError, match=message.replace("float64", "float(32|64)")) as error:
        getattr(model, method)(make())
    assert "\n" not in str(error.value)


def test_three_channels_want_three():
    with pytest.raises(flow_gan.UserError, match=r"uint8 \[23, 4, 4, 1\].*; expected images uint8 \[N, 4, 4, 3\]"):
        make_model(shape=(4, 4, 3)).fit(IMAGES, verbose=0)


@pytest.mark.parametrize(
    "method, arguments",
    [
        ("fit", {"y": IMAGES}),
        ("fit", {"sample_weight": np.ones(23)}),
        ("fit", {"class_weight": {0: 1.0}}),
        ("evaluate", {"y": IMAGES}),
        ("evaluate", {"sample_weight": np.ones(23)}),
        ("train_on_batch", {"y": IMAGES}),
        ("test_on_batch", {"sample_weight": np.ones(23)}),
    ],
)
def test_arguments_without_effect_are_refused(model, method, arguments):
    (name,) = arguments
    with pytest.raises(flow_gan.UserError, match=rf"{method}\({name}=\.\.\.\) has no effect.*expected {name}=None"):
        getattr(model, method)(IMAGES, **arguments)


def test_what_a_distributed_data_set_holds_is_told_by_the_step():
    strategy = make_strategy("mirrored", 10)
    with strategy.scope():
        model = make_model()
    floats = distribute(
        strategy, lambda *part: tf.data.Dataset.from_tensors(np.zeros((5, *SHAPE), np.float32)).repeat(2)
    )
    with pytest.raises(flow_gan.UserError, match=r"a batch to train on: float32 \[5, 4, 4, 1\]; expected images uint8"):
        model.fit(floats, steps_per_epoch=1, verbose=0, shuffle=False)
    with pytest.raises(flow_gan.UserError, match=r"evaluate\(x\): a distributed data set, which does not tell"):
        model.evaluate(floats, steps=1, verbose=0)


def trained(x, traced=False, **arguments):
    model = make_model(dtype="float64")
    model.run_eagerly = not traced  # A few steps take less time than their trace.
    model.fit(x, verbose=0, shuffle=False, **arguments)
    return [weight.numpy() for weight in model.weights]


def test_images_are_accepted_in_every_form():
    """As arrays and tensors, batches, batches of unknown shape, and dicts as tensorflow_datasets has them."""
    expected = trained(IMAGES, batch_size=7)
    assert any(np.abs(weight).max() > 0 for weight in expected)
    parts = [IMAGES[start : start + 7] for start in range(0, 23, 7)]
    unknown = tf.data.Dataset.from_generator(lambda: iter(parts), output_signature=tf.TensorSpec(None, tf.uint8))
    labelled = {"image": IMAGES, "label": np.arange(23)}
    for x, traced in ((batches(IMAGES), True), (unknown, True), (batches(labelled), False)):
        for a, b in zip(trained(x, traced), expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-15)
    for x in (tf.constant(IMAGES), labelled):
        for a, b in zip(trained(x, batch_size=7), expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-15)


def nll_of(model):
    """The NLL of IMAGES, with noise that is keyed by the place in them."""
    key = flow_gan.random.key(0, flow_gan.random.Stream.EVALUATION, 0)
    noise = flow_gan.random.uniform(key, 0, 23, SHAPE, tf.float64)
    return -model.generator.log_prob(data.dequantize(IMAGES, noise, LEVELS)).numpy()


def test_evaluate_and_predict_depend_on_no_batch_size():
    model = make_model(dtype="float64")
    expected = nll_of(model)
    numbered = {"image": IMAGES, "label": np.arange(23)}
    for x, size in ((IMAGES, 23), (IMAGES, 10), (IMAGES, 4), (batches(IMAGES), None), (batches(numbered), None)):
        for _ in range(2):
            result = model.evaluate(x, batch_size=size, verbose=0, return_dict=True)
            np.testing.assert_allclose(result["nll"], expected.mean(), rtol=1e-12)
        np.testing.assert_allclose(result["nll_standard_error"], expected.std(ddof=1) / np.sqrt(23), rtol=1e-8)
        np.testing.assert_allclose(model.predict(x, batch_size=size, verbose=0), -expected, **ROUNDING)
    np.testing.assert_allclose(model(IMAGES), -expected, **ROUNDING)
    np.testing.assert_allclose(model.predict_on_batch(IMAGES), -expected, **ROUNDING)
    np.testing.assert_allclose(model.test_on_batch(IMAGES)[0], expected.mean(), rtol=1e-12)
    first = model.evaluate(batches(IMAGES), steps=2, verbose=0, return_dict=True)
    np.testing.assert_allclose(first["nll"], expected[:14].mean(), rtol=1e-12)


@pytest.mark.parametrize("size", [10, 11])
def test_replicas_know_an_image_s_place(size):
    """Two replicas give what one gives, the last batch being of three images, or of one, which leaves one without."""
    expected = nll_of(make_model(dtype="float64"))
    with make_strategy("mirrored", 10).scope():
        model = make_model(dtype="float64")
    for x in (IMAGES, tf.data.Dataset.from_tensor_slices(IMAGES).batch(size)):
        result = model.evaluate(x, batch_size=size, verbose=0, return_dict=True)
        np.testing.assert_allclose(result["nll"], expected.mean(), rtol=1e-12)
        np.testing.assert_allclose(model.predict(x, batch_size=size, verbose=0), -expected, **ROUNDING)


def test_replicas_get_equal_parts():
    with make_strategy("mirrored", 10).scope():
        model = make_model()
    for x, size in ((IMAGES, 10), (IMAGES[:22], 11), (batches(IMAGES), None)):
        with pytest.raises(flow_gan.UserError, match=r"fit: .* for 2 replicas; expected"):
            model.fit(x, batch_size=size, verbose=0)
    whole = tf.data.Dataset.from_tensor_slices(IMAGES).batch(10, drop_remainder=True)
    for x in (IMAGES[:22], whole):
        assert np.isfinite(model.fit(x, batch_size=10 if x is not whole else None, verbose=0).history["nll"]).all()


def test_validation_during_fit_is_that_of_evaluate():
    for validation in (IMAGES, batches(IMAGES)):
        model = make_model(dtype="float64")
        history = model.fit(IMAGES, batch_size=10, epochs=2, validation_data=validation, verbose=0).history
        np.testing.assert_allclose(history["val_nll"][-1], nll_of(model).mean(), rtol=1e-12)
    model = make_model(dtype="float64")
    history = model.fit(IMAGES, batch_size=5, validation_split=0.2, verbose=0).history
    np.testing.assert_allclose(
        history["val_nll"][-1], model.evaluate(IMAGES[18:], verbose=0, return_dict=True)["nll"], rtol=1e-12
    )
    with pytest.raises(flow_gan.UserError, match=r"fit\(validation_split=0.9\) leaves none of 5 images to train on"):
        model.fit(IMAGES[:5], validation_split=0.9, verbose=0)
    for wrong in (IMAGES / 16, batches(IMAGES + 184)):
        with pytest.raises(flow_gan.UserError, match=r"fit\(validation_data\): "):
            model.fit(IMAGES, validation_data=wrong, verbose=0)


@pytest.mark.parametrize("make", [lambda: IMAGES, lambda: batches(IMAGES)])
def test_forgotten_levels_are_noticed_once(make):
    model = make_model(levels=256)
    with pytest.warns(UserWarning, match=r"fit\(x\): the largest grey level is 16, with levels=256\. If") as found:
        for _ in range(2):
            model.fit(make(), verbose=0)
            model.evaluate(make(), verbose=0)
    assert sum("grey level" in str(warning.message) for warning in found) == 1


@pytest.mark.parametrize("levels, largest", [(17, 16), (256, 128), (2, 1)])
def test_levels_that_are_used_are_no_matter(levels, largest):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make_model(levels=levels).evaluate(IMAGES // 16 * largest if levels != 17 else IMAGES, verbose=0)


def test_images_on_the_device_are_checked_and_taken_by_number():
    model = make_model()
    with pytest.raises(flow_gan.UserError, match=r"keep_on_device\(images\): a grey level of 200; expected 0 to 16"):
        model.keep_on_device(IMAGES + 184)
    model.keep_on_device(IMAGES)
    with pytest.raises(flow_gan.UserError, match="uint8; expected int32, numbers of the images given to keep_on"):
        model.fit(batches(IMAGES), verbose=0)
    assert np.isfinite(model.fit(batches(np.arange(23, dtype=np.int32)), verbose=0).history["nll"][0])


def test_a_generator_takes_dequantised_images_alone(model):
    for method in (model.generator.log_prob, model.generator.encode, model.generator):
        with pytest.raises(
            flow_gan.UserError, match=r"images are uint8; expected dequantised ones, floats in \[0, 1\]"
        ):
            method(IMAGES)
        with pytest.raises(flow_gan.UserError, match=r"images are \[23, 4, 4\]; expected \[N, 4, 4, 1\]"):
            method(np.zeros((23, 4, 4), np.float32))


@pytest.mark.parametrize("name", ["loss", "metrics", "loss_weights", "weighted_metrics", "auto_scale_loss"])
def test_compile_refuses_what_has_no_effect(name):
    with pytest.raises(flow_gan.UserError, match=rf"compile\({name}='mse'\) has no effect: the losses follow from"):
        make_model().compile("adam", **{name: "mse"})


def make_hybrid(critic=None):
    critic = critic or flow_gan.critics.two_convolutions(SHAPE, filters=2, dense_units=2)
    return flow_gan.FlowGAN(flow_gan.NICE(SHAPE, 4, 0), critic, n_critic=1, levels=LEVELS)


@pytest.mark.parametrize(
    "optimizers",
    [("adam", "adam"), ({"class_name": "Adam", "config": {"learning_rate": 0.1}}, keras.optimizers.SGD(0.1))],
)
def test_optimizers_by_name_and_configuration(optimizers):
    model = make_hybrid()
    model.compile(*optimizers)
    assert isinstance(model.optimizer, keras.optimizers.Adam) and model.optimizer is not model.critic_optimizer
    start = [weight.numpy() for weight in (*model.generator.trainable_weights, *model.critic.trainable_weights)]
    assert np.isfinite(model.fit(IMAGES, verbose=0).history["nll"]).all()
    moved = (*model.generator.trainable_weights, *model.critic.trainable_weights)
    assert sum(np.any(a.numpy() != b) for a, b in zip(moved, start, strict=True)) > len(moved) / 2


@pytest.mark.parametrize("bad", ["mse", "sdg", 3, keras.losses.MeanSquaredError()])
def test_what_is_no_optimizer(bad):
    with pytest.raises(flow_gan.UserError, match=r"^critic_optimizer=.*expected a Keras optimizer, its name"):
        make_hybrid().compile("adam", bad)
    with pytest.raises(flow_gan.UserError, match=r"^optimizer=.*expected a Keras optimizer, its name"):
        make_hybrid().compile(bad, "adam")


def test_one_optimizer_for_both_is_refused():
    adam = keras.optimizers.Adam()
    with pytest.raises(flow_gan.UserError, match="critic_optimizer is the same object as optimizer"):
        make_hybrid().compile(adam, adam)


def sequential(units=1, shape=None):
    layers = keras.layers
    return keras.Sequential(
        [
            *([keras.Input(shape)] if shape else []),
            *(layers.Conv2D(2, 3), layers.BatchNormalization(), layers.Flatten(), layers.Dense(units)),
        ],
        name="mine",
    )


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.flatten, self.dense = keras.layers.Flatten(), keras.layers.Dense(1, dtype="mixed_bfloat16")

    def call(self, x):
        return self.dense(self.flatten(x))


@pytest.mark.parametrize("make", [sequential, lambda: sequential(shape=SHAPE), Subclassed])
def test_keras_s_own_critics_train(make):
    """Built or not, with moving averages or without, and in another precision."""
    critic = make()
    model = make_hybrid(critic)
    model.compile("adam", "sgd")
    start = [weight.numpy() for weight in critic.trainable_weights]
    assert start
    history = model.fit(IMAGES, verbose=0).history
    assert all(np.isfinite(values).all() for values in history.values())
    assert any(np.any(w.numpy() != old) for w, old in zip(critic.trainable_weights, start, strict=True))


@pytest.mark.parametrize(
    "make, message",
    [
        (
            lambda: sequential(10),
            r"critic=mine maps images \[batch, 4, 4, 1\] to \[None, 10\]; expected logits \[batch, 1\]",
        ),
        (lambda: sequential(shape=(8, 8, 3)), r"critic=mine cannot take images \[batch, 4, 4, 1\]: .*incompatible"),
        (
            lambda: flow_gan.critics.two_convolutions((8, 8, 1), filters=2),
            r"the critic's image_shape=\(8, 8, 1\); expected .*\(4, 4",
        ),
        (lambda: len, r"critic=<built-in function len>; expected a Keras model"),
    ],
)
def test_wrong_critics(make, message):
    with pytest.raises(flow_gan.UserError, match=message) as error:
        make_hybrid(make())
    assert "\n" not in str(error.value) and "\x1b" not in str(error.value)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"levels": 1}, "levels=1; expected an integer, 2 to 256"),
        ({"levels": 257}, "levels=257; expected an integer, 2 to 256"),
        ({"levels": 16.5}, r"levels=16\.5; expected an integer"),
        ({"n_critic": 1.5}, r"n_critic=1\.5; expected an integer, 0 "),
        ({"like_reg": float("inf")}, "like_reg=inf; expected a number, 0 or more"),
        ({"gradient_penalty": float("nan")}, "gradient_penalty=nan; expected a number, 0 or more"),
        ({"nll_interval": 0}, "nll_interval=0; expected an integer, 1 "),
        ({"seed": 2**31}, "seed=2147483648; expected an integer, 0 to 2147483647"),
    ],
)
def test_numbers_out_of_their_range(arguments, message):
    with pytest.raises(flow_gan.UserError, match=message):
        flow_gan.FlowGAN(flow_gan.NICE(SHAPE, 4, 0), **({"n_critic": 0} | arguments))


def test_what_is_no_generator():
    with pytest.raises(flow_gan.UserError, match="generator='nice'; expected one of flow_gan, such as NICE"):
        flow_gan.FlowGAN("nice", n_critic=0)
