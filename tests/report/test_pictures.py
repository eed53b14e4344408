import numpy as np
import PIL.Image

from flow_gan.report.frames import FrameRow, write_frames
from flow_gan.report.pictures import PictureRow, picture_rows


def rows_of(count, channels=1):
    images = np.random.default_rng(0).integers(0, 256, (count, 6, 6, channels), np.uint8)
    return PictureRow("title", images, [f"-{i}.5\nfile_with_a_rather_long_name_{i}.png" for i in range(count)])


def test_rows_of_several_lengths(tmp_path):
    picture_rows(tmp_path / "x.png", [rows_of(2), rows_of(5, 3)])
    picture = np.asarray(PIL.Image.open(tmp_path / "x.png"))
    assert picture.shape[1] > 800 and len(np.unique(picture[..., 0])) > 30


def test_grey_levels_are_not_stretched(tmp_path):
    """A picture of the greys 100 and 101 is not black and white; text with a dollar sign is text."""
    images = np.full((1, 2, 2, 1), 100, np.uint8)
    images[0, 0] = 101
    picture_rows(tmp_path / "x.png", [PictureRow("", images, ["$x^2$_$"])])
    values, counts = np.unique(np.asarray(PIL.Image.open(tmp_path / "x.png").convert("L")), return_counts=True)
    assert {100, 101} <= set(values[counts > 500])


def test_any_file_name(tmp_path, recwarn):
    """Characters that no font has, and bytes that are no text, are drawn somehow and in silence."""
    image = np.zeros((1, 2, 2, 1), np.uint8)
    picture_rows(tmp_path / "x.png", [PictureRow("\u65e5", image, ["\u672c\udcff.png\t"])])
    assert (tmp_path / "x.png").exists() and [str(each.message) for each in recwarn] == []


def test_frames(tmp_path):
    """Pixels are the grey levels that images lie in; a name may have a comma."""
    images = (np.arange(16).reshape(4, 2, 2, 1) + 0.5) / 17
    write_frames(
        tmp_path / "new", [FrameRow(name="a,b.png", images=images, log_prob=np.arange(4.0))], "step", range(4), 17
    )
    pixels = [np.asarray(PIL.Image.open(tmp_path / "new" / f"000-00{i}.png")) for i in range(4)]
    np.testing.assert_array_equal(np.ravel(pixels), np.round(np.arange(16) * 255 / 16))
    lines = (tmp_path / "new" / "log_prob.csv").read_text().splitlines()
    assert lines[0] == "file,image,step,log_prob,bits_per_dim" and lines[3].startswith('000-002.png,"a,b.png",2,2,')
    np.testing.assert_allclose(float(lines[3].split(",")[-1]), -2 / (4 * np.log(2)) + np.log2(17), rtol=1e-8)
