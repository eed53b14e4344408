"""Images that are no data set: what they may be, what they are called, and what is refused."""

import re

import numpy as np
import PIL.Image
import pytest

import flow_gan
from flow_gan import data
from flow_gan.data import images as images_module
from tests.helpers.image_files import colour, grey, save, write_classes

GREY = data.Expected(shape=(4, 6, 1), levels=256)
COLOUR = data.Expected(shape=(4, 6, 3), levels=256)
LEVELS = data.Expected(shape=(4, 6, 1), levels=17)
RESIZED = data.Expected(shape=(4, 6, 1), levels=256, is_resized=True)


def read(image_set):
    return image_set.images[np.arange(len(image_set))]


def test_a_folder_with_its_file_names(tmp_path):
    """In their order, from any depth, without hidden ones; a divided folder is no error."""
    tmp_path = tmp_path / "lambda-0.1"
    (one,), (two,) = save(tmp_path / "b" / "train", [grey()]), save(tmp_path / "a" / "test", [grey()])
    save(tmp_path / "a" / ".hidden", [grey()])
    found = data.open_images(str(tmp_path), GREY)
    assert list(found.files) == ["a/test/000.png", "b/train/000.png"] and found.name == tmp_path.name == "lambda-0.1"
    np.testing.assert_array_equal(read(found)[..., 0], [np.asarray(PIL.Image.open(file)) for file in (two, one)])
    assert found.split == "train"  # As in `predict`, whose noise is that of the first split.


def test_subfolders_are_classes(tmp_path):
    write_classes(tmp_path / "set", "dog", "cat", count=2)
    assert data.open_images(str(tmp_path / "set"), GREY).labels == ["cat", "cat", "dog", "dog"]
    write_classes(tmp_path / "parts" / "train", "dog", "cat", count=1)
    write_classes(tmp_path / "parts" / "test", "dog", count=1)
    assert data.open_images(str(tmp_path / "parts"), GREY).labels == ["dog", "cat", "dog"]
    save(tmp_path / "flat", [grey()])
    assert data.open_images(str(tmp_path / "flat"), GREY).labels is None


def test_files_are_called_as_they_are_given(tmp_path):
    first, second = map(str, save(tmp_path, [colour(), colour()]))
    found = data.open_images(f"{second},{first}", COLOUR)
    assert found.files == [second, first]
    np.testing.assert_array_equal(read(found)[0], np.asarray(PIL.Image.open(second)))
    with_comma = tmp_path / "a,b.png"
    colour().save(with_comma)
    assert data.open_images(str(with_comma), COLOUR).files == [str(with_comma)]


def test_arrays(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 6), np.uint8)
    np.save(tmp_path / "set.npy", images)
    found = data.open_images(str(tmp_path / "set.npy"), GREY)
    np.testing.assert_array_equal(read(found)[..., 0], images)
    assert found.files[3] == "set.npy[3]" and found.name == "set"
    # Samples of grey images, as tools for colour images read them.
    np.savez(tmp_path / "samples.npz", arr_0=np.repeat(images[..., np.newaxis], 3, axis=3))
    np.testing.assert_array_equal(read(data.open_images(str(tmp_path / "samples.npz"), GREY))[..., 0], images)
    np.savez(tmp_path / "parts.npz", train=images[:2], test=images[2:], train_labels=[0, 1])
    found = data.open_images(str(tmp_path / "parts.npz"), GREY)
    np.testing.assert_array_equal(read(found)[..., 0], images)
    assert found.files[2] == "parts.npz/test[0]"


def test_images_without_a_class_have_no_label():
    part = data.Split(np.zeros((2, 4, 6, 1), np.uint8), np.array([-1, 2]))
    assert images_module.of_split("pets", "test", part, ["cat", "dog", "horse"]).labels == ["", "horse"]


def test_a_data_set_by_name():
    expected = data.Expected(shape=(8, 8, 1), levels=17)
    found = data.open_images("Digits", expected, split="validation")
    digits = data.load("digits")
    np.testing.assert_array_equal(read(found), digits.validation.images)
    assert found.labels == list(map(str, digits.validation.labels)) and found.split == "validation"
    assert found.files[7] == "digits/validation[7]"


def test_several_sizes_are_resized_where_that_is_wanted(tmp_path):
    save(tmp_path, [PIL.Image.new("L", (6, 4), 9), PIL.Image.new("L", (12, 30), 9)])
    np.testing.assert_array_equal(read(data.open_images(str(tmp_path), RESIZED)), np.full((2, 4, 6, 1), 9))


@pytest.mark.parametrize("ending", ["png", "npy"])
def test_few_levels_as_they_are_and_as_pictures_show_them(tmp_path, ending):
    levels = np.random.default_rng(0).integers(0, 17, (3, 4, 6)).astype(np.uint8)
    for name, pixels in (("own", levels), ("shown", data.shown_levels(17)[levels])):
        if ending == "png":
            path = tmp_path / name
            save(path, [PIL.Image.fromarray(each) for each in pixels])
        else:
            path = tmp_path / f"{name}.npy"
            np.save(path, pixels)
        np.testing.assert_array_equal(read(data.open_images(str(path), LEVELS))[..., 0], levels)


def test_a_data_set_of_other_levels_gets_the_nearest_where_that_is_wanted(monkeypatch):
    """Black and white stay what they are."""
    expected = data.Expected(shape=(8, 8, 1), levels=256, is_resized=True)
    digits = data.load("digits").test.images
    np.testing.assert_array_equal(read(data.open_images("digits", expected)), data.shown_levels(17)[digits])
    fine = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 1)).astype(np.uint8)
    part = data.Split(fine)
    dataset = data.Dataset(name="a", image_shape=(8, 8, 1), levels=256, train=part, validation=part, test=part)
    monkeypatch.setattr(images_module.load, "load", lambda *given: dataset)
    found = read(data.open_images("a", data.Expected(shape=(8, 8, 1), levels=17, is_resized=True)))
    assert np.abs(found / 16 - fine / 255).max() <= 0.5 / 16 and found.max() == 16


def test_the_levels_are_those_of_all_images_together(tmp_path):
    """The first picture could be of levels 0 and 16; the second one shows that they are not."""
    save(tmp_path, [PIL.Image.new("L", (6, 4), 16), PIL.Image.new("L", (6, 4), 255)])
    np.testing.assert_array_equal(read(data.open_images(str(tmp_path), LEVELS))[:, 0, 0, 0], [1, 16])


def bad_images(folder):
    """Write images that are refused; return {what: (--images, expected, message)}."""
    save(folder / "sizes", [grey(), grey((5, 6))])
    save(folder / "colours", [grey(), colour()])
    save(folder / "grey", [grey()])
    save(folder / "odd", [PIL.Image.new("L", (6, 4), 255), PIL.Image.new("L", (6, 4), 100)])
    (folder / "empty").mkdir()
    (folder / "broken").mkdir()
    (folder / "broken" / "a.png").write_bytes(b"no image")
    (folder / "text.txt").write_text("no image")
    (folder / "link").mkdir()
    (folder / "link" / "out.png").symlink_to(folder / "grey" / "000.png")
    np.save(folder / "size.npy", np.zeros((2, 5, 6), np.uint8))
    np.save(folder / "float.npy", np.zeros((2, 4, 6)))
    np.savez(folder / "names.npz", x=np.zeros((2, 4, 6), np.uint8))
    np.savez(folder / "colour.npz", arr_0=np.random.default_rng(0).integers(0, 9, (2, 4, 6, 3), np.uint8))
    np.savez(folder / "none.npz", arr_0=np.zeros((0, 4, 6, 3), np.uint8))
    here = re.escape(str(folder))
    return {
        "nowhere": (f"{folder}/no.thing", GREY, f"--images={here}/no.thing: there is no such folder or file"),
        "no name": ("no-such.png,b.png", GREY, "--images=no-such.png: there is no such folder or file"),
        "unknown name": ("nowhere", GREY, "--images=nowhere: there is no such folder or file, and as a data set: "),
        "empty": (f"{folder}/empty", GREY, f"--images: {here}/empty holds no images"),
        "no image": (f"{folder}/text.txt", GREY, f"--images={here}/text.txt; expected a folder, image files"),
        "broken": (f"{folder}/broken", GREY, f"{here}/broken/a.png cannot be read as an image"),
        "link": (f"{folder}/link", GREY, f"{here}/link/out.png is a link out of the folder"),
        "size": (
            f"{folder}/sizes",
            GREY,
            f"{here}/sizes/001.png is 6x5, but the run's images are 6x4; --input_height=4 --input_width=6 resizes",
        ),
        "colour": (f"{folder}/colours", GREY, f"{here}/colours/001.png is colour, but the run's images are grey"),
        "grey": (f"{folder}/grey", COLOUR, f"{here}/grey/000.png is grey, but the run's images are colour"),
        "levels": (f"{folder}/odd", LEVELS, f"--images={here}/odd: 001.png has a grey level of 100; expected 0 to 16"),
        "file's size": (
            f"{folder}/size.npy",
            GREY,
            "size.npy holds images of 5x6x1 .*, but the run's images are 4x6x1",
        ),
        "file's type": (f"{folder}/float.npy", GREY, f"--images={here}/float.npy: images is float64"),
        "file's names": (f"{folder}/names.npz", GREY, "--images=.* has none of the arrays arr_0, images, train"),
        "file's colour": (f"{folder}/colour.npz", GREY, "colour.npz holds images of 4x6x3 .* images are 4x6x1"),
        "no images": (f"{folder}/none.npz", GREY, "none.npz: arr_0 is uint8"),
        "no array": (f"{folder}/none.npy", GREY, "--images=.*none.npy: there is no such file"),
        "data set's size": ("digits", GREY, "--images=digits holds images of 8x8x1 .*, but the run's images are 4x6x1"),
        "data set's levels": (
            "digits",
            data.Expected(shape=(8, 8, 1), levels=256),
            "--images=digits has 17 grey levels; expected the run's 256",
        ),
        "channels": (
            f"{folder}/grey",
            data.Expected(shape=(4, 6, 4), levels=256),
            "1 or 3 channels, but the run's .* 4",
        ),
    }


def test_bad_images(tmp_path):
    for what, (given, expected, message) in bad_images(tmp_path).items():
        with pytest.raises(flow_gan.UserError, match=message) as error:
            data.open_images(given, expected)
        assert "\n" not in str(error.value) and "--dataset" not in str(error.value), what


def test_errors_name_the_flag_that_gives_them(tmp_path):
    for what, (given, expected, message) in bad_images(tmp_path).items():
        with pytest.raises(flow_gan.UserError, match=message.replace("--images", "--others")) as error:
            data.open_images(given, expected, flag="--others")
        assert "--images" not in str(error.value) and "--dataset" not in str(error.value), what
