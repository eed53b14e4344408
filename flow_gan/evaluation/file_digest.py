"""The identity of a file of weights or statistics: a digest of its content, wherever it lies."""

import functools
import hashlib
import os
import pathlib


def file_digest(path: str | os.PathLike) -> str:
    """Return the SHA-256 of a file, or of the names and contents of all files of a folder, 64 hexadecimal digits.

    That of what is not there is "missing".
    """
    path = pathlib.Path(path)
    if path.is_dir():
        digest = hashlib.sha256()
        for file in sorted(path.rglob("*")):
            if file.is_file():
                digest.update(f"{file.relative_to(path)}\0{file_digest(file)}\n".encode())
        return digest.hexdigest()
    if not path.is_file():
        return "missing"
    about = path.stat()
    return _digest(os.path.abspath(path), about.st_mtime_ns, about.st_size)


@functools.lru_cache(maxsize=256)
def _digest(path, modified, size):
    """Return the digest of a file that was last written at that time: one of many megabytes is read once."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
