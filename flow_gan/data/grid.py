"""Sample grids."""

import math
import os

import numpy as np
import PIL.Image

from flow_gan.image_kinds import is_grey


def image_grid(images: np.ndarray, columns: int | None = None, padding: int = 1) -> np.ndarray:
    """Tile images into one, row by row, as uint8 [rows * H + ..., columns * W + ..., C].

    Args:
      images: float [N, H, W, C] in [0, 1], shown as they are: 0 is black, 1 is white, nothing is stretched.
      columns: about as many as rows if None.
      padding: pixels of mid grey between images.
    """
    images = np.asarray(images)
    count, height, width, channels = images.shape
    columns = columns or math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    cell = np.array([height + padding, width + padding])
    grid = np.full((*(cell * [rows, columns] - padding), channels), 128, np.uint8)
    pixels = np.round(np.clip(np.nan_to_num(images), 0, 1) * 255).astype(np.uint8)
    for i, image in enumerate(pixels):
        top, left = cell * divmod(i, columns)
        grid[top : top + height, left : left + width] = image
    return grid


def class_rows(num_classes: int, count: int) -> tuple[np.ndarray, int]:
    """Return (labels, columns) of a grid of at most `count` images with a row for each class, of the first if too many.

    Example:
      >>> class_rows(3, 7)
      (array([0, 0, 1, 1, 2, 2]), 2)
    """
    columns = max(count // num_classes, 1)
    return np.repeat(np.arange(min(num_classes, count)), columns), columns


def save_png(path: str | os.PathLike, pixels: np.ndarray, min_side: int = 480) -> None:
    """Write uint8 [H, W, C] as a PNG file; pixels of a picture smaller than `min_side` are enlarged to squares."""
    scale = math.ceil(min_side / max(pixels.shape[:2]))
    pixels = pixels.repeat(scale, 0).repeat(scale, 1)
    PIL.Image.fromarray(pixels[..., 0] if is_grey(pixels.shape) else pixels).save(path)
