"""The notebooks run, made small; as committed they are whole, in order and without errors.

Their cells are run here, in this process, which has TensorFlow already: kernels of their own would take minutes.
"""

import base64
import json
import pathlib

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

from flow_gan import config
from tests.helpers.classifier import judge

ROOT = pathlib.Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))
# What takes the place of the values in the cell tagged "parameters".
SMALL = {"first_steps": {"steps": 16}, "the_paper": {"steps": 6, "draws": 1}, "your_own_images": {"steps": 10}}


def cells_of(path):
    return [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]


@pytest.fixture
def run_notebook(tmp_path, monkeypatch):
    """A function that runs a notebook in an empty folder and returns its names and the number of its figures."""
    matplotlib.use("Agg")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)

    def run(name):
        names = {}
        for number, cell in enumerate(cells_of(ROOT / "examples" / f"{name}.ipynb"), 1):
            exec(compile("".join(cell["source"]), f"{name}.ipynb, cell {number}", "exec"), names)
            if "parameters" in cell["metadata"].get("tags", ()):
                names |= SMALL[name]
        return names, len(plt.get_fignums())

    yield run
    plt.close("all")


def test_all_are_tested():
    assert {path.stem for path in NOTEBOOKS} == set(SMALL)


def test_first_steps(run_notebook, capsys, monkeypatch):
    """With the default run's networks made smaller."""
    whole, small = config.Config, {"hidden_layers": 16, "df_dim": 4, "n_critic": 1}
    monkeypatch.setattr(config, "Config", lambda **given: whole(**small | given))
    names, figures = run_notebook("first_steps")
    assert figures == 4 and names["log_prob"].shape == (250,)
    assert [line["step"] for line in names["validated"]] == list(range(2, 17, 2))
    assert "with 17 levels" in capsys.readouterr().out


def test_your_own_images(run_notebook, capsys):
    names, figures = run_notebook("your_own_images")
    assert figures == 4 and len(names["files"]) == len(names["score"]) == 1797
    assert names["run"].dataset.image_shape == (8, 8, 1) and len(names["usual"]) == len(names["run"].dataset.test)
    printed = capsys.readouterr().out
    assert all(f"{kind:11} " in printed for kind in names["kinds"])
    assert np.isfinite(names["score"]).all()


@pytest.mark.slow
def test_the_paper(run_notebook, capsys, monkeypatch):
    """With critics that are traced sooner, and a classifier that is there."""
    preset = config.preset
    monkeypatch.setattr(
        config, "preset", lambda name: preset(name) | ({"n_critic": 1, "df_dim": 2} if "mle" not in name else {})
    )
    monkeypatch.setattr("flow_gan.evaluation.load_classifier", judge)
    names, figures = run_notebook("the_paper")
    assert figures == 4 and list(names["runs"]) == ["MLE", "ADV", "hybrid"]
    assert {run.last_step for run in names["runs"].values()} == {6}
    printed = capsys.readouterr().out
    assert printed.count("condition number") == 3 and "MODE score" in printed
    assert len(names["nll"]) == len(names["widths"])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_as_committed(path):
    """Run from the first cell to the last, with pictures that are small, and without a trace of the machine."""
    cells = cells_of(path)
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert not [output for output in outputs if output["output_type"] == "error" or output.get("name") == "stderr"]
    pictures = [output["data"]["image/png"] for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == 4 and all(len(base64.b64decode(picture)) < 40_000 for picture in pictures)
    text = path.read_text(encoding="utf-8")
    assert "/home/" not in text and "/tmp/" not in text and "/root/" not in text
    [parameters] = [cell for cell in cells if "parameters" in cell["metadata"].get("tags", ())]
    own = {}
    exec("".join(parameters["source"]), own)
    assert own.keys() >= SMALL[path.stem].keys()
