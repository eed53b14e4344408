"""The wheel holds all that a run and a report need, and what it says of itself is right."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile

import pytest
import yaml

import flow_gan
from flow_gan.config import help_text

ROOT = pathlib.Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The wheel, built without a network from a copy of what git knows, and unpacked, which is how pip installs it."""
    folder = tmp_path_factory.mktemp("wheel")
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "flow_gan", "pyproject.toml", "*.md"]
    found = subprocess.run([*listed, "LICENSE"], cwd=ROOT, capture_output=True, text=True, check=True)
    for file in filter(os.path.exists, (ROOT / line for line in found.stdout.splitlines())):
        copy = folder / "sources" / file.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy)
    build = f"from setuptools import build_meta; build_meta.build_wheel({str(folder)!r})"
    done = subprocess.run([sys.executable, "-c", build], cwd=folder / "sources", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    [wheel] = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "site")
    return folder / "site"


def run(installed, folder, *command):
    """Return what a command of Python prints in a folder, with the wheel's package and not that of the sources."""
    environment = os.environ | {"PYTHONPATH": str(installed)}
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_run_and_a_report_from_an_empty_folder(installed, tmp_path):
    """By a preset, and of a reproduction with made-up numbers, whose page has its style within."""
    shutil.copy(ROOT / "tests" / "helpers" / "made_up_reproduction.py", tmp_path / "made_up.py")
    script = """
import pathlib
import flow_gan, made_up
from flow_gan.config import Config
from flow_gan.main import main
from flow_gan.reproduction import report
from flow_gan.reproduction.journal import Journal
from flow_gan.reproduction.plan import make_plan
print(flow_gan.__file__)
tiny = ["--max_steps=2", "--hidden_layers=8", "--no_of_layers=0", "--n_critic=1", "--df_dim=2"]
assert main(["--preset=digits_nice_hybrid", "--run_dir=run", *tiny]) == 0
folder = pathlib.Path("paper").absolute()
plan = make_plan(Config(mode="reproduce", dataset="digits", num_seeds=1), folder, made_up.ABSURD)
journal = Journal(folder)
made_up.leave_all(plan, journal)
report.write(plan, journal, made_up.dataset("digits"))
"""
    where, *printed = run(installed, tmp_path, "-c", script).splitlines()
    assert pathlib.Path(where).is_relative_to(installed)
    assert any(line.startswith("test NLL ") for line in printed)
    assert (tmp_path / "run" / "samples" / "best.png").exists()
    style = (ROOT / "flow_gan" / "report" / "page.css").read_text(encoding="utf-8").strip()
    assert style in (tmp_path / "paper" / "report" / "index.html").read_text(encoding="utf-8")


def test_three_names_of_one_command(installed, tmp_path):
    """python -m flow_gan.main, python -m flow_gan, and flow-gan, which the wheel names to pip."""
    script = (
        "from importlib.metadata import entry_points\n"
        "[command] = entry_points(group='console_scripts', name='flow-gan')\n"
        "raise SystemExit(command.load()())"
    )
    ways = [("-m", "flow_gan.main"), ("-m", "flow_gan"), ("-c", script)]
    texts = {run(installed, tmp_path, *way, "--help") for way in ways}
    assert texts == {help_text() + "\n"}


def test_the_wheel_holds_every_file_of_the_package(installed):
    """And no other: neither tests nor examples."""

    def files(folder):
        found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        return {name for name in found if "__pycache__" not in name and ".dist-info/" not in name}

    assert files(installed) == {f"flow_gan/{name}" for name in files(ROOT / "flow_gan")}


def test_the_version_stands_once(installed):
    [metadata] = installed.glob("flow_gan-*.dist-info/METADATA")
    text = metadata.read_text(encoding="utf-8")
    assert f"\nVersion: {flow_gan.__version__}\n" in text and PROJECT["dynamic"] == ["version"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == flow_gan.__version__ and citation["license"] == PROJECT["license"]
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (\d+\.\d+\.\d+)", changes, re.MULTILINE)[0] == flow_gan.__version__


def test_pythons_and_the_paper_are_named_alike():
    """Classifiers, bounds, README and the page that says how to install."""
    minors = [int(line.rpartition(".")[2]) for line in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", line)]
    assert PROJECT["requires-python"] == f">=3.{minors[0]},<3.{minors[-1] + 1}" and minors == sorted(minors)
    said = ", ".join(f"3.{minor}" for minor in minors[:-1]) + f" and 3.{minors[-1]}"
    for page in ("README.md", "docs/getting_started.md"):
        text = (ROOT / page).read_text(encoding="utf-8")
        assert f"Python {said}" in text and "tensorflow[and-cuda]" in text, page
    paper = PROJECT["urls"]["Paper"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert paper in (ROOT / "README.md").read_text(encoding="utf-8") and citation["preferred-citation"]["url"] == paper
