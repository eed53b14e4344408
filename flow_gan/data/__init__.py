"""Images in, batches out."""

from flow_gan.bijectors import dequantize
from flow_gan.data.batches import evaluation_batches, training_batches
from flow_gan.data.dataset import Dataset, Split
from flow_gan.data.grid import image_grid, save_png
from flow_gan.data.load import NAMED_DATASETS, load

__all__ = [
    "NAMED_DATASETS",
    "Dataset",
    "Split",
    "dequantize",
    "evaluation_batches",
    "image_grid",
    "load",
    "save_png",
    "training_batches",
]
