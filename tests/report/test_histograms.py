"""Histograms of two kinds of images: shares of all images, and nothing beyond the edges is lost."""

import math

import numpy as np
import pytest

from flow_gan.report import style
from flow_gan.report.histograms import Panel, histograms
from tests.helpers.figures import looks_like_a_figure


@pytest.fixture
def drawn(monkeypatch):
    figures, save = [], style.save
    monkeypatch.setattr(style, "save", lambda figure, path: figures.append(figure) or save(figure, path))
    return figures


def heights(axes):
    """Return the sums of the heights of the bars of both kinds."""
    return [sum(bar.get_height() for bar in bars) for bars in axes.containers]


def test_shares(tmp_path, drawn):
    rng = np.random.default_rng(0)
    far = np.concatenate([rng.normal(5, 1, 197), [1e9, math.inf, -math.inf]])
    rows = {
        "mle": {"log p": Panel(rng.normal(size=300), far, "AUROC 0.9"), "critic": Panel([1.0], [2.0], "AUROC 1")},
        "adv": {"log p": Panel([None, 1.0, 1.0, 1.0], [1.0, 1.0], "AUROC 0.5")},
        "dcgan": {"critic": Panel([1.0], [2.0], "AUROC 1")},
    }
    histograms(tmp_path / "h.png", rows, "own", "others")
    assert looks_like_a_figure(tmp_path / "h.png")
    first, critic, second, empty, _, alone = drawn[0].axes
    assert heights(first) == pytest.approx([1, 1]) and heights(critic) == pytest.approx([1, 1])
    # The unknown one is missing.
    assert heights(second) == pytest.approx([0.75, 1]) and not empty.containers and not empty.axison
    assert [axes.get_title() for axes in (first, critic, second)] == ["AUROC 0.9", "AUROC 1", "AUROC 0.5"]
    assert first.get_ylabel().startswith("mle\n") and second.get_ylabel().startswith("adv\n")
    assert alone.get_ylabel().startswith("dcgan\n") and not critic.get_ylabel()
    assert first.get_xlabel() == "log p" and max(abs(x) for x in first.get_xlim()) < 12
    (legend,) = drawn[0].legends
    assert [text.get_text() for text in legend.get_texts()] == ["own", "others"]


def test_values_without_a_range(tmp_path, drawn):
    histograms(tmp_path / "h.png", {"run": {"log p": Panel([math.inf] * 3, [None, None], "?")}}, "own", "others")
    assert heights(drawn[0].axes[0]) == pytest.approx([1, 0])
