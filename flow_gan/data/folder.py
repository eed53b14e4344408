"""A folder of image files."""

import pathlib

import numpy as np
import PIL.Image
from tqdm import tqdm

from flow_gan.data.dataset import SPLITS, Dataset, Split, random_split_indices
from flow_gan.errors import UserError

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".ppm", ".pgm", ".tif", ".tiff", ".webp")
GREY_MODES = ("1", "L", "LA")
# More than 8 bits per pixel, of which a conversion would leave next to nothing.
DEEP_MODES = ("I", "F")


def load(path, levels):
    """Return the images below the folder `path`.

    With subfolders train, validation and test these are the splits. Otherwise all images are split 80 / 10 / 10
    at random, always in the same way. Images are grey if the first one is, else RGB; all have one size.

    Raises:
      UserError: no such folder, no images in it, or a file that is broken or of another size.
    """
    path = pathlib.Path(path)
    if not path.is_dir():
        raise UserError(f"--dataset={path}: there is no such folder")
    if all((path / name).is_dir() for name in SPLITS):
        files = [_image_files(path / name) for name in SPLITS]
        counts = np.cumsum([len(part) for part in files])
        indices = np.split(np.arange(counts[-1]), counts[:-1])
        files = [file for part in files for file in part]
    else:
        files = _image_files(path)
        if len(files) < 3:
            raise UserError(
                f"--dataset={path} has {len(files)} images; expected 3 or more, to train, validate and test"
            )
        indices = random_split_indices(len(files))
    images = _read_all(files)
    if images.max() >= levels:
        raise UserError(f"--levels={levels}, but --dataset={path} has a grey level of {images.max()}")
    return Dataset(path.name, images.shape[1:], levels, *(Split(images[part]) for part in indices))


def _image_files(folder):
    files = sorted(f for f in folder.rglob("*") if f.suffix.lower() in ENDINGS and f.is_file())
    if not files:
        raise UserError(f"--dataset: {folder} holds no images ({', '.join(ENDINGS)})")
    return files


def _read_all(files):
    first = _read(files[0], None)
    images = np.empty((len(files), *first.shape), np.uint8)
    for i, file in enumerate(tqdm(files, "reading images", unit="image", delay=2)):
        image = _read(file, "L" if first.shape[-1] == 1 else "RGB")
        if image.shape != first.shape:
            raise UserError(
                f"{file} is {image.shape[1]}x{image.shape[0]}, but {files[0].name} is "
                f"{first.shape[1]}x{first.shape[0]}; expected images of one size"
            )
        images[i] = image
    return images


def _read(file, mode):
    try:
        with PIL.Image.open(file) as image:
            if image.mode.startswith(DEEP_MODES):
                raise UserError(f"{file} has more than 8 bits per channel (mode {image.mode}); expected 8")
            mode = mode or ("L" if image.mode in GREY_MODES else "RGB")
            pixels = np.asarray(image.convert(mode))
    except UserError:
        raise
    except (OSError, SyntaxError, ValueError, PIL.Image.DecompressionBombError) as error:
        raise UserError(f"{file} cannot be read as an image: {error}") from error
    return pixels.reshape(*pixels.shape[:2], -1)
