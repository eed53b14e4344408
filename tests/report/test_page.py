"""The page is whole, well-formed, needs nothing else, and says what it is given."""

import base64
import csv
import dataclasses
import io
import json
import math

import pytest

from flow_gan.report import claims, page, page_html
from flow_gan.report.page import Page, Picture, Section
from flow_gan.report.tables import Cell, Table
from tests.helpers.html_pages import check_html


@pytest.fixture
def made_up(tmp_path):
    picture = tmp_path / "a.svg"
    picture.write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    rows = [["MLE & co", Cell(-1.234, 0.5), Cell(2, is_marked=True)], ["<b>", Cell(None), Cell(math.inf)]]
    table = Table(
        key="table-1", title="Table 1: of <things>", header=["Objective", "NLL", "Score"], rows=rows, notes=["A note."]
    )
    verdicts = [
        claims.Verdict(claim="a < b", status=claims.HOLDS, detail="1 < 2", is_clear=True),
        claims.Verdict(claim="b < c", status=claims.FAILS, detail="3 > 2"),
        claims.Verdict(claim="d < e", status=claims.UNDECIDED, detail="4 < 5"),
        claims.Verdict(claim="c < d", status=claims.UNKNOWN, detail="no d"),
    ]
    pixels = tmp_path / "a.png"
    pixels.write_bytes(b"no real PNG")
    figure = Picture(
        key="picture-1", panels={"": picture}, alternative="What the picture shows, for a test.", caption="Caption"
    )
    samples = Picture(
        key="samples", panels={"Real": pixels, "Model": pixels}, alternative="a grid of images.", caption="Samples"
    )
    section = Section(
        keys=["figure-1", "figure-3"],
        title="Figure 1: x",
        paper="it is so",
        differs=["less"],
        parts=[figure, table],
        verdicts=verdicts,
        checks=["sound to -1", "(!) not sound"],
    )
    other = Section(keys=["table-2"], title="Table 2: y", paper="so, too")
    return Page(
        title="Title",
        subtitle="Subtitle",
        samples=samples,
        findings=[("MLE", ", trained so, has -3.")],
        lead=["Lead."],
        groups={"Figures": [section], "Tables": [other]},
        differs=["fewer steps"],
        terms=[("NLL", "meaning")],
        appendix=[Table(key="end", title="End", header=["a", "b"], rows=[["x", "y"]])],
    )


def test_html(made_up):
    text = page_html.to_html(made_up)
    reader = check_html(text)
    assert {"figure-1", "figure-3", "picture-1", "table-1", "end", "summary"} <= set(reader.ids)
    said = " ".join(" ".join(reader.text).split())
    assert "Of 4 statements, the paper's and at the end ours, 1 holds, 1 does not hold, 1 is undecided and 1" in said
    for part in ("MLE & co", "<b>", "Table 1: of <things>", "−1.23 ± 0.50", "2.00 (!)", "–", "not finite", "A note."):
        assert part in said, part
    assert (
        "✓ holds : a < b. 1 < 2." in said
        and "✗ does not hold for these weights : b < c." in said
        and "≈ undecided : d < e." in said
        and "? cannot be told : c < d. no d." in said
    )
    images = [attributes for tag, attributes in reader.elements if tag == "img"]
    assert [image["alt"] for image in images] == [
        *("Real: a grid of images.", "Model: a grid of images."),
        "What the picture shows, for a test.",
    ]
    assert base64.b64decode(images[2]["src"].split(",")[1]).startswith(b"<svg")
    # Signs, and what marks there are.
    assert "MLE , trained so, has −3." in said and "sound to −1" in said and "Checks, 1 of them (!)" in said


def test_what_matters_comes_first(made_up):
    """Samples, what was found, contents, figures and tables, verdicts, words; how it was made is folded."""
    text = page_html.to_html(made_up)
    order = ["Real", "MLE</strong>, trained", "<nav", ">Figures</h2>", ">Tables</h2>", ">What holds</h2>"]
    order += [">What differs from the paper</h2>", ">Words and signs</h2>", ">How it was made</h2>"]
    body = text[text.index("<body>") :]
    places = [body.index(part) for part in order]
    assert places == sorted(places)
    reader = check_html(text)
    assert {tag: attributes.get("open") for tag, attributes in reader.elements if tag == "details"} == {"details": None}
    links = [attributes["href"] for tag, attributes in reader.elements if tag == "a"]
    ends = ["#summary", "#differs", "#words", "#appendix"]
    assert links[:6] == ["#figure-1", "#table-2", *ends] and "#holds-figure-1" in links
    # Verdicts in a group for each figure or table that has any.
    assert [key for key in reader.ids if key.startswith("holds-")] == ["holds-figure-1"]


def test_a_page_without_samples_and_statements(made_up):
    bare = dataclasses.replace(made_up, samples=None, groups={"Tables": made_up.groups["Tables"]}, appendix=[])
    reader = check_html(page_html.to_html(bare))
    assert "img" not in {tag for tag, _ in reader.elements} and "of 0" not in " ".join(reader.text).lower()


def test_csv_and_json(made_up):
    rows = list(csv.DictReader(io.StringIO(page.to_csv(made_up.tables))))
    assert len(rows) == 5
    assert rows[0] == {
        **{"table": "table-1", "row": "MLE & co", "column": "NLL"},
        **{"value": "-1.234", "error": "0.5", "text": "−1.23 ± 0.50"},
    }
    table = json.loads(json.dumps(made_up.tables[0].to_dict(), allow_nan=False))
    assert table["rows"][0]["NLL"] == {"value": -1.234, "error": 0.5, "warned": False}
    assert table["rows"][1]["Score"]["value"] is None and table["rows"][0]["Score"]["warned"]
