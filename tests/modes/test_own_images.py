"""A finished run applied to images: samples as files, scores, interpolation, inpainting; and what is refused."""

import csv
import json
import os
import pathlib
import re

import numpy as np
import PIL.Image
import pytest

from flow_gan import data, evaluation, training
from flow_gan.evaluation.interpolation import latent_path
from flow_gan.main import main
from flow_gan.training.run_config import run_config
from tests.helpers.command_line import assert_refused
from tests.helpers.runs import DCGAN, REAL_NVP, SMALL


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Folder with runs: hybrid, of digits, colour, a Real-NVP by MLE on 8x8 RGB images, and dcgan."""
    folder = tmp_path_factory.mktemp("runs")
    np.save(folder / "colour.npy", np.random.default_rng(0).integers(0, 256, (60, 8, 8, 3), np.uint8))
    for name, settings in {
        "hybrid": SMALL | {"max_steps": 8},
        "colour": SMALL | REAL_NVP | {"n_critic": 0, "max_steps": 2, "dataset": folder / "colour.npy"},
        "dcgan": SMALL | DCGAN | {"max_steps": 1},
    }.items():
        assert main([f"--run_dir={folder / name}", *(f"--{flag}={value}" for flag, value in settings.items())]) == 0
    return folder


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder of test digits as pictures show them, in class subfolders."""
    folder = tmp_path_factory.mktemp("pictures")
    digits = data.load("digits")
    for i in range(12):
        image, label = digits.test.images[i, ..., 0], digits.test.labels[i]
        (folder / str(label)).mkdir(exist_ok=True)
        PIL.Image.fromarray(data.shown_levels(17)[image]).save(folder / str(label) / f"{i:02}.png")
    return folder


def model_of(runs, name="hybrid", **settings):
    config = run_config({"mode": "evaluate", "run_dir": str(runs / name)} | settings)
    return training.load_model(config, data.levels_of(config.dataset, config.levels))[0]


def rows_of(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def column(rows, name):
    return np.array([float(row[name]) for row in rows])


def files_below(folder):
    return sorted(path for path in pathlib.Path(folder).rglob("*"))


# Samples


def expected_samples(runs, name, count, levels, **how):
    images = model_of(runs, name).generator.sample(count, **how)
    return data.shown_levels(levels)[data.quantize(images, levels)]


def test_samples_as_numbered_files(runs, tmp_path, capsys):
    """In batches, and yet those of one call; grey ones as grey files, in a folder as torch-fidelity reads it."""
    folder = tmp_path / "new" / "lambda-0.1"
    command = ["--mode=sample", f"--run_dir={runs / 'hybrid'}", f"--output={folder}", "--batch_size=3"]
    assert main([*command, "--num_samples=7", "--seed=4", "--temperature=0.8"]) == 0
    assert capsys.readouterr().out == f"7 samples  {folder}\n"
    assert [path.name for path in files_below(tmp_path / "new")] == ["lambda-0.1", *(f"00000{i}.png" for i in range(7))]
    images = [PIL.Image.open(folder / f"00000{i}.png") for i in range(7)]
    assert all(image.mode == "L" for image in images)
    expected = expected_samples(runs, "hybrid", 7, 17, seed=4, temperature=0.8)
    np.testing.assert_array_equal(np.stack(images), expected[..., 0])


@pytest.mark.parametrize("name, levels", [("hybrid", 17), ("colour", 256)])
def test_samples_as_an_array(runs, tmp_path, name, levels):
    """As ADM's evaluator reads it: uint8 [N, H, W, 3] in C order behind a header of version 1, 0 to 255."""
    path = tmp_path / "samples.npz"
    command = ["--mode=sample", f"--run_dir={runs / name}", f"--output={path}", "--num_samples=50", "--batch_size=20"]
    assert main(command) == 0
    with np.load(path, allow_pickle=False) as file:
        assert file.files == ["arr_0"]
        array = file["arr_0"]
        with file.zip.open("arr_0.npy") as member:
            assert np.lib.format.read_magic(member) == (1, 0)
            assert np.lib.format.read_array_header_1_0(member) == ((50, 8, 8, 3), False, np.dtype(np.uint8))
    expected = expected_samples(runs, name, 50, levels, seed=0)
    np.testing.assert_array_equal(array, np.broadcast_to(expected, array.shape))
    assert array.min() < 50 and array.max() > 200
    assert os.listdir(tmp_path) == ["samples.npz"]


def test_many_samples_take_no_more_memory_than_a_batch(runs, tmp_path, monkeypatch):
    """The sampler hands on one batch at a time, and the memory for all of them is never asked for."""
    alive, largest = [], []
    batches = evaluation.Sampler.batches

    def watched(self, *args):
        for batch in batches(self, *args):
            alive.append(len(batch))
            largest.append(batch.nbytes)
            yield batch

    monkeypatch.setattr(evaluation.Sampler, "batches", watched)
    monkeypatch.setattr("flow_gan.data.memory.require", lambda *_: pytest.fail("asked for memory"))
    command = ["--mode=sample", f"--run_dir={runs / 'hybrid'}", f"--output={tmp_path / 's.npz'}", "--num_samples=10000"]
    assert main([*command, "--batch_size=1000"]) == 0
    assert alive == [1000] * 10 and max(largest) == 1000 * 64 * 4


def test_a_sampling_that_is_broken_off_leaves_nothing(runs, tmp_path, monkeypatch):
    def broken(*_):
        yield np.zeros((2, 8, 8, 1))
        raise KeyboardInterrupt

    monkeypatch.setattr(evaluation.Sampler, "batches", broken)
    for output in (tmp_path / "new" / "folder", tmp_path / "new" / "samples.npz"):
        assert main(["--mode=sample", f"--run_dir={runs / 'hybrid'}", f"--output={output}"]) == 130
    assert list(tmp_path.iterdir()) == []


def test_samples_of_a_model_without_a_likelihood(runs, tmp_path):
    assert main(["--mode=sample", f"--run_dir={runs / 'dcgan'}", f"--output={tmp_path / 'x'}", "--num_samples=3"]) == 0
    assert len(os.listdir(tmp_path / "x")) == 3


# Scores


def test_scores_of_a_folder(runs, pictures, tmp_path, capsys):
    """By file name; each number against its definition."""
    path = tmp_path / "scores.csv"
    assert main(["--mode=score", f"--run_dir={runs / 'hybrid'}", f"--images={pictures}", f"--output={path}"]) == 0
    printed, rows = capsys.readouterr().out, rows_of(path)
    assert list(rows[0]) == ["file", "label", "log_prob", "bits_per_dim", "typicality", "critic_logit"]
    names = sorted(str(file.relative_to(pictures)) for file in pictures.rglob("*.png"))
    assert [row["file"] for row in rows] == names
    assert [row["label"] for row in rows] == [os.path.dirname(name) for name in names]
    model, digits = model_of(runs), data.load("digits")
    images = np.stack([digits.test.images[int(pathlib.Path(name).stem)] for name in names])
    log_prob = model.predict(images, verbose=0)
    # Sums of 64 terms of up to 17 nats in float32.
    np.testing.assert_allclose(column(rows, "log_prob"), log_prob, atol=2e-4)
    np.testing.assert_allclose(column(rows, "bits_per_dim"), -log_prob / (64 * np.log(2)) + np.log2(17), atol=1e-5)
    lines = [json.loads(line) for line in (runs / "hybrid" / "metrics.jsonl").read_text().splitlines()]
    entropy = min(line["validation_nll"] for line in lines if "validation_nll" in line)
    np.testing.assert_allclose(column(rows, "typicality"), np.abs(log_prob + entropy), atol=5e-4)
    assert f"entropy          {entropy:.2f} nats" in printed
    batch = {"images": images, "index": np.arange(12), "split": np.zeros(12, int)}
    logits = model.critic(model.draws.evaluation_images(batch), training=False)[:, 0]
    np.testing.assert_allclose(column(rows, "critic_logit"), logits, rtol=1e-4, atol=1e-6)
    least = names[int(np.argmin(log_prob))]
    assert f"least likely     {least}: log p {log_prob.min():.2f}" in printed
    picture = np.asarray(PIL.Image.open(tmp_path / "scores.png"))
    assert picture.shape[1] > 1000 and picture[..., :3].std() > 20


def test_scores_of_the_run_s_own_images_are_those_of_evaluate(runs):
    """Without --images; in the run's folder, under a new name each time."""
    for split in ("validation", "test"):
        assert main(["--mode=evaluate", f"--run_dir={runs / 'hybrid'}", f"--split={split}"]) == 0
        assert main(["--mode=score", f"--run_dir={runs / 'hybrid'}", f"--split={split}"]) == 0
        stored = json.loads((runs / "hybrid" / "evaluation" / f"nll-{split}-best.json").read_text())
        rows = rows_of(runs / "hybrid" / "scores" / f"digits-{split}-best-1.csv")
        np.testing.assert_allclose(-column(rows, "log_prob"), stored["nats_per_image"], atol=2e-4)
        assert rows[3]["file"] == f"digits/{split}[3]"
    # The typicality is |log p + entropy|, and the entropy of the validation images their mean -log p.
    rows = rows_of(runs / "hybrid" / "scores" / "digits-validation-best-1.csv")
    log_prob = column(rows, "log_prob")
    np.testing.assert_allclose(column(rows, "typicality"), np.abs(log_prob - log_prob.mean()), atol=2e-3)
    assert main(["--mode=score", f"--run_dir={runs / 'hybrid'}", "--images=digits"]) == 0
    first, again = (rows_of(runs / "hybrid" / "scores" / f"digits-test-best-{i}.csv") for i in (1, 2))
    assert first == again
    assert (runs / "hybrid" / "scores" / "digits-test-best-2.png").exists()


def test_scores_without_a_critic_as_an_array(runs, tmp_path):
    """Of an array of images; the noise follows from --seed."""
    command = ["--mode=score", f"--run_dir={runs / 'colour'}", f"--images={runs / 'colour.npy'}", "--batch_size=10"]
    assert main([*command, f"--output={tmp_path / 'scores.npy'}"]) == 0
    rows = np.load(tmp_path / "scores.npy", allow_pickle=False)
    assert rows.shape == (60,) and np.isnan(rows["critic_logit"]).all() and set(rows["label"]) == {""}
    assert rows["file"][7] == "colour.npy[7]"
    expected = model_of(runs, "colour").predict(np.load(runs / "colour.npy"), verbose=0)
    np.testing.assert_allclose(rows["log_prob"], expected, atol=1e-3)  # 192 terms, and two couplings' rounding.
    assert main([*command, f"--output={tmp_path / 'again.csv'}", "--seed=3"]) == 0
    again = rows_of(tmp_path / "again.csv")
    assert {row["critic_logit"] for row in again} == {""}
    assert np.abs(column(again, "log_prob") - expected).min() > 1e-3


def test_samples_can_be_scored(runs, tmp_path):
    """As a folder and as an array, also where the run has fewer than 256 levels."""
    for output in ("folder", "samples.npz"):
        sample = ["--mode=sample", f"--run_dir={runs / 'hybrid'}", f"--output={tmp_path / output}", "--num_samples=5"]
        assert main(sample) == 0
        score = ["--mode=score", f"--run_dir={runs / 'hybrid'}", f"--images={tmp_path / output}"]
        assert main([*score, f"--output={tmp_path / output}.csv"]) == 0
    folder, array = rows_of(tmp_path / "folder.csv"), rows_of(tmp_path / "samples.npz.csv")
    assert [row["file"] for row in folder] == [f"00000{i}.png" for i in range(5)]
    assert [row["log_prob"] for row in folder] == [row["log_prob"] for row in array]


def test_scores_of_images_of_several_sizes(runs, tmp_path):
    for i, size in enumerate([(8, 8), (16, 20)]):
        PIL.Image.new("RGB", size, (10 * i, 100, 200)).save(tmp_path / f"{i}.png")
    score = ["--mode=score", f"--run_dir={runs / 'colour'}", f"--images={tmp_path}", f"--output={tmp_path / 's.csv'}"]
    assert main([*score, "--input_height=8"]) == 0
    assert [row["file"] for row in rows_of(tmp_path / "s.csv")] == ["0.png", "1.png"]


# Interpolation


@pytest.mark.parametrize(
    "name, prior, how", [("hybrid", "logistic", "prior is Gaussian"), ("colour", "gaussian", "sph")]
)
def test_interpolation(runs, tmp_path, capsys, name, prior, how):
    """The ends are the images, pixel by pixel, and the middle is that of the path which suits the prior."""
    rng = np.random.default_rng(1)
    files = [tmp_path / "a.png", tmp_path / "b.png"]
    for file in files:
        shape = (8, 8) if name == "hybrid" else (8, 8, 3)
        pixels = data.shown_levels(17)[rng.integers(0, 17, shape)]
        PIL.Image.fromarray(pixels).save(file)
    command = ["--mode=interpolate", f"--run_dir={runs / name}", f"--images={files[0]},{files[1]}", "--num_frames=5"]
    assert main([*command, f"--output={tmp_path / 'path'}"]) == 0
    assert f"prior {prior}" in (printed := capsys.readouterr().out) and how in printed
    frames = [np.asarray(PIL.Image.open(tmp_path / "path" / f"000-00{i}.png")) for i in range(5)]
    for frame, file in zip((frames[0], frames[-1]), files, strict=True):
        np.testing.assert_array_equal(frame, np.asarray(PIL.Image.open(file)))
    rows = rows_of(tmp_path / "path" / "log_prob.csv")
    assert [row["share"] for row in rows] == ["0", "0.25", "0.5", "0.75", "1"] and rows[1]["file"] == "000-001.png"
    model = model_of(runs, name)
    levels = model.levels
    values = np.stack([np.asarray(PIL.Image.open(file)).reshape(8, 8, -1) for file in files]).astype(float)
    images = np.round(values * (levels - 1) / 255).astype(np.uint8)
    ends = model.draws.evaluation_images({"images": images, "index": [0, 1], "split": [0, 0]})
    np.testing.assert_allclose(column(rows, "log_prob")[[0, -1]], model.generator.log_prob(ends), rtol=1e-3)
    z = model.generator.encode(ends).numpy()
    middle = model.generator.decode(latent_path(prior, z[:1], z[1:], 3)[:, 1].astype(np.float32))
    np.testing.assert_array_equal(
        frames[2].reshape(8, 8, -1), data.shown_levels(levels)[data.quantize(middle[0], levels)]
    )
    assert np.asarray(PIL.Image.open(tmp_path / "path" / "picture.png")).shape[1] > 500


# Inpainting


def write_mask(path, size=(8, 8), mode="L"):
    """Hide the lower half."""
    mask = np.zeros(size[::-1], np.uint8)
    mask[size[1] // 2 :] = 255
    PIL.Image.fromarray(mask).convert(mode).save(path)
    return path


@pytest.mark.parametrize(
    "name, method, mode", [("hybrid", "map", "RGB"), ("hybrid", "hmc", "L"), ("colour", "map", "1")]
)
def test_inpainting(runs, pictures, tmp_path, capsys, name, method, mode):
    """Known pixels stay, the others change; a chain follows from the seed; files, table and picture are there."""
    mask = write_mask(tmp_path / "mask.png", mode=mode)
    files = sorted(pictures.rglob("*.png"))[:2]
    if name == "colour":
        files = [tmp_path / "one.png"]
        PIL.Image.fromarray(np.load(runs / "colour.npy")[0]).save(files[0])
    command = ["--mode=inpaint", f"--run_dir={runs / name}", f"--images={','.join(map(str, files))}", f"--mask={mask}"]
    command += [f"--inpaint_method={method}", "--inpaint_steps=6", "--num_frames=3", "--inpaint_leapfrog=3"]
    found = []
    for output, seed in (("one", 0), ("same", 0), ("other", 1))[: None if method == "hmc" else 1]:
        assert main([*command, f"--output={tmp_path / output}", f"--seed={seed}"]) == 0
        assert f"filled in by {method}" in capsys.readouterr().out
        rows = rows_of(tmp_path / output / "log_prob.csv")
        assert [row["step"] for row in rows] == ["0", "3", "6"] * len(files)
        assert [row["image"] for row in rows[::3]] == list(map(str, files))
        frames = np.stack([np.asarray(PIL.Image.open(tmp_path / output / row["file"])) for row in rows])
        frames = frames.reshape(len(files), 3, *frames.shape[1:])
        for file, own in zip(files, frames, strict=True):
            known = np.asarray(PIL.Image.open(file))[:4]
            np.testing.assert_array_equal(own[:, :4], np.broadcast_to(known, own[:, :4].shape))
            assert (own[0, 4:] != own[2, 4:]).any()
        assert np.isfinite(column(rows, "log_prob")).all()
        assert (tmp_path / output / "picture.png").exists()
        found.append(frames)
    if method == "hmc":
        np.testing.assert_array_equal(found[0], found[1])
        assert (found[0] != found[2]).any()


def test_folders_of_pictures_in_the_run(runs, pictures, tmp_path):
    """Without --output: the next free name."""
    files = sorted(pictures.rglob("*.png"))[:2]
    both = f"--images={files[0]},{files[1]}"
    mask = write_mask(tmp_path / "mask.png")
    for number in (1, 2):
        assert main(["--mode=interpolate", f"--run_dir={runs / 'hybrid'}", both, "--num_frames=2"]) == 0
        assert (runs / "hybrid" / "interpolations" / f"best-{number}" / "picture.png").exists()
    inpaint = ["--mode=inpaint", f"--run_dir={runs / 'hybrid'}", both, f"--mask={mask}", "--inpaint_steps=2"]
    assert main([*inpaint, "--num_frames=2"]) == 0
    assert len(os.listdir(runs / "hybrid" / "inpainted" / "best-1")) == 2 + 2 * 2


# What is refused


@pytest.fixture(scope="module")
def bad(tmp_path_factory, pictures):
    """A folder of things that are in the way, or are no images of the runs."""
    folder = tmp_path_factory.mktemp("bad")
    (folder / "empty").mkdir()
    (folder / "there").mkdir()
    (folder / "there" / "kept.txt").write_text("kept")
    (folder / "there.csv").write_text("kept")
    (folder / "beside.png").write_text("kept")
    (folder / "file.npz").write_text("kept")
    PIL.Image.new("L", (9, 8)).save(folder / "wide.png")
    PIL.Image.new("RGB", (8, 8), (1, 2, 3)).save(folder / "colour.png")
    PIL.Image.new("L", (8, 8)).save(folder / "black.png")
    write_mask(folder / "mask.png")
    (folder / "image.png").write_bytes(sorted(pictures.rglob("*.png"))[0].read_bytes())
    return folder


IMAGE, MASK = "--images={bad}/image.png", "--mask={bad}/mask.png"
BAD_COMMANDS = [
    ("sample", "hybrid", ["--output={bad}/there"], "--output=.*there exists already and is left as it is"),
    ("sample", "hybrid", ["--output={bad}/file.npz"], "--output=.*file.npz exists already"),
    ("sample", "hybrid", ["--output={bad}/x.zip"], "--output=.*x.zip; expected a folder, whose name .* ends in .npz"),
    ("sample", "hybrid", ["--output={bad}/file.npz/x"], "--output=.*/x cannot be written"),
    ("sample", "hybrid", ["--num_samples=0", "--output={bad}/x"], "--num_samples=0; expected 1 or more"),
    (
        "sample",
        "hybrid",
        ["--num_samples=300000"],
        "--num_samples=300000 is too many for one picture, which holds at most 262144",
    ),
    (
        "sample",
        "hybrid",
        [IMAGE],
        "--images=.* goes with --mode=score or interpolate or inpaint, not with --mode=sample",
    ),
    ("score", "dcgan", [IMAGE], "--mode=score needs a likelihood, and --model_type=dcgan has none"),
    ("score", "hybrid", [IMAGE, "--output={bad}/x.txt"], "x.txt; expected a file whose name ends in .csv or .npy"),
    ("score", "hybrid", [IMAGE, "--output={bad}/there"], "there; expected a file whose name ends in .csv or .npy"),
    ("score", "hybrid", [IMAGE, "--output={bad}/there.csv"], "--output=.*there.csv exists already"),
    ("score", "hybrid", [IMAGE, "--output={bad}/beside.csv"], "--output=.*beside.png exists already"),
    ("score", "hybrid", ["--images={bad}/no/where"], "--images=.*no/where: there is no such folder or file"),
    ("score", "hybrid", ["--images={bad}/empty"], "--images: .*empty holds no images"),
    ("score", "hybrid", ["--images={bad}/wide.png"], "wide.png is 9x8, but the run's images are 8x8; --input_height=8"),
    ("score", "hybrid", ["--images={bad}/colour.png"], "colour.png is colour, but the run's images are grey"),
    ("score", "colour", [IMAGE], "image.png is grey, but the run's images are colour"),
    ("score", "hybrid", [IMAGE, "--input_height=9"], "--input_height=9, but the run .* has 8"),
    ("score", "hybrid", [IMAGE, "--mask={bad}/mask.png"], "--mask=.* goes with --mode=inpaint, not with --mode=score"),
    ("interpolate", "hybrid", [], "--mode=interpolate needs --images=A,B"),
    ("interpolate", "hybrid", [IMAGE], "image.png has 1 image; expected two"),
    ("interpolate", "hybrid", ["--images={pictures}"], "has 12 images; expected two"),
    ("interpolate", "dcgan", [IMAGE], "--mode=interpolate needs a likelihood"),
    ("interpolate", "hybrid", [IMAGE, "--output={bad}/there"], "--output=.*there exists already"),
    (
        "interpolate",
        "hybrid",
        [IMAGE, "--output={bad}/x.png"],
        "x.png; expected a folder, whose name may end in / to say",
    ),
    ("interpolate", "hybrid", [IMAGE, "--num_frames=1"], "--num_frames=1; expected 2 or more"),
    ("inpaint", "hybrid", [IMAGE], "--mode=inpaint needs --mask=FILE"),
    ("inpaint", "hybrid", [MASK], "--mode=inpaint needs --images=FILE"),
    ("inpaint", "dcgan", [IMAGE, MASK], "--mode=inpaint needs a likelihood"),
    ("inpaint", "hybrid", [IMAGE, "--mask={bad}/wide.png"], "--mask=.*wide.png is 9x8, but the run's images are 8x8"),
    ("inpaint", "hybrid", [IMAGE, "--mask={bad}/black.png"], "--mask=.*black.png hides nothing: it has no white pixel"),
    ("inpaint", "hybrid", [IMAGE, "--mask={bad}/colour.png"], "--mask=.*colour.png is in colour"),
    ("inpaint", "hybrid", [IMAGE, "--mask={bad}/none.png"], "--mask=.*none.png: there is no such file"),
    ("inpaint", "hybrid", [IMAGE, "--mask={bad}/there"], "--mask=.*there; expected an image file"),
    ("inpaint", "hybrid", [IMAGE, MASK, "--inpaint_steps=0"], "--inpaint_steps=0; expected 1 or more"),
    (
        "inpaint",
        "hybrid",
        [IMAGE, MASK, "--inpaint_method=mean"],
        "--inpaint_method='mean' is unknown; expected one of: map",
    ),
    ("inpaint", "hybrid", ["--images=digits", MASK], "--images=digits has 250 images; expected at most 64"),
]


def test_bad_commands(runs, pictures, bad, capsys):
    """Each is one line that names the flag; nothing on disk changes."""
    before = {path: path.stat().st_mtime_ns for path in (*files_below(bad), *files_below(runs))}
    for mode, run, flags, message in BAD_COMMANDS:
        given = [flag.format(bad=bad, pictures=pictures) for flag in flags]
        assert_refused([f"--mode={mode}", f"--run_dir={runs / run}", *given], message, capsys)
        after = {path: path.stat().st_mtime_ns for path in (*files_below(bad), *files_below(runs))}
        assert after == before, (mode, flags)


def test_a_broken_image_is_named_with_its_folder(runs, tmp_path, capsys):
    """Its header is whole, so that it is found when its pixels are read; nothing is written."""
    noise = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    (tmp_path / "set" / "a").mkdir(parents=True)
    PIL.Image.fromarray(noise).save(tmp_path / "set" / "a" / "x.png")
    whole = (tmp_path / "set" / "a" / "x.png").read_bytes()
    (tmp_path / "set" / "a" / "y.png").write_bytes(whole[: len(whole) // 2])
    score = [
        "--mode=score",
        f"--run_dir={runs / 'colour'}",
        f"--images={tmp_path / 'set'}",
        f"--output={tmp_path}/s.csv",
    ]
    assert_refused(score, re.escape(f"{tmp_path}/set/a/y.png cannot be read as an image"), capsys)
    assert os.listdir(tmp_path) == ["set"]


# The page


def test_the_lines_of_the_page(runs, pictures, tmp_path, monkeypatch):
    """Every command and the Python of docs/applying.md, with fewer samples and steps."""
    page = (pathlib.Path(__file__).parents[2] / "docs" / "applying.md").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    images = sorted(pictures.rglob("*.png"))
    for name, target in (("RUN", runs / "hybrid"), ("FOLDER", pictures), ("A.png", images[0]), ("B.png", images[1])):
        (tmp_path / name).symlink_to(target)
    write_mask(tmp_path / "MASK.png")
    commands = re.findall(r"^    python -m flow_gan\.main (.*)$", page, re.MULTILINE)
    made = []
    for command in commands:
        few = ["--inpaint_steps=4", "--num_frames=3"] if "--mode=inpaint" in command else []
        assert main([*command.replace("10000", "5").split(), *few]) == 0, command
        made += re.findall(r"--output=(\S+)", command)
    assert all((tmp_path / name).exists() for name in made) and len(set(made)) == len(commands)
    names = {}
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(block, names)
    assert len(names["outliers"]) == 10 and names["outliers"]["typicality"][0] == names["scores"]["typicality"].max()
