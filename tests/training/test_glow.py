"""Runs of Glow: the first values of its activation norms, resuming, warm starts, and what is refused."""

import numpy as np
import pytest
import tensorflow as tf

import flow_gan
from flow_gan import training
from flow_gan.measurement import load
from flow_gan.training.prepare import prepare
from tests.helpers.command_line import assert_refused
from tests.helpers.runs import GLOW, settings
from tests.helpers.same_run import lines_of

MLE = GLOW | {"n_critic": 0, "eval_every": 3}


def norms(model):
    return [np.stack([m.norm_shift.numpy(), m.norm_log_scale.numpy()]) for m in model.generator.convolutions]


def check_equal(one, other):
    for a, b in zip(one.weights, other.weights, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy(), err_msg=a.path)


def test_it_resumes(tmp_path):
    """It learns, and goes on exactly: the norms get their first values once."""
    training.train(settings(tmp_path / "parts", max_steps=3, **MLE))
    whole = training.train(settings(tmp_path / "whole", max_steps=6, **MLE))
    parts = training.train(settings(tmp_path / "parts", max_steps=6, resume=True, **MLE))
    check_equal(whole.model, parts.model)
    nlls = [line["nll"] for line in lines_of(tmp_path / "whole")]
    assert nlls[-1] < nlls[0] and nlls == [line["nll"] for line in lines_of(tmp_path / "parts")]


def test_a_run_begins_with_statistics_of_its_training_images(tmp_path):
    """Whatever the objective, the strategy and the batches are; another seed has other noise."""
    own = training.build_model(training.resolve(settings(tmp_path, **MLE), (8, 8, 1)), 17)
    own.initialize(flow_gan.data.load("digits").train.images)
    expected = norms(own)
    assert np.abs(expected[0]).min() > 0
    for changes in ({}, {"strategy": "mirrored"}, {"like_reg": 0.0, "n_critic": 1}, {"batch_size": 10}):
        model = prepare(settings(tmp_path, **MLE | changes)).model
        assert model.generator.is_initialized
        for a, b in zip(norms(model), expected, strict=True):
            np.testing.assert_array_equal(a, b, err_msg=str(changes))
    assert np.abs(norms(prepare(settings(tmp_path, **MLE, seed=1)).model)[0] - expected[0]).max() > 0


def test_a_warm_start_keeps_the_norms(tmp_path):
    first = training.train(settings(tmp_path / "first", max_steps=3, **MLE))
    flags = MLE | {"init_from_run": str(tmp_path / "first"), "checkpoint": "latest", "seed": 5}
    prepared = prepare(settings(tmp_path / "second", **flags))
    check_equal(first.model.generator, prepared.model.generator)
    # Also what `load` opens.
    loaded = load(tmp_path / "first", checkpoint="latest").model
    check_equal(first.model.generator, loaded.generator)
    loaded.initialize(np.zeros((3, 8, 8, 1), np.uint8))
    check_equal(first.model.generator, loaded.generator)


def test_averaged_weights(tmp_path):
    """They have no moving averages to be estimated again."""
    outcome = training.train(settings(tmp_path / "run", max_steps=3, ema_decay=0.9, **MLE))
    assert outcome.model.generator.is_initialized and np.isfinite(outcome.best_nll)


def test_the_step_is_traced_once(tmp_path, monkeypatch):
    traces = []
    make_step = flow_gan.FlowGAN.make_step
    monkeypatch.setattr(
        flow_gan.FlowGAN, "make_step", lambda self, images: traces.append(images) or make_step(self, images)
    )
    training.train(settings(tmp_path / "run", max_steps=3, **MLE))
    assert len(traces) == 1 and not tf.config.functions_run_eagerly()


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--scales=4"], r"image_shape=\(8, 8, 1\): Glow with scales=4 needs a height and a width divisible by 16"),
        (["--depth_per_scale=0"], r"--depth_per_scale=0; expected 1 or more"),
        (["--scales=0"], r"--scales=0; expected 1 or more"),
        (["--filters=0"], r"--filters=0; expected more than 0"),
        (["--nobatch_norm"], r"--batch_norm=False is for --model_type=nice or real_nvp, not glow"),
        (["--hidden_layers=5"], r"--hidden_layers=5 is for --model_type=nice, not glow"),
        (
            ["--dataset=odd.npy"],
            r"image_shape=\(7, 8, 1\): Glow with scales=2 needs a height and a width divisible by 4",
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_refused(tmp_path, monkeypatch, capsys, flags, message):
    monkeypatch.chdir(tmp_path)
    np.save("odd.npy", np.zeros((200, 7, 8), np.uint8))
    assert_refused(["--model_type=glow", "--n_critic=0", "--run_dir=run", *flags], message, capsys)
    assert not (tmp_path / "run").exists()
