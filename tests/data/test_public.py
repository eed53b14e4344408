"""Any data set of tensorflow_datasets, by stand-in examples and by small ones written here."""

import re

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

import flow_gan
from flow_gan import data
from flow_gan.config import datasets
from flow_gan.data import examples, memory, public
from flow_gan.main import main
from tests.helpers.data_sets import PIXELS, fix_memory, write_public_set

SPLITS = ("train", "validation", "test")


@pytest.fixture
def stand_ins(monkeypatch):
    """20 made-up examples in every split of every data set, as if all were downloaded."""
    monkeypatch.setattr(tfds.core.DatasetBuilder, "is_prepared", lambda self: True)
    with tfds.testing.mock_data(num_examples=20):
        yield


@pytest.mark.parametrize(
    "name, size, shape, labelled",
    [
        ("kmnist", {}, (28, 28, 1), True),
        ("kmnist:3.0.1", {"height": 32}, (32, 32, 1), True),
        ("emnist/letters", {}, (28, 28, 1), True),
        ("cifar100", {"height": 16}, (16, 16, 3), True),
        ("fashion_mnist", {"width": 14}, (28, 14, 1), True),
        ("oxford_flowers102", {"height": 24}, (24, 24, 3), True),
        ("food101", {"height": 20, "width": 30}, (20, 30, 3), True),
        ("lsun/church_outdoor", {"height": 8}, (8, 8, 3), False),
    ],
)
def test_any_name(stand_ins, tmp_path, monkeypatch, name, size, shape, labelled):
    if name == "fashion_mnist":
        monkeypatch.setitem(public.PUBLIC_DATASETS, name, datasets.PublicSet(held_out=2, per_class=False))
    source = data.open_dataset(name, tmp_path, **size)
    loaded = source.read()
    assert source.image_shape == loaded.image_shape == shape and source.levels == loaded.levels == 256
    assert [len(loaded.split(part)) for part in SPLITS] == [18, 2, 20]
    for part in SPLITS:
        split = loaded.split(part)
        assert split.images.dtype == np.uint8 and split.images.shape == (len(split), *shape)
        assert (split.labels is not None) == labelled
    again = data.load(name, tmp_path, **size)
    np.testing.assert_array_equal(again.validation.images, loaded.validation.images)


def test_a_run_on_any_name(stand_ins, tmp_path, capsys):
    flags = ["--hidden_layers=8", "--no_of_layers=0", "--n_critic=0", "--batch_size=4", "--max_steps=2"]
    flags += [f"--data_dir={tmp_path / 'data'}", f"--runs_dir={tmp_path}", "--dataset=emnist/letters:3.1.0"]
    assert main([*flags, "--input_height=10"]) == 0
    assert "(20 images)" in capsys.readouterr().out
    assert main(["--mode=evaluate", f"--run_dir={tmp_path}/letters_nice_mle-1"]) == 0
    assert "(20 images)" in capsys.readouterr().out


@pytest.mark.parametrize(
    "name, message",
    [
        (
            "oxford_flowers102",
            r"has images of different sizes; pass the size to which they are resized, --input_height \(and",
        ),
        ("wikipedia", r"has FeaturesDict\(\{ 'text': .*expected a feature image, uint8 \[H, W, C\]"),
        ("moving_mnist", "expected a feature image, uint8"),
        (
            "emnist/nope",
            "emnist/nope cannot be opened in --data_dir=.*BuilderConfig nope not found.*expected a data set",
        ),
        ("kmnist:9.9.9", "kmnist:9.9.9 cannot be opened .* cannot be loaded at version 9.9.9, only: 3.0.1"),
        (
            "kmnits",
            "kmnits is unknown; expected one of: digits, mnist, .*another name of tensorflow_datasets, or the path",
        ),
        ("emnist/../kmnist", "there is no such folder"),
        ("huggingface:mnist", "there is no such folder"),
    ],
)
def test_names_that_do_not_fit(stand_ins, tmp_path, capsys, name, message):
    assert main([f"--dataset={name}", f"--data_dir={tmp_path / 'data'}", f"--run_dir={tmp_path / 'run'}"]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert lines[-1].startswith("error: ") and re.search(message, lines[-1]) and list(tmp_path.iterdir()) == []


def test_a_folder_comes_before_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "kmnist").mkdir()
    with pytest.raises(flow_gan.UserError, match="kmnist holds no images"):
        data.load("kmnist")


def test_settings_of_other_data(stand_ins, tmp_path):
    with pytest.raises(flow_gan.UserError, match="--levels=17 cannot be set for --dataset=kmnist"):
        data.load("kmnist", tmp_path, levels=17)
    with pytest.raises(
        flow_gan.UserError, match="--validation_split=random cannot be set for --dataset=kmnist; it is for"
    ):
        data.load("kmnist", tmp_path, validation_split="random")


def test_what_does_not_fit_in_memory(stand_ins, tmp_path, monkeypatch):
    fix_memory(monkeypatch, memory.RESERVE + 40 * 32 * 32 * 3)
    data.open_dataset("cifar100", tmp_path).read()
    fix_memory(monkeypatch, memory.RESERVE + 40 * 32 * 32 * 3 - 1)
    with pytest.raises(flow_gan.UserError, match=r"cifar100 with images of 32x32 would take .* by --input_height, or"):
        data.open_dataset("cifar100", tmp_path).read()


def test_files_are_read_in_parallel_and_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr(examples, "_EXAMPLES", 3)
    builder = write_public_set(tmp_path, {"train": range(50)})
    assert len(builder.info.splits["train"].filepaths) == 4
    stored = [
        *builder.as_dataset(split="train", read_config=tfds.ReadConfig(interleave_cycle_length=1)).as_numpy_iterator()
    ]
    part = examples.open_examples(builder, "train", ["image", "label"], (6, 9))
    order = np.random.default_rng(1).permutation(50)
    for wanted in (np.arange(50), order):
        arrays = part.read(wanted)
        assert arrays["label"].tolist() == [stored[number]["label"] for number in wanted]
        np.testing.assert_array_equal(arrays["image"], PIXELS[arrays["label"]])


def test_images_are_cut_to_shape_and_resized(tmp_path):
    write_public_set(tmp_path, {"train": range(50)})
    loaded = data.load("small", tmp_path, height=3)
    for part in SPLITS:
        split = loaded.split(part)
        # The middle 6 of 9 columns.
        expected = tf.image.resize(PIXELS[split.labels][:, :, 1:7], (3, 3), antialias=True).numpy()
        np.testing.assert_array_equal(split.images, np.round(expected))
    flat = data.load("small", tmp_path, height=6, width=18)
    expected = tf.image.resize(PIXELS[flat.test.labels][:, 1:4], (6, 18), antialias=True).numpy()
    np.testing.assert_array_equal(flat.test.images, np.round(expected))
    whole = data.load("small", tmp_path, height=6, width=9)
    np.testing.assert_array_equal(whole.train.images, PIXELS[whole.train.labels])


@pytest.mark.parametrize(
    "stored, sizes",
    [
        ({"train": 50}, (40, 5, 5)),
        ({"train": 40, "validation": 10}, (36, 4, 10)),
        ({"train": 40, "test": 10}, (36, 4, 10)),
        ({"train": 30, "validation": 5, "test": 15}, (30, 5, 15)),
    ],
)
def test_splits(tmp_path, stored, sizes):
    """Every image is in one part, and the parts that there are stay as they are."""
    numbers = np.split(np.arange(50), np.cumsum([*stored.values()])[:-1])
    write_public_set(tmp_path, dict(zip(stored, numbers, strict=True)), number_of_shards=1)
    loaded = data.load("small", tmp_path, height=6, width=9)
    assert tuple(len(loaded.split(part)) for part in SPLITS) == sizes
    assert sorted(np.concatenate([loaded.split(part).labels for part in SPLITS])) == list(range(50))
    if "test" in stored:
        assert sorted(loaded.test.labels) == list(range(50 - stored["test"], 50))


def test_a_set_without_training_images(tmp_path):
    write_public_set(tmp_path, {"test": range(10)}, number_of_shards=1)
    with pytest.raises(flow_gan.UserError, match="small has the splits test; expected a split train"):
        data.load("small", tmp_path, height=6)


def test_labels_that_are_no_numbers(tmp_path):
    image = tfds.features.Image(shape=(6, 9, 3))
    write_public_set(tmp_path, {"train": range(10)}, {"image": image, "label": np.float32}, number_of_shards=1)
    with pytest.raises(flow_gan.UserError, match=r"small has the label .*float32.*; expected an integer"):
        data.load("small", tmp_path)


def test_images_that_are_plain_tensors(tmp_path):
    image = tfds.features.Tensor(shape=(6, 9, 3), dtype=np.uint8)
    write_public_set(tmp_path, {"train": range(50)}, {"image": image, "label": np.int64})
    loaded = data.load("small", tmp_path)
    np.testing.assert_array_equal(loaded.train.images, PIXELS[loaded.train.labels])


def test_broken_files(tmp_path):
    """One that is cut, and one without the examples that it should have."""
    builder = write_public_set(tmp_path, {"train": range(50)}, number_of_shards=1)
    (file,) = builder.info.splits["train"].filepaths
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(flow_gan.UserError, match=r"small in --data_dir cannot be read .* let it be downloaded again"):
        data.load("small", tmp_path, height=6)
    file.write_bytes(b"")
    with pytest.raises(flow_gan.UserError, match="0 examples were found and 50 expected"):
        data.load("small", tmp_path, height=6)


def test_reading_ends_without_an_error_in_tensorflow(monkeypatch):
    # On a GPU the error at the end of an iteration struck operations of the thread that built the model.
    images = np.arange(12, dtype=np.uint8).reshape(6, 1, 2, 1)
    batches = tf.data.Dataset.from_tensor_slices({"image": images}).enumerate().batch(4)
    monkeypatch.setattr(type(iter(batches)), "__next__", None)
    read = examples.Examples(6, batches).read(np.arange(6)[::-1])
    np.testing.assert_array_equal(read["image"], images[::-1])
    for count in (5, 7):
        with pytest.raises(ValueError, match=f"6 examples were found and {count} expected"):
            examples.Examples(count, batches).read(np.arange(count))
