"""Whether data fit in memory."""

import psutil

from flow_gan.errors import UserError

# What TensorFlow, a model and its batches take, at the least.
RESERVE = 2**30


def require(num_bytes, what, instead):
    """Raise `UserError` unless `num_bytes` of data fit in the memory that is free, `RESERVE` left over.

    Args:
      num_bytes: int.
      what: str, the data, as the message's first words.
      instead: str, what to do about it.
    """
    available = psutil.virtual_memory().available
    if num_bytes > available - RESERVE:
        raise UserError(
            f"{what} would take {_gigabytes(num_bytes)} of memory, of which {_gigabytes(available)} are free; expected "
            f"data that fit and leave {_gigabytes(RESERVE)}: {instead}"
        )


def _gigabytes(num_bytes):
    return f"{num_bytes / 1e9:.1f} GB"
