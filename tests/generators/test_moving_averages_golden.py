"""The generators' moving averages against the original release's numbers."""

import numpy as np
import pytest

from tests.helpers.golden import Golden, assert_moving, moving_averages

FILES = ["nice_mnist", "nice_gaussian", "real_nvp_cifar_adaptive", "real_nvp_cifar_channels64"]


@pytest.mark.parametrize("name", FILES)
def test_moving_averages_after_one_pass(name):
    golden = Golden(name)
    before = golden.below("var")
    generator = golden.generator()
    generator.log_prob(golden.dequantized(), training=True)
    assert_moving(moving_averages(generator), golden.below("after_train_f"), before)
    generator = golden.generator()
    generator.decode(golden["z_in"], training=True)
    assert_moving(moving_averages(generator), golden.below("after_train_G"), before)
    generator = golden.generator()
    generator.log_prob(golden.dequantized(), training=False)
    for key, value in moving_averages(generator).items():
        np.testing.assert_array_equal(value, before[key])
