"""The split of an image's pixel values into the two halves of NICE's coupling layers."""

import math

from flow_gan import probability as tfp

tfb = tfp.bijectors


def even_odd_split(image_shape: tuple[int, int, int]) -> tfp.bijectors.Bijector:
    """Return the bijector from an image [H, W, C] to a vector [D], the even positions before the odd ones.

    Positions count row-major over H, W, C. It only moves numbers, so log |det| = 0.
    D = H W C must be even (the release's order, too).
    """
    size = math.prod(image_shape)
    if size % 2:
        raise ValueError(f"image_shape={tuple(image_shape)} has {size} entries; expected an even number")
    return tfb.Chain(
        [
            tfb.Reshape(event_shape_in=[2, size // 2], event_shape_out=[size]),
            tfb.Transpose(perm=[1, 0]),
            tfb.Reshape(event_shape_in=list(image_shape), event_shape_out=[size // 2, 2]),
        ],
        name="even_odd_split",
    )
