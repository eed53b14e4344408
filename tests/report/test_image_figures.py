"""Figures made of images show their pixels as they are, each picture with its labels."""

import numpy as np
import PIL.Image
import pytest

from flow_gan import data
from flow_gan.report import image_figures, style
from tests.helpers.figures import looks_like_a_figure


@pytest.fixture
def drawn(monkeypatch):
    """What was saved: a list of matplotlib figures."""
    saved, save = [], style.save
    monkeypatch.setattr(
        style, "save", lambda figure, *rest, **more: saved.append(figure) or save(figure, *rest, **more)
    )
    return saved


@pytest.mark.parametrize("shape", [(8, 8, 1), (12, 10, 3)])
def test_rows_with_labels(tmp_path, drawn, shape):
    """Every pixel is a square of one size; labels stand at the middle of their rows and columns."""
    rows = np.random.default_rng(0).integers(0, 256, (2, 4, *shape)) / 255
    labels, title = (["first", "second,\nlonger"], ["a", "b", "c", "d"]), "A run\nwhat the picture shows"
    image_figures.labelled_rows(tmp_path / "r.png", rows, title, *labels)
    (figure,) = drawn
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.get_yticklabels()] == labels[0]
    assert [text.get_text() for text in axes.get_xticklabels()] == labels[1]
    assert [text.get_text() for text in figure.texts] == [title]
    pixels = np.asarray(PIL.Image.open(tmp_path / "r.png").convert("RGB"))
    height, width = shape[:2]
    scale = round(axes.get_window_extent().width / figure.dpi * 100 / (4 * (width + 1) - 1))
    assert scale * min(height, width) >= 56
    grid = np.full((2 * (height + 1) - 1, 4 * (width + 1) - 1, 3), 128)
    for i, j in np.ndindex(2, 4):
        top, left = i * (height + 1), j * (width + 1)
        grid[top : top + height, left : left + width] = np.round(255 * rows[i, j])
    grid = grid.repeat(scale, 0).repeat(scale, 1)
    # It ends 10 pixels from the right and the bottom, where no title is wider.
    bottom, right = pixels.shape[0] - 10, round(axes.get_window_extent().x1 / figure.dpi * 100)
    np.testing.assert_array_equal(pixels[bottom - len(grid) : bottom, right - grid.shape[1] : right], grid)
    assert list(axes.get_yticks()) == [(i + 0.5) * (height + 1) * scale for i in range(2)]
    for text in (*axes.get_yticklabels(), *axes.get_xticklabels(), *figure.texts):
        box = text.get_window_extent()
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1, text


def test_pixel_maps(tmp_path, drawn):
    """Each map by its own colours, with a bar; what is not finite has none."""
    one, other = np.arange(12.0).reshape(3, 4), np.full((3, 4), np.nan)
    other[0, :2] = -5.0, 7.0
    none = np.full((3, 4), np.inf)
    image_figures.pixel_maps(tmp_path / "m.png", {"one": one, "other": other, "none": none}, "nats per pixel")
    assert looks_like_a_figure(tmp_path / "m.png")
    maps = {axes.get_title(): axes.images[0] for axes in drawn[0].axes if axes.images}
    assert list(maps) == ["one", "other", "none"]
    np.testing.assert_array_equal(maps["one"].get_array(), one)
    assert maps["one"].get_clim() == (0, 11) and maps["other"].get_clim() == (-5, 7)
    assert maps["other"].get_array().mask.sum() == 10
    assert [axes.get_ylabel() for axes in drawn[0].axes].count("nats per pixel") == 3


@pytest.mark.parametrize("count, shape", [(1, (1, 1)), (2, (1, 2)), (5, (2, 3))])
def test_sample_panels(tmp_path, drawn, count, shape):
    image_figures.sample_panels(
        tmp_path / "p.png", {f"model {i}": np.full((20, 20), 9, np.uint8) for i in range(count)}
    )
    titles = [axes.get_title() for axes in drawn[0].axes]
    assert titles[:count] == [f"model {i}" for i in range(count)] and len(titles) == shape[0] * shape[1]


def test_the_grid_of_a_picture_without_its_labels(tmp_path):
    rows = np.random.default_rng(0).random((3, 2, 8, 8, 3))
    image_figures.labelled_rows(tmp_path / "r.png", rows, "A title that is far wider than the grid below it", ["a"] * 3)
    grid = data.image_grid(rows.reshape(6, 8, 8, 3), columns=2)
    np.testing.assert_array_equal(image_figures.bare_grid(tmp_path / "r.png"), grid.repeat(7, 0).repeat(7, 1))
    data.save_png(tmp_path / "bare.png", grid, min_side=1)
    np.testing.assert_array_equal(image_figures.bare_grid(tmp_path / "bare.png"), grid)
