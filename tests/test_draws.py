"""What a model draws at random: equal for equal seed, step and run, and else independent."""

import numpy as np
import pytest
import tensorflow as tf

import flow_gan
from flow_gan import data
from flow_gan.draws import Draws

SHAPE = (4, 4, 1)
LEVELS = 17


@pytest.fixture(scope="module")
def generator():
    return flow_gan.NICE(SHAPE, hidden_units=8, num_hidden_layers=0)


def images_of(count):
    return np.random.default_rng(0).integers(0, LEVELS, (count, *SHAPE)).astype(np.uint8)


def test_draws_depend_on_seed_step_and_run(generator):
    images = images_of(10)
    draws = Draws(generator, 0, LEVELS, n_critic=2)
    step = draws.of_step(0, images)
    first = step.critic_images(images, 0).numpy()
    np.testing.assert_array_equal(first, draws.of_step(0, images).critic_images(images, 0))
    assert (first * LEVELS).astype(int).tolist() == images.tolist()
    others = [
        step.critic_images(images, 1),
        step.likelihood_images(images),
        Draws(generator, 1, LEVELS, n_critic=2).of_step(0, images).critic_images(images, 0),
        draws.of_step(1, images).critic_images(images, 0),
    ]
    for other in others:
        assert np.abs(other - first).max() > 0.01


def test_flips(generator):
    """Each update flips the images anew, one by one, the critic's and the likelihood's apart."""
    images = images_of(200)

    def flipped(dequantized):
        grey = np.floor(dequantized.numpy() * LEVELS).astype(np.uint8)
        is_flipped = (grey == images[:, :, ::-1]).all((1, 2, 3))
        assert (is_flipped | (grey == images).all((1, 2, 3))).all()
        return is_flipped

    draws = Draws(generator, 0, LEVELS, n_critic=2, horizontal_flip=True)
    step = draws.of_step(0, images)
    cases = [flipped(step.critic_images(images, run)) for run in (0, 1)]
    cases.append(flipped(step.likelihood_images(images)))
    cases.append(flipped(draws.of_step(1, images).likelihood_images(images)))
    for i, case in enumerate(cases):
        assert 70 < case.sum() < 130
        assert all(60 < np.sum(case != other) < 140 for other in cases[:i])
    assert not flipped(Draws(generator, 0, LEVELS, n_critic=2).of_step(0, images).likelihood_images(images)).any()


def test_evaluation_draws_depend_on_seed_split_and_place(generator):
    """An image's noise is the same in whatever batch it comes, and another for another seed, split or draw."""
    images = images_of(10)
    draws = Draws(generator, 0, LEVELS)

    def of(split="test", size=10, **arguments):
        batches = data.evaluation_batches(images, split, size)
        return np.concatenate([draws.evaluation_images(batch, **arguments) for batch in batches])[: len(images)]

    first = of()
    np.testing.assert_array_equal(of(size=3), first)
    np.testing.assert_array_equal(of(seed=tf.constant(0)), first)
    assert (first * LEVELS).astype(int).tolist() == images.tolist()
    for other in (of("train"), of(draw=1), of(seed=1)):
        assert np.abs(other - first).max() > 0.01
