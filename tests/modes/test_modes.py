"""Evaluating and comparing small runs: what is printed, stored and drawn, and what is refused."""

import json
import shutil

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

import flow_gan
from flow_gan import evaluation, training
from flow_gan.main import main
from tests.test_main import assert_refused
from tests.training.test_training import DCGAN, SMALL, lines_of

SCORES = ["--score_samples=60", "--score_splits=3"]


def judge(name, dataset, folder, inception_weights=None, seed=0):
    """A classifier that takes the brightest tenth of an image for its class."""

    def network(images):
        parts = tf.reshape(images, [-1, 64])[:, :60]
        return 5 * tf.reduce_mean(tf.reshape(parts, [-1, 10, 6]), 2), parts[:, :5]

    return evaluation.Classifier("brightest part", network, dataset.image_shape, dataset.levels, "made for tests")


@pytest.fixture(autouse=True)
def quick_classifier(monkeypatch):
    monkeypatch.setattr("flow_gan.evaluation.load_classifier", judge)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Folder with finished runs: mle, adv and dcgan. The first two were scored while they trained."""
    patch = pytest.MonkeyPatch()
    patch.setattr("flow_gan.evaluation.load_classifier", judge)
    folder = tmp_path_factory.mktemp("runs")
    scored = [*SCORES, "--score_every=1", "--max_steps=16"]
    for name, settings, more in (
        ("mle", SMALL | {"n_critic": 0}, scored),
        ("adv", SMALL | {"like_reg": 0.0}, scored),
        ("dcgan", SMALL | DCGAN, ["--max_steps=2"]),
    ):
        flags = [f"--{flag}={value}" for flag, value in settings.items()]
        assert main([f"--run_dir={folder / name}", *flags, *more]) == 0
    patch.undo()
    return folder


def stored(folder, name):
    return json.loads((folder / "evaluation" / f"{name}.json").read_text())


def test_scores_during_training(runs):
    """1,297 images make 12 steps of 100: scores after step 12 and after the last, 16, the higher of which is kept."""
    scores = {line["step"]: line["mode_score"] for line in lines_of(runs / "mle") if "mode_score" in line}
    assert list(scores) == [12, 16]
    best = max(scores, key=scores.get)
    kept = tf.train.latest_checkpoint(str(runs / "mle" / "checkpoints" / "best_score"))
    assert kept.endswith(f"-{best}")
    assert main(["--mode=evaluate", f"--run_dir={runs / 'mle'}", "--metrics=scores", "--checkpoint=best_score"]) == 0
    again = stored(runs / "mle", "scores-test-best_score")
    assert again["step"] == best and again["num_samples"] == 60 and again["splits"] == 3
    np.testing.assert_allclose(again["mode_score"], scores[best], rtol=1e-5)


def test_adv_watches_its_nll_at_intervals(runs):
    lines = lines_of(runs / "adv")
    assert [line["step"] for line in lines if "nll" in line] == [3, 6, 9, 12, 15]
    assert all(np.isfinite(line["critic_loss"]) for line in lines)


def test_evaluate(runs, capsys):
    folder = runs / "mle"
    metrics = "--metrics=nll,scores,gmm,kde,pictures"
    flags = ["--num_examples=40", "--noise_draws=2", "--kde_samples=50"]
    assert main(["--mode=evaluate", f"--run_dir={folder}", metrics, *flags]) == 0
    printed = capsys.readouterr().out
    for text in ("(40 of 250 images)", "importance-weighted bound, 2 noise draws", "MODE score", "brightest part"):
        assert text in printed
    nll = stored(folder, "nll-test-best")
    assert nll["num_images"] == 40 and nll["num_available"] == 250 and nll["bound_nats"] < nll["nats"]
    assert nll["checks"]["finite_fraction"] == 1 and 0 < nll["checks"]["round_trip_largest"] < 1e-2
    assert nll["checks"]["num_checked"] == 40 and nll["warnings"] == []
    assert nll["settings"]["noise_draws"] == 2 and nll["versions"]["tensorflow"] == tf.__version__
    gmm = stored(folder, "gmm-test-best")
    assert gmm["num_centres"] == 1297 and gmm["num_validation"] == gmm["num_test"] == 40
    assert len(gmm["scores"]) == len(gmm["bandwidths"]) == len(gmm["validation_nll"])
    assert np.isfinite([gmm["run_validation_nll"], gmm["run_score"]]).all()
    kde = stored(folder, "kde-test-best")
    assert kde["num_centres"] == 50 and kde["num_test"] == 40
    for name in ("gmm", "gmm-samples-best", "samples", "temperatures", "reconstructions", "interpolations"):
        picture = np.asarray(PIL.Image.open(folder / "evaluation" / f"{name}-test-best.png"))
        assert min(picture.shape[:2]) > 100 and picture.std() > 10


def test_nll_is_that_of_the_validations(runs):
    """The first draw of the noise is the one of training; the checks take nothing away from it."""
    config = flow_gan.modes.effective_config({"mode": "evaluate", "run_dir": str(runs / "mle")})
    dataset = training.load_data(config)
    model, _ = training.load_model(config, dataset.levels)
    nll = evaluation.evaluate_nll(model, dataset, "validation", config.batch_size)
    lowest = min(line["validation_nll"] for line in lines_of(runs / "mle") if "validation_nll" in line)
    np.testing.assert_allclose(nll.nats, lowest, rtol=1e-6)


def test_estimators_of_the_same_images(runs):
    folder = runs / "adv"
    flags = ["--ais_images=4", "--ais_chains=2", "--ais_temperatures=10", "--ais_leapfrog=1", "--kde_samples=50"]
    assert main(["--mode=evaluate", f"--run_dir={folder}", "--metrics=ais", "--checkpoint=best_score", *flags]) == 0
    ais = stored(folder, "ais-test-best_score")
    assert ais["num_images"] == ais["nll"]["num_images"] == ais["kde"]["num_test"] == 4
    assert not ais["converged"] and "AIS has not converged" in ais["warnings"][0]


def test_jacobian(runs, capsys):
    for name, checkpoint in (("mle", "best"), ("dcgan", "latest")):
        assert main(["--mode=evaluate", f"--run_dir={runs / name}", "--metrics=jacobian", "--jacobian_draws=2"]) == 0
        values = np.array(stored(runs / name, f"jacobian-test-{checkpoint}")["singular_values"])
        assert values.shape == (2, 64) and (values > 0).all()
        assert (runs / name / "evaluation" / f"jacobian-test-{checkpoint}.png").exists()
    assert "log-determinant" in capsys.readouterr().out


def test_compare(runs, tmp_path, capsys):
    folders = ",".join(str(runs / name) for name in ("mle", "adv", "dcgan"))
    command = ["--mode=compare", f"--run_dirs={folders}", f"--runs_dir={tmp_path}", "--metrics=nll,scores", *SCORES]
    assert main(command) == 0
    text = (tmp_path / "comparison-1" / "tables.md").read_text()
    assert text.strip() in capsys.readouterr().out
    first, second = (part.splitlines() for part in text.split("Table 3"))
    rows = {line.split("|")[1].strip(): [cell.strip() for cell in line.split("|")[2:-1]] for line in first[2:5]}
    nll = stored(runs / "mle", "nll-test-best")
    assert rows["mle"][0] == "MLE" and rows["mle"][3] == f"{nll['nats']:.2f}" and rows["mle"][4] == "best"
    assert rows["adv"][0] == "ADV" and rows["adv"][2] == "best_score"
    assert rows["dcgan"][0] == "ADV, dcgan wgan" and rows["dcgan"][3] == "-"
    assert "+-" in rows["dcgan"][1] and rows["dcgan"][2] == "latest"
    assert any("--metrics=ais computes it" in line for line in second)
    for name in ("nll", "scores"):
        assert PIL.Image.open(tmp_path / "comparison-1" / f"{name}.png").size[0] > 500
    # What is stored is not measured again.
    (runs / "adv" / "checkpoints" / "best").rename(runs / "adv" / "checkpoints" / "away")
    assert main(command) == 0
    (runs / "adv" / "checkpoints" / "away").rename(runs / "adv" / "checkpoints" / "best")
    assert (tmp_path / "comparison-2" / "tables.md").read_text() == text


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--metrics=nll,beauty"], "--metrics='beauty' is unknown; expected one of: nll, scores"),
        (["--metrics="], "--metrics='' is unknown"),
        (["--num_examples=251"], "--num_examples=251, but there are 250 test images"),
        (["--metrics=ais", "--ais_images=300"], "--ais_images=300, but there are 250 test images"),
        (["--num_examples=0"], "--num_examples=0; expected 1 or more"),
        (["--score_samples=5", "--score_splits=6"], "--score_splits=6; expected at most --score_samples=5"),
        (["--checkpoint=best_score", "--run_dir={}/dcgan"], "no samples were scored in training, see --score_every"),
        (["--run_dir={}/dcgan", "--checkpoint=latest"], "--metrics=nll needs a likelihood"),
        (["--run_dir={}/none"], "is no run"),
    ],
)
def test_bad_evaluations(runs, capsys, flags, message):
    before = sorted(runs.glob("*/evaluation/*"))
    if "--checkpoint=best_score" in flags:
        flags = [*flags, "--metrics=scores"]
    flags = [flag.format(runs) for flag in flags]
    assert_refused(["--mode=evaluate", f"--run_dir={runs / 'mle'}", *flags], message, capsys)
    assert sorted(runs.glob("*/evaluation/*")) == before


def test_scores_need_labels(tmp_path, capsys):
    images = np.random.default_rng(0).integers(0, 256, (300, 4, 4, 1)).astype(np.uint8)
    np.save(tmp_path / "set.npy", images)
    flags = [f"--{name}={value}" for name, value in (SMALL | {"n_critic": 0}).items()]
    run = [f"--run_dir={tmp_path / 'run'}", f"--dataset={tmp_path / 'set.npy'}", "--max_steps=1", *flags]
    assert_refused([*run, "--score_every=1"], "--score_every=1 needs labels, which --dataset=.*set.npy has not", capsys)
    assert not (tmp_path / "run").exists()
    assert main(run) == 0
    capsys.readouterr()
    scores = ["--mode=evaluate", f"--run_dir={tmp_path / 'run'}", "--metrics=scores"]
    assert_refused(scores, "--metrics=scores needs labels", capsys)


def test_bad_comparisons(runs, tmp_path, capsys):
    one = runs / "mle"
    assert_refused(["--mode=compare"], "--mode=compare needs --run_dirs=", capsys)
    assert_refused(["--mode=compare", f"--run_dirs={one},{tmp_path}/none"], "is no run", capsys)
    assert_refused(["--mode=compare", f"--run_dirs={one},{one}"], "names two runs alike", capsys)
    other = tmp_path / "other"
    shutil.copytree(one, other)
    config = json.loads((other / "config.json").read_text()) | {"dataset": "mnist"}
    (other / "config.json").write_text(json.dumps(config))
    assert_refused(["--mode=compare", f"--run_dirs={one},{other}"], "are of different data sets", capsys)
    kept = ["--mode=compare", f"--run_dirs={one}", f"--run_dir={other}"]
    assert_refused(kept, "exists already and is left as it is", capsys)
