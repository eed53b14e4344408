"""The preset for a user's own images trains on a folder of them."""

import re

import numpy as np
import PIL.Image
import pytest

from flow_gan.main import main
from flow_gan.run_files import FINISHED, read_status
from tests.helpers.command_line import assert_refused

PRESET = "--preset=images_real_nvp_mle"


@pytest.mark.parametrize("channels", [3, pytest.param(1, marks=pytest.mark.slow)])
def test_a_folder_of_made_up_images(tmp_path, capsys, channels):
    """Of discs on a sloping ground; after 12 steps it is below the 8 bits of what is not known at all."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:8, :8]
    (tmp_path / "pictures").mkdir()
    for i in range(60):
        ground = 60 + 8 * x[..., None] + rng.integers(0, 60, channels)
        disc = (x - rng.integers(2, 6)) ** 2 + (y - rng.integers(2, 6)) ** 2 < 6
        picture = np.where(disc[..., None], rng.integers(0, 256, channels), ground).astype(np.uint8)
        PIL.Image.fromarray(picture if channels == 3 else picture[..., 0]).save(tmp_path / "pictures" / f"{i}.png")
    run = tmp_path / "run"
    flags = ["--max_steps=12", "--warmup_steps=2", "--eval_every=4", "--num_samples=4"]
    assert main([PRESET, f"--dataset={tmp_path / 'pictures'}", f"--run_dir={run}", *flags]) == 0
    printed = capsys.readouterr().out
    assert f"pictures: 48 train, 6 validation, 6 test images of 8x8x{channels}, 256 levels\n" in printed
    bits, step = re.search(r"best validation NLL .* ([\d.]+) bits/dim, at step (\d+)\n", printed).groups()
    assert float(bits) < 8 and step == "12"
    assert read_status(run).state == FINISHED


def test_it_asks_for_the_images(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert_refused([PRESET], "--dataset=./FOLDER_OF_YOUR_IMAGES: there is no such folder", capsys)
    assert not list(tmp_path.iterdir())
