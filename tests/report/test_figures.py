"""Figures show what they are given; those whose drawing computes something are checked by numbers."""

import math

import numpy as np
import pytest

from flow_gan.report import figures, style, tables
from flow_gan.report.values import Value
from tests.helpers.figures import looks_like_a_figure


@pytest.fixture
def drawn(monkeypatch):
    """What was saved: a list of matplotlib figures."""
    figures_, save = [], style.save
    monkeypatch.setattr(style, "save", lambda figure, path: figures_.append(figure) or save(figure, path))
    return figures_


def test_learning_curves(tmp_path, drawn):
    run = {"step": [1, 2, 3], "train_nll": [5.0, None, 1.0], "validation_nll": [6.0, 7.0, math.inf]}
    runs = {"mle": run, "adv": run | {"critic_step": [1, 2, 3], "critic_loss": [1.0, 2.0, 3.0]}}
    for log_scale in (False, True):
        path = tmp_path / f"{log_scale}.png"
        figures.learning_curves(path, runs, "nats", log_scale)
        assert looks_like_a_figure(path)
    figures.learning_curves(tmp_path / "curves.svg", runs, "nats")
    lines = {line.get_label(): line for line in drawn[0].axes[0].lines}
    assert lines.keys() == {f"{name}, {split}" for name in runs for split in ("train", "validation")}
    # The critic's losses have a panel of their own.
    nlls, losses = drawn[0].axes
    assert [line.get_label() for line in losses.lines] == ["adv"] and losses.get_ylabel() == "critic's loss"
    assert losses.get_position().y1 <= nlls.get_position().y0
    figures.learning_curves(tmp_path / "mle.svg", {"mle": run}, "nats")
    assert len(drawn[-1].axes) == 1
    np.testing.assert_array_equal(lines["mle, train"].get_ydata(), [5.0, np.nan, 1.0])
    np.testing.assert_array_equal(lines["mle, validation"].get_ydata(), [6.0, 7.0, np.nan])
    assert "<svg" in (tmp_path / "curves.svg").read_text(encoding="utf-8")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["False.png", "True.png", "curves.svg", "mle.svg"]


def test_score_curves(tmp_path):
    figures.score_curves(tmp_path / "s.png", {"a": {"step": [1, 2], "score": [3, 4], "std": [0.1, 0.2]}}, "MODE score")
    assert looks_like_a_figure(tmp_path / "s.png")


def test_singular_values(tmp_path, drawn):
    figures.singular_value_cdf(tmp_path / "s.png", {"mle": np.ones((2, 3)), "adv": [[1e-12, 0.0, 1.0]]})
    assert looks_like_a_figure(tmp_path / "s.png")
    (axes,) = drawn[0].axes
    assert axes.get_xscale() == "log" and axes.get_ylim() == (0, 1)
    mle, adv = axes.lines
    np.testing.assert_allclose(mle.get_ydata(), np.arange(1, 7) / 6)
    np.testing.assert_allclose(adv.get_xdata(), [1e-12, 1e-12, 1])


@pytest.mark.parametrize(
    "run_nll, run_score, expected",
    [
        (50.0, 4.0, [0.1]),  # Lower NLL at 0.1 and 1, higher score at 0.01 and 0.1.
        (500.0, 4.0, [0.01, 0.1]),
        (math.inf, 1.0, [0.01, 0.1, 1.0]),
        (5.0, 1.0, []),
        (None, 1.0, []),
    ],
)
def test_bandwidths_that_win(tmp_path, drawn, run_nll, run_score, expected):
    sweep = {"bandwidths": [1.0, 0.01, 0.1], "nll": [40.0, 100.0, 10.0], "score": [2.0, 9.0, 8.0]}
    wins = figures.mixture_sweep(tmp_path / "m.png", sweep, "adv", run_nll, run_score, "MODE score", "nats")
    assert wins == expected and looks_like_a_figure(tmp_path / "m.png")
    nll_axes, score_axes = drawn[0].axes
    dashed = [[line.get_ydata()[0] for line in a.lines if line.get_linestyle() == "--"] for a in (nll_axes, score_axes)]
    assert dashed == [[run_nll] if run_nll is not None and math.isfinite(run_nll) else [], [run_score]]
    # Every winning bandwidth lies in a shaded span, the others in none.
    spans = [patch.get_extents().transformed(nll_axes.transData.inverted()) for patch in score_axes.patches]
    spans += [patch.get_extents().transformed(nll_axes.transData.inverted()) for patch in nll_axes.patches]
    shaded = [b for b in (0.01, 0.1, 1.0) if any(s.x0 <= b * 1.0001 and b <= s.x1 * 1.0001 for s in spans)]
    assert shaded == expected and nll_axes.get_xscale() == "log"


def test_a_sweep_without_scores(tmp_path):
    sweep = {"bandwidths": [0.1, 1.0], "nll": [10.0, 40.0]}
    assert figures.mixture_sweep(tmp_path / "m.png", sweep, "run", 5.0, None, "MODE score", "nats") == []


def test_markdown():
    assert tables.markdown(["a", "long"], [["1", "2"], ["345", "6"]]).splitlines() == [
        "| a   | long |",
        "| --- | ---- |",
        "| 1   | 2    |",
        "| 345 | 6    |",
    ]


def test_trade_off_is_drawn_above_the_lowest_nll(tmp_path, drawn):
    points = [
        ("ADV", Value(40.0), Value(5.5, 0.1)),
        ("λ = 1", Value(-80.0, 0.5), Value(6.0)),
        ("MLE", Value(-81), Value(5)),
    ]
    figures.trade_off(tmp_path / "t.png", points, "nats", "MODE score")
    assert looks_like_a_figure(tmp_path / "t.png")
    (axes,) = drawn[0].axes
    assert list(axes.lines[0].get_xdata()) == [121.0, 1.0, 0.0] and list(axes.lines[0].get_ydata()) == [5.5, 6.0, 5.0]
    assert axes.get_xscale() == "symlog" and "above the lowest, −81.00 (nats)" in axes.get_xlabel()
    assert [text.get_text() for text in drawn[0].legends[0].get_texts()] == ["ADV", "λ = 1", "MLE"]
    figures.trade_off(tmp_path / "one.png", points[:1], "nats", "MODE score")


def test_objective_curves(tmp_path, drawn):
    run = {"step": [1, 2], "train_nll": [5.0, None], "validation_nll": [math.inf, 4.0]}
    panels = {"MLE": run, "ADV": run | {"critic_step": [1, 2], "critic_loss": [1.0, 2.0]}}
    figures.objective_curves(tmp_path / "c.png", panels, "nats", wide=["ADV"])
    assert looks_like_a_figure(tmp_path / "c.png")
    mle, adv, critic = drawn[0].axes
    assert (mle.get_yscale(), adv.get_yscale()) == ("linear", "symlog") and critic.get_ylabel() == "critic's loss"
    assert list(critic.lines[0].get_ydata()) == [1.0, 2.0] and critic.lines[0].get_label() == "critic's loss"
    for axes in (mle, adv):
        lines = {line.get_label(): line for line in axes.lines}
        assert lines.keys() == {"train NLL", "validation NLL"}
        assert all(list(line.get_xdata()) == [1, 2] for line in lines.values())
        np.testing.assert_array_equal(lines["train NLL"].get_ydata(), [5.0, np.nan])
        np.testing.assert_array_equal(lines["validation NLL"].get_ydata(), [np.nan, 4.0])


def test_what_is_wide():
    assert figures.is_wide([-80.0, None, -70.0, 5000.0]) and not figures.is_wide([-80.0, -70.0, math.inf])
    assert not figures.is_wide([]) and not figures.is_wide([None])


def colours(lines):
    return {line.get_label(): line.get_color() for line in lines}


def test_colours_are_the_paper_s(tmp_path, drawn):
    """Figure 2: train red, validation blue, critic green. 3 and 6: the mixture's NLL blue and score red, ADV dashed."""
    run = {"step": [1, 2], "train_nll": [5.0, 4.0], "validation_nll": [6.0, 5.0]}
    run |= {"critic_step": [1, 2], "critic_loss": [1.0, 2.0]}
    figures.objective_curves(tmp_path / "c.svg", {"ADV": run}, "nats")
    sweep = {"bandwidths": [0.01, 0.1], "nll": [40.0, 10.0], "score": [9.0, 8.0]}
    figures.mixture_sweep(tmp_path / "m.svg", sweep, "ADV", 50.0, 4.0, "MODE score", "nats")
    curves, mixture = (colours(line for axes in figure.axes for line in axes.lines) for figure in drawn)
    assert curves == {"train NLL": "tab:red", "validation NLL": "tab:blue", "critic's loss": "tab:green"}
    assert mixture == {
        **{"mixture, NLL": "tab:blue", "mixture, MODE score": "tab:red"},
        **{"ADV, NLL": "tab:cyan", "ADV, MODE score": "maroon"},
    }
    assert drawn[1].axes[0].patches[0].get_facecolor()[1] > 0.5  # Green.
    models = {"mle": "tab:orange", "adv": "tab:green", "hybrid": "tab:blue"}  # Figures 4 and 8.
    assert models | {"dcgan_wgan": "tab:red", "dcgan_ce": "tab:purple"} == style.MODELS
    assert (style.MODELS_IN_FIGURE_5["mle"], style.MODELS_IN_FIGURE_5["adv"]) == ("tab:cyan", "maroon")


def test_runs_have_the_colours_of_their_kind_unless_two_would_have_the_same():
    assert style.colours_of({"run": "hybrid"}) == {"run": "tab:blue"}
    assert style.colours_of({"a": "mle", "b": "adv"}) == {"a": "tab:orange", "b": "tab:green"}
    assert (
        style.colours_of({"a": "mle", "b": "mle"})
        == style.colours_of({"a": "mle", "b": None})
        == {"a": "C0", "b": "C1"}
    )
    shades = style.shades_of_hybrid(3)
    assert len(set(shades)) == 3 and [sum(shade[:3]) for shade in shades] == sorted(sum(s[:3]) for s in shades)[::-1]
    assert len(style.shades_of_hybrid(1)) == 1


def test_a_legend_hides_no_curve_and_fits(tmp_path, drawn):
    """It stands above the axes, in a line for each of long names."""
    names = [f"cifar10_real_nvp_hybrid_paper_small-{i}" for i in range(6)]
    figures.singular_value_cdf(tmp_path / "s.png", {name: [1.0, 2.0] for name in names})
    (figure,) = drawn
    legend, axes = figure.legends[0].get_window_extent(), figure.axes[0].get_window_extent()
    assert legend.y0 >= axes.y1 and legend.x0 >= 0 and legend.x1 <= figure.bbox.x1
    assert axes.height > 150 * figure.dpi / 100
