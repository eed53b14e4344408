"""Reproducing the paper: what is planned, what is redone and what is not, and what the report says."""

import collections
import dataclasses
import importlib
import json
import os
import pathlib
import re
import shutil
import signal

import filelock
import pytest

from flow_gan import config as config_module
from flow_gan import data, training
from flow_gan.config import mode
from flow_gan.errors import NotFiniteError, UserError
from flow_gan.main import main
from flow_gan.measurement import result_path
from flow_gan.reproduction import settings as settings_module
from flow_gan.reproduction.journal import Journal
from flow_gan.reproduction.plan import ABLATIONS, make_plan
from flow_gan.reproduction.reproduce import reproduce
from flow_gan.reproduction.settings import (
    IMAGE_WISE_LAMBDA,
    PAPER_LAMBDA,
    ROLES,
    SCALES,
    flow_settings,
    implicit_settings,
)
from flow_gan.training.files import write_json
from tests.helpers.classifier import judge
from tests.helpers.command_line import assert_refused
from tests.helpers.made_up_reproduction import ABSURD
from tests.helpers.reports import check_report

# The package has the function of the same name.
MODULE = importlib.import_module("flow_gan.reproduction.reproduce")


# To see that everything works, on data whose validation takes as long as dozens of steps.
COARSE = (("mnist", "tiny"), ("cifar10", "tiny"))


TRAINING_KEYS = json.loads((pathlib.Path(__file__).parent / "training_keys.json").read_text(encoding="utf-8"))


def configured(**settings):
    return config_module.Config(**({"mode": "reproduce"} | settings))


def test_every_scale_is_there():
    assert {dataset: tuple(scales) for dataset, scales in SCALES.items()} == {
        dataset: tuple(s for s in mode.SCALES if (dataset, s) != ("digits", "overnight"))
        for dataset in mode.REPRODUCED_DATASETS
    }


@pytest.mark.parametrize("dataset, scale", [(dataset, scale) for dataset, of in SCALES.items() for scale in of])
def test_plan(dataset, scale):
    plan = make_plan(configured(dataset=dataset, scale=scale), "folder")
    assert len(plan.seeds) == (3 if dataset == "digits" and scale != "tiny" else 1)
    configs = {role: plan.training(role).config for role, _ in plan.roles}
    assert (configs["mle"].objective, configs["adv"].objective) == ("mle", "adv")
    assert PAPER_LAMBDA[dataset] == {"cifar10": 1.0}.get(dataset, 0.1)
    own = SCALES[dataset][scale].hybrid_lambda
    assert configs["hybrid"].like_reg == (PAPER_LAMBDA[dataset] if own is None else IMAGE_WISE_LAMBDA[dataset])
    assert (configs["dcgan_wgan"].f_div, configs["dcgan_ce"].f_div) == ("wgan", "ce")
    # The trade-off: six values of lambda or more, the paper's among them, between two ends trained as long.
    assert len(plan.lambdas) >= 6 and {PAPER_LAMBDA[dataset], configs["hybrid"].like_reg} <= {*plan.lambdas}
    sweep = [configs[role] for role in ("sweep_mle", "sweep_adv", *(f"lambda_{v:g}" for v in plan.lambdas))]
    assert len({config.max_steps for config in sweep}) == 1
    assert [config.like_reg for config in sweep[2:]] == list(plan.lambdas)
    # Each ablation differs from plain ADV in what it names alone.
    plain = configs["adv_plain"]
    for role, change in ABLATIONS.items():
        same = dataclasses.replace(configs[role], run_dir=None, **{n: getattr(plain, n) for n in change})
        assert same == dataclasses.replace(plain, run_dir=None), role
        assert all(getattr(configs[role], name) == value for name, value in change.items())
    # What is the same training is made once, and every measure can be had.
    assert len({training.folder for training in plan.trainings}) == len(plan.trainings)
    metrics = {m.metric for stage in plan.stages for m in stage.measurements}
    assert metrics == {
        *("nll", "nll_reestimated", "scores", "kid", "prdc", "gmm", "ais", "jacobian", "pictures", "memorisation")
    }
    assert len({stage.key for stage in plan.stages}) == len(plan.stages)


@pytest.mark.parametrize("which", TRAINING_KEYS)
def test_a_reproduction_that_is_under_way_finds_its_trainings(which):
    """Their folders' names are those of before: each ends in a digest of the training's settings."""
    dataset, scale = which.split()
    plan = make_plan(configured(dataset=dataset, scale=scale), "folder")
    assert [training_.key for training_ in plan.trainings] == TRAINING_KEYS[which]


def test_warm_starts(tmp_path, stand_ins):
    """The hybrid and the trade-off start from their seed's MLE flow; where the folder lies makes no difference."""
    scale = dataclasses.replace(ABSURD, warm_start=True, steps=ABSURD.steps | {"sweep": 2})
    plan = make_plan(configured(num_seeds=2), tmp_path / "r", scale)
    started = {role for (role, _), training_ in plan.roles.items() if training_.config.init_from_run is not None}
    lambdas = {f"lambda_{value:g}" for value in plan.lambdas}
    assert started == {"hybrid", "sweep_mle", "sweep_adv"} | lambdas
    for seed in (0, 1):
        source = plan.training("mle", seed)
        config = plan.training("hybrid", seed).config
        assert (config.init_from_run, config.checkpoint) == (source.config.run_dir, "best")
        assert plan.trainings.index(source) < plan.trainings.index(plan.training("hybrid", seed))
    elsewhere = make_plan(configured(num_seeds=2), tmp_path / "elsewhere", scale)
    assert [t.key for t in elsewhere.trainings] == [t.key for t in plan.trainings]
    # Another MLE flow makes another hybrid.
    longer = dataclasses.replace(scale, steps=scale.steps | {"mle": 5})
    other = make_plan(configured(num_seeds=2), tmp_path / "r", longer)
    assert other.training("hybrid").key != plan.training("hybrid").key
    assert other.training("adv").key == plan.training("adv").key
    given = {"mode": "reproduce", "run_dir": str(tmp_path / "r")}
    assert reproduce(config_module.Config(**given), given, scale) == "page"
    assert stand_ins.count("train") == len(make_plan(configured(), tmp_path / "r", scale).trainings)


def test_the_paper_s_lambda_under_the_penalty_on_the_whole_gradient():
    for dataset, (width, channels) in {"digits": (8, 1), "mnist": (28, 1), "cifar10": (32, 3)}.items():
        exact = PAPER_LAMBDA[dataset] / (width * channels) ** 0.5
        assert IMAGE_WISE_LAMBDA[dataset] == pytest.approx(exact, rel=0.03)


def test_settings_of_an_objective():
    own = {"adv": {"learning_rate": 0.5}, "hybrid": {"df_dim": 3}}
    plan = make_plan(configured(), "folder", dataclasses.replace(ABSURD, of_objective=own))
    rates = {role: plan.training(role).config.learning_rate for role in ("mle", "adv", "adv_column", "lambda_1")}
    assert rates == {"mle": 1e-3, "adv": 0.5, "adv_column": 0.5, "lambda_1": 1e-3}
    # Those of the trade-off differ by the objective alone: its ends, too, have the hybrid's.
    sweep = [plan.training(role).config for role in ("lambda_1", "sweep_adv", "sweep_mle")]
    assert [config.df_dim for config in sweep] == [3, 3, 3] and sweep[1].learning_rate == 1e-3


@pytest.mark.parametrize(
    "dataset, scale, hours",
    [("mnist", "small", 2.5), ("cifar10", "small", 2.5), ("mnist", "overnight", 5), ("cifar10", "overnight", 10)],
)
def test_hours_of_a_scale(dataset, scale, hours):
    """By what steps and measures took on two cores."""
    plan = make_plan(configured(dataset=dataset, scale=scale), "folder")
    assert 0.5 * hours < sum(stage.seconds for stage in (*plan.trainings, *plan.stages)) / 3600 < hours


def test_tiny_is_tiny():
    plan = make_plan(configured(), "folder")
    assert len(plan.seeds) == 1 and plan.scale.evaluation["ais_images"] == 10
    assert all(training.seconds <= 60 for training in plan.trainings)
    assert sum(stage.seconds for stage in (*plan.trainings, *plan.stages)) < 25 * 60


@pytest.mark.parametrize("dataset, scale", [(d, s) for d, of in SCALES.items() for s in of if (d, s) not in COARSE])
def test_curves_have_points_enough_for_a_trend(dataset, scale):
    """At a rank correlation of 0.5, 20 points are told from chance at the level of 0.05, and 10 are not."""
    plan = make_plan(configured(dataset=dataset, scale=scale), "folder")
    trainings = [plan.training(role).config for role in ("mle", "adv", "hybrid")]
    assert all(training.max_steps / training.eval_every >= 20 for training in trainings)


def test_where_validations_are_dear_there_are_no_more_than_needed():
    plan = make_plan(configured(dataset="cifar10", scale="small"), "folder")
    every = {role: plan.training(role).config.eval_every for role in ("mle", "adv", "hybrid", "lambda_0.01")}
    assert every == {"mle": 300, "adv": 90, "hybrid": 50, "lambda_0.01": 50}


def test_seeds():
    plan = make_plan(configured(num_seeds=2, seed=7), "folder")
    assert plan.seeds == (7, 8) and len(plan.trainings) == 2 * len(make_plan(configured(), "folder").trainings)
    assert {training.config.seed for training in plan.trainings} == {7, 8}


SAME = (
    *("model_type", "prior", "no_of_layers", "n_critic", "like_reg", "f_div", "reg", "df_dim", "batch_size"),
    *("learning_rate", "lr_decay", "beta1", "hidden_layers", "filters", "scales", "critic", "alpha", "dataset"),
)


@pytest.mark.parametrize(
    "preset, own",
    [
        *((f"{d}_nice_{o}", flow_settings(d, o)) for d in ("digits", "mnist") for o in ("mle", "adv")),
        *((f"{d}_nice_hybrid_paper", flow_settings(d, "hybrid")) for d in ("digits", "mnist")),
        *((f"cifar10_real_nvp_{o}", flow_settings("cifar10", o)) for o in ("mle", "adv")),
        ("cifar10_real_nvp_hybrid_paper", flow_settings("cifar10", "hybrid")),
        *((f"{d}_{k}", implicit_settings(d, k)) for d in SCALES for k in ("dcgan_wgan", "dcgan_ce")),
    ],
)
def test_settings_are_the_presets(preset, own):
    preset, own = config_module.Config(**config_module.preset(preset)), config_module.Config(**own)
    assert {name: getattr(own, name) for name in SAME} == {name: getattr(preset, name) for name in SAME}


def test_the_paper_s_number_of_steps():
    """Epochs of the original commands and of our DCGANs, by the training images that do not validate."""
    of_mnist = dict.fromkeys(ROLES, 500 * (50_000 // 100)) | dict.fromkeys(("dcgan_wgan", "dcgan_ce"), 50 * 500)
    assert SCALES["mnist"]["full"].steps == of_mnist
    an_epoch = 45_000 // 64
    of_cifar10 = dict.fromkeys(ROLES, 300 * an_epoch) | {"hybrid": 500 * an_epoch}
    assert SCALES["cifar10"]["full"].steps == of_cifar10 | dict.fromkeys(("dcgan_wgan", "dcgan_ce"), 100 * an_epoch)


def test_the_full_number_of_steps_is_the_presets(monkeypatch):
    longer = settings_module._flow_preset("mnist", "mle") | {"epoch": 3}
    flow_preset = settings_module._flow_preset
    monkeypatch.setattr(settings_module, "_flow_preset", lambda d, o: longer if o == "mle" else flow_preset(d, o))
    assert settings_module._steps_of_presets("mnist") == SCALES["mnist"]["full"].steps | {"mle": 1500}


@dataclasses.dataclass
class StandIns:
    """What a reproduction calls, in place of training and measuring; each leaves files behind as the real one does."""

    done: list = dataclasses.field(default_factory=list)
    fail: dict = dataclasses.field(default_factory=dict)
    fail_late: tuple = ()

    def train(self, config, make_scorer):
        folder = pathlib.Path(config.run_dir)
        role = folder.name.split("-")[0]
        self.done.append(("resume" if config.resume else "train", role))
        if role in self.fail and role not in self.fail_late:
            if isinstance(self.fail[role], NotFiniteError):
                folder.mkdir(parents=True, exist_ok=True)
            raise self.fail[role]
        folder.mkdir(parents=True, exist_ok=True)
        resolved = dataclasses.replace(config, resume=False, input_height=8, input_width=8, c_dim=1)
        (folder / "config.json").write_text(resolved.to_json())
        (folder / "metrics.jsonl").write_text('{"step": 1}\n')
        for which in ("latest", "best_score", *(["best"] if config.has_likelihood else [])):
            checkpoints = folder / "checkpoints" / which
            checkpoints.mkdir(parents=True, exist_ok=True)
            (checkpoints / f"ckpt-{config.max_steps - (role in self.fail)}.index").touch()
        if role in self.fail:
            raise self.fail[role]

    def measure(self, run, name):
        self.done.append((name, run.folder.path.name.split("-")[0], run.config.checkpoint))
        if name in self.fail:
            raise self.fail[name]
        step = training.saved_step(run.folder.checkpoints, run.config.checkpoint)
        result = {"step": step, "data_digest": run.dataset.digest, "config": dataclasses.asdict(run.config)}
        write_json(result_path(run.folder, run.config, name), result)
        return name

    def count(self, what):
        return sum(entry[0] == what for entry in self.done)


@pytest.fixture
def stand_ins(monkeypatch):
    found = StandIns()
    monkeypatch.setattr("flow_gan.training.train", found.train)
    monkeypatch.setattr("flow_gan.training.load_model", lambda config, levels: (None, folder_of(config)))
    monkeypatch.setattr(MODULE, "measure", found.measure)
    # Which takes half a second where TensorFlow is loaded, and there is nothing to free.
    monkeypatch.setattr(MODULE, "_free_memory", lambda: None)
    monkeypatch.setattr("flow_gan.reproduction.report.write", lambda *_: found.done.append(("report",)) or "page")
    return found


def folder_of(config):
    return training.run_folder.RunFolder(config.run_dir, config)


def run(folder, **settings):
    given = {"mode": "reproduce", "run_dir": str(folder)} | settings
    return reproduce(config_module.Config(**given), given, None if "scale" in settings else ABSURD)


def test_nothing_finished_is_redone(tmp_path, stand_ins, capsys):
    assert run(tmp_path / "r") == "page"
    plan = make_plan(configured(), tmp_path / "r", ABSURD)
    assert stand_ins.count("train") == len(plan.trainings)
    planned = [measurement.metric for stage in plan.stages for measurement in stage.measurements]
    assert {metric: stand_ins.count(metric) for metric in planned} == collections.Counter(planned)
    printed = capsys.readouterr().out
    stages = len(plan.trainings) + len(plan.stages) + 1  # The report.
    assert f"{stages} stages" in printed and f"stage 1 of {stages}: MLE, seed 0, about " in printed
    assert " left" in printed
    journal = json.loads((tmp_path / "r" / "reproduction.json").read_text())
    assert journal["stages"].keys() == {"report", *(stage.key for stage in (*plan.trainings, *plan.stages))}
    assert all(stage["done"] for stage in journal["stages"].values())
    stand_ins.done.clear()
    run(tmp_path / "r")
    assert stand_ins.done == [("report",)]
    # A measure that is gone is made again, alone; weights that are gone are trained, and measured, again.
    (gone,) = (tmp_path / "r").glob("trainings/mle-*/evaluation/jacobian-*.json")
    gone.unlink()
    stand_ins.done.clear()
    run(tmp_path / "r")
    assert stand_ins.done == [("jacobian", "mle", "best_score"), ("report",)]


def test_a_killed_reproduction_goes_on(tmp_path, stand_ins):
    stand_ins.fail["hybrid"] = OSError("killed")
    with pytest.raises(OSError, match="killed"):
        run(tmp_path / "r")
    assert stand_ins.done == [("train", "mle"), ("train", "adv"), ("train", "hybrid")]
    # Killed while it made its folder, and then in the middle of training.
    begun = tmp_path / "r" / "trainings" / next(iter(made(tmp_path / "r", "hybrid")))
    begun.mkdir()
    (begun / "config.json.tmp").touch()
    stand_ins.fail = {"dcgan_wgan": OSError("killed")}
    stand_ins.done.clear()
    with pytest.raises(OSError, match="killed"):
        run(tmp_path / "r")
    assert stand_ins.done == [("train", "hybrid"), ("train", "dcgan_wgan")]
    unfinished = tmp_path / "r" / "trainings" / next(iter(made(tmp_path / "r", "dcgan_wgan")))
    unfinished.mkdir()
    (unfinished / "config.json").write_text("{}")
    stand_ins.fail = {}
    stand_ins.done.clear()
    run(tmp_path / "r")
    assert stand_ins.done[0] == ("resume", "dcgan_wgan") and stand_ins.count("resume") == 1
    later = [role for role in stand_ins.done if role[0] == "train"]
    assert not {("train", role) for role in ("mle", "adv", "hybrid", "dcgan_wgan")} & {*later}
    assert len(later) == len(make_plan(configured(), tmp_path / "r", ABSURD).trainings) - 4
    journal = json.loads((tmp_path / "r" / "reproduction.json").read_text())
    assert all(stage["done"] for stage in journal["stages"].values())


def made(folder, role):
    return [t.key for t in make_plan(configured(), folder, ABSURD).trainings if t.role == role]


def test_changed_settings_redo_what_depends_on_them(tmp_path, stand_ins):
    run(tmp_path / "r")

    def again(scale, **settings):
        stand_ins.done.clear()
        given = {"mode": "reproduce", "run_dir": str(tmp_path / "r")} | settings
        reproduce(config_module.Config(**given), given, scale)
        return [entry for entry in stand_ins.done if entry != ("report",)]

    fewer = dataclasses.replace(ABSURD, evaluation=ABSURD.evaluation | {"ais_temperatures": 2})
    assert again(fewer) == [("ais", role, "best_score") for role in ("mle", "adv", "hybrid")]
    assert again(ABSURD) == [("ais", role, "best_score") for role in ("mle", "adv", "hybrid")]
    longer = again(dataclasses.replace(ABSURD, steps=ABSURD.steps | {"dcgan_ce": 4}))
    assert longer == [
        ("train", "dcgan_ce"),
        *((metric, "dcgan_ce", "best_score") for metric in ("kid", "prdc", "scores", "jacobian", "pictures")),
    ]
    # A second seed is trained and scored; what is of the first seed alone is not made again.
    added = again(ABSURD, num_seeds=2)
    assert sum(entry[0] == "train" for entry in added) == 13
    assert {entry[0] for entry in added} == {"train", "nll", "kid", "prdc", "scores", "nll_reestimated"}
    assert again(ABSURD) == []


def test_results_and_trainings_of_other_data_do_not_count(tmp_path, stand_ins):
    """Such a training is gone on with, which it refuses to do."""
    run(tmp_path / "r")
    (path,) = (tmp_path / "r").glob("trainings/mle-*/evaluation/jacobian-*.json")
    result = json.loads(path.read_text())
    for digest, redone in ((data.load("digits").digest, []), ("0", [("jacobian", "mle", "best_score")])):
        write_json(path, result | {"data_digest": digest})
        stand_ins.done.clear()
        run(tmp_path / "r")
        assert stand_ins.done == [*redone, ("report",)]
    for digest, redone in ((data.load("digits").digest, []), ("0", [("resume", "adv")])):
        (folder,) = (tmp_path / "r").glob("trainings/adv-*")
        write_json(folder / "data.json", {"digest": digest, "path": None})
        stand_ins.done.clear()
        stand_ins.fail = {"adv": UserError("other data")}
        if redone:
            with pytest.raises(UserError, match="other data"):
                run(tmp_path / "r")
        else:
            run(tmp_path / "r")
        assert stand_ins.done == (redone or [("report",)])


def test_what_is_not_finite_is_recorded_and_not_tried_again(tmp_path, stand_ins):
    # Where its checkpoint lies on this machine is said to its owner, not kept for those who read the report.
    lost = NotFiniteError(f"step 2: nll is nan; the last good checkpoint is {tmp_path}/c", "step 2: nll is nan")
    stand_ins.fail = {"adv_no_norm": lost, "gmm": NotFiniteError("no samples")}
    assert run(tmp_path / "r") == "page"
    assert not any(entry[1:2] == ("adv_no_norm",) and entry[0] != "train" for entry in stand_ins.done)
    stand_ins.done.clear()
    run(tmp_path / "r")
    assert stand_ins.done == [("report",)]
    # A measure that failed is tried again with other settings, a training once its folder is gone.
    fewer = dataclasses.replace(ABSURD, of_metric={"gmm": {"num_examples": 10}})
    given = {"mode": "reproduce", "run_dir": str(tmp_path / "r")}
    reproduce(config_module.Config(**given), given, fewer)
    assert stand_ins.done == [("report",), ("gmm", "adv", "best_score"), ("report",)]
    (gone,) = (tmp_path / "r" / "trainings").glob("adv_no_norm-*")
    shutil.rmtree(gone)
    stand_ins.done.clear()
    run(tmp_path / "r")
    assert stand_ins.done == [("train", "adv_no_norm"), ("report",)]
    failed = json.loads((tmp_path / "r" / "reproduction.json").read_text())["failed"]
    assert sorted(failed.values()) == ["no samples", "no samples", "step 2: nll is nan"]


def test_the_last_good_weights_of_a_failed_training_are_measured(tmp_path, stand_ins):
    stand_ins.fail, stand_ins.fail_late = {"adv_no_norm": NotFiniteError("step 3: nll is nan")}, ("adv_no_norm",)
    run(tmp_path / "r")
    measured = [entry for entry in stand_ins.done if entry[1:2] == ("adv_no_norm",)]
    metrics = "kid", "nll", "prdc", "scores"
    assert measured == [("train", "adv_no_norm"), *((name, "adv_no_norm", "latest") for name in metrics)]
    stand_ins.done.clear()
    run(tmp_path / "r")
    assert stand_ins.done == [("report",)]


def test_without_an_mle_flow_the_others_go_on(tmp_path, stand_ins):
    """What starts from it fails with it, again and again until the folder of the MLE training is gone."""
    warm = dataclasses.replace(ABSURD, warm_start=True)
    stand_ins.fail = {"mle": NotFiniteError("step 2: nll is nan")}
    given = {"mode": "reproduce", "run_dir": str(tmp_path / "r")}
    for _ in range(2):
        assert reproduce(config_module.Config(**given), given, warm) == "page"
    trained = [role for what, role, *_ in (entry for entry in stand_ins.done if entry[0] == "train")]
    assert trained == ["mle", "adv", "dcgan_wgan", "dcgan_ce", "adv_column", "adv_released", "adv_no_norm"]
    failed = json.loads((tmp_path / "r" / "reproduction.json").read_text())["failed"]
    (why,) = {why for key, why in failed.items() if key.startswith("hybrid-")}
    assert re.fullmatch(r"mle-seed0-\w+, from which it starts, failed before it had weights to start from", why)


def test_without_its_journal_the_trainings_are_found_again(tmp_path, stand_ins):
    run(tmp_path / "r")
    (tmp_path / "r" / "reproduction.json").unlink()
    stand_ins.done.clear()
    run(tmp_path / "r")
    assert stand_ins.count("resume") == len(make_plan(configured(), tmp_path / "r", ABSURD).trainings)
    assert {entry[0] for entry in stand_ins.done} == {"resume", "report"}


def test_time_left(tmp_path, stand_ins, capsys):
    """A stage that was begun is shorter by what was spent on it; the pace is that of what is done."""
    plan = make_plan(configured(), tmp_path / "r", ABSURD)
    journal = Journal(tmp_path / "r")
    first, second, third = plan.trainings[:3]
    journal.record(first.key, "first", 2 * first.seconds, done=True)
    journal.record(second.key, "second", 1.5 * second.seconds, done=False)
    reproduction = MODULE._Reproduction(plan, journal, None)
    left = reproduction._remaining([(2, second), (3, third)])
    assert left == f"about {0.5 * second.seconds + 2 * third.seconds:.0f} s left"


def test_signals_stop_it_and_it_says_how_to_go_on(tmp_path, stand_ins, capsys):
    folder = tmp_path / "r"
    given = {"mode": "reproduce", "run_dir": str(folder), "scale": "small"}
    stand_ins.fail["adv"] = training.Stopped(signal.SIGTERM, 5, "x")
    with pytest.raises(training.Stopped, match="SIGTERM: stopped") as stopped:
        reproduce(config_module.Config(**given), given)
    assert f"python -m flow_gan.main --mode=reproduce --scale=small --run_dir={folder}" in str(stopped.value)
    stand_ins.fail.clear()

    def interrupted(run_, name):
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MODULE, "measure", interrupted)
        assert main(["--mode=reproduce", "--num_seeds=1", f"--run_dir={folder}"]) == 130
    said = capsys.readouterr().err
    assert "SIGINT: stopped; to continue, run" in said and "--num_seeds=1" in said
    # The lock is free again.
    run(folder)


def test_one_process_at_a_time(tmp_path, stand_ins):
    (tmp_path / "r").mkdir()
    with filelock.FileLock(tmp_path / "r" / ".lock"), pytest.raises(UserError, match="is in use: another process"):
        run(tmp_path / "r")
    assert stand_ins.done == []


def test_bad_input(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = ["--mode=reproduce", f"--run_dir={tmp_path / 'r'}"]
    for flags, message in (
        (
            ["--dataset=svhn_cropped"],
            "--dataset=svhn_cropped with --mode=reproduce; expected one of: digits, mnist, cifar",
        ),
        (["--scale=huge"], "--scale='huge' is unknown; expected one of: tiny, small, overnight, full"),
        (["--num_seeds=0"], "--num_seeds=0; expected 1 or more"),
        (["--seed=2147483647", "--num_seeds=2"], "--seed=2147483647 with 2 seeds comes to 2147483648"),
        (
            ["--max_steps=5"],
            "--max_steps=5 has no effect in --mode=reproduce; leave it out. --scale sets everything except --run_dir",
        ),
        (["--resume"], "--resume goes with --mode=train, not with --mode=reproduce"),
        (["--dataset=mnist", f"--data_dir={tmp_path / 'none'}"], "mnist"),
    ):
        assert_refused([*folder, *flags], message, capsys)
    assert_refused(["--scale=small"], "--scale=small goes with --mode=reproduce, not with --mode=train", capsys)
    assert_refused(["--num_seeds=2"], "--num_seeds=2 goes with --mode=reproduce", capsys)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("mine")
    assert_refused(["--mode=reproduce", "--run_dir=file"], "--run_dir=file is not a folder", capsys)
    assert_refused(
        ["--mode=reproduce", "--run_dir=."], "exists already and is not a reproduction; it is left as it is", capsys
    )
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    (tmp_path / "r").mkdir()
    for damaged in ("{", "[]", '{"stages": {"a": 3}, "failed": {}}', '{"stages": {}}'):
        (tmp_path / "r" / "reproduction.json").write_text(damaged)
        assert_refused(folder, "reproduction.json is not the file that a reproduction writes", capsys)


def tiny_report(tmp_path, monkeypatch, scale, **settings):
    monkeypatch.setattr("flow_gan.evaluation.load_classifier", judge)
    given = {"mode": "reproduce", "run_dir": str(tmp_path / "r")} | settings
    return reproduce(config_module.Config(**given), given, scale)


@pytest.mark.slow
def test_end_to_end(tmp_path, monkeypatch):
    """Every stage in earnest, with models and trainings too small to learn; about 3 minutes."""
    path = tiny_report(tmp_path, monkeypatch, ABSURD)
    reader, stored, verdicts = check_report(path)
    assert not [verdict for verdict in verdicts.values() if verdict["status"] == "cannot be told"]
    shown = [attributes for tag, attributes in reader.elements if tag == "img"]
    stems = ("figure-1", "figure-2", "figure-3-and-6", "figure-4-and-8", "figure-5", "figure-7", "trade-off")
    assert len(shown) == len(stems)
    for stem in stems:
        assert (path.parent / f"{stem}.png").exists() and (path.parent / f"{stem}.svg").exists()
    row = stored["tables"]["table-1"]["rows"][0]
    (result,) = (tmp_path / "r").glob("trainings/mle-*/evaluation/nll-test-best.json")
    assert row["Test NLL (nats)"]["value"] == json.loads(result.read_text())["nats"]
