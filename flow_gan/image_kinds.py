"""The paper's conventions for grey images, from MNIST, and for colour images, from CIFAR-10."""

import math


def is_grey(shape: tuple[int, ...]) -> bool:
    """Whether images of a shape [..., C] are grey, of one channel; others are in colour."""
    return shape[-1] == 1


def nll_unit(shape: tuple[int, ...]) -> str:
    """Return the unit of an NLL, as in the paper: nats for grey images, bits/dim for colour."""
    return "nats" if is_grey(shape) else "bits/dim"


def format_nll(nats: float, shape: tuple[int, ...], levels: int) -> str:
    """Return an NLL of images of a shape (H, W, C) in their `nll_unit`, as text."""
    value = nats if is_grey(shape) else bits_per_dim(nats, math.prod(shape), levels)
    return f"{value:.{2 if is_grey(shape) else 3}f} {nll_unit(shape)}"


def bits_per_dim(nats: float, size: int, levels: int) -> float:
    """Return the NLL of a discrete image in bits per pixel value from that of the dequantised one in nats.

        bits/dim = NLL / (D ln 2) + log2(levels)

    Args:
      nats: NLL per image of pixels in [0, 1].
      size: D = H W C.
      levels: number of grey levels.
    """
    return nats / (size * math.log(2)) + math.log2(levels)


def score_name(shape: tuple[int, ...]) -> str:
    """Return the score that the paper gives for such images: MODE for grey ones, Inception for colour."""
    return "mode_score" if is_grey(shape) else "inception_score"
