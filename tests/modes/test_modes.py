"""Evaluating and comparing small runs: what is printed, stored and drawn, and what is refused."""

import dataclasses
import importlib
import itertools
import json
import math
import shutil

import numpy as np
import PIL.Image
import pytest
import scipy.stats
import tensorflow as tf

import flow_gan
from flow_gan import evaluation, random, training
from flow_gan.device import device_name
from flow_gan.main import main
from flow_gan.measurement import LoadedRun, measure, open_run
from flow_gan.measurement.classified import Classified
from flow_gan.metrics import scores as scores_metric
from flow_gan.training import saved_step
from flow_gan.training.run_config import run_config
from flow_gan.training.run_folder import RunFolder
from tests.helpers.classifier import judge
from tests.helpers.command_line import assert_refused
from tests.helpers.runs import DCGAN, REAL_NVP, SMALL
from tests.helpers.same_run import lines_of

SCORES = ["--score_samples=60", "--score_splits=3"]


def scored(config, dataset, samples):
    """Return the `SampleScores` of samples."""
    classified = Classified(config, dataset)
    return scores_metric.score(classified, classified.of(samples))


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
    assert saved_step(runs / "mle" / "checkpoints", "best_score") == best
    at_the_end = stored(runs / "mle", "scores-test-best_score")
    evaluate = ["--mode=evaluate", f"--run_dir={runs / 'mle'}", "--metrics=scores", "--checkpoint=best_score"]
    assert main([*evaluate, *SCORES]) == 0
    again = stored(runs / "mle", "scores-test-best_score")
    assert again["step"] == best and again["num_samples"] == 60 and again["splits"] == 3
    # Measured on fresh samples, at the end of training too: those that chose are of a stream of their own.
    config, dataset, model = model_of(runs, "mle", checkpoint="best_score", score_samples=60, score_splits=3)
    chosen = evaluation.Sampler(model.generator, stream=random.Stream.SELECTION).draw(60, config.seed)
    np.testing.assert_allclose(scored(config, dataset, chosen).mode_score, scores[best], rtol=1e-5)
    fresh = evaluation.Sampler(model.generator).draw(60, config.seed)
    np.testing.assert_allclose(scored(config, dataset, fresh).mode_score, again["mode_score"], rtol=1e-5)
    assert abs(again["mode_score"] - scores[best]) > 1e-4
    # The ceiling: as many real test images by the same classifier.
    real = scored(config, dataset, flow_gan.data.fixed_sample(dataset.test.images, 60)[np.arange(60)])
    assert again["test_images"]["num_images"] == 60
    np.testing.assert_allclose(again["test_images"]["mode_score"], real.mode_score, rtol=1e-5)
    np.testing.assert_allclose(again["test_images"]["fid"], real.fid, rtol=1e-3)
    assert at_the_end["mode_score"] == pytest.approx(again["mode_score"], rel=1e-5) and at_the_end["step"] == best


def test_adv_watches_its_nll_at_intervals(runs):
    lines = lines_of(runs / "adv")
    assert [line["step"] for line in lines if "nll" in line] == [3, 6, 9, 12, 15]
    assert all(np.isfinite(line["critic_loss"]) for line in lines)


def test_evaluate(runs, capsys):
    folder = runs / "mle"
    metrics = "--metrics=nll,scores,gmm,kde,pictures"
    flags = ["--num_examples=40", "--noise_draws=2", "--kde_samples=50", *SCORES]
    assert main(["--mode=evaluate", f"--run_dir={folder}", metrics, *flags]) == 0
    printed = capsys.readouterr().out
    for text in (
        *("(40 of 250 images)", "importance-weighted bound, 2 noise draws", "MODE score", "brightest part"),
        *("round trip |x - G(f(x))|", "in the mean (40 images)", "of the batch (20 images)", "in float64 (40 images)"),
    ):
        assert text in printed
    assert printed.count("(40 of 250 images)") == 5  # The NLL, and mixture and window on validation and test images.
    nll = stored(folder, "nll-test-best")
    assert nll["num_images"] == 40 and nll["num_available"] == 250 and nll["bound_nats"] < nll["nats"]
    assert nll["checks"]["finite_fraction"] == 1 and 0 < nll["checks"]["round_trip_largest"] < 1e-2
    assert nll["checks"]["num_checked"] == 40 and nll["warnings"] == []
    assert nll["config"]["noise_draws"] == 2 and nll["versions"]["tensorflow"] == tf.__version__
    assert nll["device"] == device_name()
    gmm = stored(folder, "gmm-test-best")
    assert gmm["num_centres"] == 1297 and gmm["num_validation"] == gmm["num_test"] == 40
    assert len(gmm["scores"]) == len(gmm["bandwidths"]) == len(gmm["validation_nll"])
    assert gmm["run_score"] == stored(folder, "scores-test-best")["mode_score"]
    assert math.isfinite(gmm["run_validation_nll"]) and gmm["run_validation_standard_error"] > 0
    assert gmm["num_available"] == [250, 250]
    own = np.array(gmm["run_validation_nll_per_image"])
    assert len(nll["nats_per_image"]) == len(own) == 40 and np.mean(own) == pytest.approx(gmm["run_validation_nll"])
    assert np.mean(nll["nats_per_image"]) == pytest.approx(nll["nats"])
    config, dataset, model = model_of(runs, "mle", score_samples=60, score_splits=3)
    mixture = evaluation.IsotropicMixture.of_images(dataset.train.images, dataset.levels)
    images = evaluation.dequantized_images(model, dataset, "validation", 40)
    for i in (0, 10):
        samples = mixture.sample(60, gmm["bandwidths"][i], config.seed).numpy()
        scores = scored(config, dataset, samples)
        np.testing.assert_allclose([gmm["scores"][i], gmm["scores_std"][i]], [scores.mode_score, scores.mode_score_std])
        differences = own + mixture.log_prob(images, [gmm["bandwidths"][i]])[0]
        expected = differences.mean(), differences.std() / math.sqrt(39)
        measured = gmm["run_minus_mixture"][i], gmm["run_minus_mixture_standard_error"][i]
        np.testing.assert_allclose(measured, expected, rtol=1e-4)
    kde = stored(folder, "kde-test-best")
    assert kde["num_centres"] == 50 and kde["num_test"] == 40
    for name in ("gmm", "gmm-samples-best", "samples", "temperatures", "reconstructions", "interpolations"):
        picture = np.asarray(PIL.Image.open(folder / "evaluation" / f"{name}-test-best.png"))
        assert min(picture.shape[:2]) > 100 and picture.std() > 10


def test_an_nll_of_the_images_that_chose_the_weights_says_so(runs, capsys):
    command = ["--mode=evaluate", f"--run_dir={runs / 'mle'}", "--num_examples=20", "--split=validation"]
    assert main(command) == 0
    warning = "warning: these weights are those of the lowest NLL of these very images"
    assert warning in capsys.readouterr().out and stored(runs / "mle", "nll-validation-best")["warnings"]
    assert main([*command, "--checkpoint=latest"]) == 0
    assert warning not in capsys.readouterr().out


def test_the_terms_of_an_nll(runs, capsys):
    """They add up to the stored NLL; with a picture of NICE, whose pixels they are known of."""
    folder = runs / "mle"
    command = ["--mode=evaluate", f"--run_dir={folder}", "--metrics=nll,nll_terms", "--num_examples=40"]
    assert main(command) == 0
    printed, terms = capsys.readouterr().out, stored(folder, "nll_terms-test-best")
    means, errors = terms["total"]["means"], terms["total"]["standard_errors"]
    nll = stored(folder, "nll-test-best")
    np.testing.assert_allclose([means["nll"], errors["nll"]], [nll["nats"], nll["nats_standard_error"]], rtol=1e-4)
    assert means["prior"] + means["log_scales"] + means["logit"] == pytest.approx(means["nll"])
    assert f"{means['nll']:.2f} +- {errors['nll']:.2f}\n" in printed and "nats (40 of 250 images)" in printed
    assert "nll_terms-test-best.png" in printed and terms["warnings"] == []
    train = flow_gan.data.load("digits").train.images
    never_ink = (train == 0).all(axis=0)
    assert terms["regions"]["black"]["num_values"] == never_ink.sum() > 0
    for term, values in terms["per_pixel"].items():
        values = np.array(values)
        assert values.shape == (8, 8, 1)
        assert values.sum() == pytest.approx(means[term], rel=1e-5)
        assert values[never_ink].sum() == pytest.approx(terms["regions"]["black"]["means"][term], rel=1e-5)
    picture = np.asarray(PIL.Image.open(folder / "evaluation" / "nll_terms-test-best.png"))
    assert picture.shape[1] > 1000 and picture.std() > 10
    assert main([*command, "--split=validation"]) == 0
    assert "these weights are those of the lowest NLL" in stored(folder, "nll_terms-validation-best")["warnings"][0]
    capsys.readouterr()
    refused = ["--mode=evaluate", "--metrics=nll_terms", f"--run_dir={runs / 'dcgan'}"]
    assert_refused(refused, "--metrics=nll_terms needs a likelihood, and --model_type=dcgan has none", capsys)


def test_the_terms_of_no_per_image_likelihood_say_so(tmp_path):
    """Once, and without a picture: they are a Real-NVP's."""
    settings = SMALL | REAL_NVP | {"batch_norm_adaptive": 0, "n_critic": 0, "num_examples": 20}
    config = flow_gan.config.Config(**settings)
    dataset = training.load_data(config)
    model = training.build_model(training.resolve(config, dataset.image_shape), dataset.levels)
    run = LoadedRun(config=config, folder=RunFolder(tmp_path / "run", config), dataset=dataset, model=model)
    assert measure(run, "nll_terms").count("not a per-image likelihood") == 1
    (file,) = (tmp_path / "run" / "evaluation").iterdir()
    terms = stored(tmp_path / "run", file.stem)
    assert len(terms["warnings"]) == 1 and terms["per_pixel"] is None and terms["regions"] == {}


def test_reestimated_batch_norm_statistics(runs, capsys):
    """The averages of ADV are of the sampling path alone; afterwards the run is measured as before."""
    flags = [f"--run_dir={runs / 'adv'}", "--checkpoint=latest"]
    assert main(["--mode=evaluate", "--metrics=nll", *flags]) == 0
    before = stored(runs / "adv", "nll-test-latest")
    assert main(["--mode=evaluate", "--metrics=nll_reestimated,nll", *flags]) == 0
    assert "moving averages re-estimated on training images: " in capsys.readouterr().out
    again = stored(runs / "adv", "nll_reestimated-test-latest")
    assert again["metric"] == "nll_reestimated" and again["checks"]["finite_fraction"] == 1
    assert again["nats"] != before["nats"] == stored(runs / "adv", "nll-test-latest")["nats"]
    refused = ["--mode=evaluate", "--metrics=nll_reestimated", f"--run_dir={runs / 'dcgan'}"]
    assert_refused(refused, "--metrics=nll_reestimated needs a likelihood", capsys)


def test_nll_is_that_of_the_validations(runs):
    """The first draw of the noise is the one of training; the checks take nothing away from it."""
    config, dataset, model = model_of(runs, "mle")
    nll = evaluation.evaluate_nll(model, dataset, "validation", config.batch_size)
    lowest = min(line["validation_nll"] for line in lines_of(runs / "mle") if "validation_nll" in line)
    np.testing.assert_allclose(nll.nats, lowest, rtol=1e-6)


def model_of(runs, name, **settings):
    """Return the (configuration, data set, model) of a run."""
    given = {"mode": "evaluate", "run_dir": str(runs / name)} | settings
    config = run_config(given)
    dataset = training.load_data(config)
    return config, dataset, training.load_model(config, dataset.levels)[0]


AIS = ["--ais_images=4", "--ais_chains=2", "--ais_temperatures=10", "--ais_leapfrog=1", "--kde_samples=50"]


def test_estimators_of_the_same_images(runs):
    """Exact NLL, AIS and KDE of the same weights and the same four images."""
    folder = runs / "adv"
    assert main(["--mode=evaluate", f"--run_dir={folder}", "--metrics=ais", "--checkpoint=best_score", *AIS]) == 0
    ais = stored(folder, "ais-test-best_score")
    assert ais["num_images"] == ais["nll"]["num_images"] == ais["kde"]["num_test"] == 4
    assert ais["num_available"] == ais["nll"]["num_available"] == ais["kde"]["num_available"][1] == 250
    assert not ais["converged"] and "AIS has not converged" in ais["warnings"][0]
    config, dataset, model = model_of(runs, "adv", checkpoint="best_score")
    images = evaluation.dequantized_images(model, dataset, "test", 4)
    np.testing.assert_allclose(ais["nll"]["nats"], -np.mean(model.generator.log_prob(images)), rtol=1e-5)
    window = evaluation.IsotropicMixture(evaluation.Sampler(model.generator).draw(50, config.seed))
    kde = -window.log_prob(images, [ais["kde"]["best_bandwidth"]])[0]
    np.testing.assert_allclose(ais["kde"]["best_test_nll"], kde.mean(), rtol=1e-5)
    # The values of each image, by which models are compared in pairs.
    np.testing.assert_allclose(ais["kde"]["best_test_nll_per_image"], kde, rtol=1e-5)
    np.testing.assert_allclose(ais["nll"]["nats_per_image"], -model.generator.log_prob(images), rtol=1e-5)
    np.testing.assert_allclose(-np.mean(ais["log_prob"]), ais["nats"])
    # That of a mixture of images at least this far from the four; their own would be far lower.
    assert abs(ais["nats"] - ais["nll"]["nats"]) > 1


def test_jacobian(runs, capsys):
    for name, checkpoint in (("mle", "best"), ("dcgan", "latest")):
        assert main(["--mode=evaluate", f"--run_dir={runs / name}", "--metrics=jacobian", "--jacobian_draws=2"]) == 0
        values = np.array(stored(runs / name, f"jacobian-test-{checkpoint}")["singular_values"])
        assert values.shape == (2, 64) and (values > 0).all()
        assert (runs / name / "evaluation" / f"jacobian-test-{checkpoint}.png").exists()
    assert "log-determinant" in capsys.readouterr().out


def test_compare(runs, tmp_path, capsys, monkeypatch):
    folders = ",".join(str(runs / name) for name in ("mle", "adv", "dcgan"))
    command = ["--mode=compare", f"--run_dirs={folders}", f"--runs_dir={tmp_path}", "--metrics=nll,scores", *SCORES]
    assert main(command) == 0
    text = (tmp_path / "comparison-1" / "tables.md").read_text()
    assert text.strip() in capsys.readouterr().out
    lines, rows = text.splitlines(), rows_of(text, "Test NLL (nats)")
    nll = stored(runs / "mle", "nll-test-best")
    exact = f"{nll['nats']:.2f} +- {nll['nats_standard_error']:.2f}"
    assert rows["mle"][:2] == ["MLE", "16"] and rows["mle"][4:6] == [exact, "best"]
    pairs = [stored(runs / name, "nll-test-best")["nats_per_image"] for name in ("adv", "mle")]
    test = scipy.stats.ttest_rel(*pairs)
    (line,) = [line for line in lines if line.startswith("NLL in nats, adv - mle: ")]
    number, error = line.split(": ")[1].split(" (paired over ")[0].split(" ± ")
    assert float(number) == pytest.approx(np.mean(np.subtract(*pairs)), rel=0.01)
    assert float(number) / float(error) == pytest.approx(test.statistic, rel=0.1)
    assert f"(paired over {len(pairs[0])} images)" in line
    assert "mle: scores of 60 samples in 3 splits by brightest part" in text
    assert rows["adv"][0] == "ADV" and rows["adv"][3] == "best_score"
    assert rows["dcgan"][:2] == ["ADV, dcgan wgan", "2"] and rows["dcgan"][4] == "-"
    assert "+-" in rows["dcgan"][2] and rows["dcgan"][3] == "latest"
    # What was measured and no more: neither estimates, nor the paper's numbers of other data.
    assert text.count("| Run ") == 1 and "Paper" not in text and "Table" not in text and "--metrics" not in text
    for name in ("nll", "scores"):
        assert PIL.Image.open(tmp_path / "comparison-1" / f"{name}.png").size[0] > 500
    # What is stored is not measured again, ...
    compare = importlib.import_module("flow_gan.modes.compare")
    monkeypatch.setattr(compare, "measure", refuse)
    assert main(command) == 0
    assert (tmp_path / "comparison-2" / "tables.md").read_text() == text
    # ... if it is of these settings, these weights, and whole.
    monkeypatch.setattr(compare, "measure", lambda run, name: refuse(run.folder.path.name, name))
    path = runs / "mle" / "evaluation" / "nll-test-best.json"
    whole = path.read_text()
    for broken in (whole.replace(f'"step": {nll["step"]}', '"step": 1'), whole[:100]):
        path.write_text(broken)
        with pytest.raises(AssertionError, match=r"measured .*'mle', 'nll'"):
            main(command)
    path.write_text(whole)
    with pytest.raises(AssertionError, match=r"measured .*'mle', 'nll'"):
        main([*command, "--num_examples=7"])


def rows_of(text, heading):
    """Return {run: cells} of the table that has a column of this heading."""
    lines = itertools.dropwhile(lambda line: f"| {heading} " not in line, text.splitlines())
    rows = [*itertools.takewhile(lambda line: line.startswith("|"), lines)][2:]
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in rows]
    return {name: rest for name, *rest in cells}


def test_compare_takes_each_estimate_from_its_own_measure(runs, tmp_path):
    """With the exact NLL and KDE alone the table of estimates has both, and no NLL is the Parzen window's."""
    command = ["--mode=compare", f"--run_dirs={runs / 'mle'},{runs / 'dcgan'}", f"--runs_dir={tmp_path}"]
    assert main([*command, "--metrics=nll, kde", "--kde_samples=50", "--num_examples=30"]) == 0
    text = (tmp_path / "comparison-1" / "tables.md").read_text()
    nll, kde = stored(runs / "mle", "nll-test-best"), stored(runs / "mle", "kde-test-best_score")
    exact = f"{nll['nats']:.2f} +- {nll['nats_standard_error']:.2f}"
    window = f"{kde['best_test_nll']:.2f} +- {kde['best_test_standard_error']:.2f}"
    assert rows_of(text, "Test NLL (nats)")["mle"] == ["MLE", "16", exact, "best"]
    # The exact NLL is of other weights than this table's, and says so.
    assert rows_of(text, "KDE")["mle"] == ["MLE", "16", "best_score", f"{exact}, best", window]
    assert "mle: 30 of 250 images in KDE" in text and "dcgan: 30 of 250 images in KDE" in text
    # A DCGAN cannot have an exact NLL, and nothing advises one.
    assert "--metrics" not in text


def test_compare_advises_what_a_column_lacks(runs, tmp_path):
    """Of the runs that can have it."""
    command = ["--mode=compare", f"--runs_dir={tmp_path}", "--num_examples=25", "--kde_samples=40"]
    assert main([*command, f"--run_dirs={runs / 'adv'}", "--metrics=kde"]) == 0
    assert main([*command, f"--run_dirs={runs}/*", "--metrics=nll"]) == 0
    text = (tmp_path / "comparison-2" / "tables.md").read_text()
    assert [*rows_of(text, "KDE")] == ["adv", "dcgan", "mle"]
    assert "No KDE is stored for dcgan, mle; --metrics=kde computes it." in text and text.count("--metrics") == 1


def test_compare_shows_what_has_no_column(runs, tmp_path, capsys):
    """As text, of stored results too, which are not measured again."""
    command = ["--mode=compare", f"--run_dirs={runs / 'mle'}", f"--runs_dir={tmp_path}", "--num_examples=20"]
    for number in (1, 2):
        assert main([*command, "--metrics=nll_reestimated, nll_terms"]) == 0
        text = (tmp_path / f"comparison-{number}" / "tables.md").read_text()
        assert text.strip() in capsys.readouterr().out
        again = stored(runs / "mle", "nll_reestimated-test-best_score")
        assert (
            f"nll_reestimated:\n\nmle: moving averages re-estimated on training images: {again['nats']:.2f} +-" in text
        )
        terms = stored(runs / "mle", "nll_terms-test-best_score")
        assert f"nll_terms:\n\nmle: {terms['text']}" in text


def test_compare_takes_patterns(runs, tmp_path, monkeypatch):
    """And a folder with a pattern's characters in its name for itself."""
    monkeypatch.chdir(runs)
    (runs / "not_a_run").mkdir(exist_ok=True)
    compare = importlib.import_module("flow_gan.modes.compare")
    assert compare._folders("m*") == ["mle"] and compare._folders("dcgan,*") == ["dcgan", "adv", "mle"]
    assert compare._folders(f"{runs}/[am]*") == [str(runs / "adv"), str(runs / "mle")]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a[1]").mkdir()
    assert compare._folders("a[1],b") == ["a[1]", "b"]


def test_the_names_in_figures_tell_steps_and_lambda(runs):
    assert open_run(runs / "mle", {}).label == "mle, 16 steps"
    adv = open_run(runs / "adv", {})
    hybrid = dataclasses.replace(adv, config=dataclasses.replace(adv.config, like_reg=0.1))
    assert hybrid.label == "adv, 16 steps, lambda 0.1"


def test_the_paper_s_numbers_stand_beside_its_own_data(runs):
    """Where some of the runs can have the measure."""
    compare = importlib.import_module("flow_gan.modes.compare")
    for name, asked, expected in (
        ("mnist", ("mle", "dcgan"), {"Test NLL (nats)", "MODE score", "Exact", "AIS", "KDE"}),
        # The exact NLL beside AIS, of which AIS itself says that a DCGAN has none.
        ("mnist", ("dcgan",), {"MODE score", "Exact", "AIS", "KDE"}),
        ("digits", ("mle", "dcgan"), set()),
    ):
        dataset = dataclasses.replace(flow_gan.data.load("digits"), name=name)
        chosen = [open_run(runs / run, {"score_samples": 77}, dataset) for run in asked]
        columns = [column for of in compare._Comparison(chosen, dataset)._columns.values() for column in of]
        assert {column.heading for column in columns if column.paper} == expected


def test_compare_asks_for_nothing_that_cannot_be_had(runs, tmp_path):
    """No scores without labels, and no AIS under a prior with an edge."""
    np.save(tmp_path / "set.npy", np.random.default_rng(0).integers(0, 256, (300, 4, 4, 1)).astype(np.uint8))
    changes = SMALL | {"like_reg": 0.0, "prior": "uniform", "dataset": tmp_path / "set.npy", "max_steps": 1}
    flags = [f"--{name}={value}" for name, value in changes.items()]
    assert main([f"--run_dir={tmp_path / 'run'}", *flags]) == 0
    assert main(["--mode=compare", f"--run_dirs={tmp_path / 'run'}", f"--runs_dir={tmp_path}"]) == 0
    text = (tmp_path / "comparison-1" / "tables.md").read_text()
    assert "--metrics" not in text and "score" not in text.split("Weights:")[0] and "Paper" not in text
    assert rows_of(text, "Test NLL (nats)").keys() == {"run"} and text.count("| Run ") == 1


def refuse(*args):
    raise AssertionError(f"measured {args}")


def test_compare_estimators_and_spectra(runs, tmp_path, capsys):
    """Table 3, the mixture's sweep and the spectra, of the weights of the best score."""
    command = ["--mode=compare", f"--run_dirs={runs / 'mle'},{runs / 'adv'}", f"--runs_dir={tmp_path}"]
    few = [*AIS, *SCORES, "--num_examples=20", "--jacobian_draws=1"]
    assert main([*command, "--metrics=ais,gmm,jacobian", *few]) == 0
    folder = tmp_path / "comparison-1"
    text = (folder / "tables.md").read_text()
    cells = rows_of(text, "AIS")["adv"]
    ais = stored(runs / "adv", "ais-test-best_score")
    assert cells[:3] == ["ADV", "16", "best_score"]
    assert cells[3].startswith(f"{ais['nll']['nats']:.2f} +- ")
    assert cells[4].startswith(f"{ais['nats']:.2f} +- ") and cells[4].endswith("(!)")
    assert cells[5].startswith(f"{ais['kde']['best_test_nll']:.2f} +- ")
    assert "(!) adv, AIS: AIS has not converged" in text and "adv: 4 of 250 images in AIS" in text
    assert sorted(p.name for p in folder.iterdir()) == sorted(
        ["tables.md", "nll.png", "scores.png", "jacobian.png", "gmm-mle.png", "gmm-adv.png"]
    )


@pytest.mark.parametrize(
    "flags, message",
    [
        (
            ["--metrics=nll,beauty"],
            "--metrics='beauty' is unknown; expected one of: ais, gmm, jacobian, kde, ",
        ),
        (["--metrics="], "--metrics='' is unknown"),
        (["--num_examples=251"], "--num_examples=251, but there are 250 test images"),
        (["--metrics=ais", "--ais_images=300"], "--ais_images=300, but there are 250 test images"),
        (["--num_examples=0"], "--num_examples=0; expected 1 or more"),
        (["--metrics=gmm", "--split=validation"], "--split=validation with --metrics=gmm, which uses training images"),
        (["--metrics=kde", "--num_examples=251", "--split=test"], "--num_examples=251, but there are 250"),
        (["--score_samples=1"], "--score_samples=1; expected 2 or more"),
        (["--score_samples=5", "--score_splits=6"], "--score_splits=6; expected at most --score_samples=5"),
        (["--checkpoint=best_score", "--run_dir={}/dcgan"], "no samples were scored in training, see --score_every"),
        (["--run_dir={}/dcgan", "--checkpoint=latest"], "--metrics=nll needs a likelihood"),
        (["--run_dir={}/none"], "is not a run"),
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
    assert_refused(
        [*run, "--score_every=1"],
        "--score_every=1 needs labels of training and test images, and --dataset=.*set.npy has none",
        capsys,
    )
    assert not (tmp_path / "run").exists()
    assert main(run) == 0
    capsys.readouterr()
    scores = ["--mode=evaluate", f"--run_dir={tmp_path / 'run'}", "--metrics=scores"]
    assert_refused(scores, "--metrics=scores needs labels", capsys)


def test_bad_comparisons(runs, tmp_path, capsys):
    one = runs / "mle"
    assert_refused(["--mode=compare"], "--mode=compare needs --run_dirs=", capsys)
    assert_refused(["--mode=compare", f"--run_dirs={one},{tmp_path}/none"], "is not a run", capsys)
    assert_refused(["--mode=compare", f"--run_dirs={tmp_path}/x*"], "--run_dirs=.*/x. matches no run", capsys)
    assert_refused(["--mode=compare", f"--run_dirs={one},{one}"], "has two runs of the same name", capsys)
    other = tmp_path / "other"
    shutil.copytree(one, other)
    config = json.loads((other / "config.json").read_text()) | {"dataset": "mnist"}
    (other / "config.json").write_text(json.dumps(config))
    assert_refused(
        ["--mode=compare", f"--run_dirs={one},{other}"], "are of different data, --dataset digits, mnist", capsys
    )
    assert_refused(
        ["--mode=compare", f"--run_dirs={one}", "--seed=1"], "--seed=1 has no effect in --mode=compare", capsys
    )
    kept = ["--mode=compare", f"--run_dirs={one}", f"--run_dir={other}"]
    assert_refused(kept, "exists already and is left as it is", capsys)
