"""Images on their way: each as a file, with its log p(x) in a table, and all in one picture."""

import csv
import dataclasses
import os
import pathlib
from collections.abc import Sequence

import numpy as np

from flow_gan import data
from flow_gan.report.pictures import PictureRow, picture_rows

# Rows of the picture, beyond which there are files alone.
_SHOWN = 10


@dataclasses.dataclass(frozen=True, kw_only=True)
class FrameRow:
    """One image on its way.

    Attributes:
      name: what it is called.
      images: float [frames, H, W, C] in [0, 1].
      log_prob: log p(x) in nats, [frames].
    """

    name: str
    images: np.ndarray = dataclasses.field(repr=False)
    log_prob: np.ndarray = dataclasses.field(repr=False)


def write_frames(
    folder: str | os.PathLike,
    rows: Sequence[FrameRow],
    column: str,
    places: Sequence,
    levels: int,
    first: np.ndarray | None = None,
) -> None:
    """Write a new folder: picture.png, log_prob.csv, and 000-000.png, ... of each row and frame.

    Args:
      folder: path of the folder.
      rows: all with the same number of frames.
      column: what `places` are, a column of the table.
      places: of the frames, a number each.
      levels: number of grey levels.
      first: uint8 [rows, H, W, C], 0 to 255, pictures that stand before each row; none if None.
    """
    os.mkdir(folder)
    folder = pathlib.Path(folder)
    shown = data.shown_levels(levels)
    pictures = []
    with open(folder / "log_prob.csv", "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["file", "image", column, "log_prob", "bits_per_dim"])
        for number, row in enumerate(rows):
            pixels = shown[data.quantize(row.images, levels)]
            for frame, (place, image, log_prob) in enumerate(zip(places, pixels, row.log_prob, strict=True)):
                name = f"{number:03}-{frame:03}.png"
                data.save_png(folder / name, image, min_side=1)
                bits = data.bits_per_dim(-float(log_prob), image.size, levels)
                table.writerow([name, row.name, f"{place:g}", f"{log_prob:.9g}", f"{bits:.9g}"])
            texts = [f"{value:.2f}\n{column} {place:g}" for place, value in zip(places, row.log_prob, strict=True)]
            if first is not None:
                pixels, texts = np.concatenate([first[number : number + 1], pixels]), ["known", *texts]
            pictures.append(PictureRow(f"{row.name}, log p in nats", pixels, texts))
    picture_rows(folder / "picture.png", pictures[:_SHOWN])
