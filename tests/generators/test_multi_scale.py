"""What flows of several scales have in common."""

import pytest

import flow_gan


@pytest.mark.parametrize(
    "shape, batch_norm, fast",
    [
        ((32, 32, 3), "moving", 64),
        ((64, 64, 3), "moving", 21),
        ((512, 512, 3), "moving", 1),
        # An image's likelihood depends on its batch.
        ((32, 32, 3), "batch", 1),
    ],
)
def test_batches_of_the_evaluation(shape, batch_norm, fast):
    generator = flow_gan.RealNVP(shape, scales=1, filters=1, residual_blocks=0, batch_norm=batch_norm)
    assert generator.fast_batch_size == fast
