"""One image file: its header and its pixels. A file whose pixels could only be read with other values is an error."""

import contextlib
import typing

import numpy as np
import PIL.Image
import PIL.ImageOps

from flow_gan.errors import UserError, brief

# The formats of the endings `folder.ENDINGS`.
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "PPM", "TIFF", "WEBP")

# Kinds of images. One with a palette of greys may count as grey or colour; with other palettes the pixels decide.
GREY, COLOUR, GREY_PALETTE, PALETTE = range(4)
_KINDS = {"1": GREY, "L": GREY, "LA": GREY, "RGB": COLOUR, "RGBA": COLOUR, "RGBX": COLOUR, "P": PALETTE, "PA": PALETTE}
_NAMES = {GREY: "grey", COLOUR: "colour"}

_PNG = b"\x89PNG\r\n\x1a\n"
# The entries that may hold an orientation; to look for it elsewhere, Pillow would decode a PNG file.
_EXIF = {"exif", "Raw profile type exif", "XML:com.adobe.xmp", "xmp"}
_ORIENTATION = 0x0112


class Header(typing.NamedTuple):
    """What an image file's header says.

    Attributes:
      size: (width, height), after rotation by its orientation.
      kind: `GREY`, `COLOUR`, `GREY_PALETTE` or `PALETTE`.
    """

    size: tuple[int, int]
    kind: int


def read_header(path: str, whole: bool = False) -> Header:
    """Return the `Header` of a file.

    Args:
      whole: decode the file, since an orientation may stand after the pixels.

    Raises:
      UserError: it is broken, has more than 8 bits per channel or several pictures, or is neither grey nor RGB.
    """
    with _opened(path) as (image, _):
        if whole:
            image.load()
        return Header(_size(image), _kind(image))


def read_pixels(path: str, channels: int, levels: int, others: str = "the others are") -> np.ndarray:
    """Return the pixels of a file, uint8 [H, W, channels], rotated by its orientation.

    In a file with fewer than 8 bits per value, that is with n < 256 levels of its own, a value v becomes
    v 255 / (n - 1) if `levels` is 256, as viewers show it, and v (levels - 1) / (n - 1) otherwise. The same holds for
    an image with a palette whose colours are those of 1, 2 or 4 bits. All other images keep their values.

    Args:
      channels: 1 or 3; with 1, all pixels of an image with a palette must be grey.
      levels: number of grey levels.
      others: what else is of this many channels, in the error of an image that is not.

    Raises:
      UserError: see `read_header`; or it is partly transparent, of the other kind, or has values above the levels.
    """
    with _opened(path) as (image, head):
        kind = _kind(image)
        own_levels = _levels(image, head)
        image.load()
        if image.has_transparency_data:
            image = _opaque(path, image, own_levels)
        if _orientation(image) != 1:
            image = PIL.ImageOps.exif_transpose(image)
        is_palette = kind in (PALETTE, GREY_PALETTE) or image.format == "GIF"
        pixels = np.asarray(image.convert("L" if kind == GREY else "RGB"))
    if kind in (PALETTE, GREY_PALETTE) and channels == 1:
        if (pixels != pixels[..., :1]).any():
            raise other_kind(path, COLOUR, others)
        pixels = pixels[..., 0]
    if pixels.ndim != (2 if channels == 1 else 3):
        raise other_kind(path, kind, others)
    pixels = pixels.reshape(*pixels.shape[:2], channels)
    if levels < 256:
        pixels = _on_levels(path, pixels, own_levels, levels, is_palette)
    return pixels


def has_colour(path: str) -> bool:
    """Whether an image with a palette has a pixel that is not grey."""
    with _opened(path) as (image, _):
        pixels = np.asarray(image.convert("RGBA"))
    return bool((pixels[..., :3] != pixels[..., :1]).any())


def other_kind(path: str, kind: int, others: str = "the others are") -> UserError:
    """Return the `UserError` for an image that is not of the kind of the others."""
    other = _NAMES[COLOUR if kind == GREY else GREY]
    return UserError(f"{shown(path)} is {_NAMES[kind]}, but {others} {other}; expected only grey or only colour images")


def shown(path: str) -> str:
    """Return a path as errors print it: on one line, whatever characters it has."""
    return path if path.isprintable() else repr(path)


@contextlib.contextmanager
def _opened(path):
    try:
        with open(path, "rb") as file:
            head = file.read(32)
            file.seek(0)
            with PIL.Image.open(file, formats=_FORMATS) as image:
                _check(path, image, head)
                yield image, head
    except UserError:
        raise
    except Exception as error:
        # A damaged file ends in one of many kinds of exception.
        raise UserError(f"{shown(path)} cannot be read as an image: {brief(error)}") from error


def _check(path, image, head):
    if image.mode[0] in "IF" or max(_bits(image, head)) > 8:
        raise UserError(f"{shown(path)} has more than 8 bits per channel; expected at most 8")
    if image.mode not in _KINDS:
        raise UserError(f"{shown(path)} has colours of mode {image.mode}; expected a grey, an RGB or a palette image")
    # Cameras add previews to a JPEG file, which Pillow then calls an MPO.
    if image.format != "MPO" and getattr(image, "is_animated", False):
        raise UserError(f"{shown(path)} holds several pictures; expected one")
    if image.format == "BMP" and image.mode in ("1", "L") and image.tile[0][0] == "raw":
        bits = int.from_bytes(head[28:30], "little")
        if bits != (1 if image.mode == "1" else 8):
            # Pillow would take two pixels for one.
            raise UserError(
                f"{shown(path)} is a BMP file of {bits} bits whose greys cannot be read; expected a PNG file"
            )


def _bits(image, head):
    """Return the bits per value of a file's channels."""
    if head.startswith(_PNG):
        return (head[24],)  # Pillow's mode does not tell the bits of colour images.
    if image.format == "TIFF":
        return image.tag_v2.get(258, (1,))
    return (max(_max_value(image), 1).bit_length(),)


def _max_value(image):
    """Return the largest value that the header of a PPM or PGM file allows; 255 for other files."""
    arguments = image.tile[0][3] if image.format == "PPM" and image.tile else None
    return arguments[1] if isinstance(arguments, tuple) else 255


def _levels(image, head):
    """Return how many levels a file's values have; 256 if reading does not scale them."""
    if image.mode == "1":
        return 2
    if image.format == "PPM":
        return _max_value(image) + 1
    return 2 ** max(_bits(image, head)) if image.mode == "L" else 256


def _kind(image):
    kind = _KINDS[image.mode]
    return GREY_PALETTE if kind == PALETTE and _has_grey_palette(image) else kind


def _has_grey_palette(image):
    mode = image.palette.rawmode or image.palette.mode
    values = np.frombuffer(bytes(image.palette.palette), np.uint8)
    if mode.endswith(";L"):  # One channel after the other.
        colours = values[: len(values) // 3 * 3].reshape(3, -1).T
    else:
        size = 4 if mode.rstrip(";L")[3:] else 3
        colours = values[: len(values) // size * size].reshape(-1, size)[:, :3]
    return bool((colours == colours[:, :1]).all())


def _orientation(image):
    if image.format == "TIFF" or not _EXIF & image.info.keys():
        return 1  # Pillow itself turns TIFF files.
    try:
        found = image.getexif().get(_ORIENTATION, 1)
    except Exception:
        return 1  # The metadata is broken; the pixels are not.
    return found if found in range(1, 9) else 1


def _size(image):
    return image.size[::-1] if _orientation(image) >= 5 else image.size


def _opaque(path, image, own_levels):
    """Return an image without its alpha channel; raise `UserError` if a pixel is transparent."""
    level = image.info.get("transparency")
    if image.mode == "L" and isinstance(level, int) and own_levels < 256:
        image.info["transparency"] = level * 255 // (own_levels - 1)  # As Pillow has scaled the pixels.
    opaque = image.convert("RGBA")
    lowest = opaque.getchannel("A").getextrema()[0]
    if lowest < 255:
        raise UserError(f"{shown(path)} is partly transparent (alpha {lowest} of 255); expected opaque images")
    return opaque


def _on_levels(path, pixels, own_levels, levels, is_palette):
    """Return pixels of 0 to 255 as grey levels 0 to `levels` - 1."""
    if own_levels < 256:
        if (levels - 1) % (own_levels - 1):
            raise UserError(
                f"--levels={levels}, but {shown(path)} has {own_levels} levels of its own, which do not map onto "
                f"these; expected --levels={own_levels}, or 256, as viewers show it"
            )
        own = np.round(pixels * ((own_levels - 1) / 255)).astype(np.uint8)
        return own * np.uint8((levels - 1) // (own_levels - 1))
    if is_palette and levels in (2, 4, 16) and not (pixels % (255 // (levels - 1))).any():
        return pixels // np.uint8(255 // (levels - 1))
    if pixels.max() >= levels:
        raise UserError(f"--levels={levels}, but {shown(path)} has a grey level of {pixels.max()}")
    return pixels
