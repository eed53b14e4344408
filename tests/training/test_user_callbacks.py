"""Keras callbacks of the user's own in a run: what they see, that they can end it, and that MLflow's works."""

import importlib.util

import keras
import numpy as np
import pytest

import flow_gan
from flow_gan import training
from flow_gan.training.checkpoints import Checkpoints
from tests.helpers.runs import DCGAN, settings, with_tags
from tests.helpers.same_run import lines_of

MLE = {"n_critic": 0}


class Diary(keras.callbacks.Callback):
    """Notes every call, as (hook, number, what is logged)."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def of(self, *hooks):
        return [call for call in self.calls if call[0] in hooks]


def _noting(hook):
    def note(self, number=None, logs=None):
        # Those of the whole training have no number.
        number, logs = (None, number) if hook.startswith("on_train_") and "batch" not in hook else (number, logs)
        self.calls.append((hook, number, None if logs is None else dict(logs)))

    return note


for _when in ("train", "epoch", "train_batch", "test", "test_batch", "predict", "predict_batch"):
    for _end in ("begin", "end"):
        setattr(Diary, f"on_{_when}_{_end}", _noting(f"on_{_when}_{_end}"))


def figures(line):
    return {name: value for name, value in line.items() if name != "step"}


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """The lines of a run of 10 steps without callbacks."""
    folder = tmp_path_factory.mktemp("plain") / "run"
    training.train(settings(folder, **MLE))
    return lines_of(folder)


def test_what_a_callback_sees(tmp_path, monkeypatch, plain):
    """An epoch ends with each validation, here after steps 4, 8 and 10; a batch is a step, with all that is recorded.

    Nothing of the run is changed, and all of it is saved before an epoch's end.
    """
    diary = Diary()
    save = Checkpoints.save
    monkeypatch.setattr(
        Checkpoints, "save", lambda self, *a: (diary.calls.append(("save", None, None)), save(self, *a))
    )
    outcome = training.train(settings(tmp_path / "run", **MLE), callbacks=[diary])
    lines = lines_of(tmp_path / "run")
    assert lines == plain
    assert [logs for *_, logs in diary.of("on_train_batch_end")] == [figures(line) for line in lines]
    expected = ["save", "on_train_begin"]
    for epoch, steps in enumerate((4, 4, 2)):
        expected.append(("on_epoch_begin", epoch))
        for batch in range(steps):
            expected += [("on_train_batch_begin", batch), ("on_train_batch_end", batch)]
        expected[-1:] = ["save", expected[-1], ("on_epoch_end", epoch)]
    expected.append("on_train_end")
    assert [hook if number is None else (hook, number) for hook, number, _ in diary.calls] == expected
    for line, (*_, logs) in zip((lines[3], lines[7], lines[9]), diary.of("on_epoch_end"), strict=True):
        assert logs == figures(line) | {"val_nll": line["validation_nll"]}
    assert diary.calls[-1][2] == diary.of("on_epoch_end")[-1][2]
    assert diary.model.num_steps == outcome.best_step and diary.params == {"verbose": 0, "epochs": 3, "steps": 4}


def test_a_run_that_goes_on(tmp_path):
    """Epochs keep their numbers, and one that was broken off is finished."""
    first, second = Diary(), Diary()
    training.train(settings(tmp_path / "run", max_steps=6, **MLE), callbacks=[first])
    training.train(settings(tmp_path / "run", max_steps=12, resume=True, **MLE), callbacks=[second])
    assert [number for _, number, _ in first.of("on_epoch_end")] == [0, 1]
    assert [number for _, number, _ in second.of("on_epoch_end")] == [1, 2]
    assert [logs for *_, logs in second.of("on_train_batch_end")] == [
        figures(x) for x in lines_of(tmp_path / "run")[6:]
    ]


def test_what_is_measured_between_validations_is_in_the_epoch_s_logs(tmp_path):
    """An epoch of the data has 12 steps, after which samples are scored; validations are every 8."""
    diary = Diary()

    def make_score(config_, dataset):
        return with_tags(lambda generator: (2.0, {"mode_score": 2.0}))

    changes = MLE | {"max_steps": 16, "eval_every": 8, "score_every": 1}
    training.train(settings(tmp_path / "run", **changes), make_score, callbacks=[diary])
    scored = ["mode_score" in logs for *_, logs in diary.of("on_train_batch_end")]
    assert [step for step, is_scored in enumerate(scored, 1) if is_scored] == [12, 16]
    assert ["mode_score" in logs for *_, logs in diary.of("on_epoch_end")] == [False, True]


def test_a_run_without_a_likelihood(tmp_path):
    diary = Diary()
    training.train(settings(tmp_path / "run", **DCGAN), callbacks=[diary])
    last = diary.of("on_epoch_end")[-1][2]
    assert last == figures(lines_of(tmp_path / "run")[-1]) and "val_nll" not in last


def test_early_stopping_ends_a_run(tmp_path, monkeypatch):
    """After the second validation without an improvement; what is there is that of a run of so many steps."""
    nlls = iter([5.0, 5.0, 6.0, 6.0, 7.0, 7.0])
    evaluate = flow_gan.FlowGAN.evaluate
    monkeypatch.setattr(flow_gan.FlowGAN, "evaluate", lambda *a, **k: evaluate(*a, **k) | {"nll": next(nlls)})
    stopping = keras.callbacks.EarlyStopping("val_nll", patience=2, restore_best_weights=True)
    outcome = training.train(settings(tmp_path / "run", max_steps=100, **MLE), callbacks=[stopping])
    assert (outcome.last_step, outcome.best_step, outcome.best_nll) == (12, 4, 5.0)
    assert outcome.model.num_steps == 4 and [line["step"] for line in lines_of(tmp_path / "run")] == list(range(1, 13))
    assert training.saved_step(tmp_path / "run" / "checkpoints", "latest") == 12


class StopAt(keras.callbacks.Callback):
    def __init__(self, step):
        super().__init__()
        self.step = step

    def on_train_batch_end(self, batch, logs=None):
        if self.model.num_steps == self.step:
            self.model.stop_training = True


def test_a_run_that_is_stopped_between_validations_ends_with_one(tmp_path, plain):
    """It leaves what a run of so many steps leaves, and goes on to the same end."""
    folder, diary = tmp_path / "run", Diary()
    assert training.train(settings(folder, **MLE), callbacks=[StopAt(6), diary]).last_step == 6
    lines = lines_of(folder)
    assert lines[:5] == plain[:5] and lines[5] == plain[5] | lines[5] and "validation_nll" in lines[5].keys() - plain[5]
    assert sorted(p.name for p in (folder / "samples").iterdir()) == ["step-0000004.png", "step-0000006.png"]
    assert training.saved_step(folder / "checkpoints", "latest") == 6
    assert [logs["validation_nll"] for *_, logs in diary.of("on_epoch_end")] == [
        line["validation_nll"] for line in lines if "validation_nll" in line
    ]
    assert len(diary.of("on_train_batch_end")) == 6 and len(diary.of("on_train_end")) == 1
    training.train(settings(folder, resume=True, **MLE))
    assert lines_of(folder) == [*lines, *plain[6:]]


def test_an_error_of_a_callback_is_the_caller_s(tmp_path):
    """It comes through as it is, and the run is unlocked."""

    class Failing(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 1:
                raise RuntimeError("the server is gone")

    with pytest.raises(RuntimeError, match="the server is gone"):
        training.train(settings(tmp_path / "run", **MLE), callbacks=[Failing()])
    assert [line["step"] for line in lines_of(tmp_path / "run")] == [1, 2]
    assert not (tmp_path / "run" / ".lock").exists()


@pytest.mark.parametrize(
    "callbacks", [[print], [keras.callbacks.Callback], "tensorboard", 3, keras.callbacks.History()]
)
def test_what_is_no_callback_is_an_error(tmp_path, callbacks):
    with pytest.raises(flow_gan.UserError, match=r"callbacks=.*; expected a list of keras\.callbacks\.Callback"):
        training.train(settings(tmp_path / "run"), callbacks=callbacks)
    assert not (tmp_path / "run").exists()


def test_several_processes_cannot_be_stopped_by_one(tmp_path, monkeypatch):
    monkeypatch.setattr("flow_gan.training.chief.has_several_processes", lambda strategy: True)
    with pytest.raises(flow_gan.UserError, match=r"stop_training.*several processes"):
        training.train(settings(tmp_path / "run", **MLE), callbacks=[StopAt(2)])


def test_keras_s_own_callbacks_work(tmp_path):
    table, events, best = tmp_path / "log.csv", tmp_path / "events", tmp_path / "best.weights.h5"
    own = keras.callbacks
    outcome = training.train(
        settings(tmp_path / "run", **MLE),
        callbacks=[
            own.CSVLogger(table),
            own.TensorBoard(events, update_freq="epoch"),
            own.ModelCheckpoint(best, "val_nll", mode="min", save_best_only=True, save_weights_only=True),
            history := own.History(),
        ],
    )
    validated = [line["validation_nll"] for line in lines_of(tmp_path / "run") if "validation_nll" in line]
    assert history.history["validation_nll"] == history.history["val_nll"] == validated
    header, *rows = table.read_text(encoding="utf-8").splitlines()
    column = header.split(",").index("validation_nll")
    assert [float(row.split(",")[column]) for row in rows] == validated
    assert list(events.glob("train/events.*"))
    weights = [weight.numpy() for weight in outcome.model.weights]
    outcome.model.load_weights(best)
    for a, b in zip(weights, outcome.model.weights, strict=True):
        np.testing.assert_array_equal(a, b.numpy())


@pytest.mark.skipif(
    importlib.util.find_spec("mlflow") is None or importlib.util.find_spec("pandas") is None,
    reason="MLflow is not installed: pip install mlflow-skinny pandas",
)
def test_mlflow_has_the_values_of_the_run(tmp_path, monkeypatch):
    """Its Keras callback, by steps and by epochs, into its store of files."""
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    import mlflow
    import mlflow.keras

    mlflow.set_tracking_uri((tmp_path / "mlruns").as_uri())
    by_step = mlflow.keras.MlflowCallback(log_every_epoch=False, log_every_n_steps=1)
    with mlflow.start_run() as run:
        training.train(settings(tmp_path / "run"), callbacks=[by_step, mlflow.keras.MlflowCallback()])
    client = mlflow.MlflowClient()
    found = {}
    for name in client.get_run(run.info.run_id).data.metrics:
        for point in client.get_metric_history(run.info.run_id, name):
            found.setdefault(name, []).append((point.step, point.value))
    lines = lines_of(tmp_path / "run")
    expected = {}
    for line in lines:
        for name, value in figures(line).items():
            expected.setdefault(name, []).append((line["step"], value))
    # Of epochs, whose number is then the step.
    for epoch, line in enumerate(line for line in lines if "validation_nll" in line):
        for name, value in (figures(line) | {"val_nll": line["validation_nll"]}).items():
            expected.setdefault(name, []).append((epoch, value))
    assert {name: sorted(points) for name, points in found.items()} == {
        name: sorted(points) for name, points in expected.items()
    }
    assert "optimizer_name" in client.get_run(run.info.run_id).data.params
