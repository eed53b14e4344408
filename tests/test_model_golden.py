"""Losses, gradients, updates and whole iterations against the original release's numbers."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import flow_gan
from flow_gan import objectives
from flow_gan.data import dequantize
from flow_gan.errors import UserError
from flow_gan.training.optimizers import Adam, DecayToFloor, PerStep
from tests.helpers.golden import (
    Golden,
    assert_gradients,
    assert_loss,
    assert_moving,
    grey_levels,
    moving_averages,
    trainable,
)

FILES = [f"loss_nice_{divergence}" for divergence in ("wgan", "ce", "hellinger", "kl", "rkl", "tv", "lsgan")]
FILES += ["loss_real_nvp_wgan", "loss_real_nvp_simple_ce"]


class ReplayedDraws:
    """Hands a training step the release's random numbers instead of our own."""

    def __init__(self, z, noise_likelihood, noise_critic, interpolation):
        self._z = z
        self._noise_likelihood = noise_likelihood
        self._noise_critic = tf.constant(noise_critic)
        self._interpolation = tf.constant(interpolation)

    def of_step(self, step, images):
        return self

    def latent(self, run=0):
        return tf.constant(self._z)

    def critic_images(self, images, run):
        return dequantize(images, self._noise_critic[run])

    def likelihood_images(self, images):
        return dequantize(images, self._noise_likelihood)

    def interpolation(self, run):
        return self._interpolation[run]


def replayed_model(golden, like_reg, n_critic, norm="column", updates="released", decay=1.0):
    """Return the model of a golden file, compiled with the release's Adam."""
    meta = golden.meta
    model = flow_gan.FlowGAN(
        golden.generator(),
        golden.critic() if n_critic else None,
        meta["f_div"],
        like_reg,
        n_critic,
        meta["reg"],
        gradient_penalty_norm=norm,
        batch_norm_updates=updates,
    )
    generator_rate = DecayToFloor(meta["learning_rate"], decay, 0.0)
    critic_rate = PerStep(generator_rate, max(n_critic, 1))
    model.compile(Adam(generator_rate, meta["beta1"]), Adam(critic_rate, meta["beta1"]))
    return model


def skipped(golden):
    """Return the names of gradients that are zero but for rounding (golden/README.md, section 5)."""
    if golden.meta["f_div"] == "wgan":
        return {"discriminator/d_h3_lin/bias"}
    normed = ("h1_conv", "h2_conv", "h3_conv", "h2_lin")
    return {f"discriminator/d_{layer}/{'bias' if 'lin' in layer else 'biases'}" for layer in normed}


def gradients(tape, loss, part):
    names = trainable(part)
    variables = part.trainable_variables
    values = tape.gradient(loss, [v.value for v in variables])
    by_variable = {id(v): value.numpy() for v, value in zip(variables, values, strict=True)}
    return {name: entry.of(by_variable[id(entry.variable)]) for name, entry in names.items()}


@pytest.mark.parametrize("name", FILES)
def test_losses_and_gradients(name):
    golden = Golden(name)
    divergence = golden.meta["f_div"]
    generator, critic = golden.generator(), golden.critic()
    before = golden.below("var")
    real = golden.dequantized("noise_d")
    fake = generator.decode(golden["z_in"], training=True)
    np.testing.assert_allclose(fake, golden["loss/G"], atol=2e-5)
    assert_moving(moving_averages(generator), golden.below("from_initial_only_G"), before)

    norms = {"column": "", "image": "_full"} if divergence == "wgan" else {"none": ""}
    for norm, suffix in norms.items():
        with tf.GradientTape() as tape:
            real_logits, fake_logits = critic(real, training=True), critic(fake, training=True)
            real_loss, fake_loss = objectives.critic_loss(divergence, real_logits, fake_logits)
            loss = real_loss + fake_loss
            if divergence == "wgan":
                interpolates = objectives.interpolate(real, fake, golden["gp_alpha"])
                penalty = objectives.gradient_penalty(critic, interpolates, norm)
                assert_loss(penalty, golden[f"loss/gp{suffix}"], "penalty")
                loss += golden.meta["reg"] * penalty
        assert_loss(loss, golden[f"loss/d_loss{suffix}"], "critic loss")
        assert_gradients(gradients(tape, loss, critic), golden.below(f"grad_d{suffix}"), skipped(golden))
    np.testing.assert_allclose(real_logits, golden["loss/logits_real"], atol=2e-5)
    np.testing.assert_allclose(fake_logits, golden["loss/logits_fake"], atol=2e-5)
    assert_loss(real_loss, golden["loss/d_loss_real"])
    assert_loss(fake_loss, golden["loss/d_loss_fake"])

    for like_reg in [*golden.meta["likes"], None]:
        with tf.GradientTape() as tape:
            fake = generator.decode(golden["z_in"], training=True)
            adversarial = objectives.generator_loss(divergence, critic(fake, training=True))
            nll = -tf.reduce_mean(generator.log_prob(golden.dequantized("noise_flow"), training=True))
            loss = objectives.generator_objective(
                None if like_reg is None else adversarial, nll if like_reg != 0 else None, like_reg
            )
        tag = "mle" if like_reg is None else f"like{like_reg:g}"
        assert_gradients(gradients(tape, loss, generator), golden.below(f"grad_g_{tag}"))
    assert_loss(adversarial, golden["loss/g_loss"])
    np.testing.assert_allclose(nll, golden["loss/nll"], rtol=3e-5)


@pytest.mark.parametrize("name", [name for name in FILES if not name.endswith("wgan")])
def test_critic_moving_averages(name):
    golden = Golden(name)
    before = golden.below("var")
    for key, images in (("Dreal", golden.dequantized("noise_d")), ("Dfake", golden["loss/G"])):
        critic = golden.critic()
        critic(images, training=True)
        assert_moving(moving_averages(critic), golden.below(f"from_initial_only_{key}"), before)


def assert_adam_step(actual, expected, before, expected_gradients, skip=()):
    """Compare variables after one Adam step where the gradient is more than rounding noise."""
    compared = 0
    for name, value in expected.items():
        if name in skip or name not in expected_gradients:
            continue
        gradient = expected_gradients[name]
        clear = np.abs(gradient) > 1e-3 * np.abs(gradient).max()
        if not clear.any():
            continue  # It sees nothing but masked entries, and its gradient is 0.
        ours = actual[name].numpy().reshape(value.shape)
        assert np.abs(ours - value)[clear].max() <= 5e-6, name
        assert np.abs(value - before[name])[clear].min() > 1e-4, name
        compared += clear.sum()
    assert compared > 100


@pytest.mark.parametrize("like_reg", [0, 1, 20, None])
@pytest.mark.parametrize("name", FILES)
def test_one_training_step(name, like_reg):
    """One critic and one generator Adam step through `train_step`, and where the averages end."""
    golden = Golden(name)
    before = golden.below("var")
    model = replayed_model(golden, like_reg or 0, 0 if like_reg is None else 1)
    model.draws = ReplayedDraws(
        golden["z_in"],
        golden["noise_flow"],
        [golden["noise_d"]],
        [golden["gp_alpha"]] if golden.meta["f_div"] == "wgan" else [],
    )
    logs = model.train_step(grey_levels(golden["x"]))
    tag = "mle" if like_reg is None else f"like{like_reg}"
    step_gradients = golden.below(f"grad_g_{'' if like_reg is None else 'step_'}{tag}")
    assert_adam_step(trainable(model.generator), golden.below(f"after_g_{tag}"), before, step_gradients)
    if like_reg is None:
        np.testing.assert_allclose(logs["nll"], golden["loss/nll"], rtol=3e-5)
    else:
        assert_loss(logs["critic_loss"], golden["loss/d_loss"])
        assert_loss(logs["generator_loss"], golden["loss/g_loss_after_d"])
        after_d = golden.below("after_d")
        assert_adam_step(trainable(model.critic), after_d, before, golden.below("grad_d"), skipped(golden))
    assert_moving_after_step(moving_averages(model.generator), golden, tag)


def assert_moving_after_step(actual, golden, tag):
    """Compare the generator's moving averages after a generator step with what the release's can be.

    The release leaves the order of a step's two passes open; both are computed from its single passes, and
    the averages that it saved must be one of them, too.
    """
    start = golden.below("var" if tag == "mle" else "after_d")
    origin = "from_initial" if tag == "mle" else "from_after_d"
    after_f, after_g = golden.below(f"{origin}_only_f"), golden.below(f"{origin}_only_G")
    saved = golden.below(f"after_g_{tag}_moving")
    for name, value in actual.items():
        f, g = ((after[name] - 0.9 * start[name]) / 0.1 for after in (after_f, after_g))
        orders = [0.81 * start[name] + 0.09 * a + 0.1 * b for a, b in ((f, g), (g, f))]
        if tag == "like0":
            orders = [after_g[name]]
        variance_name = name.replace("/mean", "/var")
        # The larger batch variance of the two passes; none at masked channels.
        spread = np.maximum(after_f[variance_name], after_g[variance_name]) - 0.9 * start[variance_name]
        spread = np.maximum(spread / 0.1, 0)
        tolerance = 1e-4 * (np.sqrt(spread) if name.endswith("/mean") else spread)
        # What is left at masked channels is the rounding of the average itself.
        tolerance += 4 * np.finfo(np.float32).eps * np.abs(value)
        for averages in (value, saved[name]):
            assert any((np.abs(averages - order) <= tolerance).all() for order in orders), name


@pytest.mark.parametrize("name", ["trajectory_nice_wgan_hybrid", "trajectory_nice_mle"])
def test_trajectory(name):
    """Three iterations of the release's training loop through `train_step`."""
    golden = Golden(name)
    meta = golden.meta
    n_critic = meta["n_critic"]
    model = replayed_model(golden, meta["like_reg"], n_critic, decay=meta["lr_decay"])
    for i in range(meta["iterations"]):
        critic_keys = [f"it{i}/critic{r}" for r in range(n_critic)]
        model.draws = ReplayedDraws(
            golden[f"it{i}/z"],
            golden[f"it{i}/gen/noise_flow"],
            [golden[f"{k}/noise_d"] for k in critic_keys],
            [golden[f"{k}/gp_alpha"] for k in critic_keys],
        )
        logs = model.train_step(grey_levels(golden[f"it{i}/x"]))
        np.testing.assert_allclose(logs["learning_rate"], golden[f"it{i}/lr"], rtol=1e-6)
        if n_critic:
            for part in ("real", "fake"):
                released = golden[f"{critic_keys[-1]}/d_loss_{part}"]
                np.testing.assert_allclose(logs[f"critic_loss_{part}"], released, rtol=1e-4, atol=1e-5)
            released = golden[f"it{i}/gen/g_loss"]
            np.testing.assert_allclose(logs["generator_loss"], released, rtol=1e-4, atol=1e-5)
        expected = golden.below(f"it{i}/after")
        ours = {k: v.numpy().reshape(expected[k].shape) for k, v in trainable(model).items()}
        errors = [np.abs(ours[k] - expected[k]).ravel() for k in ours if k not in skipped(golden)]
        errors = np.concatenate(errors)
        assert np.mean(errors > 1e-5) <= 1e-3
        released = golden.below(f"it{i}/after_moving")
        for k, v in moving_averages(model.generator).items():
            # Which of the last two passes came last is open in the release; both orders stay close.
            np.testing.assert_allclose(v, released[k], rtol=0.2, atol=0.05, err_msg=k)
        # The evaluation is compared at the averages that the release's run ended with.
        names = flow_gan.original.variable_names(model.generator)
        kept = moving_averages(model.generator)
        for k in kept:
            names[k].assign(released[k])
        images = dequantize(grey_levels(golden[f"it{i}/x"]), golden[f"it{i}/eval/noise"])
        nll = -tf.reduce_mean(model.generator.log_prob(images))
        np.testing.assert_allclose(nll, golden[f"it{i}/eval/metric"], rtol=1e-4)
        for k, v in kept.items():
            names[k].assign(v)


def test_reported_gradient_magnitude():
    """The release's "gradient magnitude" is sqrt(|gradient|^2 + |variables|^2); ours leaves variables out."""
    golden = Golden("loss_nice_wgan")
    model = replayed_model(golden, 0, 1)
    model.draws = ReplayedDraws(golden["z_in"], golden["noise_flow"], [golden["noise_d"]], [golden["gp_alpha"]])
    variables = golden.part("var", "discriminator").values()
    logs = model.train_step(grey_levels(golden["x"]))
    total = logs["critic_gradient_norm"] ** 2 + sum(np.sum(v**2) for v in variables)
    np.testing.assert_allclose(np.sqrt(total), golden["reported_d_grad_mag"], rtol=1e-5)


def test_adam_is_the_release_s():
    """Our Adam equals Keras's, at the release's epsilon, over several steps and a decaying rate."""
    rng = np.random.default_rng(0)
    gradients = rng.normal(size=(5, 7)).astype(np.float32)
    rate = DecayToFloor(0.01, 0.5, 0.002)
    values = []
    for adam in (
        Adam(rate, 0.5),
        keras.optimizers.Adam(rate, beta_1=0.5, beta_2=0.9, epsilon=1e-8),
    ):
        variable = keras.Variable(np.ones(7, np.float32))
        adam.build([variable])
        for gradient in gradients:
            adam.apply([tf.constant(gradient)], [variable])
        values.append(variable.numpy())
    np.testing.assert_allclose(values[0], values[1], rtol=1e-6)


def test_rate_factors():
    """A variable with a factor moves as under an optimizer of that rate; the others as before."""
    rng = np.random.default_rng(0)
    gradients = rng.normal(size=(5, 2, 7)).astype(np.float32)

    def train(**factors):
        variables = [keras.Variable(np.ones(7, np.float32), name=name) for name in ("first", "second")]
        adam = Adam(DecayToFloor(**factors.pop("rate", {"initial": 0.01}), decay=0.5), **factors)
        adam.build(variables)
        for gradient in gradients:
            adam.apply(list(map(tf.constant, gradient)), variables)
        return [variable.numpy() for variable in variables]

    plain, faster = train(), train(rate={"initial": 0.1})
    mixed = train(rate_factors={"second": 10.0})
    np.testing.assert_array_equal(mixed[0], plain[0])
    np.testing.assert_allclose(mixed[1], faster[1], rtol=1e-6)
    with pytest.raises(UserError, match="none of the variables is third"):
        train(rate_factors={"third": 2.0})
