"""Folders of images: taken as their owner divided and encoded them, or refused by name."""

import os
import struct
import zlib

import numpy as np
import PIL.Image
import pytest

import flow_gan
from flow_gan import data
from flow_gan.data import division
from flow_gan.data import folder as folder_module
from tests.helpers.data_sets import SPLITS, link, refused, write_images
from tests.helpers.image_files import colour, grey, save, write_classes

RNG = np.random.default_rng(0)
LATE = 0  # A budget of which every folder is beyond, so that files are decoded when their pixels are asked for.
BUDGETS = pytest.mark.parametrize("budget", [LATE, folder_module.IN_MEMORY], ids=["read on demand", "in memory"])


def divide(folder, **counts):
    """Write a folder for each name, with as many images, each of another number in its first pixels."""
    numbers, start = {}, 0
    for name, count in counts.items():
        numbers[name] = set(range(start, start + count))
        for number in numbers[name]:
            pixels = np.zeros((4, 4), np.uint8)
            pixels[0, :2] = divmod(number, 200)
            (folder / name / "class").mkdir(parents=True, exist_ok=True)
            PIL.Image.fromarray(pixels).save(folder / name / "class" / f"{number}.png")
        start += count
    return numbers


def numbers_of(dataset):
    """Return {part: the numbers of its images}."""
    pixels = {part: dataset.split(part).images[:].astype(int) for part in SPLITS}
    return {part: {int(200 * a + b) for a, b in images[:, 0, :2, 0]} for part, images in pixels.items()}


def everything(dataset):
    """Return the pixels of all images, in the order of the parts."""
    return np.concatenate([dataset.split(part).images[:] for part in SPLITS])


@pytest.mark.parametrize(
    "names",
    [
        ("train", "validation", "test"),
        ("Train", "Val", "Test"),
        ("TRAIN", "VALID", "TEST"),
        ("training", "validation", "testing"),
        ("Training", "dev", "Testing"),
        ("training_set", "validation_set", "test_set"),
        ("train-images", "val-images", "test-images"),
        ("trainset", "valset", "testset"),
        ("trainSet", "devSet", "evalSet"),
        ("train2017", "val2017", "test2017"),
        ("train", "dev", "eval"),
        ("trainval", "development", "evaluation"),
    ],
    ids="-".join,
)
def test_a_division_is_taken_as_meant(tmp_path, caplog, names):
    numbers = divide(tmp_path, **dict(zip(names, (20, 3, 4), strict=True)))
    found = numbers_of(data.load(str(tmp_path)))
    assert found == dict(zip(SPLITS, (numbers[name] for name in names), strict=True))
    assert caplog.text == ""


@BUDGETS
@pytest.mark.parametrize(
    "names, said",
    [
        (("train", "test"), "no folder of validation images: 2 for validation of its 20 training images are taken"),
        (("Train", "valid"), "no folder of test images: 2 for test of its 20 training images are taken"),
        (
            ("training",),
            "validation or test images: 2 for validation and 2 for test of its 20 training images are taken",
        ),
    ],
    ids=["no validation", "no test", "neither"],
)
def test_a_missing_part_is_split_off_from_train_and_said(tmp_path, monkeypatch, caplog, budget, names, said):
    monkeypatch.setattr(folder_module, "IN_MEMORY", budget)
    numbers = divide(tmp_path, **{name: 20 if division.part_of(name) == "train" else 5 for name in names})
    found = numbers_of(data.load(str(tmp_path)))
    assert said in caplog.text
    given = {division.part_of(name): numbers[name] for name in names}
    split_off = [found[part] for part in SPLITS if part not in given]
    assert all(len(part) == 2 for part in split_off)
    assert found["train"] == given["train"] - set().union(*split_off) and set().union(*split_off) < given["train"]
    assert all(found[part] == given[part] for part in given if part != "train")
    assert numbers_of(data.load(str(tmp_path))) == found


def test_too_few_training_images_to_split_from(tmp_path):
    divide(tmp_path, train=1, test=5)
    refused(
        tmp_path, "has no folder of validation images and only 1 training images to take them from; expected 2 or more"
    )


@pytest.mark.parametrize(
    "names",
    [
        ("train", "foo"),
        ("test", "foo"),
        ("test",),
        ("val", "test"),
        ("train", "Train"),
        ("train", "val", "validation", "test"),
        ("train", "test", "unlabelled"),
        ("trainA", "trainB", "testA", "testB"),
        ("seg_train", "seg_test", "seg_pred"),
        ("DIV2K_train_HR", "DIV2K_valid_HR"),
        ("train_1", "train_2", "test"),
    ],
    ids="-".join,
)
def test_a_division_that_is_not_understood_is_refused(tmp_path, names):
    divide(tmp_path / "set", **dict.fromkeys(names, 5))
    refused(
        tmp_path / "set",
        rf"set looks divided into parts, but it is unclear into which: it has {', '.join(sorted(names))}; "
        "expected one folder train, at most one validation and one test, and nothing else",
    )


@pytest.mark.parametrize(
    "names", [("cat", "dog"), ("train_station", "beach"), ("images",), ("set1", "set2")], ids="-".join
)
def test_classes_are_no_division(tmp_path, caplog, names):
    divide(tmp_path, **dict.fromkeys(names, 10))
    loaded = data.load(str(tmp_path))
    assert set().union(*numbers_of(loaded).values()) == set(range(10 * len(names))) and caplog.text == ""


def test_images_beside_a_division(tmp_path):
    divide(tmp_path / "set", train=5, test=5)
    grey((4, 4)).save(tmp_path / "set" / "overview.png")
    refused(tmp_path / "set", r"it has test, train beside the image .*set/overview\.png; expected one folder train")


def test_what_is_no_image_beside_a_division(tmp_path):
    numbers = divide(tmp_path, train=5, validation=2, test=3)
    for name in ("annotations/train", "annotations/test"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "boxes.txt").write_text("0 0 4 4")
    (tmp_path / "README.md").write_text("divided")
    assert numbers_of(data.load(str(tmp_path))) == numbers


def test_a_part_without_images(tmp_path):
    divide(tmp_path / "set", train=5, test=5)
    (tmp_path / "set" / "validation").mkdir()
    refused(tmp_path / "set", "set/validation holds no images")


@pytest.mark.parametrize("names", [("train", "test"), ("val", "test"), ("trainA", "testB")], ids="-".join)
@pytest.mark.parametrize("above", ["archive", "images/all", "train"])
def test_a_division_further_down_is_not_pooled(tmp_path, names, above):
    divide(tmp_path / "set" / above, **dict.fromkeys(names, 5))
    listed = ", ".join(sorted(names))
    refused(
        tmp_path / "set",
        f"{above} is divided into {listed}, and --dataset is a folder above it, which would mix them; expected "
        "--dataset to be the divided folder",
    )


def test_classes_within_parts(tmp_path):
    """One of trains, too, and a part within itself, as an archive is unpacked."""
    divide(tmp_path / "train", train=4, bus=4)
    divide(tmp_path / "test", test=3)
    write_images(tmp_path / "validation", 2, (4, 4))
    loaded = data.load(str(tmp_path))
    assert [len(loaded.split(part)) for part in SPLITS] == [8, 2, 3]


def test_a_part_that_is_a_link_inside(tmp_path):
    divide(tmp_path / "set", train=6, test=3)
    link(tmp_path / "set" / "val", "test")
    found = numbers_of(data.load(str(tmp_path / "set")))
    assert found["validation"] == found["test"] == {6, 7, 8}


def test_hidden_files_are_not_seen(tmp_path):
    """Nor are hidden folders: a Mac's, Jupyter's; the data set itself may be one."""
    for root in (tmp_path / "set", tmp_path / ".set"):
        divide(root, train=5, validation=2, test=3)
        (root / "train" / "class" / "._0.png").write_bytes(b"\0\5\x16\7")
        (root / "._train").write_bytes(b"\0\5\x16\7")
        (root / "._x.png").write_bytes(b"\0\5\x16\7")
        write_images(root / ".ipynb_checkpoints", 2)
        write_images(root / "train" / ".ipynb_checkpoints", 2)
        link(root / ".elsewhere", "/")
        assert [len(data.load(str(root)).split(part)) for part in SPLITS] == [5, 2, 3]


ORIENTED = {
    1: lambda pixels: pixels,
    2: np.fliplr,
    3: lambda pixels: np.rot90(pixels, 2),
    4: np.flipud,
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: np.rot90(pixels.swapaxes(0, 1), 2),
    8: np.rot90,
}


def oriented(orientation):
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    return exif


@BUDGETS
@pytest.mark.parametrize("ending", ["png", "jpg", "tif", "webp"])
@pytest.mark.parametrize("orientation", ORIENTED)
def test_orientation_is_followed(tmp_path, monkeypatch, budget, ending, orientation):
    monkeypatch.setattr(folder_module, "IN_MEMORY", budget)
    options = {"webp": {"lossless": True}, "jpg": {"quality": 100, "subsampling": 0}}.get(ending, {})
    images = [colour((4, 6)) for _ in range(3)]
    turned = save(tmp_path / "turned", images, ending, exif=oriented(orientation), **options)
    plain = [np.asarray(PIL.Image.open(path)) for path in save(tmp_path / "plain", images, ending, **options)]
    loaded = data.load(str(tmp_path / "turned"))
    expected = [ORIENTED[orientation](pixels) for pixels in plain]
    assert loaded.image_shape == ((4, 6, 3) if orientation < 5 else (6, 4, 3))
    assert sorted(p.tobytes() for p in everything(loaded)) == sorted(e.tobytes() for e in expected)
    # With a file that lies as it is shown.
    PIL.Image.fromarray(expected[0]).save(turned[1].with_suffix(".png"))
    assert len(everything(data.load(str(tmp_path / "turned")))) == (3 if ending == "png" else 4)


@BUDGETS
def test_an_orientation_behind_the_pixels(tmp_path, monkeypatch, budget):
    """Of a PNG file, where some programs write it."""
    monkeypatch.setattr(folder_module, "IN_MEMORY", budget)
    images = [colour((4, 6)) for _ in range(3)]
    for path in save(tmp_path, images, exif=oriented(6))[1:]:
        content = path.read_bytes()
        at = content.index(b"eXIf") - 4
        length = 12 + int.from_bytes(content[at : at + 4], "big")
        end = content.index(b"IEND") - 4
        path.write_bytes(content[:at] + content[at + length : end] + content[at : at + length] + content[end:])
    loaded = data.load(str(tmp_path))
    expected = sorted(np.rot90(np.asarray(image), -1).tobytes() for image in images)
    assert sorted(p.tobytes() for p in everything(loaded)) == expected


def test_a_broken_description_is_no_broken_image(tmp_path):
    images = [colour() for _ in range(3)]
    save(tmp_path, images, "jpg", exif=b"Exif\0\0nonsense")
    assert len(everything(data.load(str(tmp_path)))) == 3


def png(pixels, bits, colour_type):
    """Return a PNG file of raw pixels, uint [H, W * channels], 16 bits per value or fewer."""

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    height, width = pixels.shape[0], pixels.shape[1] // {0: 1, 2: 3, 4: 2, 6: 4}[colour_type]
    rows = pixels.astype(">u2").view(np.uint8).reshape(height, -1) if bits == 16 else _packed(pixels, bits)
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")


def _packed(pixels, bits):
    as_bits = np.unpackbits(pixels.astype(np.uint8)[..., np.newaxis], axis=-1)[..., 8 - bits :]
    return np.packbits(as_bits.reshape(len(pixels), -1), axis=1)


@BUDGETS
@pytest.mark.parametrize("colour_type", [0, 2, 4, 6], ids=["grey", "RGB", "grey and alpha", "RGBA"])
def test_16_bits_are_refused(tmp_path, monkeypatch, budget, colour_type):
    monkeypatch.setattr(folder_module, "IN_MEMORY", budget)
    save(tmp_path, [grey() if colour_type in (0, 4) else colour() for _ in range(5)])
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[colour_type]
    (tmp_path / "003.png").write_bytes(png(np.full((4, 6 * channels), 65535), 16, colour_type))
    refused(tmp_path, r"003\.png has more than 8 bits per channel; expected at most 8$")


@pytest.mark.parametrize(
    "name, content",
    [
        ("003.ppm", b"P6 6 4 65535\n" + bytes(144)),
        ("003.pgm", b"P5 6 4 1023\n" + bytes(48)),
        ("003.pgm", b"P5 6 4 65535\n" + bytes(48)),
    ],
    ids=["RGB", "10 bits", "16 bits"],
)
def test_deep_portable_maps_are_refused(tmp_path, name, content):
    save(tmp_path, [grey() for _ in range(5)])
    (tmp_path / name).write_bytes(content)
    refused(tmp_path, rf"{name} has more than 8 bits per channel; expected at most 8$")


@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
def test_deep_tiff_files_are_refused(tmp_path, mode):
    types = {"I;16": np.uint16, "I": np.int32, "F": np.float32}
    save(tmp_path, [grey() for _ in range(5)])
    PIL.Image.fromarray(np.ones((4, 6), types[mode])).save(tmp_path / "003.tif")
    refused(tmp_path, r"003\.tif has more than 8 bits per channel; expected at most 8$")


def with_alpha(image, lowest):
    alpha = np.full((image.height, image.width), 255, np.uint8)
    alpha[2, 3] = lowest
    image = image.copy()
    image.putalpha(PIL.Image.fromarray(alpha))
    return image


def cut_out(image, level):
    """Return an image one level of which is transparent."""
    image = image.copy()
    image.info["transparency"] = level
    return image


@pytest.mark.parametrize("make", [grey, colour])
def test_transparent_images_are_refused_and_opaque_alpha_is_dropped(tmp_path, monkeypatch, make):
    images = [make() for _ in range(5)]
    save(tmp_path, [with_alpha(images[0], 255), *images[1:]])
    loaded = data.load(str(tmp_path))
    assert loaded.image_shape == (4, 6, 1 if make is grey else 3)
    assert sorted(p.tobytes() for p in everything(loaded)) == sorted(image.tobytes() for image in images)
    with_alpha(images[3], 254).save(tmp_path / "003.png")
    message = r"003\.png is partly transparent \(alpha 254 of 255\); expected opaque images"
    refused(tmp_path, message)
    # Of a large folder it is found when it is read.
    monkeypatch.setattr(folder_module, "IN_MEMORY", LATE)
    with pytest.raises(flow_gan.UserError, match=message):
        everything(data.load(str(tmp_path)))


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_a_transparent_level_of_grey(tmp_path, bits):
    """It is harmless where no pixel has it; of a file of few bits it counts in levels of its own."""
    highest = 2**bits - 1
    pixels = np.full((4, 6), highest)
    for name in ("000.png", "001.png", "002.png"):
        (tmp_path / name).write_bytes(png(pixels, bits, 0))

    def mark(level):
        content = png(pixels, bits, 0)
        at = content.index(b"IDAT") - 4
        chunk = b"tRNS" + struct.pack(">H", level)
        chunk = struct.pack(">I", 2) + chunk + struct.pack(">I", zlib.crc32(chunk))
        (tmp_path / "001.png").write_bytes(content[:at] + chunk + content[at:])

    mark(0)
    np.testing.assert_array_equal(everything(data.load(str(tmp_path))), 255)
    mark(highest)
    refused(tmp_path, r"001\.png is partly transparent \(alpha 0 of 255\)")


def test_a_transparent_colour_of_a_palette(tmp_path):
    images = [colour().quantize(8) for _ in range(4)]
    save(tmp_path, [*images[:3], cut_out(images[3], images[3].getpixel((0, 0)))])
    refused(tmp_path, r"003\.png is partly transparent \(alpha 0 of 255\)")
    save(tmp_path, [*images[:3], cut_out(images[3], bytes([255] * 8))])
    assert everything(data.load(str(tmp_path))).shape == (4, 4, 6, 3)


@BUDGETS
@pytest.mark.parametrize("odd", [grey, colour])
@pytest.mark.parametrize("at", [0, 3])
def test_grey_and_colour_are_not_mixed(tmp_path, monkeypatch, budget, odd, at):
    monkeypatch.setattr(folder_module, "IN_MEMORY", budget)
    others = colour if odd is grey else grey
    save(tmp_path, [odd() if i == at else others() for i in range(5)])
    own, other = ("grey", "colour") if odd is grey else ("colour", "grey")
    refused(
        tmp_path,
        rf"00{at}\.png is {own}, but .*00{0 if at else 1}\.png is {other}; expected only grey or only colour images",
    )


def palette_of(image, colours):
    """Return an image of palette indices, with a palette of RGB colours."""
    image = image.point(lambda value: value % len(colours)).convert("L")
    image.putpalette([value for rgb in colours for value in rgb])
    return image


GREYS = [(value, value, value) for value in (200, 10, 77, 255)]


@BUDGETS
@pytest.mark.parametrize("ending", ["png", "gif", "bmp", "tif"])
def test_a_palette_of_greys_is_one_channel(tmp_path, monkeypatch, budget, ending):
    """Beside grey images, too; in a folder of colour it is as its colours."""
    monkeypatch.setattr(folder_module, "IN_MEMORY", budget)
    images = [palette_of(grey(), GREYS) for _ in range(4)]
    save(tmp_path / "set", images, ending)
    expected = [np.asarray(image.convert("RGB"))[..., :1] for image in images]
    loaded = data.load(str(tmp_path / "set"))
    assert loaded.image_shape == (4, 6, 1)
    assert sorted(p.tobytes() for p in everything(loaded)) == sorted(e.tobytes() for e in expected)
    plain = grey()
    plain.save(tmp_path / "set" / "plain.png")
    loaded = data.load(str(tmp_path / "set"))
    assert loaded.image_shape == (4, 6, 1) and plain.tobytes() in {p.tobytes() for p in everything(loaded)}
    (tmp_path / "set" / "plain.png").unlink()
    colour().save(tmp_path / "set" / "colour.png")
    loaded = data.load(str(tmp_path / "set"))
    assert loaded.image_shape == (4, 6, 3)
    assert expected[0].repeat(3, 2).tobytes() in {p.tobytes() for p in everything(loaded)}


@BUDGETS
def test_colours_of_a_palette_that_no_pixel_has(tmp_path, monkeypatch, budget):
    monkeypatch.setattr(folder_module, "IN_MEMORY", budget)
    unused = palette_of(grey(highest=3), [*GREYS, (255, 0, 0)])
    save(tmp_path, [unused for _ in range(4)])
    assert data.load(str(tmp_path)).image_shape == (4, 6, 1)
    used = palette_of(grey(), [*GREYS, (255, 0, 0)])
    used.save(tmp_path / "003.png")
    assert data.load(str(tmp_path)).image_shape == (4, 6, 3)
    grey().save(tmp_path / "000.png")
    refused(tmp_path, r"003\.png is colour, but .*000\.png is grey; expected only grey or only colour images")


def test_colours_that_are_no_rgb_are_refused(tmp_path):
    save(tmp_path, [colour() for _ in range(4)], "jpg")
    colour().convert("CMYK").save(tmp_path / "002.jpg")
    refused(tmp_path, r"002\.jpg has colours of mode CMYK; expected a grey, an RGB or a palette image")


@pytest.mark.parametrize("ending", ["gif", "png", "tif", "webp"])
def test_several_pictures_in_a_file_are_refused(tmp_path, ending):
    save(tmp_path, [colour() for _ in range(4)], ending)
    colour().save(tmp_path / f"002.{ending}", save_all=True, append_images=[colour()])
    refused(tmp_path, rf"002\.{ending} holds several pictures; expected one")


def bmp(rows, bits, palette):
    """Return a BMP file of packed rows, uint8 [H, bytes], the lowest first."""
    colours = b"".join(bytes([value, value, value, 0]) for value in palette)
    at = 54 + len(colours)
    width = rows.shape[1] * 8 // bits
    rows = np.pad(rows, ((0, 0), (0, -rows.shape[1] % 4))).tobytes()
    header = struct.pack("<IiiHHIIiiII", 40, width, 4, 1, bits, 0, len(rows), 0, 0, len(palette), 0)
    return b"BM" + struct.pack("<IHHI", at + len(rows), 0, 0, at) + header + colours + rows


def small(folder, values, bits, kind):
    """Write three files of values of so many bits."""
    folder.mkdir(parents=True, exist_ok=True)
    top = 2**bits - 1
    for i in range(3):
        if kind == "png":
            (folder / f"{i}.png").write_bytes(png(values, bits, 0))
        elif kind == "bmp":
            ramp = [value * 255 // top for value in range(top + 1)]
            (folder / f"{i}.bmp").write_bytes(bmp(_packed(values, bits)[::-1], bits, ramp))
        elif kind == "palette":
            palette_of(PIL.Image.fromarray(values), [(v * 255 // top,) * 3 for v in range(top + 1)]).save(
                folder / f"{i}.png", bits=bits
            )
        elif kind == "tif":
            (folder / f"{i}.tif").write_bytes(tiff(values, bits))
        else:
            (folder / f"{i}.pgm").write_bytes(f"P5 8 4 {top}\n".encode() + values.tobytes())


@BUDGETS
@pytest.mark.parametrize(
    "kind, bits",
    # There are no BMP files of 2 bits.
    [
        (kind, bits)
        for kind in ("png", "palette", "bmp", "pgm", "tif")
        for bits in (1, 2, 4)
        if (kind, bits) != ("bmp", 2)
    ],
)
def test_few_bits_are_on_their_levels(tmp_path, monkeypatch, budget, kind, bits):
    """With --levels of the file's own the values are as stored, without as a viewer shows them."""
    monkeypatch.setattr(folder_module, "IN_MEMORY", budget)
    values = RNG.integers(0, 2**bits, (4, 8)).astype(np.uint8)
    small(tmp_path, values, bits, kind)
    for levels in (2**bits, 256, None):
        loaded = data.load(str(tmp_path), levels=levels)
        factor = 1 if levels == 2**bits else 255 // (2**bits - 1)
        np.testing.assert_array_equal(everything(loaded)[..., 0], np.stack([factor * values] * 3))


def test_few_bits_on_other_levels(tmp_path):
    values = RNG.integers(0, 4, (4, 8)).astype(np.uint8)
    small(tmp_path, values, 2, "png")
    np.testing.assert_array_equal(everything(data.load(str(tmp_path), levels=16))[0, ..., 0], 5 * values)
    refused(
        tmp_path,
        r"--levels=17, but .*[012]\.png has 4 levels of its own, which do not map onto these; expected",
        levels=17,
    )
    refused(tmp_path, "--levels=2, but .* has 4 levels of its own", levels=2)


def test_17_levels_of_a_portable_map(tmp_path):
    values = RNG.integers(0, 17, (4, 8)).astype(np.uint8)
    for i in range(3):
        (tmp_path / f"{i}.pgm").write_bytes(b"P5 8 4 16\n" + values.tobytes())
    np.testing.assert_array_equal(everything(data.load(str(tmp_path), levels=17))[0, ..., 0], values)


def tiff(values, bits):
    """Return a TIFF file of grey values, uint8 [H, W], where 0 is black."""
    rows = _packed(values, bits).tobytes()
    height, width = values.shape
    # Width, height, bits, compression, photometric interpretation, where the rows are, samples, rows, their bytes.
    tags = {256: width, 257: height, 258: bits, 259: 1, 262: 1, 273: 8, 277: 1, 278: height, 279: len(rows)}
    entries = b"".join(struct.pack("<HHII", tag, 4 if tag == 273 else 3, 1, value) for tag, value in tags.items())
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    return struct.pack("<2sHI", b"II", 42, 8 + len(rows)) + rows + directory


def test_a_bmp_file_that_would_be_misread(tmp_path):
    """Pillow takes 4-bit indices into a palette of 0 to 15 for bytes."""
    save(tmp_path, [grey((4, 8)) for _ in range(3)])
    (tmp_path / "001.bmp").write_bytes(bmp(_packed(RNG.integers(0, 16, (4, 8)), 4), 4, range(16)))
    refused(tmp_path, r"001\.bmp is a BMP file of 4 bits whose greys cannot be read; expected a PNG file")


def test_files_of_other_formats_are_not_images(tmp_path):
    """Whatever they are called: no library reads them."""
    save(tmp_path, [grey() for _ in range(4)])
    grey().save(tmp_path / "x.ico")
    os.replace(tmp_path / "x.ico", tmp_path / "002.png")
    refused(tmp_path, r"002\.png cannot be read as an image")


@pytest.mark.parametrize("budget", [LATE, folder_module.IN_MEMORY])
@pytest.mark.parametrize("place", ["", "images/all"])
def test_class_subfolders_are_labels(tmp_path, monkeypatch, budget, place):
    """Of a folder that is not divided, below folders that all images share too."""
    monkeypatch.setattr(folder_module, "IN_MEMORY", budget)
    write_classes(tmp_path / "set" / place, "dog", "cat")
    dataset = data.load(tmp_path / "set")
    assert dataset.class_names == ("cat", "dog")
    for part in SPLITS:
        split = dataset.split(part)
        assert split.labels.dtype == np.int64 and len(split.files) == len(split)
        for image, label, file in zip(split.images[:], split.labels, split.files, strict=True):
            assert np.asarray(PIL.Image.open(tmp_path / "set" / file)).max() == image.max()
            assert (image.max() < 100) == (dataset.class_names[label] == "dog") == (file.split(os.sep)[-2] == "dog")


def test_class_subfolders_of_parts(tmp_path):
    """Also where a part has one class alone or repeats its own name; a missing part is of the training images."""
    write_classes(tmp_path / "train" / "train", "a", "b", "c", count=10)
    write_classes(tmp_path / "test", "b", count=3)
    dataset = data.load(tmp_path)
    assert dataset.class_names == ("a", "b", "c")
    assert set(dataset.train.labels) == {0, 1, 2} and len(dataset.validation.labels) == len(dataset.validation) == 3
    assert dataset.test.labels.tolist() == [1, 1, 1]
    assert dataset.test.files.tolist() == [os.path.join("test", "b", f"00{i}.png") for i in range(3)]
    for label, file in zip(dataset.validation.labels, dataset.validation.files, strict=True):
        assert file.split(os.sep)[2] == dataset.class_names[label]


@pytest.mark.parametrize("classes, loose", [(["one"], 0), (["one", "two"], 1)])
def test_folders_that_are_no_classes(tmp_path, classes, loose):
    """One folder says nothing, and images beside folders have no class; the files' names are there."""
    write_classes(tmp_path, *classes)
    if loose:
        grey().save(tmp_path / "loose.png")
    dataset = data.load(tmp_path)
    assert dataset.class_names is None and all(dataset.split(part).labels is None for part in SPLITS)
    assert os.path.join("one", "000.png") in {*dataset.train.files, *dataset.validation.files, *dataset.test.files}


@BUDGETS
@pytest.mark.parametrize(
    "size, shape", [({"height": 5}, (5, 5, 3)), ({"height": 4, "width": 6}, (4, 6, 3)), ({"width": 3}, (8, 3, 3))]
)
def test_images_of_several_sizes_are_resized(tmp_path, monkeypatch, budget, size, shape):
    """As public data: the middle part of such sides, so that a picture of stripes keeps its middle stripe's colour."""
    monkeypatch.setattr(folder_module, "IN_MEMORY", budget)
    wide = np.zeros((8, 24, 3), np.uint8)
    wide[:, 8:16] = 200, 100, 50
    tall = wide.transpose(1, 0, 2)
    save(tmp_path, [PIL.Image.fromarray(array) for array in (wide, tall, wide[:, 4:-4], tall)])
    dataset = data.load(tmp_path, **size)
    assert dataset.image_shape == shape
    for part in SPLITS:
        images = dataset.split(part).images[:]
        assert images.dtype == np.uint8
        middle = images[:, shape[0] // 2, shape[1] // 2]
        np.testing.assert_array_equal(middle, np.broadcast_to([200, 100, 50], middle.shape))


def test_images_of_several_sizes_name_the_flag(tmp_path):
    save(tmp_path / "a", [grey((4, 6))] * 2)
    save(tmp_path / "b", [grey((5, 6))])
    refused(
        tmp_path, r"b/000\.png is 6x5, but .*a/000\.png is 6x4; expected images of one size, or --input_height \(and"
    )


def test_one_size_is_kept_pixel_by_pixel(tmp_path):
    save(tmp_path, [grey() for _ in range(4)])
    np.testing.assert_array_equal(data.load(tmp_path, height=4, width=6).train.images, data.load(tmp_path).train.images)
