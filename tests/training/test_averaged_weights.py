"""Averaged weights, with batch norm's statistics re-estimated for them."""

import numpy as np
import pytest

import flow_gan
from flow_gan import config, training
from flow_gan.main import main
from flow_gan.training.averaged_weights import AveragedWeights
from flow_gan.training.checkpoints import Checkpoints
from flow_gan.training.optimizers import Adam
from tests.helpers.same_run import lines_of, newest_checkpoint

DECAY = 0.6
IMAGES = np.random.default_rng(0).integers(0, 17, (40, 4, 4, 1)).astype(np.uint8)
SMALL = ["--hidden_layers=8", "--no_of_layers=0", "--df_dim=2", "--n_critic=1", "--eval_every=3", "--ema_decay=0.6"]


def make_model(like_reg, n_critic):
    generator = flow_gan.NICE((4, 4, 1), hidden_units=8, num_hidden_layers=1)
    critic = flow_gan.critics.two_convolutions((4, 4, 1), filters=2, dense_units=4) if n_critic else None
    model = flow_gan.FlowGAN(generator, critic, like_reg=like_reg, n_critic=n_critic, levels=17)
    model.compile(Adam(1e-2, use_ema=True, ema_momentum=DECAY), Adam(1e-2) if n_critic else None)
    return model


@pytest.mark.parametrize("like_reg, n_critic", [(1.0, 0), (1.0, 1), (0.0, 1)], ids=["mle", "hybrid", "adv"])
def test_the_average_and_its_statistics(like_reg, n_critic):
    model = make_model(like_reg, n_critic)
    generator = model.generator
    average = None
    for _ in range(4):
        model.train_on_batch(IMAGES[:20])
        weights = [variable.numpy() for variable in generator.trainable_variables]
        kept = weights if average is None else average
        average = [DECAY * a + (1 - DECAY) * w for a, w in zip(kept, weights, strict=True)]
    own = [variable.numpy() for variable in generator.weights]
    averaged = AveragedWeights(model, IMAGES, 20)
    with averaged.in_place():
        for variable, value in zip(generator.trainable_variables, average, strict=True):
            np.testing.assert_allclose(variable, value, rtol=1e-4, atol=1e-6)
        # The last norm, whose statistics need those of all others, has those of the pass that the objective trains.
        statistics = generator.networks[3].moving_mean[-1].numpy()
        moving = [variable.numpy() for variable in generator.non_trainable_variables]
        if like_reg:
            averaged._statistics.fill_from_images(flow_gan.data.evaluation_batches(IMAGES, "train", 20))
        else:
            averaged._statistics.fill_from_samples(2, 20)
        np.testing.assert_allclose(generator.networks[3].moving_mean[-1], statistics, rtol=1e-5)
        assert any(np.abs(m - v).max() > 1e-3 for m, v in zip(moving, own[-len(moving) :], strict=True))
    for variable, value in zip(generator.weights, own, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_a_model_with_a_critic_fits_with_keras_averages():
    """Keras gives the generator its averages at the end of `fit`, and leaves the critic alone."""
    model = make_model(1.0, 1)
    model.fit(IMAGES, batch_size=20, epochs=1, verbose=0)
    averages = [v.numpy() for v in model.optimizer.variables if "average" in v.path]
    for variable, average in zip(model.generator.trainable_variables, averages, strict=True):
        np.testing.assert_array_equal(variable, average)


def test_a_run(tmp_path, capsys):
    """What is kept and measured are the averaged weights; what is gone on from are the weights themselves."""
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert main([*SMALL, f"--run_dir={whole}", "--max_steps=7"]) == 0
    validated = {line["step"]: line["validation_nll"] for line in lines_of(whole) if "validation_nll" in line}
    assert main(["--mode=evaluate", f"--run_dir={whole}", "--split=validation", "--checkpoint=latest"]) == 0
    assert f"{validated[7]:.2f} +-" in capsys.readouterr().out
    averaged = newest_checkpoint(whole / "checkpoints" / "averaged")
    latest = newest_checkpoint(whole / "checkpoints" / "latest")
    name = next(name for name in averaged if "log_scale" in name)
    assert averaged["step"] == latest["step"] == 7 and np.any(averaged[name] != latest[name])
    assert main([*SMALL, f"--run_dir={stopped}", "--max_steps=4"]) == 0
    assert main(["--resume", f"--run_dir={stopped}", "--max_steps=7"]) == 0
    # The validation that the shorter run ended with is its own.
    records = [
        {k: v for k, v in line.items() if not k.startswith(("validation", "train_nll"))} for line in lines_of(stopped)
    ]
    assert records == [
        {k: v for k, v in line.items() if not k.startswith(("validation", "train_nll"))} for line in lines_of(whole)
    ]
    for which in ("latest", "averaged"):
        one, other = (newest_checkpoint(folder / "checkpoints" / which) for folder in (whole, stopped))
        for key in one:
            if "best" not in key:
                np.testing.assert_array_equal(other[key], one[key], err_msg=key)


def test_without_a_finite_nll_the_latest_averaged_weights_are_used(tmp_path):
    flags = {"model_type": "dcgan", "filters": 2, "df_dim": 2, "n_critic": 1, "like_reg": 0.0, "batch_size": 20}
    run = config.Config(**flags, run_dir=str(tmp_path / "run"), max_steps=2, eval_every=2, ema_decay=DECAY)
    outcome = training.train(run)
    averaged = [variable.numpy() for variable in outcome.model.generator.weights]
    Checkpoints(outcome.model, outcome.folder.checkpoints).restore("latest")
    own = [variable.numpy() for variable in outcome.model.generator.weights]
    assert any(np.any(a != o) for a, o in zip(averaged, own, strict=True))
    model, _ = training.load_model(run.__class__(**(vars(run) | {"checkpoint": "latest", **_sizes(outcome)})))
    for variable, value in zip(model.generator.weights, averaged, strict=True):
        np.testing.assert_array_equal(variable, value)


def _sizes(outcome):
    return dict(zip(("input_height", "input_width", "c_dim"), outcome.dataset.image_shape, strict=True)) | {
        "critic": "mnist"
    }


def test_two_replicas_average_as_one_device(tmp_path):
    flags = {"hidden_layers": 8, "no_of_layers": 0, "n_critic": 0, "max_steps": 3, "eval_every": 3, "ema_decay": DECAY}
    runs = {
        name: training.train(config.Config(**flags, strategy=name, run_dir=str(tmp_path / name)))
        for name in ("one_device", "mirrored")
    }
    assert runs["mirrored"].model.distribute_strategy.num_replicas_in_sync == 2
    np.testing.assert_allclose(runs["mirrored"].best_nll, runs["one_device"].best_nll, rtol=1e-4)
