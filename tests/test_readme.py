"""The README's Python runs as written, and its files exist."""

import pathlib
import re

ROOT = pathlib.Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_python_blocks_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL):
        exec(block, names)
    assert names["model"].num_steps == 20 and (tmp_path / "runs" / "from_python" / "config.json").exists()
    assert names["log_prob"].shape == [250] and names["z"].shape == [250, 64]
    assert abs(names["again"] - names["images"]).numpy().max() < 1e-4
    assert names["samples"].shape == [16, 8, 8, 1] and names["density"].event_shape == (8, 8, 1)
    assert names["nll"].num_images == 250 and "nats" in capsys.readouterr().out
    assert names["baseline"].shape == (3,) and (tmp_path / "real_nvp.weights.h5").exists()


def test_files_that_it_names_exist():
    paths = set(re.findall(r"\b(?:runs|tests)/[\w/]+\.(?:flags|png)", README))
    assert paths
    for path in paths:
        assert (ROOT / path).exists(), path


def test_it_shows_every_preset():
    rows = set(re.findall(r"^\| `(\w+_(?:nice|real_nvp|dcgan)_\w+)` \|", README, re.MULTILINE))
    assert rows == {path.stem for path in (ROOT / "runs").glob("*.flags")}
