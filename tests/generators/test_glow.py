"""Glow beside TensorFlow Probability's, its initialisation from images, and its parts."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import flow_gan
from flow_gan.bijectors import squeeze
from flow_gan.evaluation.layers import logit_and_rest
from flow_gan.networks.invertible_convolution import InvertibleConvolutions
from flow_gan.training.strategy import make_strategy
from tests.helpers.models import images_of as grey_levels

tfb = tfp.bijectors


def make(shape=(4, 4, 1), dtype="float64", **arguments):
    """A generator at weights that matter."""
    arguments = {"depth_per_scale": 3, "scales": 1, "filters": 4} | arguments
    generator = flow_gan.Glow(shape, dtype=dtype, **arguments)
    rng = np.random.default_rng(0)
    for variable in generator.trainable_variables:
        variable.assign(variable.numpy() + 0.1 * rng.normal(size=variable.shape))
    return generator


def images_of(shape, count=5, dtype="float64"):
    return np.random.default_rng(1).uniform(0.02, 0.98, (count, *shape)).astype(dtype)


def tfp_glow(generator, shape):
    """The library's Glow with the weights of a `flow_gan.Glow` of one scale and one channel."""
    networks = reversed(generator.networks)  # It makes the last step of f first.

    def coupling(_):
        network = next(networks)

        def bijector(x):
            shift, log_scale = network(x)
            return tfb.Shift(shift)(tfb.Scale(log_scale=log_scale))

        return bijector

    # All channels leave after the only block, half of them through an exit, which is the identity.
    glow = tfb.Glow(
        shape,
        num_glow_blocks=1,
        num_steps_per_block=generator.depth_per_scale,
        coupling_bijector_fn=coupling,
        exit_bijector_fn=lambda shape, output_chan: lambda x: tfb.Identity(),
        grab_after_block=(0.5,),
    )
    (block,) = [part for part in glow.bijectors if type(part).__name__ == "GlowBlock"]
    parts = list(block.bijectors)
    (maps,) = generator.convolutions
    for k in range(generator.depth_per_scale):
        norm, convolution = parts[3 * k], parts[3 * k + 1].bijector
        convolution._bijector = library_convolution(maps, k)
        norm._initialized.assign(True)
        norm._bijector = tfb.Invert(
            tfb.Chain([tfb.Scale(log_scale=maps.norm_log_scale[k]), tfb.Shift(maps.norm_shift[k])])
        )
    return glow


def library_convolution(maps, k):
    """`tfp.bijectors.ScaleMatvecLU` of step k: its W is P (L + I)(U + diag), with P as a list of rows."""
    lower_upper = maps.lower_upper.numpy()[k].copy()
    np.fill_diagonal(lower_upper, maps.sign.numpy()[k] * np.exp(maps.log_diagonal.numpy()[k]))
    # Row i of P has its 1 in column p[i]; the library wants the permutation that `tf.linalg.lu` returns.
    permutation = np.argmax(maps.permutation.numpy()[k], axis=0)
    return tfb.ScaleMatvecLU(tf.constant(lower_upper), tf.constant(permutation, tf.int32))


def test_the_library_s_glow_with_equal_weights():
    """Of one scale: z and the log-determinant, in the library's float32. Of one channel both squeezes are the same."""
    shape = (4, 6, 1)
    generator = make(shape, "float32")
    logit = logit_and_rest(generator)[0]
    images = images_of(shape, dtype="float32")
    y, z = logit.forward(images), generator.encode(images)
    glow = tfp_glow(generator, shape)
    np.testing.assert_allclose(glow.inverse(y), z, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(glow.forward(z), y, rtol=1e-4, atol=1e-5)
    log_det = generator.bijector().inverse_log_det_jacobian(images) - logit.forward_log_det_jacobian(images, 3)
    np.testing.assert_allclose(glow.inverse_log_det_jacobian(y, 3), log_det, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("scales", [1, 2, 3])
def test_the_shapes_of_the_library_s_glow(scales):
    """What each coupling network is given, and the size of z."""
    asked = []

    def coupling(shape):
        asked.append(tuple(map(int, shape)))
        return lambda x: tfb.Identity()

    glow = tfb.Glow(
        (16, 8, 3), scales, 2, coupling, lambda shape, output_chan: lambda x: tfb.Identity(), (0.5,) * scales
    )
    generator = flow_gan.Glow((16, 8, 3), depth_per_scale=2, scales=scales, filters=2)
    shapes = [squeezed[:2] for _, squeezed in generator.scale_shapes for _ in range(2)]
    own = [(*shape, network.channels) for shape, network in zip(shapes, generator.networks, strict=True)]
    assert sorted(asked) == sorted(own)
    assert glow.inverse_event_shape((16, 8, 3)) == generator.encode(images_of((16, 8, 3))).shape[1:]


@pytest.mark.parametrize("channels", [1, 4, 12])
def test_invertible_convolutions(channels):
    """W = P L U as the formula has it; the inverse; log |det|. At first W is a rotation."""
    maps = make((4, 4, 1), scales=1).convolutions[0] if channels == 4 else None
    if maps is None:
        initializers = flow_gan.networks.initializers.SeededInitializers("orthogonal", 3)
        maps = InvertibleConvolutions(2, channels, initializers, dtype="float64")
        np.testing.assert_allclose(
            maps.forward_maps()[0] @ tf.linalg.matrix_transpose(maps.forward_maps()[0]),
            np.stack([np.eye(channels)] * 2),
            atol=1e-5,
        )
        rotations = maps.forward_maps()[0].numpy()
        assert channels == 1 or np.abs(rotations[0] - rotations[1]).max() > 0.1
    (matrix, offset), (inverse, inverse_offset) = maps.forward_maps(), maps.inverse_maps()
    x = np.random.default_rng(0).normal(size=(6, channels))
    total = 0
    for k in range(maps.depth):
        lower = np.tril(maps.lower_upper[k], -1) + np.eye(channels)
        upper = np.triu(maps.lower_upper[k], 1) + np.diag(maps.sign[k] * np.exp(maps.log_diagonal[k]))
        weight = maps.permutation[k] @ lower @ upper
        expected = ((x + maps.norm_shift[k]) * np.exp(maps.norm_log_scale[k])) @ tf.transpose(weight)
        np.testing.assert_allclose(x @ matrix[k] + offset[k], expected, atol=1e-12)
        np.testing.assert_allclose(expected @ inverse[k] + inverse_offset[k], x, atol=1e-9)
        total += np.linalg.slogdet(weight)[1] + np.sum(maps.norm_log_scale[k])
    np.testing.assert_allclose(maps.log_det(), total, atol=1e-12)


def test_matrices_are_computed_once_per_pass(monkeypatch):
    """And no inverse where none is needed."""
    generator = make(scales=2)
    calls = []
    for name in ("forward_maps", "inverse_maps"):
        method = getattr(InvertibleConvolutions, name)
        monkeypatch.setattr(
            InvertibleConvolutions, name, lambda self, m=method, n=name: calls.append((self, n)) or m(self)
        )
    generator.log_prob(images_of((4, 4, 1)))
    assert calls == [(maps, "forward_maps") for maps in generator.convolutions]
    calls.clear()
    generator.decode(np.zeros((3, 16)))
    assert calls == [(maps, "inverse_maps") for maps in generator.convolutions[::-1]]


def test_a_distribution_follows_the_convolutions_and_the_prior():
    generator = make(learned_prior=True)
    distribution = generator.distribution()
    images = tf.constant(images_of((4, 4, 1)))
    for variable in (generator.convolutions[0].lower_upper, generator.prior_mean, generator.prior_log_scale):
        before = distribution.log_prob(images).numpy()
        variable.assign_add(tf.ones_like(variable.value))
        np.testing.assert_allclose(distribution.log_prob(images), generator.log_prob(images), rtol=1e-12)
        assert np.abs(distribution.log_prob(images) - before).max() > 1e-3


@pytest.mark.parametrize("flow", [flow_gan.NICE, flow_gan.RealNVP, flow_gan.Glow])
def test_a_learned_prior(flow):
    """u = mean + exp(log_scale) z has its density; it begins as the fixed one."""
    small = {"hidden_units": 4} if flow is flow_gan.NICE else {"filters": 2, "scales": 1}
    fixed, learned = (flow((2, 4, 1), dtype="float64", learned_prior=on, **small) for on in (False, True))
    images = images_of((2, 4, 1))
    np.testing.assert_array_equal(fixed.log_prob(images), learned.log_prob(images))
    rng = np.random.default_rng(0)
    learned.prior_mean.assign(rng.normal(size=8))
    learned.prior_log_scale.assign(rng.normal(size=8))
    u, log_det = fixed.encode(images), fixed.bijector().inverse_log_det_jacobian(images)
    density = tfp.distributions.Logistic if fixed.prior_name == "logistic" else tfp.distributions.Normal
    prior = density(learned.prior_mean.numpy(), np.exp(learned.prior_log_scale.numpy()))
    np.testing.assert_allclose(learned.log_prob(images), tf.reduce_sum(prior.log_prob(u), 1) + log_det, rtol=1e-12)
    np.testing.assert_allclose(learned.decode(learned.encode(images)), images, atol=1e-9)
    assert any(variable is learned.prior_log_scale for variable in learned.log_scale_variables)
    assert learned.get_config()["learned_prior"] and not fixed.get_config()["learned_prior"]


def test_each_norm_begins_with_mean_0_and_variance_1():
    """At each step in turn; the norms after random couplings, too."""
    generator = make((4, 4, 2), depth_per_scale=2, scales=2)
    images = images_of((4, 4, 2), 50)
    generator.initialize(images)
    assert generator.is_initialized
    x = squeeze((4, 4, 2)).forward(logit_and_rest(generator)[0].forward(images))
    for scale, maps in enumerate(generator.convolutions):
        for k in range(2):
            normalized = (x + maps.norm_shift[k]) * tf.exp(maps.norm_log_scale[k])
            np.testing.assert_allclose(tf.reduce_mean(normalized, [0, 1, 2]), 0, atol=1e-9)
            np.testing.assert_allclose(tf.math.reduce_std(normalized, [0, 1, 2]), 1, atol=1e-4)
            matrix, offset = maps.forward_maps()
            first, second = tf.split(x @ matrix[k] + offset[k], 2, axis=-1)
            shift, log_scale = generator.networks[2 * scale + k](first)
            x = tf.concat([first, second * tf.exp(log_scale) + shift], -1)
        x = squeeze((2, 2, 4)).forward(x[..., 4:]) if scale == 0 else x


def test_the_first_values_are_given_once():
    generator = make((4, 4, 1))
    generator.initialize(images_of((4, 4, 1)))
    before = [v.numpy() for v in generator.weights]
    generator.initialize(0.5 * images_of((4, 4, 1)))
    for value, variable in zip(before, generator.weights, strict=True):
        np.testing.assert_array_equal(value, variable.numpy())


def norms(model):
    return [np.stack([m.norm_shift.numpy(), m.norm_log_scale.numpy()]) for m in model.generator.convolutions]


def model_of(seed=0, **arguments):
    generator = flow_gan.Glow((4, 4, 1), depth_per_scale=2, scales=1, filters=2, **arguments)
    model = flow_gan.FlowGAN(generator, n_critic=0, levels=17, seed=seed)
    model.compile("adam")
    return model


def test_fit_begins_with_statistics_of_its_images():
    """Of a fixed sample of an array, of the first batch of a data set; `initialize` before `fit` decides."""
    images = grey_levels(400)
    by_hand = model_of()
    by_hand.initialize(images)
    expected = norms(by_hand)
    # The step is as good as none, so that the norms keep their first values.
    for x, chosen in ((images, images), (tf.data.Dataset.from_tensor_slices(images).batch(20), images[:20])):
        model, own = model_of(), model_of()
        model.compile(flow_gan.training.optimizers.Adam(1e-30))
        model.fit(x, epochs=1, steps_per_epoch=1, batch_size=20, verbose=0)
        own.initialize(chosen)
        np.testing.assert_array_equal(norms(model), norms(own))
    assert np.abs(np.subtract(norms(own), expected)).max() > 1e-3
    by_hand.initialize(images[:20])
    np.testing.assert_array_equal(norms(by_hand), expected)
    other_seed = model_of(seed=1)
    other_seed.initialize(images)
    assert np.abs(np.subtract(norms(other_seed), expected)).max() > 1e-3


def test_the_first_values_do_not_depend_on_replicas():
    found = []
    for name in ("one_device", "mirrored"):
        strategy = make_strategy(name, 20)
        with strategy.scope():
            model = model_of()
        model.initialize(grey_levels(400))
        assert model.generator.is_initialized
        found.append(norms(model))
    np.testing.assert_array_equal(*found)


def test_a_distributed_data_set_cannot_tell_its_statistics():
    strategy = make_strategy("mirrored", 20)
    with strategy.scope():
        model = model_of()
    batches = strategy.experimental_distribute_dataset(tf.data.Dataset.from_tensor_slices(grey_levels(40)).batch(20))
    with pytest.raises(flow_gan.UserError, match=r"fit\(x\): a distributed data set, but Glow begins with statistics"):
        model.fit(batches, steps_per_epoch=1, verbose=0)
    for images in ([1, 2], np.zeros((3, 4, 4), np.uint8), np.zeros((2, 4, 4, 1)), np.zeros((0, 4, 4, 1), np.uint8)):
        with pytest.raises(flow_gan.UserError, match=r"^initialize\(images\): .*expected images uint8 \[N, 4, 4, 1\]"):
            model.initialize(images)
    assert not model.generator.is_initialized


def test_other_flows_have_nothing_to_initialize():
    generator = flow_gan.NICE((4, 4, 1), 4, 0)
    before = [v.numpy() for v in generator.weights]
    assert generator.is_initialized
    flow_gan.FlowGAN(generator, n_critic=0, levels=17).initialize("nothing that is looked at")
    for value, variable in zip(before, generator.weights, strict=True):
        np.testing.assert_array_equal(value, variable.numpy())


def test_couplings_begin_as_the_identity_and_have_a_bounded_scale():
    generator = flow_gan.Glow((4, 4, 1), depth_per_scale=1, scales=1, filters=3, num_hidden_layers=2)
    (network,) = generator.networks
    x = np.random.default_rng(0).normal(size=(2, 2, 2, 2)).astype(np.float32)
    np.testing.assert_array_equal(network(x), np.zeros((2, *x.shape)))
    for variable in network.trainable_variables:
        variable.assign_add(tf.fill(variable.shape, 30.0))
    log_scale = network(x)[1]
    assert np.abs(log_scale).max() == 2
    assert [kernel.shape for kernel, _ in network.hidden] == [(3, 3, 2, 3), (1, 1, 3, 3), (1, 1, 3, 3)]
    assert network.conv_out[0].shape == (3, 3, 3, 4)


def test_few_weights():
    """Those of all steps of a scale are stacked."""
    generator = flow_gan.Glow((8, 8, 3), depth_per_scale=5, scales=2, filters=3)
    per_network, per_scale = 6, 6
    assert len(generator.weights) == 10 * per_network + 2 * per_scale + 1
    assert [v.shape for v in generator.log_scale_variables] == 2 * [(5, 12)] + 2 * [(5, 24)]
    names = [network.name for network in generator.networks]
    assert names == [f"coupling_{scale}_{step}" for scale in (0, 1) for step in (1, 2, 3, 4, 5)]
    first, second = (flow_gan.Glow((8, 8, 3), 2, 2, 3, seed=seed) for seed in (0, 1))
    assert np.abs(first.convolutions[0].lower_upper - second.convolutions[0].lower_upper).max() > 0.01


@pytest.mark.parametrize(
    "arguments, message",
    [
        (
            {"image_shape": (9, 8, 1)},
            r"\(9, 8, 1\): Glow with scales=2 needs a height and a width divisible by 4, since it halves both 2 times",
        ),
        ({"image_shape": (28, 28, 1), "scales": 3}, "Glow with scales=3 needs a height and a width divisible by 8"),
        ({"scales": 2**31 - 1}, "Glow with scales=2147483647 needs a height and a width divisible by"),
        ({"scales": 1.5}, "scales=1.5; expected an integer, 1 to"),
        ({"depth_per_scale": 1.5}, "depth_per_scale=1.5; expected an integer, 1 to"),
        ({"scales": 0}, "scales=0; expected an integer, 1 to"),
        ({"depth_per_scale": 0}, "depth_per_scale=0; expected an integer, 1 to"),
        ({"filters": 0}, "filters=0; expected an integer, 1 to"),
        ({"num_hidden_layers": -1}, "num_hidden_layers=-1; expected an integer, 0 to"),
        ({"prior": "cauchy"}, "prior='cauchy' is unknown"),
        ({"coupling_network": lambda shape: tf.keras.layers.Dense(1)}, r"each \[batch, 4, 4, 2\]"),
    ],
)
def test_rejects(arguments, message):
    with pytest.raises(flow_gan.UserError, match=message):
        flow_gan.Glow(**({"image_shape": (8, 8, 1), "filters": 2, "depth_per_scale": 1} | arguments))
