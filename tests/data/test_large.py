"""Data that are larger than memory, or made to do harm."""

import io
import os
import re
import socket
import zipfile

import numpy as np
import PIL.Image
import pytest

import flow_gan
from flow_gan import data
from flow_gan.data import folder as folder_module
from flow_gan.data import memory
from flow_gan.main import main
from tests.helpers.data_sets import SPLITS, Harmful, fix_memory, link, refused, write_images

SMALL_FLAGS = ("--hidden_layers=8", "--no_of_layers=0", "--n_critic=0", "--log_every=1")


def batches_of(dataset):
    batches = data.training_batches(dataset.train.images, 4, 3, 0, 6)
    return [*batches.as_numpy_iterator()]


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_folder_beyond_the_budget_gives_the_same_batches(tmp_path, monkeypatch, mode):
    write_images(tmp_path / "set" / "a", 15, mode=mode)
    write_images(tmp_path / "set" / "b", 10, mode=mode)
    whole = data.load(str(tmp_path / "set"))
    assert isinstance(whole.train.images, np.ndarray)
    monkeypatch.setattr(folder_module, "IN_MEMORY", whole.train.images.nbytes)
    decoded = []
    read = folder_module.ImageFiles._read
    monkeypatch.setattr(folder_module.ImageFiles, "_read", lambda self, f: (decoded.append(f), read(self, f))[1])
    lazy = data.load(str(tmp_path / "set"))
    assert decoded == [] and not isinstance(lazy.train.images, np.ndarray)
    np.testing.assert_array_equal(batches_of(lazy), batches_of(whole))
    assert len(decoded) == 24
    for name in SPLITS:
        assert lazy.split(name).images.shape == whole.split(name).images.shape
        np.testing.assert_array_equal(lazy.split(name).images[:], whole.split(name).images)
        np.testing.assert_array_equal(lazy.split(name).images[1], whole.split(name).images[1])
    for expected, batch in zip(
        *(data.evaluation_batches(d.test.images, "test", 2).as_numpy_iterator() for d in (whole, lazy)), strict=True
    ):
        np.testing.assert_array_equal(expected["images"], batch["images"])


def test_headers_of_a_large_folder_are_checked(tmp_path, monkeypatch):
    monkeypatch.setattr(folder_module, "IN_MEMORY", 0)
    write_images(tmp_path / "set", 6)
    PIL.Image.fromarray(np.zeros((9, 9), np.uint8)).save(tmp_path / "set" / "004.png")
    refused(tmp_path / "set", r"004\.png is 9x9, but .*000\.png is 6x4; expected images of one size")
    (tmp_path / "set" / "004.png").write_bytes(b"no image")
    refused(tmp_path / "set", r"004\.png cannot be read as an image")


def cut(path):
    """Cut a file's last bytes off, which its header does not tell."""
    path.write_bytes(path.read_bytes()[:-30])


def test_a_file_that_breaks_a_run(tmp_path, monkeypatch, capfd):
    """It is named in one line; the run's checkpoint stays, and the run goes on once the file is good."""
    monkeypatch.setattr(folder_module, "IN_MEMORY", 0)
    images = tmp_path / 'it\'s a "set"\\'
    for name in SPLITS:
        write_images(images / name, 40 if name == "train" else 4, (8, 8))
    order = data.batches.epoch_order(40, 0, 0)
    broken = images / "train" / f"{order[33]:03}.png"
    good = broken.read_bytes()
    cut(broken)
    run = tmp_path / "run"
    flags = [*SMALL_FLAGS, f"--dataset={images}", "--batch_size=4", "--max_steps=10", "--eval_every=2"]
    assert main([*flags, f"--run_dir={run}"]) == 2
    printed = capfd.readouterr()
    assert printed.err.strip().splitlines()[-1].startswith(f"error: {broken} cannot be read as an image: ")
    assert "Traceback" not in printed.err and "NLL" not in printed.out
    assert len(list((run / "checkpoints" / "latest").glob("*.index"))) > 0
    broken.write_bytes(good)
    assert main(["--resume", f"--run_dir={run}"]) == 0
    assert len((run / "metrics.jsonl").read_text().splitlines()) == 10
    # In an evaluation too.
    last = images / "test" / "003.png"
    cut(last)
    capfd.readouterr()
    assert main(["--mode=evaluate", f"--run_dir={run}"]) == 2
    printed = capfd.readouterr()
    assert printed.err.strip().splitlines()[-1].startswith(f"error: {last} cannot be read as an image: ")
    assert "Traceback" not in printed.err


def test_a_level_that_is_found_late(tmp_path, monkeypatch):
    monkeypatch.setattr(folder_module, "IN_MEMORY", 0)
    write_images(tmp_path / "set", 10)
    images = data.load(str(tmp_path / "set"), levels=17).train.images
    with (
        pytest.raises(flow_gan.UserError, match=r"--levels=17, but .*\.png has a grey level of \d+$"),
        data.reading_errors(),
    ):
        list(data.training_batches(images, 4, 0, 0, 2))


def anonymous_memory():
    """Return the bytes of the process that no file backs."""
    with open("/proc/self/status", encoding="utf-8") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("RssAnon"))


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="tells memory by /proc")
def test_a_file_of_30_gigabytes(tmp_path, monkeypatch):
    """A sparse one: of a training run's pages only those of its batches are ever read."""
    path = tmp_path / "set.npy"
    np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(160_000, 256, 256, 3))
    assert path.stat().st_size > 31e9
    before = anonymous_memory()
    dataset = data.load(str(path))
    assert [len(dataset.split(name)) for name in SPLITS] == [128_000, 16_000, 16_000]
    for batch in data.training_batches(dataset.train.images, 64, 0, 0, 30):
        assert batch.shape == (64, 256, 256, 3)
    # 30 batches are 377 MB, of which some are kept at once: prefetched, in reading, in use.
    assert anonymous_memory() - before < 2e8


def test_grey_levels_of_a_file_are_checked_part_by_part(tmp_path, monkeypatch):
    images = np.zeros((40, 4, 4), np.uint8)
    images[39, 3, 3] = 17
    np.save(tmp_path / "set.npy", images)
    monkeypatch.setattr("flow_gan.data.arrays._CHECKED", 100)
    assert len(data.load(str(tmp_path / "set.npy"), levels=18).train) == 32
    refused(tmp_path / "set.npy", r"--levels=17, but --dataset=.* \(images\) has a grey level of 17$", levels=17)


def test_an_archive_must_fit_in_memory(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "set.npz", images=np.zeros((50, 200, 200), np.uint8), labels=np.arange(50))
    fix_memory(monkeypatch, memory.RESERVE + 2_000_400)
    assert len(data.load(str(tmp_path / "set.npz")).train) == 40
    fix_memory(monkeypatch, memory.RESERVE + 2_000_399)
    refused(
        tmp_path / "set.npz",
        r"set\.npz, a \.npz file, would take 0\.0 GB of memory, but 1\.1 GB are free, and 1\.1 GB of these are needed "
        r"for other things; a \.npy file may be of any size",
    )


def header(shape, dtype="|u1", padding=0):
    file = io.BytesIO()
    text = repr({"descr": dtype, "fortran_order": False, "shape": shape}) + " " * padding + "\n"
    file.write(np.lib.format.magic(2, 0) + len(text).to_bytes(4, "little") + text.encode())
    return file.getvalue()


@pytest.mark.parametrize(
    "shape, dtype, padding",
    [
        ((2**40, 28, 28), "|u1", 0),
        ((2**70, 28, 28), "|u1", 0),
        ((-50, 4, 4), "|u1", 0),
        ((50, 4, 4), "|O", 0),
        ((50, 4, 4), "|u1", 10**6),
    ],
    ids=["huge", "beyond 64 bits", "negative", "objects", "long header"],
)
def test_headers_that_lie(tmp_path, shape, dtype, padding):
    content = header(shape, dtype, padding) + bytes(800)
    (tmp_path / "set.npy").write_bytes(content)
    with zipfile.ZipFile(tmp_path / "set.npz", "w") as archive:
        archive.writestr("images.npy", content)
    before = sorted(tmp_path.iterdir())
    for name in ("set.npy", "set.npz"):
        refused(
            tmp_path / name, r"cannot be read \(.*\); expected plain numeric arrays, since pickled objects are never"
        )
    assert sorted(tmp_path.iterdir()) == before


def test_an_archive_s_other_members_are_not_read(tmp_path, monkeypatch):
    """Nor written: no name in an archive leads anywhere."""
    (tmp_path / "in").mkdir()
    monkeypatch.chdir(tmp_path / "in")
    np.savez("set.npz", **{"images": np.zeros((10, 4, 4), np.uint8), "../../x": np.array([Harmful()])})
    with zipfile.ZipFile("set.npz", "a") as archive:
        archive.writestr("../y.txt", "no array")
        archive.writestr("huge.npy", header((2**40,)))
    assert len(data.load("set.npz").train) == 8
    np.savez("other.npz", **{"../../x": np.zeros((10, 4, 4), np.uint8)})
    refused("other.npz", r"has the arrays \['\.\./\.\./x'\]; expected train, validation and test, or images")
    np.savez("labels.npz", images=np.zeros((10, 4, 4), np.uint8), labels=np.array([Harmful()] * 10))
    refused("labels.npz", "pickled objects are never loaded")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
    assert sorted(os.listdir()) == ["labels.npz", "other.npz", "set.npz"]


def a_pipe(folder):
    os.mkfifo(folder / "x.png")


def a_socket(folder):
    # Its name is short since a socket's path must be.
    here = os.getcwd()
    os.chdir(folder)
    try:
        with socket.socket(socket.AF_UNIX) as unix:
            unix.bind("x.png")
    finally:
        os.chdir(here)


ESCAPES = {
    "file": (
        lambda f: link(f / "x.png", f.parent / "out" / "000.png"),
        r"x\.png is a link out of the folder, to .*out",
    ),
    "folder": (lambda f: link(f / "x", f.parent / "out"), r"set/x is a link out of the folder"),
    "relative": (lambda f: link(f / "x.png", "../out/000.png"), r"x\.png is a link out of the folder"),
    "by a like name": (lambda f: link(f / "x.png", f.parent / "set2" / "000.png"), r"is a link out of the folder"),
    "device": (lambda f: link(f / "x.png", "/dev/zero"), r"x\.png is a link out of the folder, to /dev/zero"),
    "broken, outside": (lambda f: link(f / "x.png", "/nowhere/x.png"), r"x\.png is a link out of the folder"),
    "broken, inside": (lambda f: link(f / "x.png", "nowhere.png"), r"x\.png cannot be read: No such file"),
    "to itself": (lambda f: link(f / "x.png", "x.png"), r"x\.png cannot be read: Too many levels"),
    "pipe": (a_pipe, r"x\.png is not a regular file"),
    "socket": (a_socket, r"x\.png is not a regular file"),
    "odd name": (
        lambda f: (f / "a\n\x1b[31m\udcff.png").write_bytes(b"no image"),
        r"'.*a\\n\\x1b\[31m\\udcff\.png' cannot",
    ),
}


@pytest.mark.parametrize("case", ESCAPES)
@pytest.mark.parametrize("budget", [0, folder_module.IN_MEMORY], ids=["read on demand", "in memory"])
def test_a_folder_is_not_left(tmp_path, monkeypatch, capsys, case, budget):
    monkeypatch.setattr(folder_module, "IN_MEMORY", budget)
    for name in ("set", "set2", "out"):
        write_images(tmp_path / name, 5)
    make, message = ESCAPES[case]
    make(tmp_path / "set")
    refused(tmp_path / "set", message)
    assert main([f"--dataset={tmp_path / 'set'}", f"--run_dir={tmp_path / 'run'}"]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert lines[-1].startswith("error: ") and re.search(message, lines[-1]) and "\x1b" not in lines[-1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "set", "set2"]


def test_splits_are_not_out_of_the_folder(tmp_path):
    for name in ("train", "validation"):
        write_images(tmp_path / "set" / name, 3)
    write_images(tmp_path / "out", 3)
    link(tmp_path / "set" / "test", tmp_path / "out")
    refused(tmp_path / "set", "set/test is a link out of the folder")


def test_links_that_stay_inside(tmp_path):
    """A link to the whole folder, to a file in it, and to a folder in it, which is not read twice."""
    write_images(tmp_path / "set" / "a", 5)
    link(tmp_path / "set" / "x.png", "a/000.png")
    link(tmp_path / "set" / "b", "a")
    link(tmp_path / "set" / "c", ".")
    link(tmp_path / "set" / "notes.txt", "/nowhere")
    link(tmp_path / "link", "set")
    for name in ("set", "link"):
        loaded = data.load(str(tmp_path / name))
        assert sum(len(loaded.split(part)) for part in SPLITS) == 6


def test_a_folder_that_may_not_be_read(tmp_path, monkeypatch):
    write_images(tmp_path / "set", 5)
    (tmp_path / "set" / "closed").mkdir()
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    refused(tmp_path / "set", "closed cannot be read: Permission denied")


@pytest.mark.parametrize("side, limit", [(20, 300), (20, 100)], ids=["PIL warns", "PIL refuses"])
def test_an_image_that_would_fill_the_memory(tmp_path, monkeypatch, side, limit):
    write_images(tmp_path / "set", 5, (side, side))
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", limit)
    refused(tmp_path / "set", r"000\.png cannot be read as an image: Image size \(400 pixels\) exceeds limit of")
