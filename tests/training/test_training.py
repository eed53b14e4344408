"""Training runs in process: what they leave, resume, failures. The model is tiny, the data are the digits."""

import json
import pathlib
import re

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

import flow_gan
from flow_gan import config, errors, training
from flow_gan.draws import StepDraws
from flow_gan.evaluation import evaluate_nll
from flow_gan.training.checkpoints import Checkpoints
from flow_gan.training.chief import ChiefCallback
from flow_gan.training.metrics_file import MetricsFile
from flow_gan.training.optimizers import Adam
from flow_gan.training.strategy import select_gpu
from flow_gan.training.tensorboard_log import TensorBoardLog
from tests.helpers.runs import DCGAN, REAL_NVP, SMALL, model_of, settings, with_tags
from tests.helpers.same_run import events_of, lines_of


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run of 10 steps, hybrid."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    return training.train(settings(folder)), folder


def test_records(finished):
    outcome, folder = finished
    lines = lines_of(folder)
    assert [line["step"] for line in lines] == list(range(1, 11))
    assert all(np.isfinite(value) for line in lines for value in line.values())
    validated = {line["step"]: line["validation_nll"] for line in lines if "validation_nll" in line}
    assert list(validated) == [4, 8, 10]
    assert outcome.best_nll == min(validated.values())
    assert validated[outcome.best_step] == outcome.best_nll and outcome.last_step == 10
    effective = settings(folder, input_height=8, input_width=8, c_dim=1, critic="mnist", horizontal_flip=False)
    assert config.from_json((folder / "config.json").read_text(), "") == effective
    assert sorted(p.name for p in (folder / "samples").iterdir()) == [f"step-{step:07}.png" for step in (4, 8, 10)]


def test_tensorboard(finished):
    _, folder = finished
    train, validation = (events_of(folder / "tensorboard" / name) for name in ("train", "validation"))
    assert "NLL/nats per image" in train and "NLL/nats per image" in validation
    lines = {line["step"]: line for line in lines_of(folder)}
    for step, value in train["NLL/nats per image"]:
        np.testing.assert_allclose(value, lines[step]["train_nll"], rtol=1e-6)
    for step, value in train["losses/NLL of the step's batch"]:
        np.testing.assert_allclose(value, lines[step]["nll"], rtol=1e-6)
    assert [step for step, _ in train["losses/NLL of the step's batch"]] == [3, 4, 6, 8, 9, 10]
    for split in (train, validation):
        nats, bits = (np.array([v for _, v in split[f"NLL/{unit}"]]) for unit in ("nats per image", "bits per dim"))
        np.testing.assert_allclose(bits, nats / (64 * np.log(2)) + np.log2(17), rtol=1e-5)
        assert [step for step, _ in split["NLL/nats per image"]] == [4, 8, 10]
    assert {"losses/critic", "losses/generator (adversarial)", "losses/gradient penalty"} <= train.keys()
    assert {"gradient norms/critic", "gradient norms/generator", "optimizer/learning rate"} <= train.keys()
    assert {"samples from a fixed z", "z = f(x) of validation images"} <= validation.keys()


def test_outcome_has_the_best_weights(tmp_path, monkeypatch):
    """The validation NLL rises from step 4 on: what comes back are the weights of step 4."""
    # Of the validation images, and then of the training images.
    nlls = iter([1.0, 9.0, 2.0, 0.5, 3.0, 0.1])
    evaluate = flow_gan.FlowGAN.evaluate
    monkeypatch.setattr(flow_gan.FlowGAN, "evaluate", lambda *a, **k: evaluate(*a, **k) | {"nll": next(nlls)})
    saved = {}
    save_if_best = Checkpoints.save_if_best

    def record(self, nll):
        saved[self.model.num_steps] = [v.numpy() for v in self.model.weights]
        return save_if_best(self, nll)

    monkeypatch.setattr(Checkpoints, "save_if_best", record)
    outcome = training.train(settings(tmp_path / "run"))
    assert (outcome.best_nll, outcome.best_step, outcome.model.num_steps) == (1.0, 4, 4)
    assert list(saved) == [4, 8, 10]
    for restored, best in zip(outcome.model.weights, saved[4], strict=True):
        np.testing.assert_array_equal(restored.numpy(), best)
    checkpoints = sorted(p.name for p in (tmp_path / "run" / "checkpoints").glob("*/*.index"))
    assert checkpoints == ["ckpt-10.index", "ckpt-4.index", "ckpt-8.index"]


def all_weights(config_):
    model = model_of(config_)
    checkpoints = Checkpoints(model, pathlib.Path(config_.run_dir) / "checkpoints")
    checkpoints.restore("latest")
    variables = [*model.weights, *model.optimizer.variables]
    if model.critic is not None:
        variables += model.critic_optimizer.variables
    values = [v.numpy() for v in variables]
    return [*values, checkpoints.best_nll.numpy(), checkpoints.best_step.numpy()]


@pytest.mark.parametrize(
    "objective",
    [
        {"n_critic": 2},
        pytest.param({"n_critic": 0}, marks=pytest.mark.slow),
        pytest.param({"n_critic": 2, "like_reg": 0.0, "critic_batches": "fresh"}, marks=pytest.mark.slow),
        DCGAN,
    ],
    ids=["hybrid", "mle", "adv-fresh", "dcgan"],
)
def test_resume_equals_an_uninterrupted_run(tmp_path, objective, models):
    # An epoch has 12 steps, or 6 with fresh batches.
    changes = objective | {"lr_decay": 0.9, "eval_every": 5}
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    changes["max_steps"] = 15
    training.train(settings(whole, **changes))
    training.train(settings(parts, **(changes | {"max_steps": 10})))
    # What a run writes after its last checkpoint and before a crash is cut off again.
    with open(parts / "metrics.jsonl", "a", encoding="utf-8") as file:
        file.write('{"step": 11, "nll": 0.0}\n{"step": 12, "nl')
    late = TensorBoardLog(parts / "tensorboard", lambda nats: nats, 10)
    late.train(11, {"nll": 0.0})
    late.close()
    with models.set_aside():
        training.train(settings(parts, resume=True, **changes))
    assert lines_of(parts) == lines_of(whole)
    for name in ("train", "validation"):
        a, b = events_of(whole / "tensorboard" / name), events_of(parts / "tensorboard" / name)
        assert a.keys() == b.keys()
        for tag in a:
            assert [step for step, _ in a[tag]] == [step for step, _ in b[tag]], tag
            for (_, x), (_, y) in zip(a[tag], b[tag], strict=True):
                np.testing.assert_array_equal(x, y)
    for a, b in zip(all_weights(settings(whole, **changes)), all_weights(settings(parts, **changes)), strict=True):
        np.testing.assert_array_equal(a, b)


def test_checkpoints_hold_every_variable(finished):
    """Weights, moving averages and slots: tf.train.Checkpoint leaves out, without a word, what it does not see."""
    _, folder = finished
    model = model_of(settings(folder))
    sizes = {"best": len(model.weights)}
    sizes["latest"] = (
        len(model.weights)
        + 5  # Best NLL, best score, their steps, and whether the step is finished.
        + sum(len(optimizer.variables) for optimizer in (model.optimizer, model.critic_optimizer))
    )
    assert len(model.optimizer.variables) >= 2 * len(model.generator.trainable_variables)
    assert len(model.weights) == len(model.trainable_weights) + 1 + 4 * 2
    for which, size in sizes.items():
        newest = folder / "checkpoints" / which / f"ckpt-{training.saved_step(folder / 'checkpoints', which)}"
        names = tf.train.load_checkpoint(str(newest)).get_variable_to_shape_map()
        assert len([name for name in names if name.endswith("VARIABLE_VALUE")]) == size


def test_the_weights_of_the_best_score_are_kept(tmp_path):
    """12 steps to the epoch, each of which is scored; a run that goes on remembers its best."""
    scores = iter([2.0, 1.0, 1.5, 3.0])

    def make_scorer(config_, dataset):
        return with_tags(lambda generator: ((score := next(scores)), {"mode_score": score}))

    folder = tmp_path / "run"
    outcome = training.train(settings(folder, max_steps=24, score_every=1), make_scorer)
    assert (outcome.best_score, outcome.best_score_step) == (2.0, 12)
    assert training.saved_step(folder / "checkpoints", "best_score") == 12
    scored = {line["step"]: line["mode_score"] for line in lines_of(folder) if "mode_score" in line}
    assert scored == {12: 2.0, 24: 1.0}
    assert [v for _, v in events_of(folder / "tensorboard" / "validation")["scores/MODE score"]] == [2.0, 1.0]
    for steps, best in ((36, 12), (48, 48)):
        outcome = training.train(settings(folder, max_steps=steps, score_every=1, resume=True), make_scorer)
        assert outcome.best_score_step == training.saved_step(folder / "checkpoints", "best_score") == best


def test_scores_without_what_scores(tmp_path):
    with pytest.raises(
        flow_gan.UserError, match=r"^score_every=1 needs make_score; expected train\(config, .*Scorer\)$"
    ):
        training.train(settings(tmp_path / "run", score_every=1))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "error, message",
    [
        (errors.NotFiniteError("images hold NaN"), r"step 12: samples cannot be scored \(images hold NaN"),
        # Of this a reproduction must not take the training for one that cannot be finished.
        (flow_gan.UserError("5000 samples would take 3 GB"), "^5000 samples would take 3 GB$"),
    ],
)
def test_samples_that_cannot_be_scored(tmp_path, error, message):
    def make_scorer(config_, dataset):
        def score(generator):
            raise error

        return score

    folder = tmp_path / "run"
    with pytest.raises(flow_gan.UserError, match=message) as raised:
        training.train(settings(folder, max_steps=24, score_every=1), make_scorer)
    assert isinstance(raised.value, errors.NotFiniteError) == isinstance(error, errors.NotFiniteError)
    assert [line["step"] for line in lines_of(folder)] == list(range(1, 13))


def test_a_run_s_folder_is_never_overwritten(finished):
    _, folder = finished
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*")}
    with pytest.raises(flow_gan.UserError, match="exists already and is left as it is"):
        training.train(settings(folder))
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*")} == before


def test_a_run_without_a_likelihood(tmp_path):
    """Losses and samples, but no NLL and so no best weights: the latest stay."""
    folder = tmp_path / "run"
    outcome = training.train(settings(folder, f_div="ce", **DCGAN))
    assert outcome.best_nll == np.inf and outcome.model.num_steps == 10
    names = {"step", "critic_loss", "critic_loss_real", "critic_loss_fake", "critic_gradient_norm"}
    names |= {"generator_loss", "generator_gradient_norm", "learning_rate"}
    assert [line["step"] for line in lines_of(folder)] == list(range(1, 11))
    assert all(line.keys() == names for line in lines_of(folder))
    assert sorted(p.name for p in (folder / "samples").iterdir()) == [f"step-{step:07}.png" for step in (4, 8, 10)]
    train, validation = (events_of(folder / "tensorboard" / name) for name in ("train", "validation"))
    assert {"losses/critic", "losses/generator (adversarial)", "optimizer/learning rate"} <= train.keys()
    assert not any("NLL" in tag for tag in train)
    assert validation.keys() == {"samples from a fixed z", "_hparams_/session_start_info"}
    assert [step for step, _ in validation["samples from a fixed z"]] == [4, 8, 10]
    assert not list((folder / "checkpoints").glob("best/*"))
    sizes = {"input_height": 8, "input_width": 8, "c_dim": 1, "critic": "mnist"}
    model, _ = training.load_model(settings(folder, f_div="ce", checkpoint="latest", **sizes, **DCGAN), 17)
    for a, b in zip(model.weights, outcome.model.weights, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    with pytest.raises(flow_gan.UserError, match=r"DCGAN has no likelihood: .* no NLL"):
        evaluate_nll(model, outcome.dataset, "test", 50)


def test_names_of_new_runs(tmp_path):
    changes = {"run_dir": None, "runs_dir": str(tmp_path), "max_steps": 1, "n_critic": 0}
    for _ in range(2):
        training.train(settings(None, **changes))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["digits_nice_mle-1", "digits_nice_mle-2"]


def test_subfolders_elsewhere(tmp_path):
    places = {f"{name}_dir": str(tmp_path / name) for name in ("checkpoint", "log", "sample")}
    training.train(settings(tmp_path / "run", max_steps=1, n_critic=0, **places))
    assert (tmp_path / "checkpoint" / "latest").is_dir() and (tmp_path / "log" / "train").is_dir()
    assert (tmp_path / "sample" / "step-0000001.png").exists()
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == [
        *("config.json", "data.json", "metrics.jsonl", "progress.json")
    ]


def test_mirrored_run(tmp_path):
    outcome = training.train(settings(tmp_path / "run", strategy="mirrored", max_steps=2, n_critic=0))
    assert outcome.model.distribute_strategy.num_replicas_in_sync == 2
    one = training.train(settings(tmp_path / "one", max_steps=2, n_critic=0))
    np.testing.assert_allclose(outcome.best_nll, one.best_nll, rtol=1e-4)
    records = [lines_of(tmp_path / name)[-1] for name in ("run", "one")]
    for name in ("train_nll", "train_nll_standard_error", "validation_nll", "validation_nll_standard_error"):
        np.testing.assert_allclose(records[0][name], records[1][name], rtol=1e-4, atol=1e-4)


def test_a_non_finite_loss_stops_the_run(tmp_path):
    folder = tmp_path / "run"
    training.train(settings(folder, max_steps=4, n_critic=0))
    before = {p: p.read_bytes() for p in (folder / "checkpoints").rglob("ckpt-*")}
    assert len(before) == 6  # Of steps 0 and 4, and the best.
    stored = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(stored | {"learning_rate": 1e30}))
    diverging = settings(folder, max_steps=10, n_critic=0, learning_rate=1e30, resume=True)
    with pytest.raises(flow_gan.UserError, match=r"step \d+: .*last good checkpoint is .*ckpt-4\b"):
        training.train(diverging)
    assert {p: p.read_bytes() for p in (folder / "checkpoints").rglob("ckpt-*")} == before
    assert lines_of(folder)[3]["step"] == 4


@pytest.mark.parametrize(
    "objective", [{"n_critic": 0}, {"n_critic": 1, "like_reg": 0.0}, DCGAN], ids=["mle", "adv", "dcgan"]
)
def test_what_the_last_update_spoilt_is_not_saved(tmp_path, objective):
    """With a validation after each step, the weights are looked at before the loss can show the damage."""
    folder = tmp_path / "run"
    training.train(settings(folder, max_steps=1, eval_every=1, **objective))
    diverging = settings(folder, max_steps=9, eval_every=1, learning_rate=3e38, resume=True, **objective)
    with pytest.raises(flow_gan.UserError, match=r"step \d+: .*last good checkpoint is .*ckpt-\d+\b"):
        training.train(diverging)
    latest = list((folder / "checkpoints" / "latest").glob("*.index"))
    assert latest
    for path in latest:
        for name in (reader := tf.train.load_checkpoint(str(path.with_suffix("")))).get_variable_to_shape_map():
            if "networks" in name:
                assert np.isfinite(reader.get_tensor(name)).all(), name


def test_a_non_finite_loss_before_any_validation(tmp_path):
    with pytest.raises(flow_gan.UserError, match=r"the last good checkpoint is .*latest/ckpt-0\. --mode=evaluate"):
        training.train(settings(tmp_path / "run", n_critic=0, learning_rate=1e30))


def test_damaged_checkpoint(tmp_path):
    folder = tmp_path / "run"
    training.train(settings(folder, max_steps=2, n_critic=0))
    data_file = folder / "checkpoints" / "latest" / "ckpt-2.data-00000-of-00001"
    data_file.with_name(data_file.name.replace("-2.", "-0.")).write_bytes(b"")
    whole = data_file.read_bytes()
    for damaged in (whole[: len(whole) // 2], whole[:1000] + bytes([whole[1000] ^ 255]) + whole[1001:], b""):
        data_file.write_bytes(damaged)
        before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
        with pytest.raises(
            flow_gan.UserError, match=r"checkpoint .*ckpt-2 is damaged: .*; checkpoint .*ckpt-0 is damaged"
        ):
            training.train(settings(folder, n_critic=0, resume=True))
        assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize(
    "changes", [{"hidden_layers": 16}, {"no_of_layers": 1}, {"n_critic": 1}], ids=["width", "depth", "critic"]
)
def test_checkpoint_of_another_architecture(tmp_path, changes):
    folder = tmp_path / "run"
    training.train(settings(folder, max_steps=2, n_critic=0))
    with pytest.raises(flow_gan.UserError, match=r"checkpoint .*ckpt-2 belongs to another architecture"):
        training.train(settings(folder, resume=True, **({"n_critic": 0} | changes)))


def test_resume_from_nothing(tmp_path):
    (tmp_path / "run").mkdir()
    with pytest.raises(flow_gan.UserError, match=r"is not a run: it has no readable config\.json"):
        training.train(settings(tmp_path / "run", resume=True))
    assert not any((tmp_path / "run").iterdir())


def test_resume_a_finished_run(finished):
    _, folder = finished
    outcome = training.train(settings(folder, resume=True))
    assert (outcome.first_step, outcome.last_step) == (10, 10)
    with pytest.raises(flow_gan.UserError, match="is already at step 10"):
        training.train(settings(folder, resume=True, max_steps=5))


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"batch_size": 2000}, r"--batch_size=2000 needs 2000 training images per step; --dataset=digits has 1297"),
        (
            {"batch_size": 700, "critic_batches": "fresh", "n_critic": 2},
            r"--batch_size=700 needs 1400 training images",
        ),
        ({"input_height": 28}, r"--input_height=28, but the images of --dataset=digits have 8"),
        ({"input_width": 9}, r"--input_width=9, but the images of --dataset=digits have 8"),
        ({"c_dim": 3}, r"--c_dim=3, but the images of --dataset=digits have 1"),
        ({"strategy": "mirrored", "batch_size": 5}, r"--batch_size=5 cannot be divided among 2 replicas"),
    ],
)
def test_what_does_not_fit_the_data(tmp_path, changes, message):
    with pytest.raises(flow_gan.UserError, match=message):
        training.train(settings(tmp_path / "run", **changes))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["checkpoint_dir", "log_dir", "sample_dir"])
def test_subfolders_that_cannot_be_used(tmp_path, name):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("kept")
    for path, message in (("full", "exists already and is left as it is"), ("full/file/x", "cannot be written")):
        with pytest.raises(flow_gan.UserError, match=f"--{name}=.*{message}"):
            training.train(settings(tmp_path / "run", **{name: str(tmp_path / path)}))
    assert not (tmp_path / "run").exists() and (tmp_path / "full" / "file").read_text() == "kept"


def test_every_setting_reaches_the_model(tmp_path):
    np.save(tmp_path / "set.npy", np.zeros((300, 4, 6), np.uint8))
    config_ = config.Config(
        **{"dataset": str(tmp_path / "set.npy"), "levels": 33, "hidden_layers": 7, "no_of_layers": 2, "alpha": 0.01},
        **{"prior": "gaussian", "init_type": "uniform", "batch_norm_updates": "released", "n_critic": 3},
        **{"like_reg": 0.3, "f_div": "lsgan", "reg": 4.0, "gradient_penalty_norm": "column", "critic": "dcgan"},
        **{"df_dim": 3, "critic_batches": "fresh", "batch_size": 5, "learning_rate": 0.02, "beta1": 0.7},
        **{"lr_decay": 0.5, "min_lr": 0.004, "seed": 9, "epoch": 2},
    )
    dataset = training.load_data(config_)
    model = model_of(config_)
    generator = model.generator
    assert (generator.image_shape, generator.hidden_units, generator.num_hidden_layers) == ((4, 6, 1), 7, 2)
    assert (generator.logit_alpha, generator.prior_name, generator.init_type, generator.seed) == (
        *(0.01, "gaussian", "uniform", 9),
    )
    objective = model.objective
    assert (objective.n_critic, objective.like_reg, objective.divergence) == (3, 0.3, "lsgan")
    assert objective.gradient_penalty == 4.0
    assert (objective.gradient_penalty_norm, model.batch_norm_updates, model.critic_batches) == (
        *("column", "released", "fresh"),
    )
    assert (model.levels, model.draws.seed) == (33, 9)
    expected = flow_gan.critics.dcgan((4, 6, 1), "lsgan", filters=3, seed=9)
    for a, b in zip(model.critic.weights, expected.weights, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    for optimizer, updates in ((model.optimizer, 1), (model.critic_optimizer, 3)):
        assert (optimizer.beta_1, optimizer.beta_2, optimizer.epsilon) == (0.7, 0.9, 1e-8)
        rates = [float(optimizer._learning_rate(step * updates)) for step in range(4)]
        np.testing.assert_allclose(rates, [0.02, 0.01, 0.005, 0.004], rtol=1e-6)
    assert training.num_steps(config_, dataset) == 2 * (240 // 15)


def test_settings_of_the_optimizers():
    """The release has none of these: rates of their own, a warm-up, half a cosine, a clipped norm, beta2."""
    config_ = settings(
        "run",
        **{"learning_rate": 0.1, "critic_learning_rate": 0.4, "log_scale_rate": 10.0, "beta2": 0.8, "min_lr": 0.01},
        **{"lr_schedule": "cosine", "warmup_steps": 2, "clip_norm": 3.0, "n_critic": 2, "ema_decay": 0.7},
    )
    model = model_of(config_)
    # Half a cosine over the ten steps, the first of two warming up; each step's rate holds for both critic updates.
    part = [0.5 * (1 + np.cos(np.pi * step / 10)) for step in range(10)]
    expected = np.array([0.9 * p + 0.1 for p in part]) * [0.5, *[1.0] * 9]
    for optimizer, initial, updates in ((model.optimizer, 0.1, 1), (model.critic_optimizer, 0.4, 2)):
        rates = [float(optimizer._learning_rate(update)) for update in range(10 * updates)]
        np.testing.assert_allclose(rates, initial * np.repeat(expected, updates), rtol=1e-5)
        assert (optimizer.beta_2, optimizer.global_clipnorm) == (0.8, 3.0)
    assert model.optimizer.rate_factors == {"generator/log_scale": 10.0} and model.optimizer.ema_momentum == 0.7
    assert model.critic_optimizer.rate_factors == {} and not model.critic_optimizer.use_ema


def test_the_lowest_rate_of_a_critic_with_a_rate_of_its_own():
    """It was --min_lr itself, so that a critic's rate below it was raised."""
    rates = {"learning_rate": 0.1, "critic_learning_rate": 0.001, "lr_decay": 0.5, "min_lr": 0.03}
    model = model_of(settings("run", n_critic=1, **rates))
    for optimizer, initial in ((model.optimizer, 0.1), (model.critic_optimizer, 0.001)):
        rates = [float(optimizer._learning_rate(step)) for step in range(4)]
        np.testing.assert_allclose(rates, initial * np.array([1, 0.5, 0.3, 0.3]), rtol=1e-5)


def test_amsgrad_is_refused():
    with pytest.raises(flow_gan.UserError, match=r"Adam\(amsgrad=True\): .* expected keras.optimizers.Adam"):
        Adam(1e-3, amsgrad=True)


def test_a_clipped_gradient(tmp_path):
    """The step is that of the gradient scaled down to the norm; what is recorded is the norm before."""
    moved = {}
    for norm in (None, 1e-3):
        model = model_of(settings(tmp_path, n_critic=0, clip_norm=norm, learning_rate=0.01))
        before = [v.numpy() for v in model.generator.trainable_variables]
        logs = model.train_on_batch(np.full((20, 8, 8, 1), 16, np.uint8), return_dict=True)
        assert float(logs["generator_gradient_norm"]) > 1
        optimizer = model.optimizer
        norms = [v.numpy() for v in optimizer.variables if "momentum" in v.path]
        moved[norm] = np.sqrt(sum(np.sum(np.square(m)) for m in norms)) / (1 - optimizer.beta_1)
        assert any(np.any(b != v.numpy()) for b, v in zip(before, model.generator.trainable_variables, strict=True))
    np.testing.assert_allclose(moved[1e-3], 1e-3, rtol=1e-3)
    assert moved[None] > 1


@pytest.mark.parametrize("channels, critic", [(1, "mnist"), (3, "dcgan")])
def test_auto_critic(tmp_path, channels, critic):
    np.save(tmp_path / "set.npy", np.zeros((20, 4, 4, channels), np.uint8))
    config_ = config.Config(dataset=str(tmp_path / "set.npy"), batch_size=2)
    assert training.resolve(config_, training.load_data(config_).image_shape).critic == critic


def test_gpu_nr(monkeypatch):
    chosen = []
    monkeypatch.setattr(tf.config, "set_visible_devices", lambda devices, kind: chosen.append((devices, kind)))
    select_gpu(3)
    select_gpu(None)
    assert chosen == []
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["a", "b"])
    select_gpu(1)
    assert chosen == [(["b"], "GPU")]
    with pytest.raises(flow_gan.UserError, match="--gpu_nr=2, but there are 2 GPUs; expected 0 to 1"):
        select_gpu(2)


def test_odd_number_of_pixels(tmp_path):
    np.save(tmp_path / "odd.npy", np.zeros((200, 3, 3), np.uint8))
    with pytest.raises(flow_gan.UserError, match="9 pixel values; NICE needs an even number"):
        training.train(settings(tmp_path / "run", dataset=str(tmp_path / "odd.npy"), batch_size=10))
    assert not (tmp_path / "run").exists()


def test_pixels_that_real_nvp_cannot_halve(tmp_path):
    np.save(tmp_path / "odd.npy", np.zeros((200, 9, 8), np.uint8))
    with pytest.raises(flow_gan.UserError, match=r"\(9, 8, 1\): Real-NVP with scales=2 needs a height and a width"):
        training.train(settings(tmp_path / "run", dataset=str(tmp_path / "odd.npy"), **REAL_NVP | {"scales": 2}))
    assert not (tmp_path / "run").exists()


def test_real_nvp_resumes(tmp_path):
    """Real-NVP on the digits: trains, and goes on exactly."""
    changes = REAL_NVP | {"n_critic": 0, "eval_every": 3}
    training.train(settings(tmp_path / "parts", max_steps=3, **changes))
    whole = training.train(settings(tmp_path / "whole", max_steps=6, **changes))
    parts = training.train(settings(tmp_path / "parts", max_steps=6, resume=True, **changes))
    for a, b in zip(whole.model.weights, parts.model.weights, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy(), err_msg=a.path)
    nlls = [line["nll"] for line in lines_of(tmp_path / "whole")]
    assert nlls[-1] < nlls[0] and nlls == [line["nll"] for line in lines_of(tmp_path / "parts")]
    nll = evaluate_nll(whole.model, whole.dataset, "test", 50)
    assert nll.is_per_image and "no per-image" not in str(nll) and "warning" not in nll.to_dict()


def test_batch_statistics_are_no_likelihood_and_say_so():
    config_ = config.Config(**(SMALL | REAL_NVP | {"batch_norm_adaptive": 0, "n_critic": 0}))
    nll = evaluate_nll(model_of(config_), training.load_data(config_), "test", 50)
    assert not nll.is_per_image and "not a per-image likelihood" in str(nll) and nll.to_dict()["warnings"]


@pytest.mark.parametrize("changes", [REAL_NVP, {"hidden_layers": 4}], ids=["real_nvp", "nice"])
def test_colour(tmp_path, changes):
    """A hybrid on colour images, with the critic and the flips that belong to them."""
    images = np.random.default_rng(0).integers(0, 256, (200, 8, 8, 3)).astype(np.uint8)
    np.save(tmp_path / "set.npy", images)
    changes = changes | {"dataset": str(tmp_path / "set.npy"), "horizontal_flip": True, "batch_size": 20}
    outcome = training.train(settings(tmp_path / "run", max_steps=2, eval_every=2, **changes))
    assert outcome.model.draws.horizontal_flip
    assert any(type(layer).__name__ == "LayerNorm" for layer in outcome.model.critic.stack)
    assert np.isfinite(outcome.best_nll)
    grid = np.asarray(PIL.Image.open(tmp_path / "run" / "samples" / "step-0000002.png"))
    assert grid.ndim == 3 and grid.std() > 10


@pytest.mark.parametrize("changes", [REAL_NVP, {}], ids=["real_nvp", "nice"])
def test_the_layer_at_fault_is_named(tmp_path, changes):
    folder = tmp_path / "run"
    diverging = settings(folder, n_critic=0, learning_rate=1e25, eval_every=9, log_every=9, **changes)
    with pytest.raises(
        flow_gan.UserError, match=r"step (\d+): the (result|gradient) of layer \w+_\d is not finite"
    ) as error:
        training.train(diverging)
    assert re.search(
        r"in the likelihood \|z\| is \S+ at most, the layer's input \S+, its result \S+\)", str(error.value)
    )
    assert f"--run_dir={folder} --checkpoint=latest" in str(error.value) and str(folder) not in error.value.known
    # It stops in the step itself, not when the logs are next looked at; the steps before it are recorded.
    step = int(re.search(r"step (\d+)", str(error.value))[1])
    assert [line["step"] for line in lines_of(folder)] == list(range(1, step))


@pytest.mark.parametrize("objective", [{"n_critic": 2, "critic_batches": "fresh"}, {"data_on_device": True}])
def test_the_magnitudes_of_a_step_are_those_that_it_had(tmp_path, monkeypatch, new_models, objective):
    """At step 3 couplings 2 and 4 add 3e38 each: |z| and the layer's input are those that the step's own passes saw."""
    seen = {"latent": [], "likelihood": []}

    def spoil(self, batch, logs=None):
        if batch == 1:
            for network in self.model.generator.networks[1::2]:
                network.dense[-1].bias.assign(np.full(32, 3e38, np.float32))

    def latent(self, run=0):
        z = original_latent(self, run)
        tf.py_function(lambda z: seen["latent"].append(float(np.abs(z).max())), [z], [])
        return z

    original_latent, on_train_batch_end = StepDraws.latent, ChiefCallback.on_train_batch_end
    monkeypatch.setattr(StepDraws, "latent", latent)
    monkeypatch.setattr(
        ChiefCallback,
        "on_train_batch_end",
        lambda self, *a, **k: (on_train_batch_end(self, *a, **k), spoil(self, *a, **k)),
    )
    config_ = settings(tmp_path / "run", eval_every=100, log_every=100, batch_norm=False, **objective)
    with pytest.raises(flow_gan.UserError, match=r"step 3: .* of layer \w+ is not finite \(in sampling") as error:
        training.train(config_)
    said = str(error.value)
    z = float(re.search(r"in sampling \|z\| is (\S+) at most", said)[1])
    # The last are drawn for the message, of each critic run and the generator; the first pass is at fault.
    again = seen["latent"][-3:] if "critic_batches" in objective else seen["latent"][-1:]
    assert z == pytest.approx(again[0], rel=1e-2) and again[0] in seen["latent"][: -len(again)]
    inputs, results = re.findall(r"the layer's input (\S+), its result ([^;)]+)", said)[0]
    assert max(float(inputs), float(results)) > 1e29 and "; in the likelihood |z| is" in said


@pytest.mark.parametrize(
    "weight_of, what",
    [
        (lambda network: network.dense[-1].bias, "result of layer coupling_2"),
        # A ReLU may turn the NaN that comes of it into 0, and the NLL is finite.
        (lambda network: network.moving_variance, "(result of layer coupling_2|weight .*coupling_2/moving_variance)"),
    ],
)
def test_what_is_at_fault_in_a_validation(tmp_path, monkeypatch, new_models, weight_of, what):
    def spoil(self, data):
        variable = weight_of(self.generator.networks[1])
        variable.assign(np.full(variable.shape, np.nan))
        return test_step(self, data)

    test_step = flow_gan.FlowGAN.test_step
    monkeypatch.setattr(flow_gan.FlowGAN, "test_step", spoil)
    with pytest.raises(flow_gan.UserError, match=f"step 1: the {what} is not finite") as error:
        training.train(settings(tmp_path / "run", n_critic=0, max_steps=1))
    if "result" in str(error.value):
        assert re.search(r"on a validation image \(the layer's input is [\d.]+ at most\)", str(error.value))


@pytest.mark.parametrize("critic_batches", ["shared", "fresh"])
def test_data_on_the_device_trains_the_same(tmp_path, critic_batches):
    losses = {}
    for on_device in (False, True):
        folder = tmp_path / str(on_device)
        changes = {"critic_batches": critic_batches, "n_critic": 2, "max_steps": 3}
        training.train(settings(folder, data_on_device=on_device, **changes))
        losses[on_device] = lines_of(folder)
    assert losses[True] == losses[False]


def test_a_compiled_step_trains_as_another(tmp_path):
    """XLA draws the same numbers and computes the same but for rounding."""
    losses = {}
    for compiled in (False, True):
        folder = tmp_path / str(compiled)
        outcome = training.train(settings(folder, jit_compile=compiled, max_steps=3))
        assert outcome.model.jit_compile == compiled
        losses[compiled] = lines_of(folder)
    for actual, expected in zip(losses[True], losses[False], strict=True):
        for name in ("nll", "critic_loss", "gradient_penalty"):
            np.testing.assert_allclose(actual[name], expected[name], rtol=1e-4, err_msg=name)


def test_flips_are_cifar10_s():
    for name, given, expected in (
        *(("cifar10", None, True), ("cifar", None, True), ("svhn_cropped", None, False)),
        *(("cifar10", False, False), ("digits", True, True)),
    ):
        config_ = config.Config(dataset=name, horizontal_flip=given)
        assert training.resolve(config_, (8, 8, 3)).horizontal_flip == expected


def test_metrics_file_is_cut(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\n{"step": 2}\n{"step": 3}\n{"st')
    file = MetricsFile(path, last_step=2)
    file.write([{"step": 3, "nll": 1.5}])
    file.close()
    assert path.read_text() == '{"step": 1}\n{"step": 2}\n{"step": 3, "nll": 1.5}\n'
