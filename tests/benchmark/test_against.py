"""Comparison with a PyTorch loop; PyTorch is no dependency, so that a stand-in takes the loop's place here."""

import json
import math

import pytest

from flow_gan import config as config_module
from flow_gan.benchmark import against
from flow_gan.benchmark.__main__ import main
from flow_gan.errors import UserError
from tests.helpers.runs import SMALL

FLAGS = [f"--{name}={value}" for name, value in SMALL.items()]
OURS = {
    "step": {"median": 0.5},
    "peak_memory": 2e9,
    "config": vars(config_module.Config(n_critic=0)) | {"input_height": 8, "input_width": 8, "c_dim": 1},
}


@pytest.fixture
def commands(monkeypatch):
    """The commands that would be run, with results as if they had been."""
    run = []
    seconds = iter([0.25, 1.0, 0.5])

    def fake(command):
        run.append(command)
        if command[0] == "flow_gan.benchmark":
            return OURS
        return {"steps": [9.0, next(seconds), 0.1], "peak_memory": 1e9, "version": "2.13.0"}

    monkeypatch.setattr(against, "_run", fake)
    monkeypatch.setattr(against.importlib.util, "find_spec", lambda name: name)
    return run


def test_pairs_are_timed_in_turn(commands, capsys):
    assert main([*FLAGS, "--n_critic=0", "--against=torch", "--steps=3", "--pairs=3", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    order = [command[0].rpartition(".")[2] for command in commands]
    assert order == ["benchmark", "torch_loop", "torch_loop", "benchmark", "benchmark", "torch_loop"]
    assert result["ratios"] == [2.0, 0.5, 1.0] and result["ratio"] == 1.0
    assert result["peak_memory"] == {"ours": 2e9, "torch": 1e9}
    ours, settings = commands[0], json.loads(commands[1][1])
    assert ours[-2:] == ["--against=", "--json"] and "--n_critic=0" in ours
    assert settings["image_shape"] == [8, 8, 1] and settings["steps"] == 3


def test_text(commands, capsys):
    assert main([*FLAGS, "--n_critic=0", "--against=torch", "--steps=3", "--pairs=1"]) == 0
    printed = capsys.readouterr().out
    assert "   1   0.5000 s   0.2500 s  2.00" in printed and "PyTorch 2.13.0 with fused Adam; ours has norms" in printed


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--against=jax"], "--against=jax; expected torch"),
        (["--pairs=0"], "--pairs=0; expected 1 or more"),
        (
            ["--model_type=dcgan", "--like_reg=0", "--n_critic=1"],
            "--model_type=dcgan with --against=torch; expected nice",
        ),
        (["--precision=bfloat16"], "--precision=bfloat16 with --against=torch; expected float32"),
        (["--f_div=ce", "--n_critic=1"], "--f_div=ce with --against=torch; expected wgan"),
    ],
)
def test_what_cannot_be_compared(commands, capsys, flags, message):
    assert main(["--against=torch", *flags]) == 2
    assert message in capsys.readouterr().err and not commands


def test_pytorch_is_missing(commands, monkeypatch):
    monkeypatch.setattr(against.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="needs PyTorch, which is not installed; pip install torch"):
        against.check(config_module.Config(n_critic=0), "torch", 1)


def test_a_run_that_fails():
    with pytest.raises(UserError, match=r"json\.tool failed: .*no-such-file"):
        against._run(["json.tool", "no-such-file"])


@pytest.mark.parametrize("n_critic, like_reg", [(0, 1.0), (2, 0.5), (1, 0.0)])
@pytest.mark.parametrize("model_type", ["nice", "real_nvp"])
def test_the_loop(model_type, n_critic, like_reg):
    """Its steps run, its flow is inverted by its sampling, and its log-determinant is that of its Jacobian."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from flow_gan.benchmark import torch_loop

    settings = {name: OURS["config"][name] for name in against._TAKEN} | {
        "model_type": model_type, "n_critic": n_critic, "like_reg": like_reg, "critic": "dcgan", "df_dim": 4,
        "image_shape": [4, 4, 1], "batch_size": 4, "filters": 4, "hidden_units": 8, "num_layers": 1,
        "steps": 2, "threads": 1,
    }  # fmt: skip
    result = torch_loop.main(settings)
    assert len(result["steps"]) == 2 and result["peak_memory"] > 1e7
    flow = torch_loop.Loop(settings).flow.double()
    for parameter in flow.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    if model_type == "real_nvp":
        flow.masks = [mask.double() for mask in flow.masks]
    y = torch.randn(1, 1, 4, 4, dtype=torch.float64)
    z, log_det = flow.encode(y)
    torch.testing.assert_close(flow.decode(z), y)
    jacobian = torch.autograd.functional.jacobian(lambda y: flow.encode(y)[0], y).reshape(16, 16)
    assert math.isclose(jacobian.det().abs().log().item(), log_det.sum().item(), abs_tol=1e-8)
