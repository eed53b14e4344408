"""The three sentences at the beginning of the page say what the numbers do, and no more."""

import types

import pytest

from flow_gan.report.values import Value, over_images
from flow_gan.reproduction.plan import FLOWS
from flow_gan.reproduction.sections import findings
from tests.helpers import made_up_reproduction as made_up


def said(nlls, scores, dataset="digits", marked=()):
    """Return the sentences on models with these values of MLE, ADV and the hybrid."""
    values = {"nll": dict(zip(FLOWS, nlls, strict=True)), "score": dict(zip(FLOWS, scores, strict=True))}
    stored = {"test_images": {"mode_score": 9.9, "inception_score": 9.8}}
    plan = types.SimpleNamespace(
        training=lambda role: types.SimpleNamespace(config=types.SimpleNamespace(like_reg=0.1))
    )
    described = made_up.dataset(dataset)
    context = types.SimpleNamespace(
        nll=values["nll"].__getitem__,
        scored=values["score"].__getitem__,
        dataset=described,
        is_grey=described.is_grey,
        unit=described.nll_unit,
        score="MODE score" if described.is_grey else "Inception score",
        results=types.SimpleNamespace(
            plan=plan,
            result=lambda role, metric: stored,
            warnings=lambda role, metric: ["a warning"] if (role, metric) in marked else [],
        ),
    )
    return [subject + rest for subject, rest in findings(context)]


def of(*numbers, error):
    return [Value(number, error) for number in numbers]


def test_what_is_beyond_the_error():
    mle, adv, hybrid = said(of(-80.0, 40.0, -90.0, error=1.0), of(5.0, 6.0, 4.0, error=0.1))
    assert mle == (
        "MLE, trained by maximum likelihood, has a MODE score of 5.00 (real test images: 9.90) "
        "and a test NLL of -80.00 nats."
    )
    assert adv == (
        "ADV, trained against a critic alone, has a MODE score of 6.00, better than MLE's by 1.00 ± 0.14, "
        "and a test NLL of 40.00 nats, worse than MLE's by 120.00 ± 1.41."
    )
    assert hybrid == (
        "Hybrid, trained by both (λ = 0.1), has a MODE score of 4.00, worse than MLE's by 1.00 ± 0.14 "
        "and ADV's by 2.00 ± 0.14, "
        "and a test NLL of -90.00 nats, better than MLE's by 10.00 ± 1.41 and ADV's by 130.00 ± 1.41."
    )


def test_what_is_within_the_error_is_undecided():
    *_, hybrid = said(of(-80.0, 40.0, -81.0, error=1.0), of(5.0, 5.1, 5.1, error=0.1))
    assert "a MODE score of 5.10, undecided against MLE's (difference 0.10 ± 0.14) and ADV's (difference 0.00" in hybrid
    assert "-81.00 nats, undecided against MLE's (difference -1.00 ± 1.41), better than ADV's by 121.00" in hybrid


def test_the_same_images_are_compared_in_pairs():
    """Each image is 0.4 to 0.6 nats worse, far below the spread over images."""
    images = [float(n) for n in range(20)]
    values = [
        over_images(sum(nats) / 20, 5.0, nats)
        for nats in (images, images, [n + 0.4 + 0.2 * (i % 2) for i, n in enumerate(images)])
    ]
    _, adv, hybrid = said(values, of(5.0, 6.0, 7.0, error=0.1))
    assert "worse than MLE's by 0.50 ± 0.02" in hybrid
    assert "undecided against MLE's (difference 0.00 ± 0.00)" in adv


@pytest.mark.parametrize("missing", [Value(), Value(float("inf")), Value(float("nan"))])
def test_what_is_missing(missing):
    _, adv, hybrid = said([Value(-80.0, 1.0), missing, Value(-90.0, 1.0)], [missing, missing, Value(5.0)])
    assert adv == "ADV, trained against a critic alone, has no finite MODE score and no finite test NLL."
    assert hybrid.endswith("has a MODE score of 5.00 and a test NLL of -90.00 nats, better than MLE's by 10.00 ± 1.41.")


def test_a_number_with_a_warning_is_marked():
    mle, adv, _ = said(of(-80.0, 40.0, -90.0, error=1.0), of(5.0, 6.0, 4.0, error=0.1), marked=[("adv", "nll")])
    assert "(!)" not in mle and "6.00, better" in adv and "a test NLL of 40.00 nats (!), worse than MLE's" in adv


def test_colour_images():
    mle, *_ = said(of(3.5, 8.0, 4.0, error=0.01), of(2.0, 5.0, 3.0, error=0.1), "cifar10")
    assert mle.endswith("an Inception score of 2.00 (real test images: 9.80) and a test NLL of 3.500 bits/dim.")
