"""The README's Python runs as written, its commands are those of the tests, and what it links to exists."""

import pathlib
import re

ROOT = pathlib.Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_python_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL):
        exec(block, names)
    assert names["samples"].shape == (16, 8, 8, 1) and names["log_prob"].shape == (250,)
    assert names["model"].num_steps == 2 * (1297 // 100 + 1)


def test_its_first_commands_are_those_of_the_tests():
    """It installs and tests as `.ci/run` does."""
    first, second = re.findall(r"^    (pip install .*)$", README, re.MULTILINE)[:2]
    assert first.startswith("pip install -r requirements.txt && python -m flow_gan.main ")
    assert second.startswith("pip install -r requirements.txt && python -m pytest ")
    run = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert re.search(r"pip install .*-r requirements\.txt\n", run) and run.rstrip().endswith("-m pytest")


def test_links_lead_somewhere():
    links = re.findall(r"\]\(([^)#:]+)(?:#([^)]*))?\)", README)
    assert links
    for path, anchor in links:
        assert (ROOT / path).exists(), path
        if anchor:
            titles = re.findall(r"^#+ (.*)$", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in [re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles], anchor
