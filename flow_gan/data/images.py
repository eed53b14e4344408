"""Images to apply a run to, from a folder, files, arrays or a data set, each with a name."""

import contextlib
import dataclasses
import os
import pathlib
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import PIL.Image

from flow_gan.config.datasets import SPLITS, canonical_name
from flow_gan.data import arrays, folder, image_file, load
from flow_gan.data.dataset import Images, Split
from flow_gan.data.dequantization import shown_levels
from flow_gan.data.image_file import shown
from flow_gan.errors import UserError

_OWN = "the run's images are"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageSet:
    """Images and what they are called.

    Attributes:
      name: of all of them.
      images: uint8 [N, H, W, C], grey levels.
      files: N names: of image files their paths below the folder, or as given; of an array or a data set its name and
        the image's number.
      labels: N names of classes; None where there are none.
      split: which split of a data set they are. It keys the noise of their dequantisation, which of other images is
        that of `FlowGAN.predict`.
    """

    name: str
    images: Images
    files: Sequence[str]
    labels: Sequence[str] | None = None
    split: str = SPLITS[0]

    def __len__(self) -> int:
        return len(self.images)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Expected:
    """What images must be, to be put into a model.

    Attributes:
      shape: (H, W, C).
      levels: number of grey levels.
      is_resized: whether images of another size are resized, as those of public data sets, and what has other grey
        levels gets the nearest of these; else they are an error. Arrays are not resized.
    """

    shape: tuple[int, int, int]
    levels: int
    is_resized: bool = False


def open_images(
    given: str,
    expected: Expected,
    split: str = "test",
    data_dir: str | None = None,
    validation_split: str = "released",
    flag: str = "--images",
) -> ImageSet:
    """Return the images that a flag names; their pixels are read when they are used.

    Where `levels` is less than 256, the values of all images together must either be grey levels, 0 to levels - 1, or
    those with which pictures show them, `shown_levels`.

    Args:
      given: a folder, all of whose images are taken, with the names of its subfolders for classes as `folder.load` has
        them; image files and folders separated by commas; a .npy or a .npz file (`arrays.read_images`); or a data set.
      split, data_dir, validation_split: of a data set.
      flag: what is given by, for errors.

    Raises:
      UserError: there is no such thing, or an image in it that is broken, or of another size or colour.
    """
    with _called(flag):
        if not os.path.lexists(given) and _is_name(given):
            return _of_dataset(given, expected, split, data_dir, validation_split)
        if given.lower().endswith((".npy", ".npz")):
            return _of_arrays(given, expected)
        # A path that has commas is one.
        return _of_files(given, [given] if os.path.lexists(given) else given.split(","), expected)


def read_mask(path: str, height: int, width: int) -> np.ndarray:
    """Return the mask, bool [H, W, 1], of the pixels that `--mask` hides: those closer to white than to black.

    Raises:
      UserError: it is not an image, is in colour or of another size, or hides nothing.
    """
    if not os.path.lexists(path):
        raise UserError(f"--mask={path}: there is no such file")
    if not folder.is_image(path):
        raise UserError(f"--mask={path}; expected an image file ({', '.join(folder.ENDINGS)})")
    folder.check_regular(path)
    header = image_file.read_header(path, whole=True)
    if header.size != (width, height):
        raise UserError(f"--mask={path} is {header.size[0]}x{header.size[1]}, but {_OWN} {width}x{height}")
    pixels = image_file.read_pixels(path, 1 if header.kind == image_file.GREY else 3, 256)
    if (pixels != pixels[..., :1]).any():
        raise UserError(f"--mask={path} is in colour; expected white for what is filled in, black elsewhere")
    hidden = pixels[..., :1] > 127
    if not hidden.any():
        raise UserError(f"--mask={path} hides nothing: it has no white pixel; expected white for what is filled in")
    return hidden


def of_split(name: str, split: str, part: Split, class_names: Sequence[str] | None) -> ImageSet:
    """Return a split of the data set `name` as an `ImageSet`."""
    return ImageSet(
        name=f"{name}-{split}",
        images=part.images,
        files=_numbered(f"{name}/{split}", len(part)) if part.files is None else part.files.tolist(),
        labels=None if part.labels is None or class_names is None else [_name(class_names, y) for y in part.labels],
        split=split,
    )


def _name(class_names, label):
    """Return the name of a class, "" of what is none: tensorflow_datasets gives -1 to images without a label."""
    return class_names[label] if 0 <= label < len(class_names) else ""


@contextlib.contextmanager
def _called(flag: str) -> Iterator[None]:
    """Let errors, those of the readers of data sets too, name the flag that is meant here."""
    try:
        yield
    except UserError as error:
        raise UserError(str(error).replace("--dataset", flag).replace("--images", flag)) from error


def _is_name(given):
    return not load.is_path(canonical_name(given))


def _of_dataset(given, expected, split, data_dir, validation_split):
    size = expected.shape[:2] if expected.is_resized else (None, None)
    is_split_known = load.public.known(canonical_name(given)) is not None
    try:
        dataset = load.load(given, data_dir, None, validation_split if is_split_known else "released", *size)
    except UserError as error:
        raise UserError(f"--images={given}: there is no such folder or file, and as a data set: {error}") from error
    _check_shape(given, dataset.image_shape, expected)
    found = of_split(dataset.name, split, dataset.split(split), dataset.class_names)
    if dataset.levels == expected.levels:
        return found
    if not expected.is_resized:
        raise UserError(f"--images={given} has {dataset.levels} grey levels; expected the run's {expected.levels}")
    return dataclasses.replace(found, images=_Looked(found.images, _nearest(dataset.levels, expected.levels)))


def _of_arrays(given, expected):
    parts = arrays.read_images(given)
    found, files = [], []
    for name, array in parts.items():
        array = _in_grey(array) if expected.shape[-1] == 1 else array
        _check_shape(given, (*array.shape[1:], 1)[:3], expected)
        found.append(array)
        files += _numbered(
            os.path.basename(given) if len(parts) == 1 else f"{os.path.basename(given)}/{name}", len(array)
        )
    images = found[0] if len(found) == 1 else np.concatenate([array[:] for array in found])
    images = arrays.Rows(images, np.arange(len(images)))
    return ImageSet(name=pathlib.Path(given).stem, images=_on_levels(given, images, files, expected), files=files)


def _in_grey(array):
    """Return one channel of an array that has three alike, as samples of grey images are stored; others as they are."""
    if isinstance(array, np.ndarray) and array.shape[3:] == (3,) and (array == array[..., :1]).all():
        return array[..., :1]
    return array


def _of_files(given, places, expected):
    files: list[str] = []
    names: list[str] = []
    for place in places:
        found = _image_files(place)
        files += found
        names += (
            [os.path.relpath(file, place) for file in found] if len(places) == 1 and os.path.isdir(place) else found
        )
    paths = np.empty(len(files), object)
    paths[:] = files
    with warnings.catch_warnings():
        warnings.simplefilter("error", PIL.Image.DecompressionBombWarning)
        _check_headers(paths, expected)
        height, width, channels = expected.shape
        # Files of fewer than 8 bits are spread as pictures show them.
        read = folder.ImageFiles(paths, (width, height), channels, 256, expected.is_resized, _OWN)
        images = _on_levels(given, read, names, expected)
    class_names, labels = folder.classes({"": names}, folder.begins_with_parts(names))
    place = pathlib.Path(os.path.abspath(places[0]))
    return ImageSet(
        name="images" if len(places) > 1 else place.name if place.is_dir() else place.stem,
        images=images,
        files=names,
        labels=class_names and [class_names[label] for label in labels[""]],
    )


def _image_files(place):
    """Return the paths of the images of a folder, or of the one file."""
    if os.path.isdir(place):
        return folder.all_images(place)
    if not os.path.lexists(place):
        raise UserError(f"--images={place}: there is no such folder or file")
    if not folder.is_image(place):
        raise UserError(f"--images={place}; expected a folder, image files ({', '.join(folder.ENDINGS)}), .npy or .npz")
    folder.check_regular(place)
    return [place]


def _check_headers(files, expected):
    """Raise `UserError` for the first file that its header shows to be of another size or colour."""
    height, width, channels = expected.shape
    grey_or_colour = {1: image_file.GREY, 3: image_file.COLOUR}.get(channels)
    if grey_or_colour is None:
        raise UserError(f"--images: image files have 1 or 3 channels, but {_OWN} of {channels}; expected a .npy file")

    def check(file):
        header = image_file.read_header(file)
        if header.kind in (image_file.GREY, image_file.COLOUR) and header.kind != grey_or_colour:
            raise image_file.other_kind(file, header.kind, _OWN)
        if not expected.is_resized and header.size != (width, height):
            # An orientation may stand after the pixels.
            header = image_file.read_header(file, whole=True)
            if header.size != (width, height):
                raise UserError(
                    f"{shown(file)} is {header.size[0]}x{header.size[1]}, but {_OWN} {width}x{height}; "
                    f"--input_height={height} --input_width={width} resizes the others to that"
                )

    folder.for_each(files, check, "checking images")


def _check_shape(given, shape, expected):
    if tuple(shape) != tuple(expected.shape):
        found, own = ("x".join(map(str, each)) for each in (shape, expected.shape))
        raise UserError(f"--images={given} holds images of {found} (height, width, channels), but {_OWN} {own}")


def _on_levels(given, images, files, expected):
    """Return images whose values are grey levels, or stand for them, as grey levels."""
    levels = expected.levels
    if levels == 256:
        return images
    known = np.zeros(256, bool)
    known[shown_levels(levels)] = True
    largest, odd = 0, None
    for part in folder.in_steps(np.arange(len(images)), "checking grey levels"):
        pixels = images[part]
        largest = max(largest, int(pixels.max()))
        if odd is None and not known[pixels].all():
            first = int(np.argmin(known[pixels].reshape(len(part), -1).all(axis=1)))
            odd = files[part[first]], int(pixels[first][~known[pixels[first]]][0])
    if largest < levels:
        return images
    if odd is not None and not expected.is_resized:
        raise UserError(
            f"--images={given}: {shown(odd[0])} has a grey level of {odd[1]}; expected 0 to {levels - 1}, as the run's "
            f"data have, or these levels as pictures show them, multiples of {255 / (levels - 1):g}"
        )
    return _Looked(images, _nearest(256, levels))


def _nearest(levels, others):
    """Return the nearest of `others` grey levels for each of `levels`, from black to white, uint8 [levels]."""
    return np.round(np.arange(levels) * ((others - 1) / (levels - 1))).astype(np.uint8)


class _Looked:
    """Images whose values are looked up in a table, uint8 [256], when they are read."""

    def __init__(self, images, table):
        self.shape = images.shape
        self._images, self._table = images, table

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, key: Any) -> np.ndarray:
        return self._table[self._images[key]]


def _numbered(name, count):
    return [f"{name}[{i}]" for i in range(count)]
