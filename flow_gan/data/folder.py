"""A folder of image files."""

import concurrent.futures
import contextlib
import os
import pathlib
import stat
import warnings

import numpy as np
import PIL.Image
from tqdm import tqdm

from flow_gan.data.dataset import SPLITS, Dataset, Split, random_split_indices
from flow_gan.errors import UserError

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".ppm", ".pgm", ".tif", ".tiff", ".webp")
GREY_MODES = ("1", "L", "LA")
# More than 8 bits per pixel, of which a conversion would leave next to nothing.
DEEP_MODES = ("I", "F")
# A folder whose images take more bytes than this, decoded, is read batch by batch.
IN_MEMORY = 2**28

# Images that are read between two moves of the progress bar.
_READ = 1000
# More than there are cores: some wait for the disk while others decode.
_THREADS = 8


def load(path, levels):
    """Return the images below the folder `path`.

    With subfolders train, validation and test these are the splits. Otherwise all images are split 80 / 10 / 10
    at random, always in the same way. Images are grey if the first one is, else RGB; all have one size.

    Up to `IN_MEMORY` bytes of images are read at once. Of more, the header of every file is checked (200,000
    take about 6 s, or a minute or two on a disk that was not read before), and the rest when its pixels are read.

    Raises:
      UserError: no such folder, no images in it, a link out of it, a pipe, or a file that is broken or of another size.
    """
    if not os.path.isdir(path):
        raise UserError(f"--dataset={path}: there is no such folder")
    parts = [os.path.join(path, name) for name in SPLITS]
    root = os.path.realpath(path)
    if all(os.path.isdir(part) for part in parts):
        files = [_image_files(part, root) for part in parts]
        first = files[0][0]
    else:
        files = _image_files(path, root)
        first = files[0]
        if len(files) < len(SPLITS):
            raise UserError(
                f"--dataset={path} has {len(files)} images; expected 3 or more, to train, validate and test"
            )
        files = [files[part] for part in random_split_indices(len(files))]
    with warnings.catch_warnings():
        # PIL warns of an image of some 10,000 x 10,000 pixels that may be meant to fill the memory, and refuses larger.
        warnings.simplefilter("error", PIL.Image.DecompressionBombWarning)
        images = [ImageFiles(part, first, levels) for part in files]
        if sum(part.nbytes for part in images) <= IN_MEMORY:
            images = [_read_all(part) for part in images]
        else:
            for part in images:
                part.check_headers()
    return Dataset(pathlib.Path(path).name, images[0].shape[1:], levels, *map(Split, images))


class ImageFiles:
    """Images uint8 [N, H, W, C] in files, decoded by several threads when they are asked for by an index.

    Args:
      files: object [N], their paths.
      first: path of the file whose size and kind, grey or colour, all must have.
      levels: int, grey levels.

    Raises:
      UserError: here if `first` is broken; from every index with the file that is broken, or not as it should be.
    """

    def __init__(self, files, first, levels):
        self._files = files
        self._first = first
        self._levels = levels
        with _opened(first) as image:
            self._size = image.size
            self._mode = "L" if image.mode in GREY_MODES else "RGB"
        self.shape = (len(files), *self._size[::-1], 1 if self._mode == "L" else 3)
        self.nbytes = int(np.prod(self.shape))
        self._threads = concurrent.futures.ThreadPoolExecutor(_THREADS)

    def __len__(self):
        return len(self._files)

    def __getitem__(self, key):
        chosen = self._files[key]
        files = np.ravel(chosen)
        images = np.empty((len(files), *self.shape[1:]), np.uint8)

        def read(i):
            images[i] = self._read(files[i])

        self._in_parallel(read, len(files))
        return images.reshape(*np.shape(chosen), *self.shape[1:])

    def check_headers(self):
        """Check every file as far as its header tells."""

        def check(i):
            with _opened(files[i]) as image:
                self._check_size(files[i], image)

        for files in _parts(self._files, "checking images"):
            self._in_parallel(check, len(files))

    def _in_parallel(self, function, count):
        """Call `function` with 0 to `count` - 1; PIL decodes without holding Python's lock."""

        def call(first):
            for i in range(first, count, _THREADS):
                function(i)

        list(self._threads.map(call, range(_THREADS)))

    def _check_size(self, file, image):
        if image.size != self._size:
            raise UserError(
                f"{shown(file)} is {image.size[0]}x{image.size[1]}, but {shown(os.path.basename(self._first))} is "
                f"{self._size[0]}x{self._size[1]}; expected images of one size"
            )

    def _read(self, file):
        with _opened(file) as image:
            self._check_size(file, image)
            pixels = np.asarray(image.convert(self._mode))
        if self._levels < 256 and pixels.max() >= self._levels:
            raise UserError(f"--levels={self._levels}, but {shown(file)} has a grey level of {pixels.max()}")
        return pixels.reshape(self.shape[1:])


def shown(path):
    """Return a path as an error shows it: on one line, whatever its name holds."""
    return path if path.isprintable() else repr(path)


def _order(file):
    """Sort files folder by folder."""
    return file.split(os.sep)


def _image_files(folder, root):
    """Return the paths of the images below `folder`, sorted, object [N]; none of them lies outside of `root`."""

    def refuse(error):
        raise UserError(f"{shown(error.filename)} cannot be read: {error.strerror}") from error

    _check_link(folder, root)
    files = []
    for parent, folders, names in os.walk(folder, onerror=refuse):
        # A link to a folder inside is not followed: its images are found where they are.
        for name in folders:
            _check_link(os.path.join(parent, name), root)
        for name in names:
            if os.path.splitext(name)[1].lower() in ENDINGS:
                files.append(os.path.join(parent, name))
                _check_file(files[-1], root)
    if not files:
        raise UserError(f"--dataset: {shown(folder)} holds no images ({', '.join(ENDINGS)})")
    found = np.empty(len(files), object)
    found[:] = sorted(files, key=_order)
    return found


def _check_link(path, root):
    if os.path.islink(path) and os.path.commonpath([os.path.realpath(path), root]) != root:
        raise UserError(f"{shown(path)} is a link out of the folder, to {shown(os.path.realpath(path))}; expected none")


def _check_file(path, root):
    _check_link(path, root)
    try:
        is_file = stat.S_ISREG(os.stat(path).st_mode)
    except OSError as error:
        raise UserError(f"{shown(path)} cannot be read: {error.strerror}") from error
    if not is_file:
        # To open a pipe would be to wait for ever.
        raise UserError(f"{shown(path)} is no regular file; expected an image")


def _read_all(files):
    return np.concatenate([*_parts(files, "reading images")])


def _parts(array, text):
    """Yield an array in parts, with a progress bar."""
    with tqdm(total=len(array), desc=text, unit="image", delay=2, dynamic_ncols=True) as bar:
        for start in range(0, len(array), _READ):
            part = array[start : start + _READ]
            yield part
            bar.update(len(part))


@contextlib.contextmanager
def _opened(file):
    try:
        with PIL.Image.open(file) as image:
            if image.mode.startswith(DEEP_MODES):
                raise UserError(f"{shown(file)} has more than 8 bits per channel (mode {image.mode}); expected 8")
            yield image
    except UserError:
        raise
    except Exception as error:
        # A damaged file ends in one of many kinds of exception.
        reason = " ".join(str(error).split())
        raise UserError(f"{shown(file)} cannot be read as an image: {reason}") from error
