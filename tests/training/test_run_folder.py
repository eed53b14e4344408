import pathlib

import numpy as np
import pytest

import flow_gan
from flow_gan import config, training
from flow_gan.training import run_folder

SMALL = {"hidden_layers": 4, "no_of_layers": 0, "df_dim": 2, "batch_size": 10, "max_steps": 1}


def test_a_start_that_fails_leaves_nothing(tmp_path, monkeypatch):
    def fail(*_):
        raise flow_gan.UserError("no room")

    with monkeypatch.context() as patched, pytest.raises(flow_gan.UserError, match="no room"):
        patched.setattr(run_folder, "write_whole", fail)
        run_folder.create(config.Config(run_dir=tmp_path / "run"))
    assert list((tmp_path / "run").iterdir()) == []
    folder = run_folder.create(config.Config(run_dir=tmp_path / "run"))
    folder.unlock()
    assert folder.config_file.exists()


def test_a_run_that_came_in_between_is_left_as_it_is(tmp_path, monkeypatch):
    path = tmp_path / "run"
    lock = run_folder.RunFolder.lock

    def lock_late(folder):
        path.joinpath("config.json").write_text("another's")
        lock(folder)

    monkeypatch.setattr(run_folder.RunFolder, "lock", lock_late)
    with pytest.raises(flow_gan.UserError, match="exists already and is left as it is"):
        run_folder.create(config.Config(run_dir=path))
    assert path.joinpath("config.json").read_text() == "another's"


def test_a_run_of_paths_and_numpy_s_numbers(tmp_path):
    settings = config.Config(
        **SMALL | {"max_steps": np.int64(1)},
        n_critic=np.int32(0),
        learning_rate=np.float64(1e-3),
        run_dir=tmp_path / "run",
    )
    outcome = training.train(settings)
    assert outcome.folder.path == tmp_path / "run"
    text, path = run_folder.read_config(pathlib.Path(tmp_path / "run"))
    assert config.from_json(text, path).run_dir == str(tmp_path / "run")
