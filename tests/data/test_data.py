"""Data sets and what is wrong with bad ones."""

import dataclasses
import os
import pathlib
import subprocess
import sys

import numpy as np
import PIL.Image
import pytest
import tensorflow_datasets as tfds

import flow_gan
from flow_gan import data, evaluation
from flow_gan.config import Config
from flow_gan.data import arrays, public
from flow_gan.training import resolve

TFDS = pathlib.Path(os.environ.get("FLOW_GAN_TFDS", pathlib.Path(__file__).parents[3] / "shared" / "tfds"))
needs_tfds = pytest.mark.skipif(not TFDS.exists(), reason=f"no prepared tensorflow_datasets in {TFDS}")


def test_digits():
    digits = data.load("digits")
    assert [len(digits.split(name)) for name in ("train", "validation", "test")] == [1297, 250, 250]
    assert digits.image_shape == (8, 8, 1) and digits.levels == 17
    for split in (digits.train, digits.validation, digits.test):
        assert split.images.dtype == np.uint8 and split.images.max() == 16
        shares = np.bincount(split.labels, minlength=10) / len(split)
        np.testing.assert_allclose(shares, 0.1, atol=0.01)
    images = np.concatenate([digits.train.images, digits.validation.images, digits.test.images])
    # No image is lost or in two splits (one pair of images in the original file is equal by nature at most).
    assert len(np.unique(images.reshape(1797, -1), axis=0)) >= 1790
    np.testing.assert_array_equal(digits.test.images, data.load("digits").test.images)


@needs_tfds
def test_mnist():
    mnist = data.load("mnist", TFDS)
    assert [len(mnist.split(name)) for name in ("train", "validation", "test")] == [50000, 10000, 10000]
    assert mnist.image_shape == (28, 28, 1) and mnist.levels == 256
    assert mnist.train.images.shape == (50000, 28, 28, 1) and mnist.train.labels.shape == (50000,)
    pixels = np.concatenate([mnist.train.images, mnist.validation.images])
    np.testing.assert_allclose([pixels.mean(), pixels.std()], [33.318, 78.567], atol=1e-3)
    np.testing.assert_allclose(mnist.test.images.mean(), 33.791, atol=1e-3)


@needs_tfds
def test_cifar10():
    cifar = data.load("cifar", TFDS)
    assert cifar.name == "cifar10" and cifar.image_shape == (32, 32, 3) and cifar.levels == 256
    assert [len(cifar.split(name)) for name in ("train", "validation", "test")] == [45000, 5000, 10000]
    np.testing.assert_array_equal(np.bincount(cifar.validation.labels), np.full(10, 500))
    pixels = np.concatenate([cifar.train.images, cifar.validation.images])
    np.testing.assert_allclose(pixels.mean((0, 1, 2)) / 255, [0.4914, 0.4822, 0.4465], atol=1e-4)
    # The original files begin with a frog, two trucks, a deer, two cars: the first of their classes, so they validate.
    assert cifar.validation.labels[:8].tolist() == [6, 9, 9, 4, 1, 1, 2, 7]


def test_held_out_images():
    labels = np.random.default_rng(0).integers(0, 10, 70_000)
    for name, (size, first) in {"cifar10": (5000, True), "svhn_cropped": (5000, True), "mnist": (10000, False)}.items():
        public_set = public.PUBLIC_DATASETS[name]
        mask = public._held_out(public_set, labels, "released")
        assert mask.sum() == size
        if first:
            for k in range(10):
                np.testing.assert_array_equal(np.flatnonzero(mask & (labels == k)), np.flatnonzero(labels == k)[:500])
        else:
            assert mask[-10000:].all()
        drawn = public._held_out(public_set, labels, "random")
        assert drawn.sum() == size and 0.05 < drawn[:35_000].sum() / size < 0.95
        np.testing.assert_array_equal(drawn, public._held_out(public_set, labels, "random"))


@pytest.mark.parametrize("name, shape", [("fashion_mnist", (28, 28, 1)), ("svhn_cropped", (32, 32, 3))])
def test_public_sets_without_their_files(name, shape, monkeypatch, tmp_path):
    """With stand-in images of tensorflow_datasets: shapes and splits, not the real pixels."""
    monkeypatch.setitem(public.PUBLIC_DATASETS, name, dataclasses.replace(public.PUBLIC_DATASETS[name], held_out=20))
    monkeypatch.setattr(tfds.core.DatasetBuilder, "is_prepared", lambda self: True)
    with tfds.testing.mock_data(num_examples=100):
        loaded = data.load(name, tmp_path)
    assert loaded.image_shape == shape and loaded.train.images.dtype == np.uint8
    labels = np.concatenate([loaded.train.labels, loaded.validation.labels])
    per_class = np.minimum(2, np.bincount(labels, minlength=10)).sum()
    assert len(loaded.validation) == (per_class if name == "svhn_cropped" else 20) and len(labels) == 100
    assert len(loaded.test) == 100 and loaded.test.labels.shape == (100,)


@needs_tfds
def test_reading_imports_nothing_of_tensorflow_datasets():
    """It replaces `__import__` while it imports, which would reach the thread that builds the model meanwhile."""
    program = f"""
import sys
from flow_gan import data, evaluation
from flow_gan.config import Config
read = data.open_dataset("mnist", {str(TFDS)!r}).read
before = set(sys.modules)
read()
print([name for name in set(sys.modules) - before if name.startswith(("tensorflow_datasets", "etils"))])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_validation_split_is_for_public_sets():
    with pytest.raises(flow_gan.UserError, match="--validation_split=random cannot be set for --dataset=digits"):
        data.load("digits", validation_split="random")
    with pytest.raises(flow_gan.UserError, match="--validation_split='first' is unknown; expected one of: released"):
        data.load("mnist", validation_split="first")


def test_units():
    def dataset(channels, levels):
        return data.Dataset(
            name="set", image_shape=(2, 2, channels), levels=levels, train=None, validation=None, test=None
        )

    colour, grey = dataset(3, 256), dataset(1, 17)
    nats = -12 * np.log(2)
    assert not colour.is_grey and colour.nll_unit == "bits/dim"
    np.testing.assert_allclose([colour.bits_per_dim(nats), colour.in_nll_unit(nats)], 7)
    assert colour.format_nll(nats) == "7.000 bits/dim"
    assert grey.is_grey and grey.nll_unit == "nats" and grey.in_nll_unit(nats) == nats
    assert grey.format_nll(-12.344) == "-12.34 nats"


def write_images(folder, count=20, size=(4, 6), mode="L"):
    rng = np.random.default_rng(count)
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        shape = size if mode == "L" else (*size, 3)
        PIL.Image.fromarray(rng.integers(0, 256, shape).astype(np.uint8)).save(folder / f"{i:03}.png")


def test_folder(tmp_path):
    write_images(tmp_path / "set")
    loaded = data.load(str(tmp_path / "set"))
    assert (loaded.name, loaded.image_shape, loaded.levels) == ("set", (4, 6, 1), 256)
    assert [len(loaded.split(name)) for name in ("train", "validation", "test")] == [16, 2, 2]
    pixels = np.concatenate([loaded.split(n).images for n in ("train", "validation", "test")])
    files = [np.asarray(PIL.Image.open(tmp_path / "set" / f"{i:03}.png")) for i in range(20)]
    assert sorted(p.tobytes() for p in pixels) == sorted(f.tobytes() for f in files)


def test_folder_with_splits_and_colour(tmp_path):
    for name, count in (("train", 5), ("validation", 2), ("test", 3)):
        write_images(tmp_path / name / "a", count, mode="RGB")
    loaded = data.load(str(tmp_path))
    assert loaded.image_shape == (4, 6, 3)
    assert [len(loaded.split(name)) for name in ("train", "validation", "test")] == [5, 2, 3]
    first = np.asarray(PIL.Image.open(tmp_path / "test" / "a" / "000.png"))
    np.testing.assert_array_equal(loaded.test.images[0], first)


@pytest.mark.parametrize("shape", [(20, 4, 6), (20, 4, 6, 3)])
def test_npy_is_read_on_demand(tmp_path, shape):
    images = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    np.save(tmp_path / "set.npy", images)
    loaded = data.load(str(tmp_path / "set.npy"))
    assert loaded.image_shape == (4, 6, 1 if len(shape) == 3 else 3)
    assert isinstance(loaded.train.images._array, arrays.FileRows)
    pixels = np.concatenate([loaded.split(n).images[np.arange(k)] for n, k in (("train", 16), ("test", 2))])
    assert {p.tobytes() for p in pixels} < {i.tobytes() for i in images} and len(pixels) == 18
    np.testing.assert_array_equal(loaded.train.images[np.array([3, 1])][1], loaded.train.images[1])


def test_npz(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {
        n: rng.integers(0, 17, (k, 4, 4)).astype(np.uint8) for n, k in (("train", 7), ("validation", 3), ("test", 2))
    }
    np.savez(tmp_path / "set.npz", **arrays, train_labels=np.arange(7))
    loaded = data.load(str(tmp_path / "set.npz"), levels=17)
    assert loaded.levels == 17
    for name, array in arrays.items():
        np.testing.assert_array_equal(loaded.split(name).images[np.arange(len(array))], array[..., None])
    np.testing.assert_array_equal(loaded.train.labels, np.arange(7))
    assert loaded.test.labels is None
    np.savez(tmp_path / "one.npz", images=arrays["train"], labels=np.arange(7))
    loaded = data.load(str(tmp_path / "one.npz"))
    assert len(loaded.train) == 5
    chosen = loaded.train.labels
    np.testing.assert_array_equal(loaded.train.images[np.arange(5)], arrays["train"][chosen][..., None])


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
        "deep": (f"{folder}/deep", r"001\.png has more than 8 bits per channel; expected 8 at most"),
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


def test_bad_datasets(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for case, (dataset, message) in bad_datasets(tmp_path / "bad").items():
        with pytest.raises(flow_gan.UserError, match=message) as error:
            data.load(dataset)
        assert "\n" not in str(error.value), case
    assert not (tmp_path / "harm-done").exists()


def test_levels(tmp_path):
    np.save(tmp_path / "set.npy", np.full((10, 2, 2), 20, np.uint8))
    write_images(tmp_path / "set")
    for dataset in ("set.npy", "set"):
        with pytest.raises(flow_gan.UserError, match=r"--levels=17, but .* has a grey level of \d+"):
            data.load(str(tmp_path / dataset), levels=17)
    with pytest.raises(flow_gan.UserError, match="--levels=17 cannot be set for --dataset=digits"):
        data.load("digits", levels=17)


def test_mnist_without_data_or_network(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr("socket.create_connection", fail)
    monkeypatch.setattr("urllib.request.getproxies", dict)
    with pytest.raises(flow_gan.UserError, match=r"--dataset=mnist is not in .*no route to host.*--dataset=digits"):
        data.load("mnist", tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_image_grid(tmp_path):
    images = np.zeros((3, 2, 2, 1))
    images[1], images[2] = 1.0, 0.5
    grid = data.image_grid(images)
    assert grid.shape == (5, 5, 1)
    assert (grid[:2, :2] == 0).all() and (grid[:2, 3:] == 255).all() and (grid[3:, :2] == 128).all()
    data.save_png(tmp_path / "grid.png", grid)
    saved = np.asarray(PIL.Image.open(tmp_path / "grid.png"))
    assert saved.shape == (480, 480) and saved[0, 0] == 0 and saved[0, -1] == 255
    colour = data.image_grid(np.full((13, 2, 2, 3), [2.0, -1.0, np.nan]))
    assert colour[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize(
    "given, name",
    [
        *(("MNIST", "mnist"), ("Cifar10", "cifar10"), ("CIFAR10", "cifar10"), ("FashionMNIST", "fashion_mnist")),
        *(
            ("Fashion_MNIST", "fashion_mnist"),
            ("SvhnCropped", "svhn_cropped"),
            ("Digits", "digits"),
            ("Cifar", "cifar10"),
        ),
        *(("MNIST:3.0.1", "mnist:3.0.1"), ("kmnist", "kmnist"), ("./MNIST", "./MNIST"), ("MNIST.npy", "MNIST.npy")),
    ],
)
def test_the_case_of_a_name_does_not_matter(tmp_path, monkeypatch, given, name):
    """A path's does, and a folder of a name in another case is that folder."""
    monkeypatch.chdir(tmp_path)
    assert data.canonical_name(given) == name == Config(dataset=given).dataset
    if given == "MNIST":
        (tmp_path / "MNIST").mkdir()
        assert data.canonical_name("MNIST") == "MNIST" and data.canonical_name("mnist") == "mnist"


@needs_tfds
def test_names_in_capitals_are_the_known_sets():
    mnist = data.load("MNIST", TFDS, validation_split="random")
    assert [len(mnist.split(part)) for part in ("train", "validation", "test")] == [50000, 10000, 10000]
    config = resolve(Config(dataset="Cifar10"), (32, 32, 3))
    assert config.horizontal_flip


@pytest.mark.parametrize("shape", [(20, 4, 6, 5), (20, 4, 6, 2), (20, 3, 8, 8), (20, 1, 28, 28)])
def test_arrays_of_other_channels_are_refused(tmp_path, shape):
    np.save(tmp_path / "set.npy", np.zeros(shape, np.uint8))
    hint = ", channels last" if shape[1] in (1, 3) else ""
    with pytest.raises(
        flow_gan.UserError,
        match=rf"images is uint8 .*, of {shape[3]} channels; expected \[N, H, W, C\] with 1, 3 or 4{hint}$",
    ):
        data.load(str(tmp_path / "set.npy"))


def test_an_ending_in_capitals(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (10, 4, 4)).astype(np.uint8)
    np.save(tmp_path / "x.npy", images)
    np.savez(tmp_path / "x.npz", images=images)
    for ending in ("npy", "npz"):
        os.replace(tmp_path / f"x.{ending}", tmp_path / f"SET.{ending.upper()}")
        loaded = data.load(str(tmp_path / f"SET.{ending.upper()}"))
        assert loaded.name == "SET" and len(loaded.train) == 8


def test_an_archive_of_images_beside_parts(tmp_path):
    images = np.zeros((10, 4, 4), np.uint8)
    np.savez(tmp_path / "set.npz", images=images, test=images)
    with pytest.raises(flow_gan.UserError, match="has both images and test; expected one or the other"):
        data.load(str(tmp_path / "set.npz"))


def test_labels_that_are_no_classes(tmp_path):
    """They harm none but the scores, which need classes."""
    images = np.zeros((10, 4, 4), np.uint8)
    labels = np.arange(10)
    labels[3] = 10**12
    np.savez(tmp_path / "set.npz", images=images, labels=labels)
    loaded = data.load(str(tmp_path / "set.npz"))
    for name in ("train", "validation", "test"):
        assert loaded.split(name).labels.dtype == np.int64
    with pytest.raises(flow_gan.UserError, match="labels hold 1000000000000, of 8 images; expected 0, 1"):
        evaluation.load_classifier("cnn", loaded, tmp_path / "classifiers")
    np.savez(tmp_path / "set.npz", images=images, labels=np.full(10, 2**63, np.uint64))
    with pytest.raises(
        flow_gan.UserError, match=r"the labels of images hold 9223372036854775808; expected less than 2\^63"
    ):
        data.load(str(tmp_path / "set.npz"))
