"""Conditional runs on the command line: labels in every mode, and what is refused."""

import csv
import json
import shutil

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

from flow_gan import data, training
from flow_gan.config import Config
from flow_gan.evaluation import evaluate_class_likelihoods
from flow_gan.generators import make_generator
from flow_gan.main import main
from flow_gan.modes.sample import chosen_labels
from flow_gan.training.batches import watched_batches
from flow_gan.training.optimizers import generator_optimizer
from flow_gan.training.run_config import run_config
from tests.helpers.command_line import assert_refused
from tests.helpers.same_run import assert_same_run, lines_of

SMALL = ["--hidden_layers=8", "--no_of_layers=0", "--df_dim=2", "--eval_every=2", "--num_samples=20"]
CONDITIONAL = [*SMALL, "--conditional", "--n_critic=1"]
REPLICAS = ["--n_critic=0", "--data_on_device", "--strategy=mirrored"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Folder of a conditional hybrid of 4 steps."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    assert main([*CONDITIONAL, "--max_steps=4", f"--run_dir={folder}"]) == 0
    return folder


def stored(run, name):
    return json.loads((run / "evaluation" / f"{name}.json").read_text())


def test_classes_are_kept(run):
    assert json.loads((run / "data.json").read_text())["class_names"] == [str(n) for n in range(10)]
    assert json.loads((run / "config.json").read_text())["num_classes"] == 10
    model, _ = training.load_model(run_config({"mode": "sample", "run_dir": str(run)}))
    labels = data.load("digits").train.labels
    np.testing.assert_allclose(model.generator.class_shares, np.bincount(labels) / len(labels), rtol=1e-6)
    grid = np.asarray(PIL.Image.open(run / "samples" / "best.png"))
    assert grid.shape[0] > 4 * grid.shape[1]  # Ten rows of two.


def test_evaluation(run, capsys):
    assert main(["--mode=evaluate", f"--run_dir={run}", "--metrics=nll,labels,nll_terms,pictures"]) == 0
    printed = capsys.readouterr().out
    assert "(250 images, given the label)" in printed and "% of argmax_y p(x | y) p(y), of 10 classes" in printed
    nll, labels, terms = (stored(run, f"{name}-test-best") for name in ("nll", "labels", "nll_terms"))
    assert nll["is_given_label"]
    np.testing.assert_allclose([labels["given_label"], terms["total"]["means"]["nll"]], nll["nats"], rtol=1e-4)
    assert nll["nats"] < labels["nats"] < nll["nats"] + np.log(10.5)
    accuracy = labels["accuracy"]
    assert 0 < accuracy < 1
    error = np.sqrt(accuracy * (1 - accuracy) / 250)
    np.testing.assert_allclose(labels["accuracy_standard_error"], error, rtol=0.02)
    assert "nats (250 images, given the label)" in printed
    assert stored(run, "pictures-test-best")["pictures"]["classes"] == "classes-test-best.png"
    for metric in ("ais", "gmm"):
        message = f"--metrics={metric} is not for a --conditional run"
        assert_refused(["--mode=evaluate", f"--run_dir={run}", f"--metrics={metric}"], message, capsys)


def test_compare(run, tmp_path, capsys):
    """Below its table stand whose NLL is given the label, and the differences without it."""
    assert main(["--mode=evaluate", f"--run_dir={run}", "--metrics=nll,labels"]) == 0
    shutil.copytree(run, tmp_path / "copy")
    runs = f"--run_dirs={run},{tmp_path / 'copy'}"
    assert main(["--mode=compare", runs, f"--runs_dir={tmp_path}", "--metrics=nll,labels"]) == 0
    printed = capsys.readouterr().out
    assert "copy: its NLL is -log p(x | y), given the label" in printed
    assert "NLL in nats, copy, given the label - run, given the label: 0 ± 0 (paired over 250 images)" in printed
    assert "-log p(x) in nats, copy - run: 0 ± 0 (paired over 250 images)" in printed


def test_the_figures_are_those_of_their_definitions(run):
    config = run_config({"mode": "sample", "run_dir": str(run)})
    model, _ = training.load_model(config, 17)
    digits = data.load("digits")
    found = evaluate_class_likelihoods(model, digits, "test", 100, 60)
    batch = next(iter(data.evaluation_batches(digits.test.images, "test", 60)))
    x, labels = model.draws.evaluation_images(batch), digits.test.labels[:60]
    by_class = np.stack([model.generator.log_prob(x, np.full(60, y)) for y in range(10)], 1).astype(np.float64)
    joint = by_class + np.log(model.generator.class_shares)
    np.testing.assert_allclose(found.given_label, -by_class[np.arange(60), labels].mean(), rtol=1e-5)
    np.testing.assert_allclose(found.nats, -np.log(np.exp(joint).sum(1)).mean(), rtol=1e-5)
    np.testing.assert_allclose(found.accuracy, np.mean(joint.argmax(1) == labels))


def test_samples_of_labels(run, tmp_path, capsys):
    sample = ["--mode=sample", f"--run_dir={run}"]
    assert main(sample) == 0
    assert "20 samples, labels drawn from p(y)" in capsys.readouterr().out
    assert main([*sample, "--labels=3,7"]) == 0
    printed = capsys.readouterr().out
    assert "20 samples of --labels=3,7" in printed and "(!)" not in printed
    npz = ["--labels=1,2", "--num_samples=5", "--batch_size=3", f"--output={tmp_path / 's.npz'}"]
    assert main([*sample, *npz]) == 0
    model, _ = training.load_model(run_config({"mode": "sample", "run_dir": str(run)}), 17)
    grid = data.image_grid(model.generator.sample(20, np.repeat([3, 7], 10)), 10)
    data.save_png(tmp_path / "grid.png", grid)
    assert (tmp_path / "grid.png").read_bytes() == next((run / "samples").glob("*-labels-3,7.png")).read_bytes()
    expected = data.shown_levels(17)[data.quantize(model.generator.sample(5, [1, 2, 1, 2, 1]).numpy(), 17)]
    with np.load(tmp_path / "s.npz") as file:
        np.testing.assert_array_equal(file["arr_0"][..., :1], expected)
    capsys.readouterr()
    many = ",".join("0123456789" * 20)
    assert main([*sample, f"--labels={many}", "--num_samples=400"]) == 0
    path = capsys.readouterr().out.split()[-1]
    assert "-labels-0,1,2,3," in path and path.endswith(".png") and len(path.rsplit("/", 1)[1]) < 120
    for labels, wrong in (("3,cat", "'cat'"), ("10", "'10'"), ("-1", "'-1'"), ("1" * 5000, "'1111")):
        assert_refused([*sample, f"--labels={labels}"], f"--labels={labels[:60]}.*: {wrong}.* is no class of", capsys)


def test_scores_interpolations_and_inpainting(run, tmp_path, capsys):
    digits = data.load("digits").test.images
    for i in range(2):
        PIL.Image.fromarray(data.shown_levels(17)[digits[i, ..., 0]]).save(tmp_path / f"{i}.png")
    PIL.Image.fromarray(np.repeat(np.uint8([0, 255]), 32).reshape(8, 8)).save(tmp_path / "mask.png")
    assert main(["--mode=score", f"--run_dir={run}", f"--output={tmp_path / 's.csv'}"]) == 0
    with open(tmp_path / "s.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 250
    evaluated = main(["--mode=evaluate", f"--run_dir={run}", "--metrics=labels"])
    assert evaluated == 0
    labels = stored(run, "labels-test-best")
    np.testing.assert_allclose([-float(row["log_prob"]) for row in rows], labels["nats_per_image"], rtol=1e-4)
    assert np.mean([row["most_likely_class"] == row["label"] for row in rows]) == pytest.approx(labels["accuracy"])
    capsys.readouterr()
    images = f"--images={tmp_path / '0.png'},{tmp_path / '1.png'}"
    assert main(["--mode=interpolate", f"--run_dir={run}", images, f"--output={tmp_path / 'i'}"]) == 0
    inpaint = ["--mode=inpaint", f"--run_dir={run}", f"--images={tmp_path / '0.png'}"]
    inpaint += [f"--mask={tmp_path / 'mask.png'}", "--inpaint_steps=2", "--num_frames=2", f"--output={tmp_path / 'p'}"]
    assert main(inpaint) == 0
    assert "log p" in capsys.readouterr().out


def test_export(run, tmp_path, capsys):
    assert main(["--mode=export", f"--run_dir={run}", f"--export_dir={tmp_path / 'e'}"]) == 0
    printed = capsys.readouterr().out
    assert "(labels int32 [N], seed int32 [], temperature float32 []) -> images" in printed
    assert "(images float32 [N, 8, 8, 1], labels int32 [N]) -> log_prob\n" in printed
    assert "(images float32 [N, 8, 8, 1]) -> joint_log_prob\n" in printed
    signatures = tf.saved_model.load(tmp_path / "e").signatures
    x, z, grey_levels = tf.fill([4, 8, 8, 1], 0.5), tf.zeros([4, 64]), tf.zeros([4, 8, 8, 1], tf.uint8)
    calls = {name: {"images": x} for name in ("log_prob", "encode", "critic")} | {"decode": {"z": z}}
    calls |= {f"{name}_uint8": {"images": grey_levels, "seed": tf.constant(0)} for name in ("log_prob", "critic")}
    for name, given in calls.items():
        for labels, message in (
            ([0], "labels: expected one for each of "),
            ([0, 1, 2], "labels: expected one for each of "),
            ([0, 1, 2, 10], "labels: expected 0 to 9"),
            ([0, 1, -1, 9], "labels: expected 0 to 9"),
        ):
            with pytest.raises(tf.errors.InvalidArgumentError, match=message):
                signatures[name](labels=tf.constant(labels), **given)


@pytest.mark.parametrize(
    "flags",
    [
        REPLICAS,
        *(
            pytest.param(flags, marks=pytest.mark.slow)
            for flags in (["--ema_decay=0.5"], ["--like_reg=0"], ["--critic_batches=fresh"])
        ),
    ],
)
def test_a_resumed_run_is_the_one_that_was_never_stopped(tmp_path, flags):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert main([*CONDITIONAL, *flags, "--max_steps=4", f"--run_dir={whole}"]) == 0
    assert main([*CONDITIONAL, *flags, "--max_steps=2", f"--run_dir={parts}"]) == 0
    assert main(["--resume", "--max_steps=4", f"--run_dir={parts}"]) == 0
    assert_same_run(whole, parts)


@pytest.mark.parametrize("has_prior", [False, True])
def test_from_a_run_without_labels(tmp_path, has_prior):
    """All else is the source's, and its learned prior is that of every class, so that its NLL goes on."""
    source = tmp_path / "source"
    learned = ["--learned_prior", "--learning_rate=0.1"] if has_prior else []
    assert main([*SMALL, "--n_critic=1", *learned, "--max_steps=2", f"--run_dir={source}"]) == 0
    small = {"hidden_layers": 8, "no_of_layers": 0, "df_dim": 2, "n_critic": 1, "conditional": True}
    prepared = training.prepare(Config(**small, max_steps=1, checkpoint="best", init_from_run=str(source)))
    taken, model = prepared.initial_weights, prepared.model
    of_prior = [] if has_prior else ["prior_log_scale", "prior_mean"]
    assert [name.split("/")[-1] for name in taken.anew] == ["critic_class_embedding", "class_shares", *of_prior]
    assert f"; anew: {taken.anew[0]}, " in str(taken)
    theirs, _ = training.load_model(run_config({"mode": "sample", "run_dir": str(source)}))
    for part in ("generator", "critic"):
        of_source = {v.path: v.numpy() for v in getattr(theirs, part).weights}
        weights = [v for v in getattr(model, part).weights if v.path not in taken.anew]
        assert [v.path for v in weights] == list(getattr(taken, part)) and set(getattr(taken, part)) == set(of_source)
        for variable in weights:
            expected = np.broadcast_to(of_source[variable.path], variable.shape)
            np.testing.assert_array_equal(variable, expected, err_msg=variable.path)
    if has_prior:
        assert np.abs(model.generator.prior_mean).max() > 0.01
    batches, steps = watched_batches(prepared.config, model, prepared.dataset)["validation"]
    nll = model.evaluate(batches, steps=steps, verbose=0, return_dict=True)["nll"]
    np.testing.assert_allclose(nll, lines_of(source)[-1]["validation_nll"], rtol=1e-5)


def test_classes_of_a_folder(tmp_path, capsys, caplog):
    """Its subfolders' names are kept, and chosen by; of a class that no image has all modes tell."""
    rng = np.random.default_rng(0)
    for i, name in enumerate(("cat", "dog")):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for n in range(15):
            pixels = rng.integers(100 * i, 100 * i + 100, (4, 4)).astype(np.uint8)
            PIL.Image.fromarray(pixels).save(tmp_path / "pets" / name / f"{n}.png")
    flags = [f"--dataset={tmp_path / 'pets'}", "--n_critic=0", "--batch_size=10", "--max_steps=2", "--num_classes=3"]
    with caplog.at_level("WARNING"):
        assert main([*SMALL, "--conditional", *flags, f"--run_dir={tmp_path / 'run'}"]) == 0
    assert caplog.text.count("no training image has the class 2: its prior stays where it began") == 1
    sample = ["--mode=sample", f"--run_dir={tmp_path / 'run'}"]
    capsys.readouterr()
    assert main([*sample, "--labels=dog"]) == 0
    printed = capsys.readouterr().out
    assert "20 samples of --labels=dog" in printed and "(!)" not in printed
    assert main([*sample, "--labels=dog,2"]) == 0
    assert "\n(!) no training image has the class 2: its prior stays where it began" in capsys.readouterr().out
    config = run_config({"mode": "sample", "run_dir": str(tmp_path / "run"), "labels": "dog,cat,2"})
    assert chosen_labels(config).tolist() == [1, 0, 2]


def test_the_rate_of_the_means():
    config = Config(conditional=True, num_classes=3, hidden_layers=8, no_of_layers=0, prior_mean_rate=30.0)
    generator = make_generator(config, (4, 4, 1))
    assert generator_optimizer(config, generator).rate_factors == {generator.prior_mean.path: 30.0}


def test_what_is_refused(tmp_path, run, capsys):
    images = np.zeros((30, 4, 4), np.uint8)
    np.savez(tmp_path / "without.npz", images=images)
    np.savez(tmp_path / "negative.npz", images=images, labels=np.arange(30) % 3 - 1)
    np.savez(tmp_path / "numbers.npz", images=images, labels=np.full(30, 5000))
    for flags, message in (
        (
            [f"--dataset={tmp_path / 'without.npz'}"],
            "--conditional needs labels of all images, and .* has none",
        ),
        ([f"--dataset={tmp_path / 'negative.npz'}"], "which has the label -1; expected 0 or more"),
        ([f"--dataset={tmp_path / 'numbers.npz'}"], "which has the label 5000 and 24 training images"),
        (["--num_classes=9"], "--num_classes=9, but --dataset=digits has the label 9; expected 10 or more"),
        (["--model_type=dcgan", "--like_reg=0"], "--conditional=True is for --model_type=nice or real_nvp or glow"),
    ):
        small = [] if "--model_type=dcgan" in flags else [*SMALL, "--batch_size=10"]
        assert_refused([*small, "--conditional", *flags, f"--run_dir={tmp_path / 'x'}"], message, capsys)
    assert_refused([*SMALL, "--num_classes=10"], "--num_classes=10 is for --conditional", capsys)
    assert_refused([*SMALL, "--prior_mean_rate=3"], "--prior_mean_rate=3.0 is for --learned_prior or --cond", capsys)
    assert_refused([*SMALL, "--labels=3"], "--labels=3 goes with --mode=sample", capsys)
    assert not (tmp_path / "x").exists()
