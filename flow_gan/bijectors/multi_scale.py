"""The skeleton of a flow of several scales: squeeze and factor-out (Dinh et al. 2017, Section 3.6)."""

from collections.abc import Sequence

from flow_gan import probability as tfp
from flow_gan.bijectors.identity import Chain

tfb = tfp.bijectors

Shape = tuple[int, int, int]
# The layers of a scale before and after its squeeze, in the order of f; None after: it has no squeeze, and is the last.
Scale = tuple[Sequence[tfp.bijectors.Bijector], Sequence[tfp.bijectors.Bijector] | None]


def scale_shapes(image_shape: Shape, scales: int) -> list[tuple[Shape, Shape]]:
    """Return the shapes of each scale before and after its squeeze: [H, W, C] and [H/2, W/2, 4C].

    Half of the channels are factored out at the end of a scale, so that the next one begins with [H/2, W/2, 2C].
    """
    height, width, channels = image_shape
    found = []
    for _ in range(scales):
        squeezed = height // 2, width // 2, 4 * channels
        found.append(((height, width, channels), squeezed))
        height, width, channels = *squeezed[:2], squeezed[2] // 2
    return found


def multi_scale(image_shape: Shape, scales: Sequence[Scale], number: int = 0) -> tuple[list, Shape]:
    """Return the layers of a flow of one scale or more, in the order of f, and the shape of z.

    A scale is: layers on [H, W, C], squeeze, layers on [H/2, W/2, 4C], factor-out of the first half of the channels.
    The next scale has the other half, and its squeeze is inverted at its end. So z is [H/2, W/2, 4C] of the first
    squeeze: its first 2C channels left the flow there.

    Args:
      image_shape: (H, W, C).
      scales: the layers of each; only the last may have no squeeze. With no other scale before it, z is [H, W, C].
      number: of the first scale.
    """
    before, after = scales[0]
    if after is None:
        return list(before), image_shape
    ((_, z_shape),) = scale_shapes(image_shape, 1)
    layers = [*before, squeeze(image_shape), *after]
    if len(scales) > 1:
        rest_shape = *z_shape[:2], z_shape[2] // 2
        rest, end_shape = multi_scale(rest_shape, scales[1:], number + 1)
        if end_shape != rest_shape:
            rest.append(tfb.Invert(squeeze(rest_shape)))
        layers.append(factor_out(Chain(rest[::-1]), name=f"factor_out_{number}"))
    return layers, z_shape


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
