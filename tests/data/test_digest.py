"""A data set's digest: the same wherever it lies, another where anything of it is."""

import os
import shutil

import numpy as np
import PIL.Image
import pytest

from flow_gan import data
from flow_gan.data import digest
from tests.helpers.data_sets import PIXELS, write_images, write_public_set

SIZES = pytest.mark.parametrize("whole", [0, digest.WHOLE], ids=["large", "small"])


def of(path, **arguments):
    return data.load(str(path), **arguments).digest


@SIZES
def test_a_folder_that_moved(tmp_path, monkeypatch, whole):
    monkeypatch.setattr(digest, "WHOLE", whole)
    write_images(tmp_path / "set" / "a", 10)
    before = of(tmp_path / "set")
    shutil.copytree(tmp_path / "set", tmp_path / "elsewhere" / "copy")
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert of("copy") == of("./copy/") == of(tmp_path / "elsewhere" / "copy") == before
    assert len(before) == 64


def replace(path):
    pixels = np.asarray(PIL.Image.open(path))
    PIL.Image.fromarray(255 - pixels).save(path)


def flip_last_byte(path):
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


CHANGES = {
    "an image added": lambda f: shutil.copy(f / "000.png", f / "zzz.png"),
    "an image removed": lambda f: (f / "003.png").unlink(),
    "an image renamed": lambda f: os.replace(f / "003.png", f / "0035.png"),
    "an image moved": lambda f: (os.mkdir(f / "b"), os.replace(f / "003.png", f / "b" / "003.png")),
    "two images swapped": lambda f: (
        os.replace(f / "003.png", f / "x"),
        os.replace(f / "004.png", f / "003.png"),
        os.replace(f / "x", f / "004.png"),
    ),
    "an image replaced": lambda f: replace(f / "003.png"),
    "a byte at the end": lambda f: flip_last_byte(f / "003.png"),
}


@SIZES
@pytest.mark.parametrize("change", CHANGES)
def test_a_folder_that_changed(tmp_path, monkeypatch, whole, change):
    monkeypatch.setattr(digest, "WHOLE", whole)
    write_images(tmp_path, 10)
    before = of(tmp_path)
    CHANGES[change](tmp_path)
    assert of(tmp_path) != before


def test_a_part_by_another_name_is_another_place(tmp_path):
    """Which part an image is in counts."""
    for part, count in (("train", 5), ("val", 3), ("test", 4)):
        write_images(tmp_path / part, count)
    before = of(tmp_path)
    for old, new in (("val", "x"), ("test", "val"), ("x", "test")):
        os.replace(tmp_path / old, tmp_path / new)
    assert of(tmp_path) != before


@pytest.mark.parametrize("size", [0, 1, 2**14, 2**14 + 1, 3 * 2**14, 2**17])
def test_what_a_file_s_digest_covers(tmp_path, size):
    """Of a large file in a large folder four blocks, which the first and the last byte are in; else every byte."""
    path = tmp_path / "file"
    content = np.random.default_rng(size).bytes(size)
    path.write_bytes(content)

    def covered(whole):
        path.write_bytes(content)
        before = digest.of_file(path, whole)
        found = []
        for at in range(0, size, max(size // 64, 1)):
            path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
            found.append(digest.of_file(path, whole) != before)
        return found

    assert all(covered(True))
    assert all(covered(False)) == (size <= 2**14)
    path.write_bytes(content)
    before = digest.of_file(path, False)
    path.write_bytes(content + b"\0")
    assert digest.of_file(path, False) != before


@pytest.mark.parametrize("shape", [(50, 4, 6), (50, 4, 6, 3)])
@pytest.mark.parametrize("order", "CF")
def test_arrays(tmp_path, shape, order):
    images = np.asarray(np.random.default_rng(0).integers(0, 256, shape), np.uint8, order=order)
    labels = np.arange(50)
    np.save(tmp_path / "a.npy", images)
    np.savez(tmp_path / "b.npz", images=images)
    np.savez(tmp_path / "c.npz", images=images, labels=labels)
    assert of(tmp_path / "a.npy") == of(tmp_path / "b.npz") != of(tmp_path / "c.npz")
    changed = images.copy()
    changed[31, 2, 2] ^= 1
    np.save(tmp_path / "a.npy", changed)
    assert of(tmp_path / "a.npy") != of(tmp_path / "b.npz")
    labels[7] = 0
    np.savez(tmp_path / "d.npz", images=images, labels=labels)
    assert of(tmp_path / "d.npz") != of(tmp_path / "c.npz")


def test_what_the_digest_of_a_large_array_covers(tmp_path, monkeypatch):
    """Evenly spaced rows, the first and the last among them, of a file and in memory."""
    monkeypatch.setattr(digest, "WHOLE", 0)
    monkeypatch.setattr(digest, "_OF_ARRAY", 11 * 16)
    images = np.random.default_rng(0).integers(0, 256, (101, 4, 4)).astype(np.uint8)
    np.save(tmp_path / "a.npy", images)
    np.savez(tmp_path / "b.npz", images=images)
    before = of(tmp_path / "a.npy")
    assert of(tmp_path / "b.npz") == before
    covered = []
    for row in range(101):
        changed = images.copy()
        changed[row] ^= 1
        if digest.of_arrays({"images": changed}) != before:
            covered.append(row)
    assert covered == list(range(0, 101, 10))
    np.save(tmp_path / "a.npy", images[:100])
    assert of(tmp_path / "a.npy") != before


def test_digits():
    assert data.load("digits").digest == data.load("digits").digest is not None


def test_public_sets(tmp_path):
    """What they hold counts, whatever folder of tensorflow_datasets they are in."""
    for folder in ("a", "b"):
        write_public_set(tmp_path / folder, {"train": range(30), "test": range(30, 50)}, number_of_shards=1)
    own, same = (data.load("small", tmp_path / folder, height=6).digest for folder in ("a", "b"))
    write_public_set(
        tmp_path / "c", {"train": range(30), "test": range(30, 50)}, number_of_shards=1, pixels=255 - PIXELS
    )
    assert own == same != data.load("small", tmp_path / "c", height=6).digest
