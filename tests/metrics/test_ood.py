"""The metric ood of runs with and without a critic and a likelihood: what is printed, stored, drawn and refused."""

import json
import math
import re

import numpy as np
import PIL.Image
import pytest
from sklearn.metrics import roc_auc_score

from flow_gan import UserError, data, evaluation
from flow_gan.main import main
from flow_gan.measurement import load, measure
from flow_gan.metrics import ood
from tests.helpers.command_line import assert_refused
from tests.helpers.figures import looks_like_a_figure
from tests.helpers.image_files import colour, save
from tests.helpers.runs import DCGAN, SMALL

LIKELIHOOD = ["log_prob", "typicality", "input_complexity"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Folder with finished runs, and noise.npy, 40 images of the digits' size and grey levels."""
    folder = tmp_path_factory.mktemp("ood")
    for name, settings in {
        "mle": SMALL | {"n_critic": 0},
        "hybrid": SMALL,
        "edge": SMALL | {"like_reg": 0.0, "prior": "uniform"},
        "dcgan": SMALL | DCGAN,
    }.items():
        assert main([f"--run_dir={folder / name}", "--max_steps=8", *(f"--{k}={v}" for k, v in settings.items())]) == 0
    np.save(folder / "noise.npy", np.random.default_rng(0).integers(0, 17, (40, 8, 8)).astype(np.uint8))
    return folder


def evaluate(runs, name, others, *flags):
    """Measure a run; return what is stored."""
    command = ["--mode=evaluate", f"--run_dir={runs / name}", "--metrics=ood", f"--ood_dataset={others}"]
    assert main([*command, *flags]) == 0
    (path,) = (runs / name / "evaluation").glob("ood-*.json")
    return json.loads(path.read_text(encoding="utf-8"))


def test_noise(runs, capsys):
    stored = evaluate(runs, "hybrid", runs / "noise.npy")
    printed = capsys.readouterr().out
    assert "AUROC of 250 images against 40 images of noise; 1: all others are the less usual" in printed
    assert (stored["num_images"], stored["num_others"], stored["config"]["ood_dataset"]) == (
        *(250, 40),
        str(runs / "noise.npy"),
    )
    run = load(runs / "hybrid")
    nll = evaluation.evaluate_nll(run.model, run.dataset, "test", run.config.batch_size)
    own = {name: np.array(stored[name]["own"]) for name in ood.SCORES}
    np.testing.assert_allclose(-own["log_prob"], nll.nats_per_image, rtol=1e-3, atol=1e-2)
    entropy = run.validation_nll(8)
    assert stored["entropy"] == entropy
    np.testing.assert_allclose(own["typicality"], np.abs(own["log_prob"] + entropy), atol=1e-3)
    png = evaluation.png_bits(run.dataset.test.images)
    code = -own["log_prob"] / math.log(2) + 64 * math.log2(17)
    np.testing.assert_allclose(own["input_complexity"], code - png, atol=1e-2)
    is_other = np.repeat([0, 1], [250, 40])
    for name, (label, _) in ood.SCORES.items():
        part = stored[name]
        sign = -1 if name in ("log_prob", "critic_logit") else 1
        expected = roc_auc_score(is_other, sign * np.array(part["own"] + part["other"]))
        assert part["auroc"] == pytest.approx(expected, abs=1e-6) and len(part["resamples"]) == 1000
        assert f"{label:14} {part['auroc']:.3f} +- {part['standard_error']:.3f}\n" in printed
    assert stored["warnings"] == []
    assert looks_like_a_figure(runs / "hybrid" / "evaluation" / "ood-test-best.png")


def test_of_the_same_images_nothing_is_told_apart(runs):
    """With the same noise the values are the same."""
    stored = evaluate(runs, "mle", "digits")
    assert [stored[name]["auroc"] for name in LIKELIHOOD] == [0.5] * 3 and stored["critic_logit"] is None
    assert stored["others"] == "digits-test" and 0.01 < stored["log_prob"]["standard_error"] < 0.05


def test_as_many_others_as_own_images_are_drawn(runs):
    stored = evaluate(runs, "mle", runs / "noise.npy", "--num_examples=20")
    numbers = [stored[name] for name in ("num_images", "num_available", "num_others", "num_others_available")]
    assert numbers == [20, 250, 20, 40]
    noise = np.load(runs / "noise.npy")[..., None]
    drawn = data.fixed_sample(noise, 20)[np.arange(20)]
    assert (drawn != noise[:20]).any()
    run = load(runs / "mle")
    expected = evaluation.score_images(run.model, drawn, run.config.batch_size, 0.0, "train").log_prob
    np.testing.assert_allclose(stored["log_prob"]["other"], expected, rtol=1e-3, atol=1e-2)


def test_files_of_another_size_and_other_grey_levels(runs, tmp_path):
    """White squares of 28 x 28 pixels are white squares of 8 x 8."""
    folder = tmp_path / "white"
    save(folder, [PIL.Image.new("L", (28, 28), 255)] * 10)
    stored = evaluate(runs, "mle", folder)
    np.save(tmp_path / "white.npy", np.full((10, 8, 8), 16, np.uint8))
    expected = evaluate(runs, "mle", tmp_path / "white.npy")
    assert stored["others"] == expected["others"] == "white"
    assert stored["log_prob"]["other"] == expected["log_prob"]["other"]


def test_a_model_without_a_likelihood_has_the_critic_alone(runs, capsys):
    stored = evaluate(runs, "dcgan", runs / "noise.npy")
    assert [stored[name] for name in LIKELIHOOD] == [None] * 3 and stored["entropy"] is None
    assert 0 <= stored["critic_logit"]["auroc"] <= 1 and stored["warnings"] == []
    printed = capsys.readouterr().out
    assert "critic         " in printed and "log p " not in printed and "typicality" not in printed


def test_images_of_density_0(runs, capsys):
    """They are the least likely; without an entropy there is no typicality."""
    stored = evaluate(runs, "edge", runs / "noise.npy", "--checkpoint=latest")
    assert None in stored["log_prob"]["other"] and 0 <= stored["log_prob"]["auroc"] <= 1
    assert stored["typicality"] is None and "typicality    " not in capsys.readouterr().out
    assert any("others: only " in warning for warning in stored["warnings"])
    assert any("no typicality" in warning for warning in stored["warnings"])


def test_what_is_usual():
    """A high log p, a low typicality; what is no number is least usual."""
    low, high = np.arange(10.0), np.arange(10.0) + 10
    assert ood.Separation(high, low, is_high_usual=True).auroc.value == 1
    assert ood.Separation(high, low).auroc.value == 0
    nothing = np.full(10, math.nan)
    assert ood.Separation(high, nothing, is_high_usual=True).auroc.value == 1
    assert ood.Separation(high, -np.full(10, math.inf), is_high_usual=True).auroc.value == 1


def test_compare(runs, tmp_path, capsys):
    names = ("mle", "hybrid", "dcgan")
    command = ["--mode=compare", f"--run_dirs={','.join(str(runs / name) for name in names)}"]
    command += [f"--runs_dir={tmp_path}", "--metrics=ood", f"--ood_dataset={runs / 'noise.npy'}"]
    assert main(command) == 0
    text = (tmp_path / "comparison-1" / "tables.md").read_text(encoding="utf-8")
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]
    header = next(line for line in lines if line[0] == "Run")
    cells = {line[0]: dict(zip(header, line, strict=True)) for line in lines if line[0] in names}
    for score, (label, _) in ood.SCORES.items():
        for name in names:
            (path,) = (runs / name / "evaluation").glob("ood-test-*.json")
            part = json.loads(path.read_text(encoding="utf-8"))[score]
            expected = "-" if part is None else f"{part['auroc']:.3f} +- {part['standard_error']:.3f}"
            assert cells[name][f"OOD AUROC, {label}"] == expected
    assert "mle: OOD AUROC of 250 images against 40 images of noise" in text
    assert text.count("(paired over 40 images)") == 4  # Of three scores two runs, of the critic's two.
    assert looks_like_a_figure(tmp_path / "comparison-1" / "ood.png")
    # Nothing is measured again, and of other images nothing is stored.
    capsys.readouterr()
    assert main(command) == 0 and "checkpoint" not in capsys.readouterr().out
    assert main([*command[:3], "--num_examples=10"]) == 0
    assert "OOD" not in capsys.readouterr().out


def test_other_files_of_a_list_are_measured_anew(runs, tmp_path, capsys):
    rng = np.random.default_rng(1)
    for name, images in {"black": np.zeros((10, 8, 8)), "noise": rng.integers(0, 256, (10, 8, 8))}.items():
        save(tmp_path / name, [PIL.Image.fromarray(image) for image in images.astype(np.uint8)])
    lists = {name: ",".join(map(str, sorted((tmp_path / name).iterdir()))) for name in ("black", "noise")}
    command = ["--mode=compare", f"--run_dirs={runs / 'mle'}", f"--runs_dir={tmp_path}", "--metrics=ood"]
    for name, is_measured in (("black", True), ("noise", True), ("noise", False), ("black", True)):
        capsys.readouterr()
        assert main([*command, f"--ood_dataset={lists[name]}"]) == 0
        assert ("checkpoint" in capsys.readouterr().out) == is_measured


def bad_others(folder):
    """Write images that are refused; return {what: (flags, message)}."""
    save(folder / "colour", [colour((8, 8))] * 10)
    np.save(folder / "few.npy", np.zeros((9, 8, 8), np.uint8))
    np.save(folder / "size.npy", np.zeros((20, 4, 8), np.uint8))
    np.save(folder / "colour.npy", np.random.default_rng(0).integers(0, 9, (20, 8, 8, 3)).astype(np.uint8))
    np.save(folder / "good.npy", np.zeros((20, 8, 8), np.uint8))
    others = f"--ood_dataset={folder}"
    return {
        "none": ([], r"--metrics=ood needs --ood_dataset=NAME\|PATH, images that are not the run's"),
        "unknown": (["--ood_dataset=mnits"], "--ood_dataset=mnits: there is no such folder or file, and as a data set"),
        "no file": ([f"{others}/no.npy"], r"--ood_dataset=.*no\.npy: there is no such file"),
        "colour": ([f"{others}/colour"], r"000\.png is colour, but the run's images are grey"),
        "channels": ([f"{others}/colour.npy"], r"--ood_dataset=.* holds images of 8x8x3 .* the run's images are 8x8x1"),
        "size": ([f"{others}/size.npy"], r"--ood_dataset=.* holds images of 4x8x1 .* the run's images are 8x8x1"),
        "few": ([f"{others}/few.npy"], r"--ood_dataset=.*few\.npy has 9 images; expected 10 or more"),
        "few own": ([f"{others}/good.npy", "--num_examples=9"], "--metrics=ood of 9 test images; expected 10 or more"),
    }


def test_bad_input(runs, tmp_path, capsys):
    before = {path: path.stat().st_mtime_ns for path in runs.glob("*/evaluation/*")}
    for flags, message in bad_others(tmp_path).values():
        command = ["--mode=evaluate", f"--run_dir={runs / 'mle'}", "--metrics=ood", *flags]
        assert_refused(command, message, capsys)
    assert {path: path.stat().st_mtime_ns for path in runs.glob("*/evaluation/*")} == before


def test_a_file_that_turns_out_to_be_broken(runs, tmp_path, capsys):
    """Whose header says nothing of it: one line, and nothing is stored."""
    files = save(tmp_path / "cut", [PIL.Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8))] * 10)
    files[3].write_bytes(files[3].read_bytes()[:-30])
    before = {path: path.stat().st_mtime_ns for path in runs.glob("*/evaluation/*")}
    command = ["--mode=evaluate", f"--run_dir={runs / 'mle'}", "--metrics=ood", f"--ood_dataset={tmp_path / 'cut'}"]
    assert main(command) == 2
    assert re.search(r"error: .*cut/003\.png cannot be read as an image[^\n]*\Z", capsys.readouterr().err.strip())
    assert {path: path.stat().st_mtime_ns for path in runs.glob("*/evaluation/*")} == before


def test_bad_input_from_python(runs):
    with pytest.raises(UserError, match="--metrics=ood needs --ood_dataset="):
        measure(load(runs / "mle"), "ood")
