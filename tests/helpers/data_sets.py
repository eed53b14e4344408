"""Data sets, good and bad, that are written to a folder."""

import os
import types

import numpy as np
import PIL.Image
import pytest
import tensorflow_datasets as tfds

import flow_gan
from flow_gan import data
from flow_gan.data import memory

SPLITS = ("train", "validation", "test")


def write_images(folder, count=20, size=(4, 6), mode="L"):
    rng = np.random.default_rng(count)
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        shape = size if mode == "L" else (*size, 3)
        PIL.Image.fromarray(rng.integers(0, 256, shape).astype(np.uint8)).save(folder / f"{i:03}.png")


class Harmful:
    def __reduce__(self):
        return os.mkdir, ("harm-done",)


def bad_datasets(folder):
    """Return {case: (dataset, what its message says)} of bad data written below `folder`."""
    images = np.zeros((20, 4, 4), np.uint8)
    write_images(folder / "broken", 5)
    (folder / "broken" / "003.png").write_bytes(b"no image")
    write_images(folder / "cut", 5, (30, 30))
    (folder / "cut" / "002.png").write_bytes((folder / "cut" / "002.png").read_bytes()[:300])
    write_images(folder / "sizes", 5)
    PIL.Image.fromarray(np.zeros((9, 9), np.uint8)).save(folder / "sizes" / "004.png")
    write_images(folder / "deep", 5)
    PIL.Image.fromarray(np.arange(24, dtype=np.uint16).reshape(4, 6) * 2000).save(folder / "deep" / "001.png")
    (folder / "empty").mkdir()
    write_images(folder / "few", 2)
    np.save(folder / "float.npy", images.astype(float))
    np.save(folder / "flat.npy", images.reshape(20, -1))
    np.save(folder / "short.npy", images[:2])
    np.save(folder / "pickled.npy", np.array([Harmful()] * 3), allow_pickle=True)
    np.savez(folder / "pickled.npz", images=np.array([Harmful()] * 3))
    np.savez(folder / "names.npz", a=images, b=images)
    np.savez(folder / "labels.npz", images=images, labels=np.arange(3))
    np.savez(folder / "shapes.npz", train=images, validation=images, test=images[:, :3])
    (folder / "text.npy").write_text("no array")
    np.save(folder / "thin.npy", images[:, :0])
    (folder / "swapped.npz").write_bytes((folder / "short.npy").read_bytes())
    (folder / "swapped.npy").write_bytes((folder / "names.npz").read_bytes())
    (folder / "text.npz").write_text("no archive")
    return {
        "unknown": ("mnits", "mnits is unknown; expected one of: digits, mnist, .*cifar10.* or the path"),
        "missing folder": (f"{folder}/nowhere/", "there is no such folder"),
        "missing file": (f"{folder}/nowhere.npy", "there is no such file"),
        "empty": (f"{folder}/empty", "holds no images"),
        "few": (f"{folder}/few", "has 2 images; expected 3 or more"),
        "broken": (f"{folder}/broken", r"003\.png cannot be read as an image"),
        "cut": (f"{folder}/cut", r"002\.png cannot be read as an image"),
        "deep": (f"{folder}/deep", r"001\.png has more than 8 bits per channel; expected at most 8"),
        "swapped npy": (f"{folder}/swapped.npy", "cannot be read"),
        "swapped npz": (f"{folder}/swapped.npz", "cannot be read"),
        "no height": (f"{folder}/thin.npy", r"uint8 \[20, 0, 4\]; expected uint8"),
        "sizes": (f"{folder}/sizes", r"004\.png is 9x9, but .*000\.png is 6x4"),
        "float": (f"{folder}/float.npy", r"float64 \[20, 4, 4\]; expected uint8"),
        "flat": (f"{folder}/flat.npy", r"uint8 \[20, 16\]; expected uint8 \[N, H, W\]"),
        "short": (f"{folder}/short.npy", "has 2 images; expected 3 or more"),
        "pickled npy": (f"{folder}/pickled.npy", "pickled objects are never loaded"),
        "pickled npz": (f"{folder}/pickled.npz", "pickled objects are never loaded"),
        "names": (f"{folder}/names.npz", r"has the arrays \['a', 'b'\]; expected train, validation and test"),
        "labels": (f"{folder}/labels.npz", r"labels of images are int64 \[3\]; expected integers \[20\]"),
        "shapes": (f"{folder}/shapes.npz", "expected one shape"),
        "text npy": (f"{folder}/text.npy", "cannot be read"),
        "text npz": (f"{folder}/text.npz", "cannot be read"),
    }


def refused(dataset, message, **arguments):
    """Assert that a data set is refused by one line."""
    with pytest.raises(flow_gan.UserError, match=message) as error:
        data.load(str(dataset), **arguments)
    assert "\n" not in str(error.value)


def fix_memory(monkeypatch, available):
    monkeypatch.setattr(memory.psutil, "virtual_memory", lambda: types.SimpleNamespace(available=available))


def link(path, target):
    path.symlink_to(target)
    return path


PIXELS = np.random.default_rng(0).integers(0, 256, (50, 6, 9, 3)).astype(np.uint8)


def write_public_set(folder, splits, features=None, number_of_shards=4, pixels=PIXELS):
    """Write a data set "small" of tensorflow_datasets; each example's label is its number."""
    features = features or {"image": tfds.features.Image(shape=(None, None, 3)), "label": np.int64}
    builder = tfds.dataset_builders.store_as_tfds_dataset(
        name="small",
        version="1.0.0",
        features=tfds.features.FeaturesDict(features),
        split_datasets={
            split: [(str(n), {"image": pixels[n], "label": n}) for n in numbers] for split, numbers in splits.items()
        },
        data_dir=folder,
        download_config=tfds.download.DownloadConfig(num_shards=number_of_shards),
    )
    return builder
