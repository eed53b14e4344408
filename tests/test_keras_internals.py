"""What the package takes of Keras that is not public: each still does what it is there for, and is still needed."""

import pathlib
import re
import tomllib

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.src.applications import inception_v3

from flow_gan import keras_internals
from flow_gan.errors import UserError
from flow_gan.networks.convolution import Conv2D
from flow_gan.training.strategy import make_strategy

ROOT = pathlib.Path(__file__).parents[1]


def differs(what):
    """Return what a failed test says."""
    return (
        f"Keras {keras.__version__} differs from {keras_internals.VERSION}: {what}. Change flow_gan/keras_internals.py"
    )


def test_the_version():
    allowed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    assert any(re.match(rf"keras>={re.escape(keras_internals.VERSION)},<", name) for name in allowed)
    assert keras.__version__.startswith(f"{keras_internals.VERSION}."), differs("it is another version")


class Raising(keras.layers.Layer):
    def __init__(self, error):
        super().__init__()
        self.error = error

    def call(self, x):
        raise self.error


def raised_by_a_call(error):
    with pytest.raises(type(error)) as found:
        Raising(error)(np.zeros(2))
    return found.value


def test_without_call_info():
    assert str(raised_by_a_call(UserError("x=1; expected 2"))) == "x=1; expected 2", differs(
        "it adds a call's arguments to exceptions with the mark of WithoutCallInfo too"
    )
    assert "\n" in str(raised_by_a_call(ValueError("x=1"))), differs(
        "it adds no arguments of a call to exceptions, so WithoutCallInfo has no use"
    )


class Twice(keras.layers.Layer):
    def call(self, x):
        return tf.concat([x, x], -1)

    def compute_output_shape(self, input_shape):
        return *input_shape[:-1], 2 * input_shape[-1]


@pytest.mark.parametrize("is_shown", [True, False])
def test_show_shapes(is_shown):
    layer = Twice()
    layer.built = True
    if is_shown:
        keras_internals.show_shapes(layer, (None, 3))
    model = keras.Model()
    model.layer, model.built = layer, True
    lines = []
    model.summary(print_fn=lines.append)
    message = "summary takes a layer's shape from elsewhere" if is_shown else "show_shapes has no use"
    assert ("(None, 6)" in "\n".join(lines)) == is_shown, differs(message)


def test_reason():
    reason = keras_internals.reason(raised_by_a_call(ValueError("x=1; expected 2")))
    assert reason == "x=1; expected 2", differs("it sets what is wrong with a layer's call otherwise")


class BuildingError(Exception):
    pass


class Summing(keras.Model):
    """A model that is built, with a step of its own."""

    def __init__(self):
        super().__init__()
        self.total = self.add_weight(shape=(), initializer="zeros", aggregation="sum")
        self.built = True

    def train_step(self, data):
        self.total.assign_add(1.0)
        return {"total": tf.constant(0.0)}

    def _symbolic_build(self, **_):
        raise BuildingError


def test_built_model():
    class Built(keras_internals.BuiltModel, Summing):
        pass

    images = np.zeros((4, 2, 2, 1), np.uint8)
    for model_class, is_built in ((Built, False), (Summing, True)):
        with make_strategy("mirrored", 2).scope():
            model = model_class()
            model.compile()
        message = differs(f"fit {'builds no' if is_built else 'builds a'} model by itself under a strategy")
        try:
            model.fit(images, batch_size=2, verbose=0)
        except BuildingError:
            assert is_built, message
        else:
            assert not is_built, message


@pytest.mark.parametrize("is_hooked", [True, False])
def test_take_averaged_gradients(is_hooked):
    """Of gradients that are 1 on each of two replicas SGD takes a step of 1, not of 2."""
    strategy = make_strategy("mirrored", 2)
    with strategy.scope():
        variable = keras.Variable(0.0)
        optimizer = keras.optimizers.SGD(1.0)
        optimizer.build([variable])
    if is_hooked:
        keras_internals.take_averaged_gradients(optimizer)
    strategy.run(tf.function(lambda: optimizer.apply([tf.constant(1.0)], [variable]), autograph=False))
    assert variable.numpy() == (-1 if is_hooked else -2), differs("gradients are summed over replicas otherwise")


@pytest.mark.parametrize("is_hooked", [True, False])
def test_finalize_own_variables(is_hooked):
    """At the end of fit an optimizer of the last part of the weights puts the averages of these in their place."""
    other, own = (keras.layers.Dense(1, use_bias=False) for _ in range(2))
    model = keras.Sequential([keras.Input((1,)), other, own])
    optimizer = keras.optimizers.SGD(1.0, use_ema=True, ema_momentum=0.5)
    optimizer.build(own.trainable_variables)
    model.compile(optimizer)

    def train_step(data):
        optimizer.apply([tf.ones((1, 1))], own.trainable_variables)
        return {"loss": tf.constant(0.0)}

    model.train_step = train_step
    start = [layer.kernel.numpy() for layer in (other, own)]
    if is_hooked:
        keras_internals.finalize_own_variables(optimizer, own.trainable_variables)
    model.fit(np.zeros((2, 1)), batch_size=1, verbose=0)
    is_kept = np.array_equal(other.kernel.numpy(), start[0])
    if is_hooked:
        # The mean of the weights after the first and the second step.
        np.testing.assert_allclose(own.kernel.numpy(), start[1] - 1.5, err_msg=differs("fit ends without the averages"))
        assert is_kept, differs("fit ends with another call than finalize_variable_values(all weights)")
    else:
        assert not is_kept, differs("fit finalizes an optimizer's own weights, so the hook has no use")


def test_updates_together():
    computed = []

    class Doubling(keras_internals.UpdatesTogether, keras.optimizers.SGD):
        def shared_values(self, dtype):
            computed.append(dtype)
            return tf.constant(2, dtype)

        def update_variable(self, variable, gradient, learning_rate, shared):
            variable.assign_sub(shared * learning_rate * gradient)

    variables = [keras.Variable(0.0), keras.Variable(0.0)]
    optimizer = Doubling(1.0)
    optimizer.build(variables)
    optimizer.apply([tf.constant(1.0), tf.constant(3.0)], variables)
    assert [v.numpy() for v in variables] == [-2, -6], differs("an optimizer updates its variables otherwise")
    assert computed == [tf.float32], differs("an optimizer updates its variables otherwise")


def test_adam_state():
    """After a step by the gradient g the moments are (1 - beta_1) g and (1 - beta_2) g^2."""
    variables = [keras.Variable(0.0), keras.Variable(0.0)]
    adam = keras.optimizers.Adam(1.0, beta_1=0.5, beta_2=0.9)
    adam.build(variables)
    adam.apply([tf.constant(1.0), tf.constant(3.0)], variables)
    for i, gradient in enumerate((1.0, 3.0)):
        index, m, v = keras_internals.adam_state(adam, variables[i].value)
        found = (index, float(m), float(v))
        assert found == pytest.approx((i, 0.5 * gradient, 0.1 * gradient**2)), differs(
            "Adam keeps its moments otherwise"
        )


def test_cached_inception_weights(monkeypatch):
    """They are where Keras would look for them before it downloads them."""
    asked = []

    def get_file(name, url, cache_subdir=None, **_):
        asked.append((cache_subdir, name))
        raise OSError("no network")

    monkeypatch.setattr(inception_v3.file_utils, "get_file", get_file)
    with pytest.raises(OSError, match="no network"):
        keras.applications.InceptionV3(weights="imagenet")
    path = keras_internals.cached_inception_weights()
    assert asked == [(path.parent.name, path.name)], differs("InceptionV3's weights have another name in its cache")
    assert pathlib.Path(keras.src.backend.config.keras_home()) == path.parents[1], differs("its cache lies elsewhere")


def test_convolution_op(monkeypatch):
    """Not marked as private, but nowhere described: what `networks.convolution.Conv2D` overrides."""
    layer = Conv2D(1, 3, padding="same")
    layer.build((1, 2, 2, 1))
    monkeypatch.setattr(layer, "convolution_op", lambda inputs, kernel: tf.fill([1, 2, 2, 1], 7.0))
    result = layer(np.zeros((1, 2, 2, 1), np.float32))
    assert float(tf.reduce_max(result)) == 7, differs("Conv2D convolves by another method than convolution_op")
