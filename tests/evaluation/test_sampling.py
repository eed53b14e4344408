import numpy as np

import flow_gan
from flow_gan.evaluation import Sampler
from tests.helpers.conditional import bright_by_class, class_of


def test_samples_are_the_generator_s_in_any_batches():
    generator = flow_gan.NICE((4, 4, 1), hidden_units=8, num_hidden_layers=1)
    expected = generator.sample(7, seed=3)
    for batch_size in (3, 7, 10):
        np.testing.assert_allclose(Sampler(generator, batch_size).draw(7, seed=3), expected, atol=1e-6)
    assert np.abs(Sampler(generator).draw(7, seed=4) - expected).max() > 0.1


def test_labels_go_with_their_samples():
    """In every batch, also the last, which is not full; at any temperature."""
    labels = np.array([2, 1, 0, 0, 1])
    batches = list(Sampler(bright_by_class(), 2).batches(5, temperature=0.5, labels=labels))
    np.testing.assert_array_equal(class_of(np.concatenate(batches)), labels)
