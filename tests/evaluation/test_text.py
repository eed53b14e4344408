import math

from flow_gan.evaluation import text


def test_numbers_with_errors():
    assert text.with_error(1.234, 0.056, 2) == "1.23 +- 0.06"
    assert text.with_error(1.234, math.nan, 1) == "1.2 +- unknown"


def test_how_many_were_used():
    assert [text.out_of(20, available) for available in (50, 20, None)] == ["20 of 50", "20", "20"]


def test_a_line_for_each_warning():
    assert text.with_warnings("NLL 1", []) == "NLL 1"
    assert text.with_warnings("NLL 1", ["odd", "inexact"]) == "NLL 1\nwarning: odd\nwarning: inexact"
