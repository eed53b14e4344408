"""The squeeze and the factor-out of a multi-scale flow (Real-NVP; Dinh et al. 2017, Section 3.6)."""

from flow_gan import probability as tfp
from flow_gan.bijectors.identity import Chain

tfb = tfp.bijectors


def squeeze(image_shape: tuple[int, int, int]) -> tfp.bijectors.Bijector:
    """Return the bijector from [H, W, C] to [H/2, W/2, 4C] that turns each 2x2 square into channels.

        forward  y[i, j, (2 dy + dx) C + c] = x[2 i + dy, 2 j + dx, c]

    It only moves numbers, so log |det| = 0. The order of the channels is the release's (that of space-to-depth):
    the first half of them is the even rows.
    """
    height, width, channels = image_shape
    if height % 2 or width % 2:
        raise ValueError(f"image_shape={tuple(image_shape)}; expected an even height and width")
    pixels = [height // 2, 2, width // 2, 2, channels]
    squares = [height // 2, width // 2, 2, 2, channels]
    squeezed = [height // 2, width // 2, 4 * channels]
    return tfb.Chain(
        [
            tfb.Reshape(event_shape_in=squares, event_shape_out=squeezed),
            tfb.Transpose(perm=[0, 2, 1, 3, 4]),
            tfb.Reshape(event_shape_in=list(image_shape), event_shape_out=pixels),
        ],
        name="squeeze",
    )


def factor_out(bijector: tfp.bijectors.Bijector, name: str = "factor_out") -> tfp.bijectors.Bijector:
    """Return the bijector of [H, W, C] that applies `bijector` only to the second half of the channels.

        forward  y = [x1, g(x2)],  x = [x1, x2] along the channels
        log |det dy/dx| = log |det dg/dx2|

    The first half leaves the flow here. `bijector` g keeps the shape [H, W, C/2].
    """
    halves = tfb.Split(2, axis=-1)
    # The identity map of an image. tfp's own is elementwise, but a JointMap needs events of the same rank.
    keep = tfb.Transpose(perm=[0, 1, 2])
    return Chain([tfb.Invert(halves), tfb.JointMap([keep, bijector]), halves], name=name)
