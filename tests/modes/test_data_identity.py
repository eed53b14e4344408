"""A run and its data: they may move, and a change of them is noticed."""

import json
import os
import shutil

import numpy as np
import PIL.Image
import pytest

from flow_gan import data
from flow_gan.main import main
from tests.helpers.command_line import assert_refused
from tests.helpers.data_sets import write_images
from tests.helpers.same_run import assert_same_run

FLAGS = ["--hidden_layers=8", "--no_of_layers=0", "--n_critic=0", "--batch_size=4", "--log_every=1", "--eval_every=2"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder of images, set, with a run on it and one, whole, that went on from there to step 4."""
    folder = tmp_path_factory.mktemp("made")
    write_images(folder / "set", 30)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for run, steps in (("run", 2), ("whole", 4)):
            assert main([*FLAGS, "--dataset=set", f"--max_steps={steps}", f"--run_dir={run}"]) == 0
    return folder


@pytest.fixture
def place(made, tmp_path, monkeypatch):
    """A folder to work in, as if all in `made` had been made in it."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    for run in ("run", "whole"):
        change_json(tmp_path / run / "data.json", path=str(tmp_path / "set"))
    return tmp_path


def change_json(file, **changes):
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def copy_run(place, name, dataset, **recorded):
    """Copy the run as one on other data; return its folder."""
    shutil.copytree(place / "run", place / name)
    change_json(place / name / "config.json", dataset=str(dataset))
    change_json(place / name / "data.json", path=os.path.abspath(dataset), **recorded)
    return place / name


def recorded(run):
    return json.loads((run / "data.json").read_text())


def nll_of(run):
    return json.loads((run / "evaluation" / "nll-test-best.json").read_text())


def add(place):
    write_images(place / "more", 1)
    os.replace(place / "more" / "000.png", place / "set" / "zzz.png")


def replace(place):
    """Replace every image by one of the same name and size in pixels."""
    for path in sorted((place / "set").iterdir()):
        PIL.Image.fromarray(np.asarray(PIL.Image.open(path)) // 2).save(path)


def test_a_run_records_its_data(place):
    digest = data.load("set").digest
    assert recorded(place / "run") == {"digest": digest, "path": str(place / "set")}
    assert nll_of(place / "run")["data_digest"] == digest and nll_of(place / "run")["warnings"] == []


def test_a_run_of_a_named_set(tmp_path):
    assert main([*FLAGS, "--dataset=Digits", "--max_steps=2", f"--run_dir={tmp_path / 'run'}"]) == 0
    assert recorded(tmp_path / "run") == {"digest": data.load("digits").digest, "path": None}
    assert json.loads((tmp_path / "run" / "config.json").read_text())["dataset"] == "digits"


@pytest.mark.parametrize("change", [add, replace])
def test_a_run_does_not_go_on_with_changed_data(place, capsys, change):
    own = recorded(place / "run")["digest"]
    before = {path: path.read_bytes() for path in (place / "run").rglob("*") if path.is_file()}
    change(place)
    message = (
        rf"--dataset=set is not what the run .*run was trained on: its digest, .*, is [0-9a-f]{{12}}, not {own[:12]};"
    )
    assert_refused(["--resume", f"--run_dir={place / 'run'}", "--max_steps=4"], message, capsys)
    assert {path: path.read_bytes() for path in (place / "run").rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("how", ["absolute", "moved", "other working directory", "given from elsewhere"])
def test_a_run_goes_on_with_data_that_moved(place, monkeypatch, how):
    given = {
        "absolute": [f"--dataset={place / 'set'}"],
        "moved": ["--dataset=moved/renamed"],
        "other working directory": [],
        "given from elsewhere": ["--dataset=../set"],
    }[how]
    if how == "moved":
        (place / "moved").mkdir()
        os.replace("set", "moved/renamed")
    elif how != "absolute":
        (place / "below").mkdir()
        monkeypatch.chdir(place / "below")
    assert main(["--resume", f"--run_dir={place / 'run'}", "--max_steps=4", *given]) == 0
    assert_same_run(place / "whole", place / "run")
    assert recorded(place / "run")["path"] == str(place / ("moved/renamed" if how == "moved" else "set"))
    assert main(["--mode=evaluate", f"--run_dir={place / 'run'}", *given]) == 0
    assert nll_of(place / "run")["warnings"] == [] and nll_of(place / "run")["nats"] == nll_of(place / "whole")["nats"]
    assert main(["--mode=sample", f"--run_dir={place / 'run'}"]) == 0


def test_evaluating_changed_data_says_so(place, capsys):
    before = nll_of(place / "run")
    replace(place)
    assert main(["--mode=evaluate", f"--run_dir={place / 'run'}"]) == 0
    said = "the data have changed since the run was trained: this result is for the data as they are now"
    after = nll_of(place / "run")
    assert f"warning: {said}" in capsys.readouterr().out and after["warnings"] == [said]
    assert after["data_digest"] == data.load("set").digest != before["data_digest"]
    assert after["nats"] != before["nats"]
    assert recorded(place / "run")["digest"] == before["data_digest"]
    # Other data on purpose, likewise.
    write_images(place / "other", 40)
    assert main(["--mode=evaluate", f"--run_dir={place / 'run'}", "--dataset=other"]) == 0
    assert f"warning: {said}" in capsys.readouterr().out


def test_compare_measures_changed_data_anew(place, capsys):
    """What was stored of the data before is no result any more."""
    copy_run(place, "a", "set")
    copy_run(place, "b", place / "set")
    command = ["--mode=compare", f"--run_dirs={place / 'a'},{place / 'b'}", "--runs_dir=runs"]
    assert main(command) == 0
    assert "checkpoint best\n" not in capsys.readouterr().out
    replace(place)
    stale = nll_of(place / "a")["nats"]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "a: nll, checkpoint best\n" in printed and "b: nll, checkpoint best\n" in printed
    true = nll_of(place / "a")["nats"]
    assert true != stale and f"{true:.2f} +- " in printed and f"| {stale:.2f} +- " not in printed
    assert "(!) a: the data have changed since the run was trained" in printed


def test_compare_takes_data_that_moved(place, capsys):
    copy_run(place, "a", "set")
    copy_run(place, "b", "copy")
    os.replace("set", "moved")
    command = ["--mode=compare", f"--run_dirs={place / 'a'},{place / 'b'}", "--runs_dir=runs"]
    assert_refused(command, f"--dataset={place / 'set'}: there is no such folder|set is unknown", capsys)
    assert main([*command, "--dataset=moved"]) == 0
    assert "checkpoint best\n" not in capsys.readouterr().out


def test_compare_refuses_runs_of_different_data(place, capsys):
    write_images(place / "other", 40)
    copy_run(place, "a", "set")
    copy_run(place, "b", "other", digest=data.load("other").digest)
    command = ["--mode=compare", f"--run_dirs={place / 'a'},{place / 'b'}"]
    assert_refused(command, "--run_dirs are of different data, --dataset other, set; expected one", capsys)


def test_a_run_from_before_there_were_digests(place, capsys):
    """Its results are measured anew. It goes on, and has a digest from then on; data elsewhere may not be its own."""
    (place / "run" / "data.json").unlink()
    result = place / "run" / "evaluation" / "nll-test-best.json"
    result.write_text(json.dumps({k: v for k, v in nll_of(place / "run").items() if k != "data_digest"}))
    assert main(["--mode=compare", f"--run_dirs={place / 'run'}", "--runs_dir=runs"]) == 0
    assert "run: nll, checkpoint" in capsys.readouterr().out
    resume = ["--resume", f"--run_dir={place / 'run'}", "--max_steps=4"]
    shutil.copytree(place / "set", place / "copy")
    assert_refused(
        [*resume, "--dataset=copy"], "--dataset=copy, but the run .* has set, which cannot be changed", capsys
    )
    assert main([*resume, f"--dataset={place / 'set'}"]) == 0
    assert recorded(place / "run")["digest"] == data.load("set").digest


def test_a_run_of_a_named_set_has_no_other_place(place, capsys):
    assert main([*FLAGS, "--max_steps=2", f"--run_dir={place / 'named'}"]) == 0
    capsys.readouterr()
    for mode in ("--resume", "--mode=evaluate"):
        for name in ("set", "mnist"):
            assert_refused(
                [mode, f"--run_dir={place / 'named'}", f"--dataset={name}"], f"--dataset={name}, but", capsys
            )


def test_a_record_that_cannot_be_read(place, capsys):
    (place / "run" / "data.json").write_text("{")
    message = r"data\.json does not tell the data of the run \(.*\); expected what training writes"
    assert_refused(["--resume", f"--run_dir={place / 'run'}"], message, capsys)
