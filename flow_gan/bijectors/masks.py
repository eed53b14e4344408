"""Binary masks of coupling layers: 1 where an entry passes unchanged and conditions the others."""

import numpy as np


def checkerboard_mask(height: int, width: int, passes: str) -> np.ndarray:
    """Return a mask [height, width, 1] of 1.0 where row + column is `passes` ("odd" or "even"), else 0.0."""
    parity = {"even": 0, "odd": 1}[passes]
    rows, columns = np.indices((height, width))
    return ((rows + columns) % 2 == parity).astype(np.float32)[..., np.newaxis]


def channel_mask(channels: int, passes: str) -> np.ndarray:
    """Return a mask [1, 1, channels] of 1.0 on the half of the channels that `passes` ("first" or "second") names."""
    is_first = np.arange(channels) < channels // 2
    return (is_first == (passes == "first")).astype(np.float32).reshape(1, 1, channels)
