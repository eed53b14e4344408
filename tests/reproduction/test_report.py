"""The report of a reproduction, of numbers that are made up: what it says of them, marks, and leaves out."""

import pytest

from flow_gan import config as config_module
from flow_gan.report import paper
from flow_gan.report.claims import FAILS, HOLDS, UNDECIDED, UNKNOWN
from flow_gan.report.values import Value
from flow_gan.reproduction.plan import make_plan
from flow_gan.reproduction.sections.context import ascending_over_seeds
from tests.helpers import made_up_reproduction as made_up
from tests.helpers.reports import rows, text_of, write_report


def test_numbers_and_orders_of_grey_images(tmp_path):
    reader, stored, verdicts = write_report(tmp_path / "r")
    table = rows(stored, "table-1")
    assert table["MLE"]["Test NLL (nats)"] == {"value": -80.0, "error": 0.5, "warned": False}
    # Of ten splits, whose stored deviation has the divisor n.
    score = {"value": 5.5, "error": pytest.approx(0.1 * (10 / 9) ** 0.5), "warned": False}
    assert table["ADV"]["Best MODE score"] == score
    ceiling = {"value": 9.9, "error": 0.1, "warned": False}
    assert table["Real images"]["Best MODE score"] == ceiling
    for role, (score, nll) in paper.TABLE_1.items():
        name = {"mle": "MLE", "adv": "ADV", "hybrid": "Hybrid (λ = 0.1)"}[role]
        assert (table[name]["Paper: MODE score"]["value"], table[name]["Paper: test NLL"]["value"]) == (score, nll)
    for numbers in (*paper.TABLE_3.values(), paper.LOG_DETERMINANTS["mnist"].values()):
        for number in numbers:
            assert f"{number:.2f}".replace("-", "−") in text_of(reader)
    # Made up so that these hold and do not.
    status = {claim: verdict["status"] for claim, verdict in verdicts.items()}
    assert status["MODE score: MLE < ADV < Hybrid"] == status["Test NLL: Hybrid < MLE < ADV"] == HOLDS
    assert status["Some hybrid has both a lower NLL and a higher score than either MLE or ADV"] == HOLDS
    assert status["ADV's validation NLL rises during training"] == HOLDS
    tracking = "Under ADV train and validation NLL track each other: to a tenth of the distance to MLE, on average"
    # Train is below validation by 1, 2, ... 6; the distances to MLE's last one, -92, are 134, 136, ... 144.
    assert "difference of the two 3.5, limit 13.9;" in verdicts[tracking]["detail"] and status[tracking] == HOLDS
    rises = verdicts["ADV's validation NLL rises during training"]["detail"]
    assert "correlation 1.00, p 0.0028, over 6 points" in rises and "42.00 at step 2 to 52.00 at step 12" in rises
    assert status["MLE's train NLL diverges from its validation NLL: the gap rises"] == HOLDS
    critic = "Under ADV the critic's loss tells little of the NLL: |rank correlation| of 0.5 at most"
    assert status[critic] == UNDECIDED and "over 6 points" in verdicts[critic]["detail"]
    # In pairs of images these are 5 nats apart without any error.
    assert status["Exact NLL: MLE < Hybrid < ADV"] == FAILS
    assert "Hybrid − MLE = -5 ± " in verdicts["Exact NLL: MLE < Hybrid < ADV"]["detail"]
    assert "(paired over 20 images)" in verdicts["Exact NLL: MLE < Hybrid < ADV"]["detail"]
    # With one seed nothing is clear about training.
    assert not any(verdict["is_clear"] for verdict in verdicts.values())
    assert "✓ holds for these weights : Test NLL: Hybrid < MLE < ADV." in text_of(reader)
    assert status["AIS does not rank the models as the exact NLL does"] == FAILS
    assert status["KDE does not rank the models as the exact NLL does"] == HOLDS
    assert status["ADV's singular values are spread wider than MLE's"] == HOLDS
    assert not [claim for claim, s in status.items() if s == UNKNOWN]
    # What ADV is above MLE by is 120 nats, and 30 by the other penalty.
    share = rows(stored, "ablation")["ADV, penalty on the whole gradient"]
    assert share["Share of the distance to MLE that this closes (%)"]["value"] == 0
    assert {"figure-1.png", "figure-2.svg", "figure-3-and-6.png", "figure-7.png", "trade-off.svg"} <= {
        path.name for path in (tmp_path / "r" / "report").iterdir()
    }
    # Real images and three flows, two DCGANs, three panels of Figure 2, two mixtures, the flows beside training images,
    # and four figures of one panel.
    assert sum(tag == "img" for tag, _ in reader.elements) == 4 + 2 + 3 + 2 + 3 + 4
    said = " ".join(text_of(reader).split())
    assert (
        "MLE , trained by maximum likelihood, has a MODE score of 5.00 (real test images: 9.90) and a test NLL" in said
    )


def test_times_are_in_minutes(tmp_path, undrawn):
    """Two seconds for each training, one for each other stage."""
    reader, stored, _ = write_report(tmp_path / "r")
    assert rows(stored, "trainings")["MLE, seed 0"]["Minutes"]["value"] == pytest.approx(2 / 60)
    minutes = [row["Minutes"]["value"] for row in stored["tables"]["stages"]["rows"]]
    assert sum(minutes[:-1]) == pytest.approx(minutes[-1]) and "0.03" in reader.text
    assert "econds" not in text_of(reader)


def test_the_page_begins_with_samples_and_three_sentences(tmp_path, undrawn):
    reader, _, _ = write_report(tmp_path / "r")
    alternatives = [attributes["alt"] for tag, attributes in reader.elements if tag == "img"]
    assert [text.split(":")[0] for text in alternatives[:4]] == ["Real test images", "MLE", "ADV", "Hybrid (λ = 0.1)"]
    said = " ".join(text_of(reader).split())
    places = [said.index(part) for part in ("Real test images", "MLE , trained", "ADV , trained", "Hybrid , trained")]
    assert places == sorted(places) and places[-1] < said.index("Beyond the paper") < said.index("What holds")
    assert "All of this is of one seed, and another one's may differ by more." in said


def test_another_number_is_another_verdict(tmp_path, undrawn):
    def change(role, seed, metric, result):
        return result | {"mode_score": 4.9} if (role, metric) == ("adv", "scores") else result

    _, _, verdicts = write_report(tmp_path / "r", change=change)
    assert verdicts["MODE score: MLE < ADV < Hybrid"]["status"] == FAILS
    assert verdicts["ADV has a higher best MODE score than MLE"]["status"] == FAILS


MIXTURE = "Some mixture of Gaussians on the training images has both a lower NLL and a higher score than ADV"


@pytest.mark.parametrize(
    "own, status",
    [
        ({}, HOLDS),  # 70 nats and 2.5 of the score ahead at the bandwidth 0.1.
        ({"run_minus_mixture": [-1.5, 50.0]}, FAILS),  # Each bandwidth loses by one of the two.
        ({"run_minus_mixture": [0.5, 50.0]}, UNDECIDED),
        ({"scores": [5.6, 2.0]}, UNDECIDED),
        ({"run_validation_nll": None, "run_minus_mixture": None}, HOLDS),  # Without a likelihood ADV loses that one.
    ],
)
def test_a_mixture_has_to_win_by_both_counts_beyond_the_errors(tmp_path, undrawn, own, status):
    def change(role, seed, metric, result):
        return result | own if metric == "gmm" else result

    _, _, verdicts = write_report(tmp_path / "r", change=change)
    assert verdicts[MIXTURE]["status"] == status


def test_memorisation_stands_beside_that_of_test_images_and_of_the_mixture(tmp_path, undrawn):
    def change(role, seed, metric, result):
        if (role, metric) == ("mle", "memorisation"):
            return result | {"pixels": made_up.authenticity(0.3), "features": None}
        return result

    reader, stored, verdicts = write_report(tmp_path / "r", change=change)
    table = rows(stored, "memorisation-table")
    assert [*table] == ["MLE", "ADV", "Hybrid (λ = 0.1)", "Mixture, σ = 0.07", "Real test images"]
    assert table["MLE"]["Authenticity, pixels"] == {"value": 0.3, "error": 0.01, "warned": False}
    assert table["MLE"]["Authenticity, features"]["value"] is None
    for name, step in (("MLE", -0.2), ("ADV", 0.05), ("Mixture, σ = 0.07", -0.49)):
        away = table[name]["Pixels, minus test images"]
        assert (away["value"], away["error"]) == (pytest.approx(step), pytest.approx(0.01 * 2**0.5))
    claim = "The mixture's samples repeat training images: they are less authentic than test images"
    assert verdicts[claim]["status"] == HOLDS
    # Measured of the first seed alone, it is none of the columns that are of all.
    assert "Authenticity, pixels" not in rows(stored, "table-1")["MLE"]
    assert sum(key.startswith("memorisation") for key in reader.ids) == 2


def test_a_reproduction_without_memorisation_has_the_rest(tmp_path, undrawn):
    """Such as one that was measured before there was this measure."""

    def change(role, seed, metric, result):
        return "not measured" if metric == "memorisation" else result

    reader, stored, verdicts = write_report(tmp_path / "r", change=change)
    assert "memorisation" in reader.ids and "memorisation-table" not in stored["tables"]
    assert "table-1" in stored["tables"] and "figure-7" in reader.ids
    assert [c for c, verdict in verdicts.items() if verdict["status"] == UNKNOWN] == [
        "The mixture's samples repeat training images: they are less authentic than test images"
    ]


@pytest.mark.parametrize("own", [{"nats": -60.0, "nats_per_image": made_up.per_image(-60.0)}, {"mode_score": 5.2}])
def test_a_hybrid_that_beats_one_end_alone_does_not_beat_both(tmp_path, undrawn, own):
    """MLE has -80 nats and a score of 5.0, ADV 40 and 5.5; the hybrid is between them on one count and else best."""

    def change(role, seed, metric, result):
        return result | {
            k: v for k, v in own.items() if k in result and role == "hybrid" and metric in ("nll", "scores")
        }

    _, _, verdicts = write_report(tmp_path / "r", change=change)
    claim = "Some hybrid has both a lower NLL and a higher score than either MLE or ADV"
    assert verdicts[claim]["status"] == FAILS


def test_colour_images_are_compared_with_cifar10(tmp_path, undrawn, monkeypatch):
    reader, stored, verdicts = write_report(tmp_path / "r", dataset="cifar10")
    table = rows(stored, "table-2")
    assert table["ADV"]["Paper: test NLL"]["value"] == 8.53 and "Best Inception score" in table["ADV"]
    bits = -80 / (192 * 0.6931471805599453) + 8
    assert abs(table["MLE"]["Test NLL (bits/dim)"]["value"] - bits) < 1e-9
    mixture = rows(stored, "mixture")
    assert abs(mixture["ADV"]["Validation NLL (bits/dim)"]["value"] - (40 / (192 * 0.6931471805599453) + 8)) < 1e-9
    assert mixture["ADV"]["Validation NLL (bits/dim)"]["error"] == pytest.approx(1 / (192 * 0.6931471805599453))
    drawn = []
    monkeypatch.setattr("flow_gan.report.figures.mixture_sweep", lambda *arguments: drawn.append(arguments))
    undrawn["figure-3-and-6"](tmp_path / "x.png")
    (_, curve, _, nll, *_, unit) = drawn[0]
    assert unit == "bits/dim" and nll == mixture["ADV"]["Validation NLL (bits/dim)"]["value"]
    assert (
        min(curve["nll"])
        == rows(stored, "mixture")["Mixture of lowest validation NLL"]["Validation NLL (bits/dim)"]["value"]
    )
    # The hybrid lies between the two in the paper; here it has the lowest NLL.
    assert verdicts["Test NLL: MLE < Hybrid < ADV"]["status"] == FAILS
    assert verdicts["NLL falls from ADV over growing λ to MLE"]["status"] == HOLDS
    assert "Some hybrid" not in " ".join(verdicts) and "−21848.09" in text_of(reader)


def test_seeds_marks_and_what_is_missing(tmp_path, undrawn):
    """A training without weights, a number that is not finite, and a warning, each in one seed."""

    def change(role, seed, metric, result):
        if (role, seed, metric) == ("lambda_10", 1, "nll"):
            return result | {"nats": None, "bits_per_dim": None, "warnings": ["likelihoods are not finite"]}
        if (role, seed, metric) == ("mle", 0, "ais"):
            gap = {"nats": None, "standard_error": None}
            return result | {"gap": gap, "acceptance": None, "nats": None, "warnings": ["AIS is not finite"]}
        if (role, seed, metric) == ("adv", 0, "jacobian"):
            return result | {"warnings": ["below the resolution"]}
        if (role, seed, metric) == ("lambda_1", 1, "scores"):
            return "samples are not finite"
        if (role, seed, metric) == ("mle", 1, "scores"):
            return result | {"versions": {"numpy": "3"}, "device": "a card"}
        if (role, metric) == ("adv", "nll_reestimated"):
            return result | {"nats": result["nats"] - 30, "warnings": ["round trip"]}
        return result

    reader, stored, verdicts = write_report(tmp_path / "r", seeds=2, change=change, failed={("adv_no_norm", 1)})
    said = text_of(reader)
    trade_off = rows(stored, "trade-off")
    assert trade_off["λ = 10"]["Test NLL (nats)"] == {"value": -8.0, "error": 0.5, "warned": True}
    assert trade_off["λ = 100"]["MODE score"]["error"] == pytest.approx(0.01 / 2**0.5)
    assert not trade_off["λ = 100"]["MODE score"]["warned"] and trade_off["λ = 1"]["MODE score"]["warned"]
    assert "(!) hybrid, lambda 1, seed 1, MODE score: samples are not finite" in said
    assert "Results were made with different versions: numpy 2; numpy 3" in said
    machine = rows(stored, "machine")
    assert (
        machine["Measured on"]["Value"] == "not recorded, a card" and machine["Trained on"]["Value"] == "not recorded"
    )
    ablation = rows(stored, "ablation")
    assert ablation["ADV, no batch norm"]["Test NLL (nats)"]["warned"]
    whole = ablation["ADV, penalty on the whole gradient"]
    assert whole["The same, moving averages re-estimated on data"] == {"value": 10.0, "error": 0.0, "warned": True}
    assert whole["Share of the distance to MLE that this closes (%)"]["value"] == pytest.approx(100 * 30 / 120)
    assert "(!) ADV without batch norm, seed 1: step 2: nll is nan" in said
    assert "moving averages re-estimated: round trip" in said and "(!) MLE, AIS: AIS is not finite" in said
    assert rows(stored, "estimators")["MLE"]["AIS"]["warned"] and rows(stored, "jacobian")["ADV"]
    assert rows(stored, "jacobian")["ADV"]["Mean log |det dG/dz| (nats)"]["warned"]
    assert verdicts["AIS: ADV < Hybrid < MLE"]["status"] == UNKNOWN
    scores = verdicts["MODE score: MLE < ADV < Hybrid"]
    assert "(paired over 2 seeds)" in scores["detail"] and "the claim holds in 2 of 2 seeds" in scores["detail"]
    assert scores["status"] == HOLDS and scores["is_clear"]
    # Of the first seed alone.
    assert not verdicts["ADV's validation NLL rises during training"]["is_clear"]
    assert "Of seed 0 alone." in said
    seeds = stored["tables"]["seeds"]["rows"]
    assert [row["Seed"] for row in seeds if row["Training"] == "MLE"][:2] == ["0", "1"]


def test_a_report_of_nothing_but_failures(tmp_path):
    """Every number is missing, and the page says so."""
    config = config_module.Config(mode="reproduce")
    roles = set(make_plan(config, tmp_path / "r", made_up.ABSURD).roles)
    reader, _, verdicts = write_report(tmp_path / "r", failed=roles)
    assert {verdict["status"] for verdict in verdicts.values()} == {UNKNOWN}
    assert "img" not in {tag for tag, _ in reader.elements}
    assert "step 2: nll is nan" in text_of(reader)


def test_orders_over_seeds():
    low, high = ("low", [Value(1.0, 0.1), Value(2.0, 0.1)]), ("high", [Value(5.0, 0.1), Value(1.5, 0.1)])
    verdict = ascending_over_seeds("claim", [low, high])
    assert verdict.status == UNDECIDED and verdict.detail.endswith("the claim holds in 1 of 2 seeds")
    better = ("better", [Value(3.0, 0.1), Value(4.1, 0.1)])
    assert ascending_over_seeds("claim", [low, better]).status == HOLDS
    assert ascending_over_seeds("claim", [better, low]).status == FAILS
    alone = ascending_over_seeds("claim", [(name, values[:1]) for name, values in (low, high)])
    assert alone.status == HOLDS and "seeds" not in alone.detail
    missing = ascending_over_seeds("claim", [low, ("high", [Value(5.0, 0.1), Value()])])
    assert "seeds" not in missing.detail
    assert ascending_over_seeds("claim", [low, ("high", [Value(), Value()])]).status == UNKNOWN
