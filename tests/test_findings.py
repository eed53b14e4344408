"""The four experiments that the paper did not make, in process and small: their tables; nothing is made twice."""

import json
import re

import pytest

from examples.findings import critics, lab, repair, terms, warm_start
from examples.findings.__main__ import EXPERIMENTS, main
from flow_gan import config, training
from flow_gan.evaluation.nll_terms import TERMS
from tests.helpers.classifier import judge
from tests.helpers.same_run import lines_of

FLAGS = ["--dataset=digits", "--num_seeds=1", "--scale_steps=0.01"]


@pytest.fixture(autouse=True)
def quick_classifier(monkeypatch):
    monkeypatch.setattr("flow_gan.evaluation.load_classifier", judge)


def make(folder, experiment="all"):
    return main([*FLAGS, f"--experiment={experiment}", f"--runs_dir={folder / 'runs'}", f"--out={folder / 'out'}"])


def table(folder, experiment, key):
    stored = json.loads((folder / "out" / f"digits_{experiment}.json").read_text(encoding="utf-8"))
    assert (stored["experiment"], stored["seeds"], stored["scale_steps"]) == (experiment, [0], 0.01)
    return stored[key]["rows"]


def ways_of_repair():
    return ["MLE", *(f"hybrid, λ = {value:g}" for value in repair.LAMBDAS)]


def check_repair(folder):
    """The rows are those of the experiment's definition, and what has to be the same number is; return them."""
    repaired = table(folder, "repair", "repair")
    ways = ways_of_repair()
    steps = sorted({max(round(count / 100), 1) for count in repair.STEPS})
    assert [(row["Way"], row["Steps from ADV"]) for row in repaired] == [
        ("ADV", "0"),
        ("averages re-estimated", "0"),
        *((way, str(count)) for way in ways for count in steps),
    ]
    adv, again, *after = (row["Test NLL (nats)"]["value"] for row in repaired)
    assert adv != again
    change = [row["Test NLL (nats), minus ADV"]["value"] for row in repaired[1:]]
    assert change == pytest.approx([nll - adv for nll in (again, *after)], abs=1e-3)
    assert after[len(steps) - 1] < adv, "MLE lowers the NLL"
    [folder_of_adv] = (folder / "runs" / "digits_x0.01").glob("adv_dcgan16-*")
    for label, row in (("", repaired[0]), ("scores_reestimated/", repaired[1])):
        path = folder_of_adv / f"{label}evaluation" / "scores-test-latest.json"
        score = json.loads(path.read_text(encoding="utf-8"))["mode_score"]
        assert row["MODE score"]["value"] == score
    check_page(folder, "repair")
    return repaired


def check_page(folder, experiment):
    text = (folder / "out" / f"digits_{experiment}.md").read_text(encoding="utf-8")
    assert f"(digits_{experiment}.png)" in text and "–" not in text, "a number is missing"
    assert (folder / "out" / f"digits_{experiment}.png").stat().st_size > 10_000


def check_all(folder):
    """As `check_repair`, of every experiment."""
    repaired = check_repair(folder)
    of_critics = table(folder, "critics", "critics")
    assert [row["Critic"] for row in of_critics] == [f"{critic}, {width} filters" for critic, width in critics.CRITICS]
    assert {row["Steps"] for row in of_critics} == {"6"}
    assert all(row["FID"]["value"] > 0 for row in of_critics)
    [same] = [row for row in of_critics if row["Critic"] == "dcgan, 16 filters"]
    assert same["Test NLL (nats)"]["value"] == repaired[0]["Test NLL (nats)"]["value"]

    mle, warm, scratch, gain = table(folder, "warm_start", "warm-start")
    assert mle["Steps"]["value"] == warm["Steps"]["value"] == 6
    of_mle, of_both = (row["Seconds"]["value"] for row in (mle, warm))
    assert 0 < of_mle < of_both and scratch["Seconds"]["value"] > 0
    assert scratch["Steps"]["value"] == 6 + round(6 * of_mle / (of_both - of_mle))
    expected = warm["Test NLL (nats)"]["value"] - scratch["Test NLL (nats)"]["value"]
    assert gain["Test NLL (nats)"]["value"] == pytest.approx(expected, abs=1e-3)

    of_terms = table(folder, "terms", "terms")
    by_row = {(row["Model"], row["Pixel values"]): row for row in of_terms}
    last = [f"ADV, then {repaired[-1]['Steps from ADV']} steps of {way}" for way in ways_of_repair()]
    models = ["MLE", "ADV", *last, "hybrid from MLE", "hybrid from scratch"]
    assert list(dict.fromkeys(row["Model"] for row in of_terms)) == models and len(by_row) == 3 * len(models)
    nlls = {"MLE": mle, "ADV": repaired[0], "hybrid from MLE": warm, "hybrid from scratch": scratch}
    for model, row in nlls.items():
        found = by_row[model, "all pixel values"]
        assert found["NLL, nats"]["value"] == pytest.approx(row["Test NLL (nats)"]["value"], rel=1e-3)
        parts = [value["value"] for name, value in found.items() if name.endswith("nats") and name != "NLL, nats"]
        assert len(parts) == 3 and sum(parts) == pytest.approx(found["NLL, nats"]["value"], rel=1e-3)
    everything, black, others = table(folder, "terms", "terms-differences")
    assert everything["NLL, nats"]["value"] == pytest.approx(
        black["NLL, nats"]["value"] + others["NLL, nats"]["value"], rel=1e-3
    )

    for name in EXPERIMENTS:
        check_page(folder, name)


def make_small(monkeypatch):
    """Smaller networks, one critic update a step, and fewer samples, critics and ways and steps of the repair."""
    flow, small = lab.Lab.flow, {"hidden_layers": 16, "no_of_layers": 0}
    monkeypatch.setattr(
        lab.Lab, "flow", lambda *args: flow(*args) | small | ({} if args[1] == "mle" else {"n_critic": 1, "df_dim": 4})
    )
    monkeypatch.setattr(lab, "_EVALUATION", {"score_samples": 200, "score_splits": 2})
    monkeypatch.setattr(critics, "CRITICS", (("mnist", 8), ("dcgan", 16)))
    monkeypatch.setattr(repair, "STEPS", (300,))
    monkeypatch.setattr(repair, "LAMBDAS", (0.1,))


def check_that_nothing_is_made_twice(folder, experiment, monkeypatch, capsys):
    stored = {path: path.read_text(encoding="utf-8") for path in (folder / "out").glob("*.json")}
    assert len(stored) == (len(EXPERIMENTS) if experiment == "all" else 1)

    def refuse(*args):
        raise AssertionError("trained or measured again")

    monkeypatch.setattr(training, "train", refuse)
    monkeypatch.setattr(lab, "measure", refuse)
    capsys.readouterr()
    assert make(folder, experiment) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if ", seed 0: " in line]
    assert len(lines) >= 2 and all(line.endswith("made already") for line in lines)
    assert all(path.read_text(encoding="utf-8") == text for path, text in stored.items())

    monkeypatch.setattr(lab.Lab, "flow", lambda *args: {"learning_rate": 0.5})
    assert make(folder, experiment) == 2
    error = capsys.readouterr().err
    assert (
        re.search(r"digits_x0.01/adv_\w+-seed0 is a run of other settings than those of ADV", error) and "0.5" in error
    )


def test_an_experiment_and_that_nothing_is_made_twice(tmp_path, monkeypatch, capsys):
    """The repair, by MLE alone."""
    make_small(monkeypatch)
    monkeypatch.setattr(repair, "LAMBDAS", ())
    assert make(tmp_path, "repair") == 0
    assert "repair: ADV, critic dcgan, 16 filters, 6 steps, seed 0: " in capsys.readouterr().out
    check_repair(tmp_path)
    check_that_nothing_is_made_twice(tmp_path, "repair", monkeypatch, capsys)


@pytest.mark.slow
def test_all_experiments_and_that_nothing_is_made_twice(tmp_path, monkeypatch, capsys):
    make_small(monkeypatch)
    assert make(tmp_path) == 0
    assert "critics: ADV, critic dcgan, 16 filters, 6 steps, seed 0: " in capsys.readouterr().out
    check_all(tmp_path)
    check_that_nothing_is_made_twice(tmp_path, "all", monkeypatch, capsys)


def test_several_seeds_are_compared_in_pairs(monkeypatch, tmp_path):
    """What a seed does to all drops out of differences, and so does a seed that one of the two has not."""

    def result(self, trial, metric):
        if trial is None or (trial.seed, trial.settings.get("df_dim")) == (1, 32):
            return None
        nats = 100.0 * trial.seed + (0 if trial.name == "mle" else trial.settings["df_dim"])
        if metric == "scores":
            return {"mode_score": nats / 100, "mode_score_std": 0.1, "splits": 10, "fid": -nats}
        if metric == "nll":
            return {"nats": nats, "nats_standard_error": 1.0, "nats_per_image": [nats, nats]}
        return {
            "total": {"means": dict.fromkeys(TERMS, nats)},
            "regions": {"black": {"means": dict.fromkeys(TERMS, 1.0)}},
        }

    monkeypatch.setattr(lab.Lab, "result", result)
    place = lab.Lab("digits", None, tmp_path, 3)
    [table], _ = critics.report(place)
    released, *_, last = table.to_dict()["rows"]
    assert released["Test NLL (nats)"] == {"value": 164.0, "error": 100.0, "warned": False}
    assert released["Test NLL (nats), minus the first"] == ""
    assert last["Test NLL (nats)"]["value"] == 132.0 and last["MODE score"]["value"] == pytest.approx(1.32)
    for column, change in {"Test NLL (nats)": -32, "MODE score": -0.32, "FID": 32}.items():
        found = last[f"{column}, minus the first"]
        assert (found["value"], found["error"]) == (pytest.approx(change), pytest.approx(0, abs=1e-9))
    assert "standard deviation over seeds 0 to 2" in table.notes[1]

    models, differences = (table.to_dict()["rows"] for table in terms.report(place)[0])
    assert models[0]["NLL, nats"] == {"value": 100.0, "error": 100.0, "warned": False}
    assert models[-1]["NLL, nats"]["value"] is None, "no hybrid from scratch"
    everything, black, others = (row["NLL, nats"] for row in differences)
    assert (everything["value"], black["value"], others["value"]) == (16.0, 0.0, 16.0)
    assert everything["error"] == others["error"] == pytest.approx(0, abs=1e-9)


def test_a_hybrid_from_scratch_has_the_time_of_mle_and_the_hybrid_from_it(monkeypatch, tmp_path):
    """600 steps of MLE of 2 seconds each are 300 of the hybrid's."""
    monkeypatch.setattr(lab.Lab, "is_trained", lambda *_: True)
    monkeypatch.setattr(lab.Lab, "seconds_per_step", lambda self, trial: 2.0 if trial.name == "mle" else 4.0)
    monkeypatch.setattr(lab.Lab, "result", lambda self, trial, metric: None)
    [table], _ = warm_start.report(lab.Lab("digits", None, tmp_path, 1))
    rows = [(row["Training"], row["Steps"], row["Seconds"]) for row in table.to_dict()["rows"][:3]]
    assert [(name, steps["value"], seconds["value"]) for name, steps, seconds in rows] == [
        ("MLE", 600, 1200.0),
        ("hybrid from MLE", 600, 3600.0),
        ("hybrid from scratch", 900, 3600.0),
    ]


@pytest.mark.slow
def test_a_run_that_was_stopped_goes_on(tmp_path, capsys):
    place = lab.Lab("digits", None, tmp_path, 1)
    trial = lab.Trial("mle", "MLE", 0, {"n_critic": 0, "hidden_layers": 8, "no_of_layers": 0}, 4, ("nll",))
    training.train(config.Config(**trial.settings, run_dir=str(place.folder(trial)), max_steps=2, eval_every=2))
    assert not place.is_trained(trial) and place.result(trial, "nll") is None
    place.make(trial)
    assert place.is_trained(trial) and place.result(trial, "nll")["step"] == 4
    assert [line["step"] for line in lines_of(place.folder(trial))] == [1, 2, 3, 4]
    assert place.seconds_per_step(trial) > 0


@pytest.mark.slow
def test_experiments_as_they_are(tmp_path):
    assert make(tmp_path) == 0
    check_all(tmp_path)


def test_what_starts_from_a_failed_training_is_left_out(tmp_path, monkeypatch, capsys):
    """And has no number in the tables; the others are made."""
    monkeypatch.setattr(repair, "STEPS", (100,))
    monkeypatch.setattr(repair, "LAMBDAS", ())
    monkeypatch.setattr(lab.Lab, "flow", lambda *args: {"n_critic": 1, "df_dim": 2, "learning_rate": 1e30})
    assert make(tmp_path, "repair") == 0
    printed = capsys.readouterr().out
    assert "so training stopped" in printed and "MLE from ADV, 1 steps, seed 0: left out, for want of" in printed
    assert [row["Test NLL (nats)"]["value"] for row in table(tmp_path, "repair", "repair")] == [None] * 3


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--experiment=magic"], "--experiment='magic' is unknown; expected one of: critics, repair"),
        (["--dataset=cifar10"], "--dataset='cifar10' is unknown; expected one of: digits, mnist"),
        (["--num_seeds=0"], "--num_seeds=0; expected 1 or more"),
        (["--num_seeds=few"], "num_seeds"),
        (["--scale_steps=0"], "--scale_steps=0.0; expected more than 0"),
        (["--scale_steps=nan"], "--scale_steps=nan; expected more than 0"),
        (["--out=file"], "--out=file cannot be made"),
        (["--runs_dir=a*"], "--runs_dir=a*"),
        (["--learning_rate=1"], "learning_rate"),
        (["digits"], "argument 'digits' is not a flag"),
        (["--dataset=mnist", "--data_dir=nowhere"], "nowhere"),
    ],
)
def test_bad_input(tmp_path, monkeypatch, capsys, flags, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("kept", encoding="utf-8")
    assert main(flags) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and message in error and error.count("\n") == 1
    assert (tmp_path / "file").read_text(encoding="utf-8") == "kept"


def test_help(capsys):
    assert main(["--help"]) == 0
    printed = capsys.readouterr().out
    assert all(f"--experiment={name}" in printed for name in EXPERIMENTS) and "--scale_steps" in printed
