"""Features of images, two sets of which are compared."""

import numpy as np

from flow_gan.errors import NotFiniteError, UserError

# Of a block: 64 MiB of float64.
_BLOCK_NUMBERS = 2**23


def check_features(features: np.ndarray, reference_features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both as float64 arrays, [n, F] and [m, F].

    Raises:
      UserError: the shapes do not match, there are fewer than 2 rows, or a value is not finite.
    """
    for name, values in (("features", features), ("reference_features", reference_features)):
        if np.ndim(values) != 2 or len(values) < 2 or np.shape(values)[1] != np.shape(features)[1]:
            raise UserError(
                f"{name} are {list(np.shape(values))}, features {list(np.shape(features))}; expected [n, F] of one F "
                "and n of 2 or more"
            )
        if not np.isfinite(values).all():
            raise NotFiniteError(f"{name} hold values that are not finite; expected finite ones")
    return np.asarray(features, np.float64), np.asarray(reference_features, np.float64)


def row_blocks(rows: int, columns: int) -> list[slice]:
    """Return the blocks of rows in which a matrix [rows, columns] is computed, so that it takes little memory."""
    step = max(_BLOCK_NUMBERS // columns, 1)
    return [slice(start, start + step) for start in range(0, rows, step)]
