"""What a training begins with: nothing changes before all of it is loaded, and then what is too late is cut off."""

import pytest

import flow_gan
from flow_gan.training.load_data import load_data, resolve
from flow_gan.training.resume import has_begun, join_run, open_run, require_same_data
from tests.helpers.runs import model_of, settings
from tests.helpers.same_run import events_of, lines_of


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != ".lock"}


@pytest.fixture
def opened(tmp_path):
    """A function from changed settings to the run tmp_path/run, opened; a run of before is closed."""
    open_runs = []

    def open_(**changes):
        close()
        config = settings(tmp_path / "run", **{"n_critic": 0} | changes)
        dataset = load_data(config)
        open_runs.append(open_run(resolve(config, dataset.image_shape), dataset, model_of(config), 10))
        return open_runs[-1]

    def close():
        while open_runs:
            open_runs.pop().folder.unlock()

    yield open_
    close()


def test_a_new_run(opened, tmp_path):
    run = opened()
    assert (run.step, run.is_step_unfinished) == (0, False)
    assert not has_begun(run.config) and [path.name for path in contents(tmp_path)] == ["config.json"]
    run.begin()
    assert run.checkpoints.latest_path.endswith("latest/ckpt-0") and run.folder.data_file.exists()
    # Killed before its first record, it begins anew.
    assert not has_begun(opened(resume=True).config)


@pytest.mark.parametrize("unfinished", [False, True])
def test_a_run_that_was_killed_after_its_checkpoint_of_step_3(opened, tmp_path, unfinished):
    """Later steps have left records, events and best weights, and an older checkpoint is there, too."""
    first = opened()
    first.begin()
    metrics_file, tensorboard = first.open_metrics_file(), first.open_tensorboard()
    metrics_file.write([{"step": step, "nll": 0.5 * step} for step in range(1, 6)])
    for step in range(1, 6):
        tensorboard.train(step, {"nll": 0.5 * step})
    first.model.step.assign(3)
    first.checkpoints.save(unfinished)
    first.model.step.assign(5)
    first.checkpoints.save_if_best(1.0)
    metrics_file.close()
    tensorboard.close()

    before = contents(tmp_path)
    run = opened(resume=True)
    assert has_begun(run.config) and contents(tmp_path) == before
    assert (run.step, run.model.num_steps, run.is_step_unfinished) == (3, 3, unfinished)
    assert join_run(run.config, model_of(run.config), 3) is unfinished
    run.begin()
    saved = sorted(str(path.relative_to(tmp_path / "run" / "checkpoints")) for path in tmp_path.rglob("ckpt-*.index"))
    assert saved == ["latest/ckpt-0.index", "latest/ckpt-3.index"]
    metrics_file, tensorboard = run.open_metrics_file(), run.open_tensorboard()
    tensorboard.close()
    assert [line["step"] for line in lines_of(tmp_path / "run")] == [1, 2, 3]
    events = events_of(tmp_path / "run" / "tensorboard" / "train")["losses/NLL of the step's batch"]
    # The events of an unfinished step are written with its validation.
    assert [step for step, _ in events] == ([1, 2] if unfinished else [1, 2, 3])
    assert metrics_file.take_back() == {"step": 3, "nll": 1.5}
    metrics_file.write([{"step": 3, "nll": 1.5, "validation_nll": 2.0}])
    metrics_file.close()
    assert lines_of(tmp_path / "run")[2:] == [{"step": 3, "nll": 1.5, "validation_nll": 2.0}]


def test_what_cannot_be_gone_on_with(opened, tmp_path):
    first = opened()
    first.begin()
    first.model.step.assign(11)
    first.checkpoints.save()
    first.open_metrics_file().close()
    with pytest.raises(
        flow_gan.UserError, match="is already at step 11; expected a larger --max_steps or --epoch than"
    ):
        opened(resume=True)
    with pytest.raises(flow_gan.UserError, match="is not that of the chief, which continues from step 5"):
        join_run(first.config, model_of(first.config), 5)
    first.folder.write_data("digits", "another")
    with pytest.raises(flow_gan.UserError, match=r"--dataset=digits is not what the run .* was trained on"):
        require_same_data(first.config, load_data(first.config))
    # Whoever was refused has left the folder to others.
    first.folder.lock()
