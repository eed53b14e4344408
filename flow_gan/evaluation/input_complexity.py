"""The likelihood of an image beside the length of its PNG file (Serrà et al. 2020)."""

import io

import numpy as np
import PIL.Image

from flow_gan.data import Images, is_grey
from flow_gan.progress import progress


def input_complexity(bits: np.ndarray, png: np.ndarray) -> np.ndarray:
    """Return S(x) = -log2 p(x) - L(x), in bits: by how much a model's code of an image is longer than its PNG file.

    A simple image, such as a flat one, has a high likelihood under almost any model. S compares the model with another
    one, of all images: "Input complexity and out-of-distribution detection with likelihood-based generative models".
    Low is usual for the data of the model.

    Args:
      bits: -log2 p(x) of the discrete images, [N].
      png: L(x), `png_bits` of the same, [N].
    """
    return np.asarray(bits, np.float64) - png


def png_bits(images: Images) -> np.ndarray:
    """Return the length of each image's PNG file in bits, int64 [N], of pillow's strongest compression.

    A file's header and frame, some 60 bytes, are the same for all images of a size.

    Args:
      images: uint8 [N, H, W, C] with 1, 3 or 4 channels, whose grey levels are written as they are.
    """
    lengths = np.empty(len(images), np.int64)
    for i in progress(range(len(images)), "lengths of PNG files"):
        (image,) = images[np.array([i])]
        file = io.BytesIO()
        PIL.Image.fromarray(image[..., 0] if is_grey(image.shape) else image).save(file, "PNG", compress_level=9)
        lengths[i] = 8 * file.tell()
    return lengths
