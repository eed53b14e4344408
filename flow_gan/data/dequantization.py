"""Dequantisation of grey levels, and its inverse."""

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike


def dequantize(images: ArrayLike, noise: ArrayLike, levels: int = 256) -> tf.Tensor:
    """Spread every grey level over its cell: v = (k + u) / levels (paper, Appendix A).

    Args:
      images: integer [..., H, W, C], grey levels k in {0, ..., levels - 1}.
      noise: float, broadcastable to `images`, u in [0, 1). Its dtype is the result's.
      levels: number of grey levels.

    Returns:
      Float images in [0, 1). The density of v is that of the model: log p(v) in nats holds no term for
      `levels`; in bits/dim it is NLL / (D ln 2) + log2(levels).
    """
    u = tf.convert_to_tensor(noise)
    dequantized = (tf.cast(images, u.dtype) + u) / tf.cast(levels, u.dtype)
    # The sum rounds up to `levels` for the noise nearest to 1; the logit of 1 is the one thing to keep out.
    dtype = u.dtype.as_numpy_dtype
    return tf.minimum(dequantized, np.nextafter(dtype(1), dtype(0)))


def quantize(images: ArrayLike, levels: int = 256) -> np.ndarray:
    """Return the grey levels k of the cells that images lie in, uint8: `dequantize` undone, up to rounding.

    Args:
      images: float [..., H, W, C]. Below 0 the level is 0, as it is of NaN, from 1 on it is `levels` - 1.
      levels: number of grey levels.
    """
    return np.clip(np.floor(np.nan_to_num(images, nan=0.0) * levels), 0, levels - 1).astype(np.uint8)


def shown_levels(levels: int) -> np.ndarray:
    """Return the 8-bit values with which pictures show the grey levels, black to white: k 255 / (levels - 1), uint8."""
    return np.round(np.arange(levels) * (255 / (levels - 1))).astype(np.uint8)
