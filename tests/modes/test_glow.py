"""A run of Glow in every mode."""

import re

import numpy as np
import PIL.Image
import pytest

from flow_gan import data
from flow_gan.main import main
from tests.helpers.runs import GLOW, SMALL


def command(mode, run, **flags):
    return [f"--mode={mode}", f"--run_dir={run}", *(f"--{name}={value}" for name, value in flags.items())]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A hybrid run on the digits, of few steps so that every graph is small."""
    folder = tmp_path_factory.mktemp("runs") / "glow"
    flags = SMALL | GLOW | {"depth_per_scale": 1, "scales": 1, "max_steps": 4, "num_samples": 4}
    assert main([f"--run_dir={folder}", *(f"--{name}={value}" for name, value in flags.items())]) == 0
    return folder


def test_evaluate_and_compare(run, capsys):
    few = {"num_examples": 10, "ais_images": 2, "ais_chains": 2, "ais_temperatures": 5, "jacobian_draws": 1}
    assert main(command("evaluate", run, metrics="nll,nll_terms,jacobian,ais", **few)) == 0
    printed = capsys.readouterr().out
    assert "100 % finite" in printed and "off by at most" in printed and "is inexact" not in printed
    assert re.search(r"ais, test images.*\n.* nats", printed) and "-log-scales" in printed
    assert main(["--mode=compare", f"--run_dirs={run}", "--metrics=nll", "--num_examples=10"]) == 0
    assert "glow" in capsys.readouterr().out


def test_images_of_your_own(run, tmp_path):
    two = tmp_path / "two.npy"
    np.save(two, data.load("digits").test.images[:2])
    mask = tmp_path / "mask.png"
    PIL.Image.fromarray(np.repeat([[0], [255]], 4, 0).astype(np.uint8).repeat(8, 1)).save(mask)
    assert main(command("sample", run, output=tmp_path / "samples", num_samples=3)) == 0
    assert main(command("score", run, images=two, output=tmp_path / "scores.csv")) == 0
    assert main(command("interpolate", run, images=two, output=tmp_path / "path", num_frames=2)) == 0
    assert main(command("inpaint", run, images=two, mask=mask, output=tmp_path / "in", inpaint_steps=2)) == 0
    assert len(list((tmp_path / "samples").iterdir())) == 3
    assert all((tmp_path / name).exists() for name in ("scores.csv", "path", "in"))


def test_export(run, tmp_path):
    """Its results are checked against the model's, in a process with TensorFlow alone."""
    assert main(command("export", run, export_dir=tmp_path / "export")) == 0
    assert (tmp_path / "export" / "saved_model.pb").exists()
