"""The identity of a data set: a digest of what it holds, wherever it lies."""

import hashlib
import math
import os
from collections.abc import Iterator, Mapping

import numpy as np

from flow_gan.data.dataset import Split

# Arrays, and all files of a folder together, up to so many bytes are digested whole.
WHOLE = 2**28
# Bytes of a larger array, and of each file of a larger folder.
_OF_ARRAY = 2**26
_OF_FILE = 2**14
_BLOCKS_OF_FILE = 4
# Bytes that are read at once.
_PART = 2**24


def of_arrays(arrays: Mapping) -> str:
    """Return the digest of {name: array [N, ...] or None}, 64 hexadecimal digits.

    It covers names, types and shapes, and every value of an array of up to `WHOLE` bytes. Of a larger one it covers the
    first row, the last one and as many evenly spaced ones between them as make up 64 MiB.

    Args:
      arrays: numpy arrays, or what has `shape` and `dtype` and takes slices and integer arrays as indices.
    """
    digest = hashlib.sha256()
    for name, array in arrays.items():
        if array is None:
            continue
        digest.update(repr((name, np.dtype(array.dtype).str, tuple(map(int, array.shape)))).encode())
        count, row_bytes = array.shape[0], math.prod(array.shape[1:]) * array.dtype.itemsize
        step = max(_PART // row_bytes, 1)
        if count * row_bytes <= WHOLE:
            parts: Iterator = (slice(start, start + step) for start in range(0, count, step))
        else:
            rows = np.linspace(0, count - 1, min(max(_OF_ARRAY // row_bytes, 2), count)).astype(np.int64)
            parts = (rows[start : start + step] for start in range(0, len(rows), step))
        for part in parts:
            digest.update(np.ascontiguousarray(array[part]).data)
    return digest.hexdigest()


def of_splits(splits: Mapping[str, Split]) -> str:
    """Return the digest, see `of_arrays`, of the images and labels of {part: `Split`}."""
    arrays: dict = {}
    for part, split in splits.items():
        arrays |= {part: split.images, f"{part}_labels": split.labels}
    return of_arrays(arrays)


def of_file(path: str | os.PathLike, whole: bool) -> bytes:
    """Return the digest of a file's size and content, 32 bytes.

    It covers every byte if `whole`, or if there are 16 KiB at most; else four blocks of 4 KiB, the first and the last
    of the file and two evenly spaced between them.
    """
    with open(path, "rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        digest = hashlib.sha256(size.to_bytes(8, "little"))
        if whole or size <= _OF_FILE:
            while part := file.read(_PART):
                digest.update(part)
        else:
            block = _OF_FILE // _BLOCKS_OF_FILE
            for i in range(_BLOCKS_OF_FILE):
                digest.update(os.pread(file.fileno(), block, i * (size - block) // (_BLOCKS_OF_FILE - 1)))
    return digest.digest()


def of_folder(parts: Mapping[str, list[tuple[str, bytes]]]) -> str:
    """Return the digest of {part: [(name, `of_file`)]}, 64 hexadecimal digits.

    Args:
      parts: the names are paths below the data set's folder, so that the folder's own name does not count.
    """
    digest = hashlib.sha256()
    for part, files in parts.items():
        digest.update(repr((part, len(files))).encode())
        for name, content in files:
            digest.update(os.fsencode(name.replace(os.sep, "/")) + b"\0" + content)
    return digest.hexdigest()
