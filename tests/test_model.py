"""The training step: replicas, switches, random draws, evaluation."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import flow_gan
from flow_gan import data
from flow_gan.networks.normalization import moving_average_updates
from flow_gan.training.optimizers import Adam, DecayToFloor, PerStep
from flow_gan.training.strategy import make_strategy
from tests.helpers.models import OBJECTIVES, SHAPE, Logs, images_of, make_model, run_20_steps


def draws_of(model, images):
    return model.draws.of_step(model.step, images)


def fit(model, steps, batch_size=10, batches_per_step=None):
    batches = data.training_batches(images_of(60), batch_size, 0, 0, steps, batches_per_step)
    logs = Logs()
    model.fit(batches, verbose=0, callbacks=[logs], shuffle=False)
    return logs.steps


@pytest.mark.parametrize(
    "objective, divergence, flow",
    [
        *(("hybrid", "wgan", "nice"), ("hybrid", "wgan", "moving"), ("adv", "wgan", "dcgan")),
        *(("adv", "wgan", "batch"), ("hybrid", "wgan", "glow")),
        # The hybrids have in them what these have, and each takes half a minute.
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in (
                *(
                    ("mle", "wgan", "nice"),
                    ("adv", "wgan", "nice"),
                    ("hybrid", "ce", "nice"),
                    ("mle", "wgan", "moving"),
                ),
                *(("adv", "wgan", "moving"), ("mle", "wgan", "batch"), ("hybrid", "wgan", "moving, recompute")),
            )
        ),
    ],
)
def test_two_replicas_equal_one(objective, divergence, flow):
    """SGD in float64: 2 replicas with half the batch each do what 1 does with the whole."""
    arguments = OBJECTIVES[objective] | {"divergence": divergence, "flow": flow}
    if objective != "mle" and (objective, divergence, flow) != ("adv", "wgan", "nice"):
        # Replicas trace each critic update of a step anew: several are made of one model alone.
        arguments["n_critic"] = 1
    one, one_logs, one_nll = run_20_steps(make_strategy("one_device", 100), **arguments)
    two, two_logs, two_nll = run_20_steps(make_strategy("mirrored", 100), **arguments)
    assert two.distribute_strategy.num_replicas_in_sync == 2
    untrained = make_model("float64", **arguments)
    moved = 0
    for a, b, start in zip(one.weights, two.weights, untrained.weights, strict=True):
        np.testing.assert_allclose(b.numpy(), a.numpy(), rtol=1e-8, atol=1e-11, err_msg=a.path)
        moved += np.abs(a.numpy() - start.numpy()).max() > 1e-6
    assert moved > len(one.trainable_weights) / 2
    for a, b in zip(one_logs, two_logs, strict=True):
        for name, value in a.items():
            np.testing.assert_allclose(b[name], value, rtol=1e-7, atol=1e-10, err_msg=name)
    for name, value in one_nll.items():
        np.testing.assert_allclose(two_nll[name], value, rtol=1e-10)


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_logs(objective):
    steps = fit(make_model(**OBJECTIVES[objective]), 3)
    names = {"nll", "learning_rate", "generator_gradient_norm"}
    if objective != "mle":
        names |= {"critic_loss", "critic_loss_real", "critic_loss_fake", "gradient_penalty"}
        names |= {"critic_gradient_norm", "generator_loss"}
    assert len(steps) == 3 and set(steps[0]) == names
    assert all(np.isfinite(value).all() for step in steps for value in step.values())
    if objective != "mle":
        parts = steps[0]["critic_loss_real"] + steps[0]["critic_loss_fake"] + 10 * steps[0]["gradient_penalty"]
        np.testing.assert_allclose(steps[0]["critic_loss"], parts, rtol=1e-5)


def test_what_is_asked_to_run_eagerly_does(monkeypatch):
    model = make_model(**OBJECTIVES["adv"])
    model.run_eagerly, critic_logits, found = True, model.critic_logits, []

    def recorded(*args, **kwargs):
        found.append(tf.executing_eagerly())
        return critic_logits(*args, **kwargs)

    monkeypatch.setattr(flow_gan.FlowGAN, "critic_logits", staticmethod(recorded))
    fit(model, 1)
    assert len(found) > 2 and all(found)


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("arguments", [{}, {"critic_batches": "fresh", "batch_norm_updates": "released"}])
def test_training_without_a_likelihood(arguments):
    """The step of ADV, with all of its logs but the NLL, moves every weight."""
    model = make_model(flow="dcgan", **OBJECTIVES["adv"], **arguments)
    start = [v.numpy() for v in model.weights]
    steps = fit(model, 3, batches_per_step=2 if arguments else None)
    assert len(steps) == 3 and set(steps[0]) == {
        *("critic_loss", "critic_loss_real", "critic_loss_fake", "gradient_penalty", "critic_gradient_norm"),
        *("generator_loss", "generator_gradient_norm", "learning_rate"),
    }
    assert all(np.isfinite(value).all() for step in steps for value in step.values())
    moved = [np.abs(v.numpy() - old).max() > 0 for v, old in zip(model.weights, start, strict=True)]
    # The critic's logits matter by their differences alone: the gradient of its last bias is 0.
    assert sum(moved) >= len(moved) - 1
    with pytest.raises(flow_gan.UserError, match="DCGAN has no likelihood"):
        model.evaluate(images_of(10), verbose=0)


@pytest.mark.parametrize("arguments", [{"n_critic": 0}, {"n_critic": 1, "like_reg": 1.0}])
def test_an_objective_that_needs_a_likelihood(arguments):
    with pytest.raises(flow_gan.UserError, match=r"DCGAN has no likelihood; expected n_critic > 0 and like_reg=0"):
        make_model(flow="dcgan", **arguments)


def test_logged_nll_is_the_distribution_s():
    """The step's NLL comes from the bijectors that `distribution()` shows."""
    model = make_model("float64", n_critic=0)
    images = images_of(10)
    draws = tf.function(lambda: draws_of(model, images).likelihood_images(images))()
    with moving_average_updates(0):
        expected = -np.mean(model.generator.distribution(training=True).log_prob(draws))
    logs = model.train_step(images)
    np.testing.assert_allclose(logs["nll"], expected, rtol=1e-12)


def test_gradients_are_those_of_the_objective():
    """With a rate of 1, SGD moves the weights by the gradient: compare it with finite differences."""
    model = make_model("float64", lambda: keras.optimizers.SGD(1.0), n_critic=0)
    images = images_of(10)
    x = draws_of(model, images).likelihood_images(images)
    kernel = model.generator.networks[1].dense[1].kernel
    start = kernel.numpy()
    direction = np.random.default_rng(0).normal(size=start.shape)

    def nll(shift):
        kernel.assign(start + shift * direction)
        with moving_average_updates(0):
            return -np.mean(model.generator.distribution(training=True).log_prob(x))

    numeric = (nll(1e-5) - nll(-1e-5)) / 2e-5
    kernel.assign(start)
    model.train_step(images)
    np.testing.assert_allclose(np.sum((start - kernel.numpy()) * direction), numeric, rtol=1e-6)


def averages_after_one_step(**arguments):
    """Return (start, after) of a moving average, and the batch means of the two passes of a step."""
    model = make_model("float64", lambda: keras.optimizers.SGD(0.0), **arguments)
    average = model.generator.networks[0].moving_mean
    images = images_of(20)
    draws = draws_of(model, images)
    means = {}
    for name, run in (
        ("f", lambda: model.generator.log_prob(draws.likelihood_images(images), training=True)),
        ("g", lambda: model.generator.decode(draws.latent(0), training=True)),
    ):
        average.assign(np.zeros(average.shape))
        run()
        means[name] = average.numpy()[1] / 0.1
    average.assign(np.ones(average.shape))
    model.train_step(images)
    return average.numpy()[1], means["f"], means["g"]


@pytest.mark.parametrize(
    "arguments, num_g, num_f",
    [
        ({"n_critic": 0}, 0, 1),
        ({"n_critic": 3, "like_reg": 0.0}, 1, 0),
        ({"n_critic": 3, "like_reg": 1.0}, 1, 1),
        ({"n_critic": 0, "batch_norm_updates": "released"}, 1, 1),
        ({"n_critic": 3, "like_reg": 0.0, "batch_norm_updates": "released"}, 4, 0),
        ({"n_critic": 3, "like_reg": 1.0, "batch_norm_updates": "released"}, 4, 1),
    ],
)
def test_what_moves_the_moving_averages(arguments, num_g, num_f):
    after, f, g = averages_after_one_step(**arguments)
    expected = 1.0
    for mean in [g] * num_g + [f] * num_f:
        expected = 0.9 * expected + 0.1 * mean
    np.testing.assert_allclose(after, expected, rtol=1e-12)


def count_decodes(model, monkeypatch):
    """Return the list to which each sampling pass adds how often it updates the moving averages."""
    calls = []
    generate = model._generate
    monkeypatch.setattr(model, "_generate", lambda z, y, updates: calls.append(updates) or generate(z, y, updates))
    return calls


def test_shared_batches_compute_samples_once(monkeypatch):
    model = make_model(n_critic=3)
    calls = count_decodes(model, monkeypatch)
    model.train_step(images_of(6))
    assert calls == [1]


@pytest.mark.parametrize("updates, expected", [("objective", [0, 0, 0, 1]), ("released", [1, 1, 1, 1])])
def test_fresh_batches(monkeypatch, updates, expected):
    model = make_model(n_critic=3, critic_batches="fresh", batch_norm_updates=updates)
    calls = count_decodes(model, monkeypatch)
    seen = []
    update = model.critic_update
    monkeypatch.setattr(model, "critic_update", lambda d, run, *both: seen.append(both[:2]) or update(d, run, *both))
    images = images_of(18).reshape(6, 3, *SHAPE)
    monkeypatch.setattr("flow_gan.model.num_replicas", lambda: 2)  # Updates then run outside a function.
    model.train_step(images)
    assert calls == expected
    for run, (real, _) in enumerate(seen):
        np.testing.assert_array_equal(real, images[:, run])
    fakes = [fake.numpy() for _, fake in seen]
    assert np.abs(fakes[0] - fakes[1]).max() > 0.01 and np.abs(fakes[1] - fakes[2]).max() > 0.01
    assert len(fit(make_model(n_critic=3, critic_batches="fresh"), 2, 5, 3)) == 2


@pytest.mark.parametrize("critic_batches", ["shared", "fresh"])
def test_critic_updates_as_a_loop_compiled_and_eagerly(critic_batches):
    """They are the same, and each starts from the state that the one before left, moving averages among it."""
    layers, outcomes, start = keras.layers, [], None
    for how in ({}, {"jit_compile": True}, {"run_eagerly": True}):
        hidden = [layers.Dense(3), layers.BatchNormalization(momentum=0.5), layers.Activation("tanh")]
        critic = keras.Sequential([keras.Input(SHAPE), layers.Flatten(), *hidden, layers.Dense(1)])
        # Copies: what it returns may be the memory of the weights.
        start = start or [np.array(value) for value in critic.get_weights()]
        critic.set_weights(start)
        generator = make_model(n_critic=0).generator
        settings = {"n_critic": 3, "critic_batches": critic_batches, "gradient_penalty": 0.1, "levels": 17}
        model = flow_gan.FlowGAN(generator, critic, **settings)
        model.compile(keras.optimizers.SGD(0.01), keras.optimizers.SGD(0.01), **how)
        logs = fit(model, 2, batches_per_step=3 if critic_batches == "fresh" else None)
        outcomes.append((logs[-1], critic.get_weights()))
    (logs, weights), *others = outcomes
    # The two kernels and the moving averages have moved.
    assert all(np.abs(weights[number] - start[number]).max() > 1e-3 for number in (0, 4, 5, 6))
    for other_logs, other_weights in others:
        for name, value in logs.items():
            np.testing.assert_allclose(other_logs[name], value, rtol=1e-4, err_msg=name)
        for actual, expected in zip(other_weights, weights, strict=True):
            np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.usefixtures("eagerly")
def test_column_penalty_is_another_one():
    penalties = [fit(make_model(gradient_penalty_norm=norm), 1)[0]["gradient_penalty"] for norm in ("image", "column")]
    assert abs(penalties[0] - penalties[1]) > 1e-3


def test_a_run_is_reproducible():
    first, again = (fit(make_model(), 4) for _ in range(2))
    assert [s["nll"] for s in first] == [s["nll"] for s in again]


def test_step_is_traced_once():
    model = make_model()
    traces = []
    step = model.train_step
    model.train_step = lambda batch: traces.append(1) or step(batch)
    fit(model, 6)
    assert len(traces) == 1
    evaluations = []
    test_step = model.test_step
    model.test_step = lambda batch: evaluations.append(1) or test_step(batch)
    for _ in range(2):
        model.evaluate(data.evaluation_batches(images_of(23), "test", 10), verbose=0)
    assert len(evaluations) == 1


def test_a_step_traced_ahead_is_that_of_fit(monkeypatch):
    """It is traced no second time, does the same, and is forgotten where other optimizers are set."""
    expected = fit(make_model(n_critic=0), 2)
    model = make_model(n_critic=0)
    traces = []
    make_step = model.make_step
    monkeypatch.setattr(model, "make_step", lambda images: traces.append(1) or make_step(images))
    model.trace_step(10)
    assert len(traces) == 1
    steps = fit(model, 2)
    assert len(traces) == 1
    np.testing.assert_equal(steps, expected)
    model.compile(Adam(1e-3))
    fit(model, 1)
    assert len(traces) == 2


def test_evaluation_is_exact_and_independent_of_the_batch_size():
    model = make_model("float64")
    images = images_of(23)
    results = [
        model.evaluate(data.evaluation_batches(images, "test", size), verbose=0, return_dict=True)
        for size in (23, 10, 4)
    ]
    noise = flow_gan.random.uniform(
        flow_gan.random.key(0, flow_gan.random.Stream.EVALUATION, 2), 0, 23, SHAPE, tf.float64
    )
    nll = -model.generator.log_prob(data.dequantize(images, noise, 17)).numpy()
    for result in results:
        np.testing.assert_allclose(result["nll"], nll.mean(), rtol=1e-12)
        np.testing.assert_allclose(result["nll_standard_error"], nll.std(ddof=1) / np.sqrt(23), rtol=1e-8)
    other = model.evaluate(data.evaluation_batches(images, "validation", 10), verbose=0, return_dict=True)
    assert other["nll"] != results[0]["nll"]
    model.step.assign(100)
    again = model.evaluate(data.evaluation_batches(images, "test", 10), verbose=0, return_dict=True)
    np.testing.assert_allclose(again["nll"], results[0]["nll"], rtol=1e-12)


def test_evaluate_takes_plain_images():
    model = make_model()
    result = model.evaluate(images_of(20), batch_size=10, verbose=0, return_dict=True)
    assert np.isfinite(result["nll"])


@pytest.mark.parametrize("updates_per_step", [1, 3])
def test_learning_rate(updates_per_step):
    rate = PerStep(DecayToFloor(0.1, 0.5, 0.02), updates_per_step)
    rates = [float(rate(tf.constant(i * updates_per_step + j))) for i in range(5) for j in range(updates_per_step)]
    np.testing.assert_allclose(rates, np.repeat([0.1, 0.05, 0.025, 0.02, 0.02], updates_per_step), rtol=1e-6)
    assert PerStep.from_config(rate.get_config())(updates_per_step) == rate(updates_per_step)
    assert DecayToFloor.from_config(rate.schedule.get_config())(0) == rate(0)


def test_warm_up():
    rate = PerStep(DecayToFloor(0.1, 0.5), warmup_steps=4)
    rates = [float(rate(tf.constant(i))) for i in range(6)]
    np.testing.assert_allclose(rates, [0.1 / 4, 0.05 / 2, 0.025 * 3 / 4, 0.0125, 0.1 / 16, 0.1 / 32], rtol=1e-6)


def test_both_learning_rates_decay_per_generator_step():
    model = make_model(n_critic=3)
    model.compile(Adam(DecayToFloor(0.1, 0.5)), Adam(PerStep(DecayToFloor(0.1, 0.5), 3)))
    rates = []
    for _ in range(3):
        logs = model.train_step(images_of(4))
        rates.append(float(logs["learning_rate"]))
        np.testing.assert_allclose(float(model.critic_optimizer.learning_rate), 0.1 * 0.5 ** len(rates), rtol=1e-6)
    np.testing.assert_allclose(rates, [0.1, 0.05, 0.025], rtol=1e-6)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"divergence": "js"}, "divergence='js' is unknown; expected one of: wgan, ce"),
        ({"gradient_penalty_norm": "row"}, "gradient_penalty_norm='row' is unknown; expected one of: image, column"),
        ({"batch_norm_updates": "x"}, "batch_norm_updates='x' is unknown; expected one of: objective, released"),
        ({"critic_batches": "x"}, "critic_batches='x' is unknown; expected one of: shared, fresh"),
        ({"n_critic": -1}, "n_critic=-1; expected an integer, 0"),
        ({"like_reg": -1.0}, r"like_reg=-1\.0; expected a number, 0 or more"),
        ({"n_critic": 1, "critic": None}, "n_critic=1 needs a critic"),
    ],
)
def test_rejects(arguments, message):
    generator = flow_gan.NICE(SHAPE, 4, 0)
    critic = flow_gan.critics.two_convolutions(SHAPE, filters=2, dense_units=2)
    with pytest.raises(flow_gan.UserError, match=message):
        flow_gan.FlowGAN(generator, **({"critic": critic} | arguments))


def test_compile_needs_an_optimizer_for_the_critic():
    generator = flow_gan.NICE(SHAPE, 4, 0)
    model = flow_gan.FlowGAN(generator, flow_gan.critics.two_convolutions(SHAPE, filters=2, dense_units=2))
    with pytest.raises(flow_gan.UserError, match="critic_optimizer=None"):
        model.compile(Adam(1e-3))


def test_number_of_variables():
    """Keras sees the weights of both networks: none is hidden in a bijector."""
    model = make_model()
    generator, critic = 4 * (2 * 2 + 2) + 1, 8
    assert len(model.trainable_variables) == generator + critic
    assert len(model.generator.trainable_variables) == generator
