"""Images in, batches out."""

from flow_gan.config.datasets import NAMED_DATASETS, VALIDATION_SPLITS, canonical_name
from flow_gan.data.batches import (
    ReadingError,
    evaluation_batch_size,
    evaluation_batches,
    reading_errors,
    training_batches,
    training_indices,
)
from flow_gan.data.dataset import Dataset, Images, Split, fixed_sample
from flow_gan.data.dequantization import dequantize, quantize, shown_levels
from flow_gan.data.grid import class_rows, image_grid, save_png
from flow_gan.data.images import Expected, ImageSet, of_split, open_images, read_mask
from flow_gan.data.load import is_path, levels_of, load, open_dataset
from flow_gan.data.public import known as known_dataset
from flow_gan.image_kinds import bits_per_dim, is_grey

__all__ = [
    "NAMED_DATASETS",
    "VALIDATION_SPLITS",
    "Dataset",
    "Expected",
    "ImageSet",
    "Images",
    "ReadingError",
    "Split",
    "bits_per_dim",
    "canonical_name",
    "class_rows",
    "dequantize",
    "evaluation_batch_size",
    "evaluation_batches",
    "fixed_sample",
    "image_grid",
    "is_grey",
    "is_path",
    "known_dataset",
    "levels_of",
    "load",
    "of_split",
    "open_dataset",
    "open_images",
    "quantize",
    "read_mask",
    "reading_errors",
    "save_png",
    "shown_levels",
    "training_batches",
    "training_indices",
]
