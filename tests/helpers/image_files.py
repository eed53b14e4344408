"""Folders of image files."""

import numpy as np
import PIL.Image

RNG = np.random.default_rng(0)


def grey(size=(4, 6), highest=255):
    return PIL.Image.fromarray(RNG.integers(0, highest + 1, size).astype(np.uint8))


def colour(size=(4, 6)):
    return PIL.Image.fromarray(RNG.integers(0, 256, (*size, 3)).astype(np.uint8))


def save(folder, images, ending="png", **options):
    """Write images as files 000, 001, ...; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{i:03}.{ending}" for i in range(len(images))]
    for path, image in zip(paths, images, strict=True):
        image.save(path, **options)
    return paths


def write_classes(folder, *classes, count=8, size=(4, 6)):
    for number, name in enumerate(classes):
        save(folder / name, [PIL.Image.new("L", size[::-1], 100 * number + i) for i in range(count)])
