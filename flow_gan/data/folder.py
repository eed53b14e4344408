"""A folder of image files."""

import concurrent.futures
import itertools
import os
import pathlib
import stat
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import PIL.Image
from absl import logging

from flow_gan.config.datasets import SPLITS
from flow_gan.data import digest, division, image_file
from flow_gan.data.dataset import Dataset, Split, hold_out_indices, random_split_indices
from flow_gan.data.image_file import COLOUR, GREY, PALETTE, shown
from flow_gan.data.resizing import resized
from flow_gan.errors import UserError
from flow_gan.progress import Progress

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".ppm", ".pgm", ".tif", ".tiff", ".webp")
# A folder whose images take more bytes than this, decoded, is read batch by batch.
IN_MEMORY = 2**28

# Images that are read between two moves of the progress bar.
_READ = 1000
# More than there are cores: some wait for the disk while others decode.
_THREADS = 8


def load(path: str, levels: int, height: int | None = None, width: int | None = None) -> Dataset:
    """Return the images below the folder `path`.

    Subfolders for training, validation and test, by any usual name (`division.part_of`) and in any case, are the
    splits. A missing split is taken from the training images, with a warning. Without such subfolders all images are
    split 80 / 10 / 10. Both are done at random, always in the same way. Hidden files and folders, whose names begin
    with a dot, are left out.

    Where all images of all parts lie in subfolders of theirs, these are the classes: labels are their numbers in the
    order of the names, which are kept, as is the file of each image below `path`.

    Images are resized as those of public data sets (`resizing.resized`) if `height` or `width` is given; otherwise all
    must have one size. They must be all grey or all in colour, see `image_file`; images with a palette of greys count
    as what the others are, and as grey where there are no others. Up to `IN_MEMORY` bytes of images are read at once.
    Of more, only the header of every file is checked here (200,000 take about 6 s, or a minute or two on a disk that
    was not read before), and the rest when its pixels are read.

    The digest covers the files' names below `path`, their sizes and contents: every byte if all files together have
    `digest.WHOLE` bytes at most, else up to 16 KiB of each (`digest.of_file`).

    Raises:
      UserError: no such folder, no images in it, a division that is not understood, a link out of it, a pipe, or a file
        that is broken, of another size or kind, or whose pixels cannot be used unchanged (`image_file.read_pixels`).
    """
    if not os.path.isdir(path):
        raise UserError(f"--dataset={path}: there is no such folder")
    parts, is_divided = _parts(path)
    with warnings.catch_warnings():
        # PIL warns of images above some 10,000 x 10,000 pixels, which may be an attack on the memory, and refuses
        # larger ones.
        warnings.simplefilter("error", PIL.Image.DecompressionBombWarning)
        size, channels, identity = _check_files(path, parts, height, width)
        images: list = [ImageFiles(parts[name], size, channels, levels, bool(height or width)) for name in SPLITS]
        if sum(part.nbytes for part in images) <= IN_MEMORY:
            images = [_read_all(part) for part in images]
    files = {name: _below(path, parts[name]) for name in SPLITS}
    class_names, labels = classes(files, is_divided)
    splits = {name: Split(part, labels.get(name), files[name]) for name, part in zip(SPLITS, images, strict=True)}
    return Dataset(
        name=pathlib.Path(path).name,
        image_shape=images[0].shape[1:],
        levels=levels,
        **splits,
        digest=identity,
        class_names=class_names,
    )


class ImageFiles:
    """Images uint8 [N, H, W, C] in files, decoded by several threads when an index asks for them.

    Args:
      files: object [N], their paths.
      size: (width, height) that all must have, or get.
      channels: 1 or 3.
      levels: number of grey levels.
      is_resized: whether images of other sizes are resized.
      others: what else is of this size and these channels, in the error of an image that is not.

    Raises:
      UserError: by indexing, with the name of a file that is broken or differs from the others.
    """

    def __init__(
        self,
        files: np.ndarray,
        size: tuple[int, int],
        channels: int,
        levels: int,
        is_resized: bool = False,
        others: str = "the others are",
    ):
        self._files = files
        self._others = others
        self._levels = levels
        self._is_resized = is_resized
        self.shape = (len(files), *size[::-1], channels)
        self.nbytes = int(np.prod(self.shape))
        self._threads = concurrent.futures.ThreadPoolExecutor(_THREADS)

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, key: Any) -> np.ndarray:
        chosen = self._files[key]
        files = np.ravel(chosen)
        images = np.empty((len(files), *self.shape[1:]), np.uint8)

        def read(i):
            images[i] = self._read(files[i])

        _in_parallel(self._threads, read, len(files))
        return images.reshape(*np.shape(chosen), *self.shape[1:])

    def _read(self, file):
        pixels = image_file.read_pixels(file, self.shape[-1], self._levels, self._others)
        if self._is_resized:
            return np.asarray(resized(pixels, self.shape[1:]))
        _check_size(file, pixels.shape[1::-1], self.shape[2:0:-1], self._others)
        return pixels


def _parts(path):
    """Return {part: object [N]}, the paths of the images of each of `SPLITS`, and whether subfolders are the parts."""
    root = os.path.realpath(path)
    loose, found = [], {}
    for name in sorted(_visible(path)):
        place = os.path.join(path, name)
        if os.path.isdir(place):
            _check_link(place, root)
            # A link to a folder inside `path` is not followed, unless it is a part: the images are found in the folder.
            is_followed = not os.path.islink(place) or division.part_of(name)
            found[name] = _image_files(place, root) if is_followed else []
        elif is_image(name):
            check_regular(place, root)
            loose.append(place)
    # A subfolder without images, such as one of annotations, counts as a part only if it has a part's name.
    named = _division(path, [name for name in found if found[name] or division.part_of(name)], loose)
    for name in named.values():
        if not found[name]:
            raise _no_images(os.path.join(path, name))
    if named:
        return _completed(path, {part: _array(found[name]) for part, name in named.items()}), True
    files = _array(loose + [file for part in found.values() for file in part])
    if not len(files):
        raise _no_images(path)
    if len(files) < len(SPLITS):
        raise UserError(f"--dataset={path} has {len(files)} images; expected 3 or more, to train, validate and test")
    return dict(zip(SPLITS, (files[chosen] for chosen in random_split_indices(len(files))), strict=True)), False


def _below(path, files):
    """Return the paths of files, object [N], from the folder `path` on."""
    names = np.empty(len(files), object)
    names[:] = [os.path.relpath(file, path) for file in files]
    return names


def classes(files: dict[str, Sequence[str]], is_divided: bool) -> tuple[tuple[str, ...] | None, dict[str, np.ndarray]]:
    """Return (names of the classes, {part: int64 [N]} their numbers), (None, {}) where subfolders are no classes.

    Args:
      files: {part: [N]}, the images' files below the folder of the data set.
      is_divided: whether the first of their folders is the part.
    """
    folders = {part: [name.split(os.sep)[is_divided:-1] for name in names] for part, names in files.items()}
    for part in folders if is_divided else []:
        # As in unpacked archives: train/train/cat.
        folders[part] = [place[1:] if place and division.part_of(place[0]) else place for place in folders[part]]
    every = [place for places in folders.values() for place in places]
    start = 0
    # A folder that all images are in tells nothing.
    while len(found := {place[start] if start < len(place) else "" for place in every}) == 1 and "" not in found:
        start += 1
    if "" in found:
        return None, {}
    names = sorted(found)
    number = {name: i for i, name in enumerate(names)}
    labels = {part: np.array([number[place[start]] for place in places]) for part, places in folders.items()}
    return tuple(names), labels


def _division(path, names, loose):
    """Return {part: name} of the subfolders that are parts, {} where there are none; `loose` are images beside them."""
    try:
        named = division.divided(names)
        if not named or not loose:
            return named
    except ValueError:
        pass
    beside = f" beside the image {shown(loose[0])}" if loose else ""
    raise UserError(
        f"--dataset={path} looks divided into parts, but it is unclear into which: it has {_listed(names)}{beside}; "
        "expected one folder train, at most one validation and one test, and nothing else. Rename the folders, or move "
        "the others away"
    )


def _completed(path, parts):
    """Return {part: paths} with the missing parts added, which are taken from the training images."""
    missing = [name for name in SPLITS if name not in parts]
    if not missing:
        return parts
    train = parts["train"]
    if len(train) <= len(missing):
        raise UserError(
            f"--dataset={path} has no folder of {' or '.join(missing)} images and only {len(train)} training images to "
            f"take them from; expected {len(missing) + 1} or more"
        )
    indices = random_split_indices(len(train)) if len(missing) == 2 else hold_out_indices(len(train))
    taken = dict(zip(("train", *missing), (train[chosen] for chosen in indices), strict=True))
    logging.warning(
        "--dataset=%s has no folder of %s images: %s of its %d training images are taken, at random, always the same",
        path,
        " or ".join(missing),
        " and ".join(f"{len(taken[name])} for {name}" for name in missing),
        len(train),
    )
    return parts | taken


def _check_files(path, parts, height, width):
    """Check all files as far as their headers tell; return (size, channels, digest) of the data set.

    The size is (width, height), of the images or, where one of the two is given, to which they are resized.
    """
    files = np.concatenate([parts[name] for name in SPLITS])
    # The first by name; the order of the split is random.
    first = min(files, key=_order)
    size = image_file.read_header(first, whole=True).size
    is_resized = bool(height or width)
    whole = sum(map(os.path.getsize, files)) <= digest.WHOLE
    kinds = np.empty(len(files), np.uint8)
    contents = np.empty(len(files), object)

    def check(i):
        header = image_file.read_header(files[i])
        if not is_resized:
            if header.size != size:
                # Where the orientation stands after the pixels, the whole file has to be read for the size.
                header = image_file.read_header(files[i], whole=True)
            _check_size(files[i], header.size, size, f"{shown(first)} is")
        kinds[i] = header.kind
        contents[i] = digest.of_file(files[i], whole)

    for_each(np.arange(len(files)), check, "checking images")
    start = len(os.path.join(path, ""))
    named = iter([(file[start:], content) for file, content in zip(files, contents, strict=True)])
    identity = digest.of_folder({name: [*itertools.islice(named, len(parts[name]))] for name in SPLITS})
    if is_resized:
        size = width or height or size[0], height or size[1]
    return size, _channels(files, kinds), identity


def _channels(files, kinds):
    """Return 1 or 3, how many channels images of these kinds have together."""
    grey, colour = files[kinds == GREY], files[kinds == COLOUR]
    if len(grey) and len(colour):
        # The rarer kind is more likely the wrong one.
        odd = COLOUR if len(colour) < len(grey) else GREY
        others = min(grey if odd == COLOUR else colour, key=_order)
        odd_file = min(colour if odd == COLOUR else grey, key=_order)
        raise image_file.other_kind(odd_file, odd, f"{shown(others)} is")
    if len(colour):
        return 3
    for file in files[kinds == PALETTE]:
        if image_file.has_colour(file):
            if len(grey):
                raise image_file.other_kind(file, COLOUR, f"{shown(grey[0])} is")
            return 3
    return 1


def _check_size(file, size, expected, whose):
    if size != expected:
        raise UserError(
            f"{shown(file)} is {size[0]}x{size[1]}, but {whose} {expected[0]}x{expected[1]}; "
            "expected images of one size, or --input_height (and --input_width), to which they are resized"
        )


def _order(file):
    """Sort files folder by folder."""
    return file.split(os.sep)


def _no_images(folder):
    return UserError(f"--dataset: {shown(folder)} holds no images ({', '.join(ENDINGS)})")


def _listed(names):
    shown_names = [shown(name) for name in names[:10]]
    return ", ".join([*shown_names, f"and {len(names) - 10} more"] if len(names) > 10 else shown_names)


def is_image(name: str) -> bool:
    """Whether a file's name ends as those of images do."""
    return os.path.splitext(name)[1].lower() in ENDINGS


def _is_hidden(name):
    # Such as .ipynb_checkpoints, and the ._* files that macOS writes beside every file.
    return name.startswith(".")


def _refuse(error):
    raise UserError(f"{shown(error.filename)} cannot be read: {error.strerror}") from error


def _visible(path):
    try:
        return [name for name in os.listdir(path) if not _is_hidden(name)]
    except OSError as error:
        _refuse(error)


def all_images(path: str) -> list[str]:
    """Return the paths of all images below the folder `path`, sorted folder by folder, whatever its subfolders mean.

    Raises:
      UserError: there is none, or a link out of it, or a pipe.
    """
    found = sorted((file for *_, files in _walk(path, os.path.realpath(path)) for file in files), key=_order)
    if not found:
        raise _no_images(path)
    return found


def begins_with_parts(files: Sequence[str]) -> bool:
    """Whether the first folder of each of the files below a folder is a part: training, validation or test images."""
    return all(os.sep in name and division.part_of(name.split(os.sep)[0]) for name in files)


def _walk(folder, root):
    """Yield (a folder below `folder` or itself, its folders, the paths of its images); none lies outside of `root`."""
    for parent, folders, names in os.walk(folder, onerror=_refuse):
        folders[:] = [name for name in folders if not _is_hidden(name)]
        for name in folders:
            _check_link(os.path.join(parent, name), root)
        files = [os.path.join(parent, name) for name in names if is_image(name) and not _is_hidden(name)]
        for file in files:
            check_regular(file, root)
        yield parent, folders, files


def _image_files(folder, root):
    """Return the paths of the images below `folder`; none of them lies outside of `root`."""
    files: list[str] = []
    divided = None
    for parent, folders, found in _walk(folder, root):
        files += found
        # Below a part there may be a folder of the same part's name, as in unpacked archives or for a class "train",
        # but none of another part's.
        parts = {part for part in map(division.part_of, folders) if part}
        if len(parts) > 1 or division.looks_divided(folders):
            divided = divided or (parent, folders)
    if files and divided:
        parent, folders = divided
        raise UserError(
            f"{shown(parent)} is divided into {_listed(sorted(folders))}, and --dataset is a folder above it, "
            "which would mix them; expected --dataset to be the divided folder"
        )
    return files


def _array(files):
    """Return paths, sorted, as an array, object [N]."""
    array = np.empty(len(files), object)
    array[:] = sorted(files, key=_order)
    return array


def _check_link(path, root):
    if os.path.islink(path) and os.path.commonpath([os.path.realpath(path), root]) != root:
        raise UserError(
            f"{shown(path)} is a link out of the folder, to {shown(os.path.realpath(path))}; expected no such links"
        )


def check_regular(path: str, root: str | None = None) -> None:
    """Raise `UserError` unless a path is that of a regular file and, if it is a link, leads to one below `root`."""
    if root is not None:
        _check_link(path, root)
    try:
        is_file = stat.S_ISREG(os.stat(path).st_mode)
    except OSError as error:
        raise UserError(f"{shown(path)} cannot be read: {error.strerror}") from error
    if not is_file:
        # Opening a pipe would wait for ever.
        raise UserError(f"{shown(path)} is not a regular file; expected an image")


def _read_all(files):
    return np.concatenate([*in_steps(files, "reading images")])


def for_each(values: np.ndarray, function: Callable[[Any], None], text: str) -> None:
    """Call `function` with each of the values in several threads, with a progress bar."""
    with concurrent.futures.ThreadPoolExecutor(_THREADS) as threads:
        for part in in_steps(values, text):
            _in_parallel(threads, lambda i, part=part: function(part[i]), len(part))


def in_steps(array: Any, text: str) -> Iterator[Any]:
    """Yield an array in parts, with a progress bar."""
    with Progress(None, text, len(array), unit="image", delay=2.0) as bar:
        for start in range(0, len(array), _READ):
            part = array[start : start + _READ]
            yield part
            bar.update(len(part))


def _in_parallel(threads, function, count):
    """Call `function` with 0 to `count` - 1 in several threads; PIL releases Python's lock while it decodes."""

    def call(first):
        for i in range(first, count, _THREADS):
            function(i)

    list(threads.map(call, range(_THREADS)))
