"""What `--output` may name, and that it appears whole or not at all."""

import os

import pytest

import flow_gan
from flow_gan.training.output import next_free, output_file, output_folder, whole


@pytest.mark.parametrize("name", ["samples", "lambda-0.1", "samples.v2/", "a.b/c"])
def test_names_of_folders(tmp_path, name):
    path = output_folder(f"{tmp_path}/{name}")
    with whole(path) as written:
        written.mkdir()
        (written / "x").touch()
    assert os.listdir(path) == ["x"]


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "empty.d").mkdir()
    with whole(output_folder(str(tmp_path / "empty.d"))) as written:
        written.mkdir()
        (written / "x").touch()
    assert os.listdir(tmp_path) == ["empty.d"] and os.listdir(tmp_path / "empty.d") == ["x"]


@pytest.mark.parametrize("name", ["samples.zip", "samples.npy", "a/samples.PNG"])
def test_names_that_are_not_of_folders(tmp_path, name):
    with pytest.raises(flow_gan.UserError, match=f"--output=.*{name}; expected a folder, .* or a hat"):
        output_folder(f"{tmp_path}/{name}", " or a hat")


@pytest.mark.parametrize("name", ["scores", "scores.txt", "scores.csv/", ""])
def test_names_that_are_not_of_files(tmp_path, name):
    with pytest.raises(flow_gan.UserError, match=r"--output=.*; expected a file whose name ends in \.csv or \.npy"):
        output_file(f"{tmp_path}/{name}", (".csv", ".npy"))


def test_what_is_there_is_left_as_it_is(tmp_path):
    (tmp_path / "scores.csv").write_text("kept")
    (tmp_path / "link.csv").symlink_to(tmp_path / "nowhere")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_text("kept")
    for name in ("scores.csv", "link.csv"):
        with pytest.raises(flow_gan.UserError, match=f"--output=.*{name} exists already and is left as it is"):
            output_file(str(tmp_path / name), (".csv",))
    with pytest.raises(flow_gan.UserError, match=r"--output=.*folder exists already"):
        output_folder(str(tmp_path / "folder"))
    # Also if it comes while the output is made.
    with pytest.raises(flow_gan.UserError, match=r"exists already"), whole(tmp_path / "scores.csv") as written:
        written.write_text("new")
    assert (tmp_path / "scores.csv").read_text() == "kept" and len(os.listdir(tmp_path)) == 3


def test_what_is_broken_off_leaves_nothing(tmp_path):
    for error in (KeyboardInterrupt, ValueError, OSError(28, "No space left on device")):
        with pytest.raises((KeyboardInterrupt, ValueError)) as raised, whole(tmp_path / "a" / "b") as written:
            written.mkdir()
            (written / "file").touch()
            raise error
        assert list(tmp_path.iterdir()) == []
    assert isinstance(raised.value, flow_gan.UserError)
    assert str(raised.value) == f"--output={tmp_path}/a/b cannot be written: [Errno 28] No space left on device"


def test_the_next_free_name(tmp_path):
    assert next_free(tmp_path, "a", ".csv", ".png") == tmp_path / "a-1.csv"
    (tmp_path / "a-1.png").touch()
    assert next_free(tmp_path, "a", ".csv", ".png") == tmp_path / "a-2.csv"
    assert next_free(tmp_path / "none", "best-0.1", "") == tmp_path / "none" / "best-0.1-1"
