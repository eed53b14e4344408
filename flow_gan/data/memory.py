"""Whether data fit in memory."""

import psutil

from flow_gan.errors import UserError

# Bytes that TensorFlow, a model and its batches take at least.
RESERVE = 2**30


def require(num_bytes: int, what: str, instead: str) -> None:
    """Raise `UserError` unless `num_bytes` of data fit in the free memory and leave `RESERVE`.

    Args:
      what: the data, the message's first words.
      instead: what to do about it.
    """
    available = psutil.virtual_memory().available
    if num_bytes > available - RESERVE:
        raise UserError(
            f"{what} would take {_gigabytes(num_bytes)} of memory, but {_gigabytes(available)} are free, and "
            f"{_gigabytes(RESERVE)} of these are needed for other things; {instead}"
        )


def _gigabytes(num_bytes):
    return f"{num_bytes / 1e9:.1f} GB"
