import dataclasses
import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest

import flow_gan
from flow_gan import config, objectives
from flow_gan.config import generator, objective
from flow_gan.generators import priors
from flow_gan.networks import critics, initializers
from tests.helpers.command_line import assert_refused

RELEASED_FLAGS = """
    epoch learning_rate beta1 batch_size input_height input_width c_dim dataset checkpoint_dir log_dir sample_dir f_div
    prior alpha lr_decay min_lr reg model_type init_type n_critic batch_norm_adaptive no_of_layers hidden_layers gpu_nr
    like_reg df_dim
"""


def test_every_flag_of_the_release_is_accepted():
    names = {field.name for field in dataclasses.fields(config.Config)}
    assert set(RELEASED_FLAGS.split()) <= names


def test_flags_give_settings_of_their_type():
    given, wants_help = config.parse(
        ["--batch_size=50", "--like_reg", "0.1", "--resume", "--dataset=mnist", "--max_steps=7"]
    )
    assert given == {"batch_size": 50, "like_reg": 0.1, "resume": True, "dataset": "mnist", "max_steps": 7}
    assert not wants_help
    assert config.parse([]) == ({}, False)
    assert config.parse(["--help"])[1] and config.parse(["-h"])[1]


def test_flagfile_and_later_flags(tmp_path):
    preset = tmp_path / "a.flags"
    preset.write_text("# a comment\n--batch_size=50\n--f_div=ce\n")
    given, _ = config.parse([f"--flagfile={preset}", "--batch_size=10"])
    assert given == {"batch_size": 10, "f_div": "ce"}


def test_presets(tmp_path):
    given = config.preset("digits_nice_mle")
    assert (given["dataset"], given["n_critic"], given["learning_rate"]) == ("digits", 0, 1e-3)
    for words in (["--preset=digits_nice_mle"], ["--preset", "digits_nice_mle"], ["-preset=digits_nice_mle"]):
        assert config.parse([*words, "--epoch=2"])[0] == given | {"epoch": 2}
    own = tmp_path / "own.flags"
    own.write_text("--preset=digits_nice_mle\n--seed=3\n", encoding="utf-8")
    assert config.parse([f"--flagfile={own}"])[0] == given | {"seed": 3}


def test_flagfiles_of_other_programs(tmp_path):
    """With a byte-order mark, Windows' line ends, in another file, after a space; not in itself, nor in UTF-16."""
    one, two = tmp_path / "one.flags", tmp_path / "two.flags"
    one.write_bytes(f"\ufeff--batch_size=50\r\n\r\n// words\r\n--flagfile={two}\r\n".encode())
    two.write_text("--runs_dir=\xe9\n", encoding="utf-8")
    assert config.parse(["--flagfile", str(one)])[0] == {"batch_size": 50, "runs_dir": "\xe9"}
    two.write_text(f"--flagfile={one}\n", encoding="utf-8")
    with pytest.raises(flow_gan.UserError, match=r"--flagfile=.*one\.flags includes itself"):
        config.parse([f"--flagfile={one}"])
    two.write_text("--batch_size=50\n", encoding="utf-16")
    with pytest.raises(flow_gan.UserError, match=r"--flagfile=.*two\.flags cannot be read as UTF-8 text"):
        config.parse([f"--flagfile={two}"])


@pytest.mark.parametrize(
    "argv, message",
    [
        (["--batchsize=5"], "batchsize"),
        (["--batch_size=many"], "--batch_size=many"),
        (["--flagfile=/nowhere.flags"], "/nowhere.flags"),
        (
            ["--flagfile=nowhere/mnist_nice_mle.flags"],
            "mnist_nice_mle.flags cannot be read .*; --preset=mnist_nice_mle is the preset of that name",
        ),
        (["--preset=mnist"], "--preset='mnist' is unknown; expected one of: cifar10_dcgan_ce, "),
        (["--preset"], "--preset='' is unknown"),
        (["train"], "argument 'train' is not a flag"),
        (["--epoch"], "epoch"),
    ],
)
def test_bad_command_lines(argv, message):
    with pytest.raises(flow_gan.UserError, match=message) as error:
        config.parse(argv)
    assert "\n" not in str(error.value)


# What is refused, and what the message says.
BAD_SETTINGS = [
    ({"f_div": "js"}, r"--f_div='js' is unknown; expected one of: wgan, ce, lsgan, kl, rkl, tv, hellinger"),
    ({"prior": "cauchy"}, r"--prior='cauchy' is unknown; expected one of: logistic, gaussian, uniform"),
    ({"model_type": "flow++"}, r"--model_type='flow\+\+' is unknown; expected one of: nice, real_nvp, glow, dcgan"),
    ({"filters": 0}, r"--filters=0; expected more than 0"),
    ({"scales": 0}, r"--scales=0; expected 1 or more"),
    ({"validation_split": "first"}, r"--validation_split='first' is unknown; expected one of: released, random"),
    (
        {"mode": "test"},
        r"--mode='test' is unknown; expected one of: train, evaluate, compare, reproduce, sample, score, interpolate",
    ),
    ({"critic": "big"}, r"--critic='big' is unknown; expected one of: auto, mnist, dcgan"),
    ({"strategy": "multi_worker", "data_on_device": True}, r"--data_on_device with --strategy=multi_worker"),
    ({"strategy": "tpu"}, r"--strategy='tpu' is unknown; expected one of: auto, one_device, mirrored"),
    ({"batch_size": 0}, r"--batch_size=0; expected more than 0"),
    ({"batch_size": -5}, r"--batch_size=-5; expected more than 0"),
    ({"epoch": 0}, r"--epoch=0; expected more than 0"),
    ({"epoch": -1}, r"--epoch=-1; expected more than 0"),
    ({"max_steps": 0}, r"--max_steps=0; expected 1 or more"),
    ({"n_critic": -1}, r"--n_critic=-1; expected 0 or more"),
    ({"like_reg": -0.5}, r"--like_reg=-0\.5; expected 0 or more"),
    ({"alpha": 0.0}, r"--alpha=0\.0; expected more than 0 and less than 0\.5"),
    ({"alpha": 0.5}, r"--alpha=0\.5; expected more than 0 and less than 0\.5"),
    ({"alpha": float("nan")}, r"--alpha=nan; expected"),
    ({"learning_rate": 0.0}, r"--learning_rate=0\.0; expected more than 0"),
    ({"learning_rate": float("nan")}, r"--learning_rate=nan; expected more than 0"),
    ({"learning_rate": float("inf")}, r"--learning_rate=inf; expected more than 0"),
    ({"beta1": 1.0}, r"--beta1=1\.0; expected 0 or more and less than 1"),
    ({"lr_decay": 1.5}, r"--lr_decay=1\.5; expected more than 0 and at most 1"),
    ({"beta2": -0.1}, r"--beta2=-0\.1; expected 0 or more and less than 1"),
    ({"ema_decay": 1.0}, r"--ema_decay=1\.0; expected 0 or more and less than 1"),
    ({"critic_learning_rate": 0.0}, r"--critic_learning_rate=0\.0; expected more than 0"),
    ({"log_scale_rate": 0.0}, r"--log_scale_rate=0\.0; expected more than 0"),
    (
        {"model_type": "dcgan", "like_reg": 0.0, "log_scale_rate": 2.0},
        r"--log_scale_rate=2\.0 is for --model_type=nice",
    ),
    ({"clip_norm": float("inf")}, r"--clip_norm=inf; expected more than 0"),
    ({"warmup_steps": -1}, r"--warmup_steps=-1; expected 0 or more"),
    ({"lr_schedule": "linear"}, r"--lr_schedule='linear' is unknown; expected one of: exponential, cosine"),
    ({"lr_schedule": "cosine"}, r"--lr_schedule=cosine needs --max_steps"),
    ({"init_from_run": "a", "init_from_original": "b"}, r"--init_from_run=a and --init_from_original=b; expected one"),
    ({"hidden_layers": 0}, r"--hidden_layers=0; expected more than 0"),
    ({"no_of_layers": -1}, r"--no_of_layers=-1; expected 0 or more"),
    ({"min_lr": float("inf")}, r"--min_lr=inf; expected 0 or more"),
    ({"min_lr": 0.1}, r"--min_lr=0\.1; expected at most --learning_rate=0\.001"),
    ({"seed": 2**31}, r"--seed=2147483648; expected less than 2\^31"),
    ({"prior": "uniform"}, r"--prior=uniform has density 0 outside"),
    ({"levels": 1}, r"--levels=1; expected 2 or more"),
    ({"levels": 300}, r"--levels=300; expected 2 or more and at most 256"),
    ({"model_type": "real_nvp", "batch_norm_adaptive": 2}, r"--batch_norm_adaptive=2; expected 0 or 1"),
    ({"model_type": "real_nvp", "batch_norm": False, "batch_norm_adaptive": 0}, r"=0 chooses a kind of batch norm"),
    ({"model_type": "dcgan", "like_reg": 0.0, "batch_norm": False}, r"--batch_norm=False is for --model_type=nice or"),
    ({"mode": "reproduce", "dataset": "x.npy"}, r"--dataset=x\.npy with --mode=reproduce; expected one of: digits"),
    ({"mode": "reproduce", "strategy": "multi_worker"}, r"--strategy=multi_worker with --mode=reproduce"),
    ({"mode": "reproduce", "scale": "overnight"}, r"--scale=overnight with --dataset=digits"),
    ({"num_seeds": 2}, r"--num_seeds=2 goes with --mode=reproduce, not with --mode=train"),
    ({"batch_norm_adaptive": 0}, r"--batch_norm_adaptive=0 is for --model_type=real_nvp, not nice"),
    ({"filters": 3}, r"--filters=3 is for --model_type=real_nvp or glow or dcgan, not nice"),
    ({"depth_per_scale": 3}, r"--depth_per_scale=3 is for --model_type=glow, not nice"),
    ({"model_type": "glow", "depth_per_scale": 0}, r"--depth_per_scale=0; expected 1 or more"),
    ({"model_type": "glow", "batch_norm": False}, r"--batch_norm=False is for --model_type=nice or real_nvp, not glow"),
    ({"model_type": "glow", "init_from_original": "x"}, r"--init_from_original=x is for .*, not glow"),
    ({"model_type": "dcgan", "like_reg": 0.0, "learned_prior": True}, r"--learned_prior=True is for"),
    ({"model_type": "dcgan"}, r"--model_type=dcgan has no likelihood; expected --like_reg=0 .*not --like_reg=1\.0"),
    ({"model_type": "dcgan", "n_critic": 0}, r"--model_type=dcgan has no likelihood; .* and --n_critic=0"),
    (
        {"model_type": "dcgan", "like_reg": 0.0, "no_of_layers": 2},
        r"--no_of_layers=2 is for --model_type=nice or real_nvp or glow, not dcgan",
    ),
    ({"model_type": "dcgan", "like_reg": 0.0, "alpha": 0.1}, r"--alpha=0\.1 is for"),
    ({"scales": 3}, r"--scales=3 is for --model_type=real_nvp or glow, not nice"),
    (
        {"model_type": "real_nvp", "hidden_layers": 9},
        r"--hidden_layers=9 is for --model_type=nice, not real_nvp; leave",
    ),
    ({"n_critic": 0, "like_reg": 0.0}, r"--n_critic=0 with --like_reg=0 leaves no objective"),
    ({"resume": True}, r"--resume needs --run_dir"),
    ({"mode": "evaluate"}, r"--mode=evaluate needs --run_dir"),
    ({"mode": "export"}, r"--mode=export needs --run_dir"),
    ({"export_dir": "x"}, r"--export_dir=x goes with --mode=export, not with --mode=train"),
    (
        {"model_type": "dcgan", "like_reg": 0.0, "init_from_original": "x"},
        r"--init_from_original=x is for --model_type=nice or real_nvp, not dcgan",
    ),
    ({"mode": "sample", "resume": True, "run_dir": "x"}, r"--resume goes with --mode=train"),
    ({"mode": "score"}, r"--mode=score needs --run_dir=FOLDER"),
    ({"mode": "interpolate", "run_dir": "x"}, r"--mode=interpolate needs --images=A,B"),
    ({"mode": "inpaint", "run_dir": "x", "images": "a.png"}, r"--mode=inpaint needs --mask=FILE"),
    ({"output": "x"}, r"--output=x goes with --mode=sample or score or interpolate or inpaint, not with --mode=train"),
    ({"mode": "sample", "run_dir": "x", "num_frames": 3}, r"--num_frames=3 goes with --mode=interpolate or inpaint"),
]


@pytest.mark.parametrize("settings, message", BAD_SETTINGS)
def test_bad_settings(settings, message):
    with pytest.raises(flow_gan.UserError, match=message) as error:
        config.Config(**settings)
    assert "\n" not in str(error.value)


def test_bad_settings_on_the_command_line(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for settings, message in BAD_SETTINGS:
        assert_refused([f"--{name}={value}" for name, value in settings.items()], message, capsys)
    assert_refused(["--batch_sise=3"], "batch_sise", capsys)
    assert_refused(["--batch_size=many"], "--batch_size=many", capsys)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("settings, objective", [({"n_critic": 0}, "mle"), ({"like_reg": 0.0}, "adv"), ({}, "hybrid")])
def test_objective(settings, objective):
    assert config.Config(**settings).objective == objective


def test_the_release_s_name_of_cifar10():
    assert config.Config(dataset="cifar") == config.Config(dataset="cifar10")


def test_paths_and_numpy_s_scalars_are_plain_values():
    written = config.Config(
        run_dir=pathlib.Path("runs/a"),
        dataset=pathlib.Path("images.npy"),
        batch_size=np.int64(7),
        seed=np.uint8(3),
        like_reg=np.float64(0.5),
        learning_rate=1,
        batch_norm=np.bool_(False),
    )
    plain = config.Config(
        run_dir="runs/a", dataset="images.npy", batch_size=7, seed=3, like_reg=0.5, learning_rate=1.0, batch_norm=False
    )
    assert written == plain
    types = {field.name: type(getattr(written, field.name)) for field in dataclasses.fields(written)}
    assert types == {field.name: type(getattr(plain, field.name)) for field in dataclasses.fields(plain)}
    assert json.loads(written.to_json())["run_dir"] == "runs/a"


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"batch_size": "many"}, r"--batch_size='many'; expected an integer"),
        ({"batch_size": 50.0}, r"--batch_size=50\.0; expected an integer"),
        ({"batch_size": None}, r"--batch_size=None; expected an integer"),
        ({"learning_rate": "0.1"}, r"--learning_rate='0\.1'; expected a number"),
        ({"resume": "no"}, r"--resume='no'; expected True or False"),
        ({"run_dir": 3}, r"--run_dir=3; expected text or a path"),
        ({"run_dirs": ["a", "b"]}, r"--run_dirs=\['a', 'b'\]; expected text or a path"),
    ],
)
def test_values_of_another_type(settings, message):
    with pytest.raises(flow_gan.UserError, match=message):
        config.Config(**settings)


def test_json_round_trip():
    settings = config.Config(batch_size=7, max_steps=3, like_reg=0.1, dataset="mnist")
    assert config.from_json(settings.to_json(), "config.json") == settings


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"batch_size": 0}', '{"batch_size": "many"}'])
def test_bad_json(text):
    with pytest.raises(flow_gan.UserError, match=r"config\.json is not the configuration of a run"):
        config.from_json(text, "config.json")


def test_help_explains_every_flag():
    text = config.help_text()
    for field in dataclasses.fields(config.Config):
        assert f"--{field.name}" in text and len(config.about(field).text) > 5
    positions = [text.index(f"\n{section.TITLE}:\n") for section in config.SECTIONS]
    assert positions == sorted(positions)
    assert max(map(len, text.splitlines())) <= 120
    assert set(config.PRESETS) <= set(text.replace(",", " ").split())


def test_the_choices_are_those_that_there_are():
    """Names stand in the configuration, which knows none of the modules that give them a meaning."""
    assert tuple(priors.PRIORS) == generator.PRIORS
    assert tuple(initializers.INITIALIZERS) == generator.INITIALIZERS
    assert objective.DIVERGENCES == objectives.DIVERGENCES
    assert tuple(critics.CRITICS) == objective.CRITICS


@pytest.mark.parametrize("argv, status", [(["--help"], 0), (["--batchsize=5"], 2), (["--batch_size=0"], 2)])
def test_answers_that_need_no_tensorflow_do_not_wait_for_it(argv, status):
    code = (
        "import sys, time; from flow_gan.main import main; status = main(sys.argv[1:]); "
        "slow = {'tensorflow', 'keras', 'numpy', 'matplotlib'} & sys.modules.keys(); "
        "print(status, sorted(slow), time.process_time(), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *argv], capture_output=True, text=True)
    *_, told = done.stderr.splitlines()
    assert told.startswith(f"{status} [] "), done.stderr
    # CPU time, which other work on the machine changes little; some 0.15 s.
    assert float(told.split()[-1]) < 0.5


def test_public_names_are_there_after_import_flow_gan_alone():
    """In a new process, where nothing else has imported what a name needs."""
    code = """
import sys
import flow_gan
assert "tensorflow" not in sys.modules
assert flow_gan.critics.two_convolutions and flow_gan.NICE and flow_gan.data.load and flow_gan.evaluation.evaluate_nll
assert all(getattr(flow_gan, name) for name in flow_gan.__all__) and set(flow_gan.__all__) <= set(dir(flow_gan))
assert not hasattr(flow_gan, "no_such_name")
"""
    subprocess.run([sys.executable, "-c", code], check=True)
