"""Moving averages that are re-estimated on data."""

import numpy as np
import pytest

import flow_gan
from flow_gan.training import has_batch_norm_statistics, reestimated_batch_norm_statistics

IMAGES = np.random.default_rng(0).integers(0, 17, (60, 4, 4, 1)).astype(np.uint8)


def make_model(**changes):
    generator = flow_gan.NICE((4, 4, 1), hidden_units=8, num_hidden_layers=1, **changes)
    rng = np.random.default_rng(1)
    for variable in generator.weights:
        if "moving" not in variable.path:
            variable.assign(variable.numpy() + 0.3 * rng.normal(size=variable.shape))
    return flow_gan.FlowGAN(generator, n_critic=0, levels=17)


def noisy(model):
    index = np.arange(len(IMAGES), dtype=np.int32)
    return model.evaluation_images({"images": IMAGES, "index": index, "split": 0 * index})


def test_one_batch_has_its_own_statistics():
    model = make_model()
    images = noisy(model)
    generator = model.generator
    before = [variable.numpy() for variable in generator.weights]
    by_averages = generator.log_prob(images).numpy()
    of_batch = generator.log_prob(images, training=True, updates=0).numpy()
    assert np.abs(by_averages - of_batch).max() > 1
    with reestimated_batch_norm_statistics(model, IMAGES, len(IMAGES)):
        np.testing.assert_allclose(generator.log_prob(images), of_batch, rtol=1e-4)
    for variable, value in zip(generator.weights, before, strict=True):
        np.testing.assert_array_equal(variable, value)
    np.testing.assert_allclose(generator.log_prob(images), by_averages, rtol=1e-6)


def test_several_batches_make_the_statistics_of_all():
    """Of the first norm, whose input does not depend on other norms: exact, with the incomplete batch left out."""
    model = make_model()
    z = noisy(model)[:40]
    first = model.generator.networks[0]
    logits = np.log(z / (1 - z)).reshape(40, 16)[:, ::2]  # The half that coupling 1 reads: even positions.
    with reestimated_batch_norm_statistics(model, IMAGES[:50], 20):
        np.testing.assert_allclose(first.moving_mean[0], logits.mean(), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(first.moving_variance[0], logits.var(), rtol=1e-4)


def test_averages_come_back_after_an_error():
    model = make_model()
    before = [variable.numpy() for variable in model.generator.weights]
    with pytest.raises(ZeroDivisionError), reestimated_batch_norm_statistics(model, IMAGES, 20):
        raise ZeroDivisionError
    for variable, value in zip(model.generator.weights, before, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_what_is_refused():
    without = make_model(batch_norm=False)
    assert not has_batch_norm_statistics(without.generator) and has_batch_norm_statistics(make_model().generator)
    with (
        pytest.raises(flow_gan.UserError, match="has no moving averages"),
        reestimated_batch_norm_statistics(without, IMAGES, 20),
    ):
        pass
    with (
        pytest.raises(flow_gan.UserError, match="batch_size=61 of 60 images"),
        reestimated_batch_norm_statistics(make_model(), IMAGES, 61),
    ):
        pass
