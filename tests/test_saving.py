"""Models as Keras saves them: whole, in any process, with both optimizers."""

import importlib
import inspect
import json
import os
import pkgutil
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import flow_gan
from flow_gan import image_model, keras_internals, registered
from flow_gan.generators.base import FlowGenerator, Generator
from flow_gan.generators.multi_scale import MultiScaleFlow
from flow_gan.networks import activations, convolution, initializers, normalization
from flow_gan.networks.cnn import CouplingCNN
from flow_gan.networks.initializers import SeededInitializers, SeededLayer
from flow_gan.networks.mlp import CouplingMLP
from flow_gan.networks.residual import ResidualNetwork
from flow_gan.training.optimizers import Adam, DecayToFloor, PerStep

pytestmark = pytest.mark.usefixtures("eagerly")

SHAPE = (4, 4, 1)
IMAGES = np.random.default_rng(0).integers(0, 17, (20, *SHAPE)).astype(np.uint8)
# Two steps each.
FIT = {"batch_size": 10, "shuffle": False, "verbose": 0}


@keras.saving.register_keras_serializable("tests")
def softplus_critic_loss(real, fake):
    return tf.nn.softplus(-real), tf.nn.softplus(fake)


@keras.saving.register_keras_serializable("tests")
def softplus_generator_loss(fake):
    return tf.nn.softplus(-fake)


@keras.saving.register_keras_serializable("tests")
class Penalised(flow_gan.FlowGAN):
    def compute_nll(self, images, training):
        return super().compute_nll(images, training) + 1.0


def sequential(*layers):
    return keras.Sequential([*layers, keras.layers.Dense(1)])


def make_nice():
    critic = flow_gan.critics.two_convolutions(SHAPE, filters=2, dense_units=3)
    model = flow_gan.FlowGAN(flow_gan.NICE(SHAPE, 5, 1), critic, n_critic=2, levels=17, seed=3, horizontal_flip=True)
    model.compile(Adam(PerStep(DecayToFloor(1e-2, 0.9), 1), use_ema=True), keras.optimizers.RMSprop(1e-2))
    return model


def make_real_nvp():
    generator = flow_gan.RealNVP(SHAPE, residual_blocks=1, filters=3, dtype="float64", name="generator")
    model = flow_gan.FlowGAN(generator, n_critic=0, levels=17)
    factors = {variable.path: 0.5 for variable in generator.log_scale_variables}
    model.compile(Adam(1e-2, rate_factors=factors, global_clipnorm=1.0))
    return model


def make_glow():
    generator = flow_gan.Glow(SHAPE, depth_per_scale=2, scales=1, filters=3, learned_prior=True)
    model = flow_gan.FlowGAN(generator, n_critic=0, levels=17)
    model.compile(Adam(1e-2, use_ema=True))
    return model


def make_dcgan():
    critic = flow_gan.critics.dcgan(SHAPE, "ce", filters=2)
    generator = flow_gan.DCGAN(SHAPE, filters=2, latent_size=6)
    model = flow_gan.FlowGAN(generator, critic, "ce", like_reg=0.0, n_critic=1, levels=17)
    model.compile("adam", "adam")
    return model


def make_own():
    generator = flow_gan.NICE(
        SHAPE, coupling_network=lambda shape: keras.Sequential([keras.layers.Dense(3), keras.layers.Dense(*shape)])
    )
    critic = sequential(keras.layers.Flatten(), keras.layers.BatchNormalization())
    divergence = flow_gan.Divergence(softplus_critic_loss, softplus_generator_loss)
    model = Penalised(generator, critic, divergence, n_critic=1, levels=17, critic_batches="shared")
    model.compile("adam", "sgd")
    return model


MODELS = {"nice": make_nice, "real_nvp": make_real_nvp, "glow": make_glow, "dcgan": make_dcgan, "own": make_own}


def state(model):
    variables = [*model.weights, *model.optimizer.variables]
    variables += model.critic_optimizer.variables if model.critic_optimizer else []
    return [variable.numpy() for variable in variables]


def log_prob(model):
    return model.predict(IMAGES, verbose=0) if model.generator.has_likelihood else model.generator.sample(3).numpy()


def check_equal(found, expected):
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", MODELS)
def test_what_is_loaded_is_what_was_saved(name, tmp_path):
    """The weights, the step, both optimizers and what follows, bit for bit."""
    model = MODELS[name]()
    model.fit(IMAGES, **FIT)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert type(loaded) is type(model) and loaded.num_steps == 2
    assert type(loaded.optimizer) is type(model.optimizer)
    if name != "own":  # Keras numbers its layers' names through the whole process.
        assert json.dumps(loaded.get_config()) == json.dumps(model.get_config())
    check_equal(state(loaded), state(model))
    check_equal([log_prob(loaded)], [log_prob(model)])
    histories = [one.fit(IMAGES, **FIT).history for one in (model, loaded)]
    assert histories[0] == histories[1]
    check_equal(state(loaded), state(model))
    assert keras.saving.load_model(tmp_path / "model.keras", compile=False).compiled is False


SCRIPT = """
import sys
import flow_gan, keras
import numpy as np
import tensorflow as tf

tf.config.run_functions_eagerly(True)
images = np.load("images.npy")
model = keras.saving.load_model("model.keras")
generator, critic = keras.saving.load_model("generator.keras"), keras.saving.load_model("critic.keras")
results = [model.predict(images, verbose=0), generator.sample(3), critic(generator.sample(3))]
model.fit(images, batch_size=10, shuffle=False, verbose=0)
weights = [*model.weights, *model.optimizer.variables, *model.critic_optimizer.variables]
np.savez("found.npz", *results, *(weight.numpy() for weight in weights))
"""


def test_a_new_process_goes_on_where_this_one_saved(tmp_path):
    """With nothing but `import flow_gan`, and Keras's safe mode."""
    model = make_nice()
    model.fit(IMAGES, **FIT)
    np.save(tmp_path / "images.npy", IMAGES)
    for part, name in ((model, "model"), (model.generator, "generator"), (model.critic, "critic")):
        part.save(tmp_path / f"{name}.keras")
    samples = model.generator.sample(3)
    results = [model.predict(IMAGES, verbose=0), samples.numpy(), model.critic(samples).numpy()]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([os.getcwd(), *sys.path])}
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    model.fit(IMAGES, **FIT)
    with np.load(tmp_path / "found.npz") as found:
        arrays = [found[f"arr_{i}"] for i in range(len(found.files))]
    # Another process may sum in another order.
    for a, b in zip(arrays, [*results, *state(model)], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", MODELS)
def test_clones(name):
    """New weights, of the same seed and so equal to the first, and a compiled model where it was one."""
    model, untrained = MODELS[name](), MODELS[name]()
    model.fit(IMAGES, **FIT)
    clone = keras.models.clone_model(model)
    assert clone.compiled and clone.num_steps == 0 and clone.optimizer is not model.optimizer
    assert [v.shape for v in clone.weights] == [v.shape for v in model.weights]
    if name != "own":  # Keras's own layers are initialised at random.
        check_equal([w.numpy() for w in clone.weights], [w.numpy() for w in untrained.weights])
    for part in filter(None, (model.generator, model.critic)):
        assert type(keras.models.clone_model(part)) is type(part)


def test_checkpoints_of_keras(tmp_path):
    model = make_nice()
    path = tmp_path / "best.keras"
    checkpoint = keras.callbacks.ModelCheckpoint(path, monitor="val_nll", save_best_only=True)
    history = model.fit(IMAGES, epochs=3, validation_data=IMAGES, callbacks=[checkpoint], **FIT).history
    loaded = keras.saving.load_model(path)
    best = int(np.argmin(history["val_nll"]))
    assert loaded.num_steps == 2 * (best + 1)
    nll = loaded.evaluate(IMAGES, verbose=0, return_dict=True)["nll"]
    np.testing.assert_allclose(nll, history["val_nll"][best], rtol=1e-6)


def test_what_keras_does_not_know_is_not_saved(tmp_path):
    model = flow_gan.FlowGAN(
        flow_gan.NICE(SHAPE, 4, 0),
        sequential(keras.layers.Flatten()),
        (lambda real, fake: fake - real, lambda fake: -fake),
        n_critic=1,
        levels=17,
    )
    (tmp_path / "model.keras").write_text("an earlier model", encoding="utf-8")
    with pytest.raises(flow_gan.UserError, match=r"divergence=.* cannot be saved; expected <lambda> to be registered"):
        model.save(tmp_path / "model.keras")
    assert (tmp_path / "model.keras").read_text(encoding="utf-8") == "an earlier model"


LAYERS = {
    "mlp": (lambda: CouplingMLP(6, 4, 1, SeededInitializers("normal", 1, 0, 2), batch_norm=True), (5, 6)),
    "residual": (
        lambda: ResidualNetwork(2, 3, 1, "moving", 1.0, SeededInitializers("xavier", 1, 0, 2), name="mine"),
        (5, 4, 4, 2),
    ),
    "cnn": (lambda: CouplingCNN(2, 3, 1, SeededInitializers("xavier", 1, 0, 2)), (5, 4, 4, 2)),
    "batch_norm": (lambda: normalization.BatchNorm(epsilon=0.1), (5, 4, 4, 2)),
    "layer_norm": (lambda: normalization.LayerNorm(dtype="float64"), (5, 4, 4, 2)),
    "leaky_relu": (lambda: activations.LeakyReLU(), (5, 4)),
    "convolution": (lambda: convolution.Conv2D(3, 3, strides=2, padding="same"), (5, 4, 4, 2)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_in_a_model_of_keras(name, tmp_path):
    """What the package is made of can be a part of other models, and is saved with them."""
    make, shape = LAYERS[name]
    inputs = keras.Input(shape[1:])
    model = keras.Model(inputs, make()(inputs))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    check_equal(list(map(np.asarray, tf.nest.flatten(loaded(x)))), list(map(np.asarray, tf.nest.flatten(model(x)))))
    again = type(model.layers[1]).from_config(model.layers[1].get_config())
    assert again.name == model.layers[1].name and again.get_config() == model.layers[1].get_config()


def test_a_source_of_initializers_goes_on():
    source = SeededInitializers("normal", 5, 1, 2)
    source.next()
    again = SeededInitializers.from_config(json.loads(json.dumps(source.get_config())))
    assert [source.next_seed() for _ in range(3)] == [again.next_seed() for _ in range(3)]


# What others are derived from, and what Keras never makes by its name.
BASES = {Generator, FlowGenerator, MultiScaleFlow, SeededLayer, image_model.ImageModel, keras_internals.UpdatesTogether}


def test_every_class_of_the_package_is_registered():
    """The layers, models, metrics, optimizers and schedules, all where `registered` says that they are."""
    kinds = (
        keras.layers.Layer,
        keras.metrics.Metric,
        keras.optimizers.Optimizer,
        keras.optimizers.schedules.LearningRateSchedule,
    )
    found = {"Divergence": flow_gan.Divergence}
    for module in pkgutil.walk_packages(flow_gan.__path__, "flow_gan."):
        if module.name.startswith(("flow_gan.benchmark", "flow_gan.reproduction", "flow_gan.modes")):
            continue
        for name, value in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if issubclass(value, kinds) and value.__module__.startswith("flow_gan.") and value not in BASES:
                found[name] = value
    assert {name: value.__module__ for name, value in found.items()} == registered.MODULES
    known = keras.saving.get_custom_objects()
    assert {name: known[f"flow_gan>{name}"] for name in found} == found
    assert initializers.SeededLayer in BASES
