"""Many images as files, written batch by batch: numbered PNG files, or one array."""

import os
import pathlib
import zipfile
from collections.abc import Iterable

import numpy as np
import PIL.Image

from flow_gan.data.dataset import is_grey
from flow_gan.errors import UserError


def write_pngs(folder: str | os.PathLike, batches: Iterable[np.ndarray]) -> None:
    """Write images as 000000.png, 000001.png, ... into a new folder.

    Grey images are written as such; torch-fidelity and pytorch-fid, which read such a folder, make them RGB.

    Args:
      folder: path of the folder.
      batches: of images uint8 [n, H, W, C] with 1, 3 or 4 channels.
    """
    os.mkdir(folder)
    number = 0
    for batch in batches:
        for image in batch:
            file = pathlib.Path(folder) / f"{number:06}.png"
            PIL.Image.fromarray(image[..., 0] if is_grey(image.shape) else image).save(file)
            number += 1


def check_channels(path: str, shape: tuple[int, int, int]) -> None:
    """Raise `UserError` unless `write_npz` can write images (H, W, C) to `--output`, which is `path`."""
    if shape[-1] not in (1, 3):
        raise UserError(
            f"--output={path}, but the run's images have {shape[-1]} channels and what reads arr_0 takes 3; expected a "
            "folder"
        )


def write_npz(path: str | os.PathLike, batches: Iterable[np.ndarray], count: int, shape: tuple[int, int, int]) -> None:
    """Write images as the array arr_0 of a .npz file, uint8 [count, H, W, 3], for ADM's evaluator (`evaluator.py`).

    Its InceptionV3 takes three channels, so that grey images get three alike. The array is not compressed, as numpy's
    own `savez` has it, and begins with a header that the evaluator reads batch by batch.

    Args:
      path: of the file.
      batches: of images uint8 [n, H, W, C] with 1 or 3 channels, `count` in all.
      shape: (H, W, C).
    """
    header = {"descr": "|u1", "fortran_order": False, "shape": (count, *shape[:2], 3)}
    written = 0
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive,
        archive.open("arr_0.npy", "w", force_zip64=True) as file,
    ):
        np.lib.format.write_array_header_1_0(file, header)
        for batch in batches:
            file.write(np.broadcast_to(batch, (*batch.shape[:3], 3)).tobytes())
            written += len(batch)
    if written != count:
        raise ValueError(f"{written} images, expected {count}")
