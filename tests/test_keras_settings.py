"""Keras's global settings make no difference: training with and without them is the same, bit for bit."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

import flow_gan
from flow_gan.evaluation.cnn import Recipe, make_cnn, train_cnn
from flow_gan.evaluation.inception import make_inception
from flow_gan.networks.precision import default_keras_settings

pytestmark = pytest.mark.usefixtures("eagerly")

SHAPE = (8, 8, 1)
IMAGES = np.random.default_rng(0).integers(0, 17, (20, *SHAPE)).astype(np.uint8)
SETTINGS = {
    "channels_first": lambda: keras.config.set_image_data_format("channels_first"),
    "float64": lambda: (keras.config.set_floatx("float64"), keras.config.set_dtype_policy("float64")),
    "mixed_bfloat16": lambda: keras.mixed_precision.set_global_policy("mixed_bfloat16"),
    "float16": lambda: (keras.config.set_floatx("float16"), keras.config.set_dtype_policy("mixed_float16")),
}


def train_nice():
    critic = flow_gan.critics.two_convolutions(SHAPE, filters=2, dense_units=2)
    return train(flow_gan.NICE(SHAPE, 8, 0), critic)


def train_real_nvp():
    critic = flow_gan.critics.dcgan(SHAPE, filters=2)
    return train(flow_gan.RealNVP(SHAPE, residual_blocks=0, filters=2, scales=1), critic)


def train_dcgan():
    critic = flow_gan.critics.two_convolutions(SHAPE, "ce", filters=2, dense_units=2)
    return train(flow_gan.DCGAN(SHAPE, filters=2), critic, divergence="ce", like_reg=0.0)


def train(generator, critic, **arguments):
    model = flow_gan.FlowGAN(generator, critic, n_critic=1, levels=17, **arguments)
    model.compile("adam", "adam")
    model.fit(IMAGES, batch_size=10, shuffle=False, verbose=0)
    nll = [model.evaluate(IMAGES, verbose=0)] if generator.has_likelihood else []
    return [*(weight.numpy() for weight in model.weights), np.asarray(generator.sample(2)), *nll]


def train_classifier():
    network = make_cnn(SHAPE, 3, 2, seed=0)
    train_cnn(network, IMAGES, np.arange(20) % 3, 17, Recipe(width=2, epochs=1, shift=0, flip=False), seed=0)
    return [*(weight.numpy() for weight in network.weights), *map(np.asarray, network(IMAGES / np.float32(16)))]


KINDS = {f.__name__.removeprefix("train_"): f for f in (train_nice, train_real_nvp, train_dcgan, train_classifier)}


@pytest.fixture(scope="module")
def expected():
    found = {}

    def of(kind):
        if kind not in found:
            found[kind] = KINDS[kind]()
        return found[kind]

    return of


@pytest.fixture
def setting(request):
    # It leaves the settings as it finds them.
    with default_keras_settings():
        SETTINGS[request.param]()
        yield request.param


@pytest.mark.parametrize(
    "kind, setting",
    [
        # Each setting with what it could change: layers of images, and all dtypes.
        *((kind, "channels_first") for kind in ("nice", "dcgan", "classifier")),
        *((kind, "mixed_bfloat16") for kind in ("nice", "real_nvp", "dcgan", "classifier")),
        *((kind, "float64") for kind in ("nice", "classifier")),
        ("nice", "float16"),
    ],
    indirect=["setting"],
)
def test_training_is_the_same(kind, setting, expected):
    changed = KINDS[kind]()
    with default_keras_settings():
        usual = expected(kind)
    for a, b in zip(changed, usual, strict=True):
        assert np.asarray(a).dtype == np.asarray(b).dtype
        np.testing.assert_array_equal(a, b)


def test_the_settings_are_put_back():
    with default_keras_settings():
        for set_it in SETTINGS.values():
            set_it()
        before = keras.config.dtype_policy().name, keras.config.floatx(), keras.config.image_data_format()
        with pytest.raises(ZeroDivisionError), default_keras_settings():
            assert keras.config.floatx() == keras.config.dtype_policy().name == "float32"
            assert keras.config.image_data_format() == "channels_last"
            raise ZeroDivisionError
        assert before == (keras.config.dtype_policy().name, keras.config.floatx(), keras.config.image_data_format())
        assert before == ("mixed_float16", "float16", "channels_first")


def test_inception_is_made_with_the_default_settings(monkeypatch, tmp_path):
    seen = []

    def look(**_):
        seen.extend([keras.config.floatx(), keras.config.image_data_format()])
        raise ValueError("seen")

    monkeypatch.setattr(keras.applications, "InceptionV3", look)
    (tmp_path / "weights.h5").touch()
    with default_keras_settings():
        SETTINGS["channels_first"]()
        with pytest.raises(flow_gan.UserError, match="seen"):
            make_inception((8, 8, 3), tmp_path / "weights.h5")
    assert seen == ["float32", "channels_last"]


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "bfloat16", "float16", "double precision"])
def test_other_dtypes_are_refused(dtype):
    for make in (
        lambda: flow_gan.NICE(SHAPE, 4, 0, dtype=dtype),
        lambda: flow_gan.critics.two_convolutions(SHAPE, dtype=dtype),
    ):
        with pytest.raises(flow_gan.UserError, match=rf"dtype={dtype}; expected float32 or float64"):
            make()


def run_python(code, tmp_path, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "KERAS_HOME": str(tmp_path), "CUDA_VISIBLE_DEVICES": "-1", **environment},
    )


def test_the_backend_is_tensorflow_whatever_the_environment_says(tmp_path):
    (tmp_path / "keras.json").write_text(json.dumps({"backend": "torch", "floatx": "float64"}))
    done = run_python("import flow_gan, keras; print(keras.config.backend())", tmp_path, KERAS_BACKEND="jax")
    assert done.stdout == "tensorflow\n", done.stderr
    assert "KERAS_BACKEND=jax; flow_gan uses tensorflow instead" in done.stderr


def test_another_backend_that_is_at_work_is_refused(tmp_path):
    code = (
        "import keras; keras.config.backend = lambda: 'jax'\n"
        "try: import flow_gan\n"
        "except ValueError as error: print(type(error).__name__, error)"
    )
    done = run_python(code, tmp_path, KERAS_BACKEND="tensorflow")
    expected = "UserError Keras was imported with the backend jax; expected tensorflow: import flow_gan first, or"
    assert done.stdout.startswith(expected), done.stderr
