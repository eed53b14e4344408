"""Parts that a user makes: a divergence, terms of the objective, coupling networks."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

import flow_gan
from flow_gan import objectives
from flow_gan.bijectors import layer_not_finite

pytestmark = pytest.mark.usefixtures("eagerly")

SHAPE = (4, 4, 1)
IMAGES = np.random.default_rng(0).integers(0, 17, (20, *SHAPE)).astype(np.uint8)


def make_model(divergence="lsgan", kind=flow_gan.FlowGAN, critic_divergence=None, **arguments):
    critic = flow_gan.critics.two_convolutions(SHAPE, critic_divergence or divergence, filters=2, dense_units=3)
    arguments = {"n_critic": 2, "levels": 17} | arguments
    model = kind(flow_gan.NICE(SHAPE, 4, 0), critic, divergence, **arguments)
    model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1))
    return model


def history(model):
    return model.fit(IMAGES, batch_size=10, shuffle=False, verbose=0).history


def squared_critic_loss(real, fake):
    return tf.square(real - 1) / 2, tf.square(fake) / 2


def squared_generator_loss(fake):
    return tf.square(fake - 1) / 2


class Squared:
    def critic_loss(self, real, fake):
        return squared_critic_loss(real, fake)

    def generator_loss(self, fake):
        return squared_generator_loss(fake)


PAIR = squared_critic_loss, squared_generator_loss


@pytest.mark.parametrize("divergence", [PAIR, list(PAIR), flow_gan.Divergence(*PAIR), Squared()])
def test_an_own_divergence_trains_as_the_package_s(divergence):
    assert history(make_model(divergence, critic_divergence="lsgan")) == history(make_model("lsgan"))


def test_a_critic_s_loss_of_one_part():
    """Where it does not tell real from fake the sum alone is logged, and everything else is the same."""
    sum_alone = (lambda real, fake: sum(squared_critic_loss(real, fake)), squared_generator_loss)
    logs, expected = history(make_model(sum_alone)), history(make_model(PAIR))
    assert expected.keys() - logs.keys() == {"critic_loss_real", "critic_loss_fake"}
    for name in logs:
        np.testing.assert_allclose(logs[name], expected[name], rtol=1e-5)


def test_an_own_divergence_with_a_penalty():
    """It is penalised as "wgan" is, and critics of the package then have no batch norm."""
    own = flow_gan.Divergence(lambda real, fake: (-real, fake), lambda fake: -fake, has_penalty=True)
    assert history(make_model(own)) == history(make_model("wgan"))
    assert not make_model(own).critic.non_trainable_variables and make_model(PAIR).critic.non_trainable_variables


@pytest.mark.parametrize("bad", [3, None, (len,), (1, 2), object(), [*PAIR, len], flow_gan.Divergence(len, 3)])
def test_what_is_no_divergence(bad):
    with pytest.raises(flow_gan.UserError, match=r"^divergence=.*; expected one of wgan, .*, a pair of functions"):
        make_model(bad, critic_divergence="ce")


def test_a_named_divergence_is_found():
    found = objectives.find_divergence("wgan")
    assert found.has_penalty and not objectives.find_divergence("ce").has_penalty
    assert dataclasses.replace(found, has_penalty=False).generator_loss is found.generator_loss


class Weighed(flow_gan.FlowGAN):
    """Twice the NLL, and a generator that wants logits of 3."""

    def compute_nll(self, images, training):
        assert images.dtype == tf.float32 and images.shape[1:] == SHAPE
        return 2 * super().compute_nll(images, training)

    def compute_generator_loss(self, fake):
        return tf.reduce_mean(tf.square(self.critic(fake) - 3))


def test_terms_of_the_objective_can_be_overridden():
    model, plain = make_model(kind=Weighed), make_model()
    fake = make_model().generator.decode(plain.draws.of_step(0, IMAGES[:10]).latent(0), training=True)
    logs, expected = (one.train_on_batch(IMAGES[:10], return_dict=True) for one in (model, plain))
    np.testing.assert_allclose(logs["nll"], 2 * expected["nll"], rtol=1e-5)
    # The generator's update comes after those of the critic.
    np.testing.assert_allclose(logs["generator_loss"], np.mean((model.critic(fake) - 3) ** 2), rtol=1e-5)
    assert logs["critic_loss"] == expected["critic_loss"]
    # A gradient twice as large, but for the adversarial part.
    mle, double = (make_model(kind=kind, n_critic=0) for kind in (flow_gan.FlowGAN, Weighed))
    norms = [one.train_on_batch(IMAGES[:10], return_dict=True)["generator_gradient_norm"] for one in (mle, double)]
    np.testing.assert_allclose(norms[1], 2 * norms[0], rtol=1e-5)
    np.testing.assert_array_equal(mle.predict(IMAGES, verbose=0).shape, (20,))


def dense(shape):
    layers = keras.layers
    return keras.Sequential([layers.Dense(6, "tanh"), layers.BatchNormalization(), layers.Dense(*shape)])


def convolutions(shape):
    inputs = keras.Input(shape)
    hidden = keras.layers.Conv2D(3, 3, padding="same", activation="sigmoid")(inputs)
    outputs = [keras.layers.Conv2D(shape[-1], 3, padding="same", activation="tanh")(hidden) for _ in range(2)]
    return keras.Model(inputs, outputs)


class Additive(keras.layers.Layer):
    """A network without `training` and with weights that it makes when it is called first."""

    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(8)

    def call(self, x):
        return tf.sin(self.dense(x))


FLOWS = {
    "nice": lambda **kwargs: flow_gan.NICE(SHAPE, coupling_network=dense, **kwargs),
    "nice, a layer": lambda **kwargs: flow_gan.NICE(SHAPE, coupling_network=lambda shape: Additive(), **kwargs),
    "real_nvp": lambda **kwargs: flow_gan.RealNVP(SHAPE, coupling_network=convolutions, **kwargs),
    "glow": lambda **kwargs: flow_gan.Glow(SHAPE, 2, coupling_network=convolutions, **kwargs),
    "real_nvp_3": lambda **kwargs: flow_gan.RealNVP(SHAPE, scales=3, coupling_network=convolutions, **kwargs),
}


@pytest.mark.parametrize("dtype, tolerance", [("float32", 1e-4), ("float64", 1e-5)])
@pytest.mark.parametrize("name", FLOWS)
def test_a_flow_of_own_networks(name, dtype, tolerance):
    """Round trip and change of variables; in float64 what the networks compute is still float32."""
    generator = FLOWS[name](dtype=dtype)
    assert generator.has_own_networks and generator.has_per_image_likelihood
    x = np.random.default_rng(0).uniform(0.1, 0.9, (5, *SHAPE)).astype(dtype)
    z = generator.encode(x)
    np.testing.assert_allclose(generator.decode(z), x, atol=tolerance)
    assert generator.log_prob(x).dtype == dtype
    # By the Jacobian: the gradient of z[i, i] summed over equal images is its row i.
    same = tf.constant(np.repeat(x[:1], 16, 0))
    with tf.GradientTape() as tape:
        tape.watch(same)
        trace = tf.linalg.trace(generator.encode(same))
    jacobian = tf.reshape(tape.gradient(trace, same), [16, 16])
    expected = np.linalg.slogdet(jacobian)[1]
    np.testing.assert_allclose(generator.bijector().inverse_log_det_jacobian(x[:1])[0], expected, rtol=1e-3)


@pytest.mark.parametrize("name", ["nice", "nice, a layer", "real_nvp"])
def test_own_networks_train(name):
    generator = FLOWS[name]()
    model = flow_gan.FlowGAN(generator, n_critic=0, levels=17)
    model.compile(keras.optimizers.Adam(0.01))
    start = [weight.numpy() for weight in generator.weights]
    nll = model.fit(IMAGES, batch_size=20, epochs=3, verbose=0).history["nll"]
    assert nll[-1] < nll[0]
    moved = [np.any(weight.numpy() != old) for weight, old in zip(generator.weights, start, strict=True)]
    assert all(moved)


def test_own_networks_in_a_graph():
    """Where they share their traces they compute what they do by themselves, and Keras's moving averages move."""
    x = np.random.default_rng(0).uniform(0.1, 0.9, (5, *SHAPE)).astype(np.float32)
    found = []
    for is_eager in (True, False):
        keras.utils.set_random_seed(0)
        generator = FLOWS["nice"]()
        tf.config.run_functions_eagerly(is_eager)
        log_prob = tf.function(lambda x, generator=generator: generator.log_prob(x, training=True), autograph=False)
        found.append([log_prob(x), *generator.non_trainable_variables])
        start = [v.numpy() for v in FLOWS["nice"]().non_trainable_variables]
        assert all(np.any(v.numpy() != old) for v, old in zip(found[-1][1:], start, strict=True))
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_networks_of_other_shapes_share_no_trace():
    """Their weights have equal shapes, and they differ otherwise."""

    def make(shape):
        activation = "tanh" if shape[0] == 4 else "relu"
        inputs = keras.Input(shape)
        return keras.Model(inputs, [keras.layers.Conv2D(shape[-1], 1, activation=activation)(inputs)] * 2)

    generator = flow_gan.RealNVP((8, 8, 1), scales=2, coupling_network=make)
    x = np.random.default_rng(0).uniform(0.1, 0.9, (5, 8, 8, 1)).astype(np.float32)
    tf.config.run_functions_eagerly(False)
    np.testing.assert_allclose(tf.function(generator.log_prob)(x), generator.log_prob(x), rtol=1e-4, atol=1e-4)


def test_a_spoilt_network_is_named():
    generator = FLOWS["real_nvp"]()
    generator.networks[2].weights[0].assign(np.full(generator.networks[2].weights[0].shape, np.nan))
    with pytest.raises(tf.errors.InvalidArgumentError) as error:
        generator.bijector(validate_args=True).inverse(np.full((2, *SHAPE), 0.5, np.float32))
    assert layer_not_finite(error.value) == "the result of layer checkerboard_0_3 is not finite"


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda shape: keras.layers.Dense(3), r"maps \[batch, 8\] to \[None, 3\]; expected shift, \[batch, 8\]"),
        (lambda shape: keras.layers.Conv2D(1, 1), r"\(\(8,\)\)=conv2d\w* cannot take \[batch, 8\]: "),
        (lambda shape: len, r"\(\(8,\)\) is <built-in function len>; expected a Keras layer"),
        (3, r"coupling_network=3; expected a function from a shape \(8,\) to a Keras layer"),
    ],
)
def test_wrong_networks_of_nice(make, message):
    with pytest.raises(flow_gan.UserError, match=message) as error:
        flow_gan.NICE(SHAPE, coupling_network=make)
    assert "\n" not in str(error.value) and str(error.value).startswith("coupling_network")


def test_wrong_networks_of_real_nvp():
    for make in (lambda shape: keras.layers.Dense(1), lambda shape: keras.layers.Dense(2)):
        with pytest.raises(flow_gan.UserError, match=r"expected shift and log-scale, each \[batch, 4, 4, 1\]"):
            flow_gan.RealNVP(SHAPE, coupling_network=make)
