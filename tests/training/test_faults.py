"""What befalls a run: signals, a full disk, damaged checkpoints, a second process in its folder."""

import errno
import json
import os
import pathlib
import re
import resource
import shutil
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf

import flow_gan
from flow_gan import training
from flow_gan.main import main
from flow_gan.signals import Interrupted, StopSignals
from flow_gan.training import recorder
from flow_gan.training.checkpoints import Checkpoints
from flow_gan.training.metrics_file import MetricsFile
from flow_gan.training.run_folder import RunFolder
from tests.helpers.processes import BOUND, finish, start, until
from tests.helpers.runs import SMALL, model_of, settings
from tests.helpers.same_run import assert_same_run, lines_of


def files_of(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def checkpoints_of(run):
    return {path: path.read_bytes() for path in run.glob("checkpoints/*/ckpt-*")}


def send_at(monkeypatch, owner, name, call, number):
    """Send this process a signal as the `call`-th call of a method begins."""
    original, calls = getattr(owner, name), []

    def counted(*args, **kwargs):
        calls.append(name)
        if len(calls) == call:
            os.kill(os.getpid(), number)
        return original(*args, **kwargs)

    monkeypatch.setattr(owner, name, counted)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a run of 10 steps, hybrid."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    training.train(settings(folder))
    return folder


@pytest.mark.parametrize(
    "number, owner, name, call, step",
    [
        (signal.SIGTERM, flow_gan.FlowGAN, "evaluate", 4, 8),  # The second validation is broken off.
        (signal.SIGINT, Checkpoints, "save", 2, 4),  # What is being saved is saved.
        (signal.SIGTERM, MetricsFile, "write", 3, 4),
        (signal.SIGINT, flow_gan.FlowGAN, "evaluate", 5, 10),  # After the last step.
        (signal.SIGTERM, flow_gan.FlowGAN, "make_train_function", 1, 0),  # There is nothing to save yet.
    ],
    ids=["in a validation", "in a checkpoint's write", "between", "in the last validation", "before the first step"],
)
def test_a_signal_saves_and_leaves(finished, tmp_path, capfd, monkeypatch, number, owner, name, call, step):
    monkeypatch.setattr(recorder, "SECONDS_BETWEEN_WRITES", float("inf"))
    stopped = tmp_path / "stopped"
    flags = [f"--{setting}={value}" for setting, value in SMALL.items()] + ["--max_steps=10", f"--run_dir={stopped}"]
    with monkeypatch.context() as patch:
        send_at(patch, owner, name, call, number)
        assert main(flags) == 128 + number
    said = capfd.readouterr().err
    name = signal.Signals(number).name
    expected = f"{name}: training stopped, saved up to step {step}; to continue, pass --resume --run_dir="
    assert f"{expected}{stopped}\n" in said
    assert len(lines_of(stopped)) == step
    assert main(["--resume", f"--run_dir={stopped}"]) == 0
    assert_same_run(finished, stopped)


def test_what_a_signal_finds_spoilt_is_not_saved(tmp_path):
    class Spoil(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if self.model.num_steps == 2:
                weight = self.model.generator.trainable_variables[0]
                weight.assign(np.full(weight.shape, np.nan))
                os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(flow_gan.UserError, match=r"step 2: the weight .* is not finite.*ckpt-0\b"):
        training.train(settings(tmp_path / "run", n_critic=0, max_steps=9), callbacks=[Spoil()])
    assert training.saved_step(tmp_path / "run" / "checkpoints", "latest") == 0


def test_a_second_signal_leaves_at_once():
    before = signal.getsignal(signal.SIGINT)
    with StopSignals() as signals, pytest.raises(KeyboardInterrupt):
        signals.protect()
        os.kill(os.getpid(), signal.SIGINT)
        assert signals.received == signal.SIGINT
        os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_signal_that_came_before_breaks_off_too():
    with StopSignals() as signals:
        signals.protect()
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(Interrupted), signals.interruptible():
            pytest.fail("this should not run")


def test_sigterm_from_outside(tmp_path):
    process = start([f"--run_dir={tmp_path / 'run'}", "--max_steps=100000"])
    until(lambda: list(tmp_path.glob("run/checkpoints/latest/ckpt-[1-9]*.index")), process)
    process.terminate()
    status, _, err = finish(process)
    assert status == 143 and "Traceback" not in err, err
    step = int(re.search(r"SIGTERM: training stopped, saved up to step (\d+);", err)[1])
    assert lines_of(tmp_path / "run")[-1]["step"] == step == training.saved_step(tmp_path / "run/checkpoints", "latest")


def test_a_full_disk(tmp_path, capfd):
    """A limit to the size of a file stands for it: the checkpoint is 1.3 MB, and nothing else is as large."""
    run = tmp_path / "run"
    flags = ["--hidden_layers=100", "--n_critic=0", "--eval_every=2", f"--run_dir={run}"]
    assert main([*flags, "--max_steps=2"]) == 0
    before = checkpoints_of(run)
    assert max(map(len, before.values())) > 400_000
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    capfd.readouterr()
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
        assert main(["--resume", f"--run_dir={run}", "--max_steps=6"]) == 2
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    said = capfd.readouterr().err
    assert re.search(r"error: .*ckpt-4 cannot be written: .*Earlier files are intact", said), said
    assert checkpoints_of(run) == before
    assert main(["--resume", f"--run_dir={run}", "--max_steps=6"]) == 0
    whole = tmp_path / "whole"
    assert main([*flags[:-1], f"--run_dir={whole}", "--max_steps=2"]) == 0
    assert main(["--resume", f"--run_dir={whole}", "--max_steps=6"]) == 0
    assert_same_run(whole, run)


WRITERS = {
    "TensorBoard": (tf.summary, "scalar", 5),
    "metrics.jsonl": (json, "dumps", 4),
    "a picture": (flow_gan.data, "save_png", 1),
    "a checkpoint": (tf.train.Checkpoint, "write", 2),
    "the end of a checkpoint's write": (pathlib.Path, "rename", 3),
}


@pytest.mark.parametrize("what", WRITERS)
def test_whatever_cannot_be_written(finished, tmp_path, capfd, monkeypatch, what):
    """The disk is full at one of the writers; the run goes on from what is there and ends as another."""
    owner, name, call = WRITERS[what]
    original, calls = getattr(owner, name), []

    def full(*args, **kwargs):
        calls.append(name)
        if len(calls) == call:
            if owner in (tf.summary, tf.train.Checkpoint):
                raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")
            raise OSError(errno.ENOSPC, "No space left on device")
        return original(*args, **kwargs)

    run = tmp_path / "run"
    flags = [f"--{setting}={value}" for setting, value in SMALL.items()] + ["--max_steps=10", f"--run_dir={run}"]
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, full)
        assert main(flags) == 2
    said = capfd.readouterr().err
    assert re.search(r"error: .* cannot be written: .*No space left on device", said) and "Traceback" not in said, said
    assert not list(run.glob("checkpoints/*/writing*"))
    assert main(["--resume", f"--run_dir={run}"]) == 0
    assert_same_run(finished, run)


def test_a_step_that_is_saved_again(tmp_path, monkeypatch):
    """What cannot be written does not harm the checkpoint of the same step that is there."""
    model = model_of(settings(tmp_path, n_critic=0))
    checkpoints = Checkpoints(model, tmp_path)
    checkpoints.save(unfinished=True)
    before = files_of(tmp_path)

    def full(*args):
        raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(tf.train.Checkpoint, "write", full)
        with pytest.raises(flow_gan.UserError, match=r"latest/ckpt-0 cannot be written: No space left"):
            checkpoints.save()
    assert files_of(tmp_path) == before
    checkpoints.save()
    Checkpoints(model, tmp_path).restore("latest")
    assert len(files_of(tmp_path)) == 2 and files_of(tmp_path) != before


def test_a_signal_while_a_validation_is_made_up_for(finished, tmp_path, monkeypatch):
    """It may not come between the best NLL and the weights that have it."""
    run = tmp_path / "run"
    flags = [f"--{setting}={value}" for setting, value in SMALL.items()] + ["--max_steps=10", f"--run_dir={run}"]
    with monkeypatch.context() as patch:
        send_at(patch, flow_gan.FlowGAN, "evaluate", 1, signal.SIGTERM)
        assert main(flags) == 143
    with monkeypatch.context() as patch:
        send_at(patch, Checkpoints, "save_if_best", 1, signal.SIGTERM)
        assert main(["--resume", f"--run_dir={run}"]) == 143
    assert training.saved_step(run / "checkpoints", "best") == 4
    assert main(["--resume", f"--run_dir={run}"]) == 0
    assert_same_run(finished, run)


def test_output_that_nobody_reads_any_more(tmp_path):
    """Ctrl-C ends the reader of a pipe first; the run saves all the same."""
    process = start([f"--run_dir={tmp_path / 'run'}", "--max_steps=100000"])
    until(lambda: list(tmp_path.glob("run/checkpoints/latest/ckpt-[1-9]*.index")), process)
    process.stderr.close()
    process.send_signal(signal.SIGTERM)
    process.wait(BOUND)
    steps = len(lines_of(tmp_path / "run"))
    assert process.returncode == 143 and steps == training.saved_step(tmp_path / "run" / "checkpoints", "latest")
    process.stdout.close()


def test_a_damaged_checkpoint_is_passed_over(tmp_path, caplog, capfd):
    whole, damaged = tmp_path / "whole", tmp_path / "damaged"
    training.train(settings(whole, n_critic=0))
    index, data_file = (f"checkpoints/latest/ckpt-10{end}" for end in (".index", ".data-00000-of-00001"))
    good = (whole / data_file).read_bytes()
    flipped = bytearray(good)
    flipped[len(good) // 2] ^= 1
    for file, content in ((data_file, good[: len(good) // 2]), (data_file, bytes(flipped)), (index, b"")):
        shutil.rmtree(damaged, ignore_errors=True)
        shutil.copytree(whole, damaged)
        (damaged / file).write_bytes(content)
        model = model_of(settings(whole, n_critic=0))
        caplog.clear()
        Checkpoints(model, damaged / "checkpoints").restore("latest")
        assert model.num_steps == 8
        assert "ckpt-10 is damaged" in caplog.text and "the previous one is used" in caplog.text
        training.train(settings(damaged, n_critic=0, resume=True))
        assert_same_run(whole, damaged)


@pytest.mark.parametrize("changes", [{}, {"eval_every": 100}, {"checkpoint_dir": "elsewhere"}])
def test_checkpoints_that_are_gone(tmp_path, monkeypatch, changes):
    """A run whose checkpoints were deleted, or are looked for elsewhere, does not begin anew and lose its records."""
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "run"
    training.train(settings(run, n_critic=0))
    if "checkpoint_dir" not in changes:
        shutil.rmtree(run / "checkpoints" / "latest")
    before = files_of(tmp_path)
    with pytest.raises(flow_gan.UserError, match="holds no checkpoint"):
        training.train(settings(run, n_critic=0, resume=True, **changes))
    assert files_of(tmp_path) == before


def test_a_damaged_best_checkpoint(tmp_path, caplog):
    run = tmp_path / "run"
    outcome = training.train(settings(run, n_critic=0))
    steps = sorted(int(path.stem.removeprefix("ckpt-")) for path in run.glob("checkpoints/best/*.index"))
    assert steps[-1] == outcome.best_step and len(steps) > 1
    (run / f"checkpoints/best/ckpt-{steps[-1]}.data-00000-of-00001").write_bytes(b"")
    again = training.train(settings(run, n_critic=0, resume=True))
    assert again.model.num_steps == steps[-2] and "the previous one is used" in caplog.text


def test_a_second_process_in_a_run_s_folder(tmp_path, capsys):
    run = tmp_path / "run"
    training.train(settings(run, n_critic=0))
    folder = RunFolder(run, settings(run))
    folder.lock()
    before = files_of(run)
    assert main(["--resume", f"--run_dir={run}", "--max_steps=20"]) == 2
    assert f"error: --run_dir={run} is in use: another process trains in it" in capsys.readouterr().err
    assert files_of(run) == before
    folder.unlock()
    assert main(["--resume", f"--run_dir={run}", "--max_steps=12"]) == 0


def test_two_that_begin_in_one_folder_at_once(tmp_path):
    """The second one passed the check for an empty folder before the first one wrote into it."""
    folder = tmp_path / "run"
    folder.mkdir()
    first = RunFolder(folder, settings(folder))
    first.lock()
    with pytest.raises(flow_gan.UserError, match="is in use"):
        training.train(settings(folder, n_critic=0))
    assert [path.name for path in folder.iterdir()] == [".lock"]
    first.unlock()
    training.train(settings(folder, n_critic=0, max_steps=1))


def test_the_best_weights_of_a_run_outlive_a_crash(tmp_path):
    """The best checkpoint is written before the latest: one that only it knows of is dropped when the run goes on."""
    run = tmp_path / "run"
    training.train(settings(run, n_critic=0, max_steps=4))
    model = model_of(settings(run, n_critic=0))
    checkpoints = Checkpoints(model, run / "checkpoints")
    checkpoints.restore("latest")
    best = {v.path: v.numpy() for v in model.weights}
    model.step.assign(7)
    checkpoints.save_if_best(-1e9)
    assert training.saved_step(run / "checkpoints", "best") == 7
    outcome = training.train(settings(run, n_critic=0, max_steps=4, resume=True))
    assert outcome.best_step == 4 and training.saved_step(run / "checkpoints", "best") == 4
    for variable in outcome.model.weights:
        np.testing.assert_array_equal(variable.numpy(), best[variable.path])
