"""Files that are written whole or not at all."""

import json
import os

import numpy as np
import pytest

import flow_gan
from flow_gan.training.files import finite, write_json, write_whole


def test_json_has_null_for_what_is_not_finite(tmp_path):
    """Python would write NaN, which no other program reads."""
    value = {"nll": float("nan"), "draws": [1.5, np.float64("inf")], "parts": {"a": (float("-inf"), 2)}, "n": 3}
    write_json(tmp_path / "new" / "file.json", value)
    text = (tmp_path / "new" / "file.json").read_text()
    expected = {"nll": None, "draws": [1.5, None], "parts": {"a": [None, 2]}, "n": 3}
    assert json.loads(text, parse_constant=pytest.fail) == expected == finite(value)


def test_a_write_that_fails_leaves_the_old_content(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_whole(path, "old")

    def full(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(flow_gan.UserError, match=r"file cannot be written: No space left on device\. Earlier files"):
        write_whole(path, "new")
    assert path.read_text() == "old"
