"""The module through which TensorFlow Probability comes in, which by a contract of import-linter is the only one."""

import pathlib
import re

import pytest
import tensorflow_probability

from flow_gan import probability

ROOT = pathlib.Path(__file__).parents[1]
ALL = {f"{part}.{name}" for part, names in probability.NAMES.items() for name in names}


def test_names_are_those_of_the_library():
    for part, names in probability.NAMES.items():
        for name in names:
            assert getattr(getattr(probability, part), name) is getattr(getattr(tensorflow_probability, part), name)


def test_a_name_that_is_not_listed():
    with pytest.raises(AttributeError, match=r"does not list distributions\.Poisson"):
        probability.distributions.Poisson  # noqa: B018


def test_every_name_is_used_and_nothing_else():
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "flow_gan").rglob("*.py"))
    used = set(re.findall(rf"\btfp\.((?:{'|'.join(probability.NAMES)})\.\w+)", sources))
    for alias, part in re.findall(r"^(tf\w) = tfp\.(\w+)$", sources, re.MULTILINE):
        used |= {f"{part}.{name}" for name in re.findall(rf"\b{alias}\.(\w+)", sources)}
    assert used == ALL


def test_the_page_says_what_would_replace_each_name():
    page = (ROOT / "docs" / "tensorflow_probability.md").read_text(encoding="utf-8")
    rows = [row.split("|")[1:-1] for row in page.splitlines() if row.startswith("| `")]
    named = [name for row in rows for name in re.findall(r"`([\w.]+)`", row[0])]
    assert sorted(named) == sorted(ALL)
    assert all(len(row) == 3 and all(cell.strip() for cell in row) for row in rows)
