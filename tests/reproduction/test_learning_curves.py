"""Figure 2's numbers and verdicts are of what validations measured: both NLLs in evaluation mode, at the same steps."""

import math

import numpy as np
import pytest

from flow_gan.report.claims import FAILS, HOLDS, UNDECIDED, UNKNOWN
from flow_gan.report.values import Value
from flow_gan.reproduction.sections import learning_curves
from flow_gan.reproduction.sections.learning_curves import LearningCurve
from tests.helpers.reports import rows, text_of, write_report

VALIDATION = "ADV's validation NLL rises during training"
TRACK = "Under ADV train and validation NLL track each other: to a tenth of the distance to MLE, on average"
CRITIC = "Under ADV the critic's loss tells little of the NLL: |rank correlation| of 0.5 at most"
DIVERGES = "MLE's train NLL diverges from its validation NLL: the gap rises"


def course(train, validation, critic_losses=None, error=0.5):
    steps = list(range(10, 10 * len(train) + 1, 10))
    losses = critic_losses or [math.nan] * len(train)
    return LearningCurve(steps, *([Value(v, error) for v in nlls] for nlls in (train, validation)), losses)


MLE = course([-80.0, -84.0, -88.0, -92.0, -96.0], [-80.0, -82.0, -84.0, -85.0, -86.0])


def verdicts(mle, adv):
    return {verdict.claim: verdict for verdict in learning_curves._verdicts_on_curves(mle, adv)}


@pytest.mark.parametrize("dataset, unit", [("digits", 1.0), ("cifar10", 1 / (192 * math.log(2)))])
def test_the_page_s_numbers_are_the_validations(tmp_path, undrawn, monkeypatch, dataset, unit):
    """A step's batch has an NLL of -999 everywhere, which is in none of them."""
    reader, stored, _ = write_report(tmp_path / "r", dataset)
    zero = 0.0 if dataset == "digits" else 8.0
    ends = rows(stored, "curve-ends")
    numbers = {"MLE": (-92.0, -92.0, -98.0), "ADV": (42.0, 52.0, 46.0), "Hybrid": (-97.0, -97.0, -103.0)}
    for name, nlls in numbers.items():
        own = list(ends[name].values())[1:]
        assert [v["value"] for v in own[:3]] == pytest.approx([zero + unit * nats for nats in nlls])
        assert [v["error"] for v in own[:3]] == pytest.approx([0.4 * unit, 0.4 * unit, 0.3 * unit])
        # 1, 2, ... 6 at the validations; its error is hypot(0.3, 0.4), of the mean as of each.
        gap, mean = ends[name]["Held-out gap at the end"], ends[name]["Mean held-out gap"]
        assert [v["value"] for v in (gap, mean)] == pytest.approx([6 * unit, 3.5 * unit])
        assert [v["error"] for v in (gap, mean)] == pytest.approx([0.5 * unit, 0.5 * unit])
    drawn = []
    monkeypatch.setattr("flow_gan.report.figures.objective_curves", lambda path, panels, *more: drawn.append(panels))
    undrawn["figure-2"](tmp_path / "x.png")
    for name, first in {"MLE": -82.0, "ADV": 42.0}.items():
        curve = drawn[0][name]
        assert curve["step"] == [2, 4, 6, 8, 10, 12]
        expected = [[first - 1, first], [0.3, 0.4]]
        found = [[curve[f"{split}_{what}"][0] for split in ("train", "validation")] for what in ("nll", "error")]
        assert found[0] == pytest.approx([zero + unit * nats for nats in expected[0]])
        assert found[1] == pytest.approx([unit * nats for nats in expected[1]])
    assert "of 20 training images, always the same (red), and of all 20 validation images" in text_of(reader)


def test_critic_s_losses_are_means_over_the_steps_since_the_validation_before():
    nlls = {f"{split}_{what}": [1.0, 2.0, 3.0] for split in ("train", "validation") for what in ("nll", "error")}
    critic = {"critic_step": list(range(1, 9)), "critic_loss": [1.0, 3.0, 5.0, None, 8.0, None, None, 9.0]}
    found = LearningCurve.of_curve({"step": [2, 5, 7], **nlls, **critic})
    assert found.critic_losses[:2] == [2.0, 6.5] and math.isnan(found.critic_losses[2])
    assert all(map(math.isnan, LearningCurve.of_curve({"step": [2, 5, 7], **nlls}).critic_losses))


def test_training_images_as_bad_as_others():
    """ADV's NLLs rise together, a little apart; MLE's gap grows; the critic's loss is another matter."""
    rng = np.random.default_rng(0)
    validation = [11.0 + 10 * i for i in range(40)]
    adv = course([nll - 1 for nll in validation], validation, list(rng.permutation(40)))
    found = verdicts(MLE, adv)
    assert {verdict.status for verdict in found.values()} == {HOLDS}
    # 206 + 86 nats from MLE's end, on average.
    assert found[TRACK].detail == "difference of the two 1, limit 29.2; limit − difference of the two = 28.2 ± 0.71"
    assert "over 40 points" in found[CRITIC].detail and "step 400" in found[VALIDATION].detail


def test_an_adv_that_memorises():
    validation = [11.0 * i for i in range(30)]
    adv = course([40.0 - 10 * i for i in range(30)], validation, [float(i) for i in range(30)])
    found = verdicts(course([-80.0] * 5, [-80.0, -82.0, -84.0, -86.0, -87.0]), adv)
    assert found[VALIDATION].status == HOLDS
    assert {found[claim].status for claim in (TRACK, CRITIC, DIVERGES)} == {FAILS}


def test_few_validations_decide_nothing():
    found = verdicts(course([-80.0] * 3, [-80.0, -79.0, -78.0]), course([0.0] * 3, [1.0, 2.0, 3.0], [1.0, 3.0, 2.0]))
    assert {found[claim].status for claim in (VALIDATION, CRITIC, DIVERGES)} == {UNDECIDED}


@pytest.mark.parametrize("missing", [Value(), Value(math.inf), Value(math.nan, 1.0)])
def test_numbers_that_are_missing(missing):
    """A run of which no training images were measured, or whose NLL overflowed, is not judged by what is not there."""
    validation = [11.0 + 10 * i for i in range(40)]
    measured = course([1.0] * 40, validation, list(np.random.default_rng(0).permutation(40)))
    adv = LearningCurve(measured.steps, [missing] * 40, measured.validation, measured.critic_losses)
    found = verdicts(MLE, adv)
    assert found[TRACK].status == UNKNOWN
    assert {found[claim].status for claim in (VALIDATION, CRITIC)} == {HOLDS}
    assert {verdict.status for verdict in verdicts(LearningCurve(), LearningCurve()).values()} == {UNKNOWN}


def test_errors_that_a_verdict_takes():
    """That of the mean gap is no smaller than each one's: the images are the same at each validation."""
    assert learning_curves._mean([Value(1.0, 0.5), Value(), Value(3.0, 0.7)]) == Value(2.0, 0.6)
    assert learning_curves._mean([Value(1.0, 0.5), Value(3.0)]) == Value(2.0)
    assert learning_curves._difference(Value(5.0, 0.3), Value(2.0, 0.4)) == Value(3.0, 0.5)
    assert learning_curves._size(Value(-5.0, 0.4), 0.5) == Value(2.5, 0.2)
