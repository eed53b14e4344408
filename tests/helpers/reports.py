"""Reports of reproductions with made-up numbers, and what is in them."""

import dataclasses
import json

from flow_gan import config as config_module
from flow_gan.report.claims import FAILS, HOLDS, UNDECIDED, UNKNOWN
from flow_gan.reproduction import report
from flow_gan.reproduction.journal import Journal
from flow_gan.reproduction.plan import make_plan
from tests.helpers import made_up_reproduction as made_up
from tests.helpers.html_pages import check_html

# Where data and classifiers lie on the machine that made the numbers.
SOMEBODY = "/home/somebody"


def check_report(path):
    """Assert that a report has all that it should have; return (its reader, tables.json, all verdicts by claim)."""
    reader = check_html(path.read_text(encoding="utf-8"))
    figures = {f"figure-{number}" for number in range(1, 9)}
    tables = {"table-1", "table-2", "table-3", "trade-off", "ablation", "trainings", "stages", "machine", "settings"}
    assert figures | tables <= set(reader.ids)
    stored = json.loads((path.parent / "tables.json").read_text(encoding="utf-8"))
    for file in path.parent.iterdir():
        content = file.read_bytes()
        named = [place for place in (str(path.parent.parent), SOMEBODY) if place.encode() in content]
        assert named == [], f"{file} names a folder of this machine"
    assert {"estimators", "jacobian", "trade-off", "ablation", "stages"} <= stored["tables"].keys()
    assert (path.parent / "tables.csv").read_text(encoding="utf-8").startswith("table,row,column,value,error,text\n")
    verdicts = [verdict for section in stored["orderings"].values() for verdict in section]
    assert len(verdicts) > 18
    assert {verdict["status"] for verdict in verdicts} <= {HOLDS, FAILS, UNDECIDED, UNKNOWN}
    return reader, stored, {verdict["claim"]: verdict for verdict in verdicts}


def write_report(folder, dataset="digits", seeds=1, **leave):
    """Return `check_report` of a reproduction with made-up numbers."""
    places = {"data_dir": f"{SOMEBODY}/tfds", "classifier_dir": f"{SOMEBODY}/classifiers"}
    config = config_module.Config(mode="reproduce", dataset=dataset, num_seeds=seeds, **places)
    scale = made_up.ABSURD if dataset == "digits" else dataclasses.replace(made_up.ABSURD, flow={}, implicit={})
    plan = make_plan(config, folder, scale)
    journal = Journal(folder)
    made_up.leave_all(plan, journal, **leave)
    return check_report(report.write(plan, journal, made_up.dataset(dataset)))


def rows(stored, table):
    found = stored["tables"][table]["rows"]
    return {next(iter(row.values())): row for row in found}


def text_of(reader):
    return " ".join(reader.text)
