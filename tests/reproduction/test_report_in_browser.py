"""The report in a real browser: screenshots, and what the browser has laid out.

No screenshot is compared with a stored one: fonts and their smoothing differ from machine to machine by more than the
faults that are looked for. What is asked holds with any font: nothing is wider than the page, no number is broken, the
samples are on the first screen, and in the dark the page is dark, drawings are light on it, and images stay as they
are.
"""

import html
import json
import pathlib
import re
import shutil
import subprocess

import numpy as np
import PIL.Image
import pytest

from flow_gan.reproduction.sections import Context
from tests.helpers import reports

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="there is no Chromium or Chrome to show the page in")

DESKTOP, PHONE = (1280, 900), (400, 900)
# The width of a sheet of A4 without its margins, upright and across, in CSS pixels.
SHEET, ACROSS = (673, 1000), (1002, 600)

MEASURE = (pathlib.Path(__file__).parent / "measure_page.js").read_text(encoding="utf-8")


def run(*flags):
    """Return what the browser prints."""
    own = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"]
    done = subprocess.run([BROWSER, *own, *flags], capture_output=True, encoding="utf-8", timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The path of a report with its figures, of which only those are drawn that are on it."""
    folder = tmp_path_factory.mktemp("browser") / "r"
    draw = Context.draw

    def draw_embedded(context, stem, function, **_):
        if stem not in ("figure-1", "figure-2", "figure-7"):
            return draw(context, stem, function, kinds=("svg",))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Context, "draw", draw_embedded)
        reports.write_report(folder)
    return folder / "report" / "index.html"


@pytest.fixture(scope="module")
def measured(page):
    """{name: what is laid out at a width}: on a desktop, on a phone, and on paper, by the style of print."""
    text = page.read_text(encoding="utf-8")
    printed = text.replace("@media print", "@media all")
    shown = {"desktop": (text, DESKTOP), "phone": (text, PHONE), "sheet": (printed, SHEET), "across": (printed, ACROSS)}
    frames = "".join(
        f'<iframe id="{name}" width="{width}" height="{height}" style="border: 0" srcdoc="{html.escape(source)}">'
        "</iframe>"
        for name, (source, (width, height)) in shown.items()
    )
    wrapper = page.parent / "wrapper.html"
    wrapper.write_text(
        f"<!DOCTYPE html><meta charset=utf-8><script>{MEASURE}</script><pre></pre>{frames}", encoding="utf-8"
    )
    dump = run("--virtual-time-budget=20000", "--dump-dom", wrapper.as_uri())
    return json.loads(html.unescape(re.search(r"<pre>(.*?)</pre>", dump, re.DOTALL).group(1)))


def test_nothing_is_wider_than_the_page(measured):
    """At 400 pixels figures stand below each other, and tables that are wider scroll by themselves."""
    for name, (width, _) in {"desktop": DESKTOP, "phone": PHONE}.items():
        assert measured[name]["isLoaded"]
        assert measured[name]["width"] <= width and measured[name]["tooWide"] == [], name
    images = {name: measured[name]["images"] for name in ("desktop", "phone")}
    for name, boxes in images.items():
        drawings = [image for image in boxes if "drawing" in image[-1]]
        assert len(drawings) == 7
        assert all(right - left > 270 for _, left, _, right, *_ in drawings), name
    (*curves,) = [[image[1:3] for image in boxes if "curves of training" in image[0]] for boxes in images.values()]
    # The three panels of Figure 2: in a row, or in a column.
    assert len({top for _, top in curves[0]}) == len({left for left, _ in curves[1]}) == 1
    assert len({left for left, _ in curves[0]}) == len({top for _, top in curves[1]}) == 3


def test_what_matters_is_on_the_first_screen(measured):
    found = measured["desktop"]
    first = [image for image in found["images"] if image[2] < DESKTOP[1]][:4]
    assert [alternative.split(":")[0] for alternative, *_ in first] == [
        *("Real test images", "MLE", "ADV", "Hybrid (λ = 0.1)"),
    ]
    assert all(bottom < found["findings"][1] for *_, bottom, _ in first)
    assert found["findings"][3] < DESKTOP[1] and found["findings"][3] <= found["contents"][1] < found["figures"][1]


def test_print(measured):
    """No number is broken, no heading can be left alone at the foot of a sheet, and nothing stays folded."""
    for name, found in measured.items():
        assert found["numbers"] > 100 and found["divided"] == [], name
    assert measured["sheet"]["lonely"] == [] and len(measured["sheet"]["headings"]) > 20
    assert all(measured["sheet"]["folds"]) and not any(measured["desktop"]["folds"])
    assert len(measured["desktop"]["folds"]) > 5
    # The table of the trainings, the widest, is printed across.
    assert measured["across"]["width"] <= ACROSS[0]


def screenshot(page, path, width, height, *flags):
    run(*flags, f"--window-size={width},{height}", f"--screenshot={path}", page.as_uri())
    return np.asarray(PIL.Image.open(path).convert("RGB")).astype(int)


def test_screenshots(page, measured, tmp_path):
    """In the dark the page is dark; drawings are inverted, images are not."""
    height = 6000
    light = screenshot(page, tmp_path / "light.png", DESKTOP[0], height)
    dark = screenshot(page, tmp_path / "dark.png", DESKTOP[0], height, "--blink-settings=preferredColorScheme=0")
    assert light.shape == dark.shape == (height, DESKTOP[0], 3)
    assert light[5, 5].min() > 240 and dark[5, 5].max() < 50
    # Most of a page is its ground, and text stands out against it.
    assert np.median(light) > 240 and light.min() < 60 and np.median(dark) < 50
    for _, left, top, right, bottom, kind in measured["desktop"]["images"]:
        if bottom > height:
            continue
        inside = (slice(round(top) + 2, round(bottom) - 2), slice(round(left) + 2, round(right) - 2))
        if "pixels" in kind:
            np.testing.assert_array_equal(light[inside], dark[inside])
        else:
            assert light[inside].mean() > 200 and dark[inside].mean() < 80 and dark[inside].max() > 200
    phone = screenshot(page, tmp_path / "phone.png", *PHONE)
    assert phone.shape[1] == PHONE[0] and (phone[:, -8:] > 240).all(), "something touches the right edge"
