"""The page is whole, well-formed, needs nothing else, and says what it is given."""

import base64
import csv
import io
import json
import math

import pytest

from flow_gan.report import claims, page
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
    figure = Picture(
        key="picture-1", path=picture, alternative="What the picture shows, for a test.", caption="Caption"
    )
    section = Section(
        keys=["figure-1", "figure-3"],
        title="Figure 1: x",
        paper="it is so",
        differs=["less"],
        parts=[figure, table],
        verdicts=verdicts,
        checks=["sound"],
    )
    return Page(
        title="Title",
        subtitle="Subtitle",
        lead=["Lead."],
        terms=[("NLL", "meaning")],
        differs=["fewer steps"],
        sections=[section],
        appendix=[Table(key="end", title="End", header=["a", "b"], rows=[["x", "y"]])],
    )


def test_html(made_up):
    text = page.to_html(made_up)
    reader = check_html(text)
    assert {"figure-1", "figure-3", "picture-1", "table-1", "end", "summary"} <= set(reader.ids)
    said = " ".join(" ".join(reader.text).split())
    assert "1 hold in this run, 1 do not hold, 1 are undecided, and of 1 it cannot be told" in said
    for part in ("MLE & co", "<b>", "Table 1: of <things>", "−1.23 ± 0.50", "2.00 (!)", "–", "not finite", "A note."):
        assert part in said, part
    assert (
        "✗ does not hold, of these weights: b < c." in said
        and "≈ undecided: d < e." in said
        and "? cannot be told: c < d. no d." in said
    )
    (source,) = [attributes["src"] for tag, attributes in reader.elements if tag == "img"]
    assert base64.b64decode(source.split(",")[1]).startswith(b"<svg")


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
