"""Errors in one line."""

import pytest

from flow_gan.errors import brief


@pytest.mark.parametrize(
    "error, expected",
    [
        (OSError("no space\n  left\ton the device"), "no space left on the device"),
        (ValueError("x" * 1000), "x" * 400),
        ("a text", "a text"),
        (MemoryError(), "MemoryError"),
    ],
)
def test_brief(error, expected):
    assert brief(error) == expected
