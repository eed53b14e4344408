"""A run that starts from the weights of another."""

import json

import numpy as np
import pytest

from flow_gan import config, training
from flow_gan.main import main
from flow_gan.training.batches import watched_batches
from flow_gan.training.run_config import run_config
from tests.helpers.command_line import assert_refused
from tests.helpers.runs import DCGAN
from tests.helpers.runs import SMALL as TINY
from tests.helpers.same_run import lines_of

SMALL = ["--hidden_layers=8", "--no_of_layers=0", "--df_dim=2", "--eval_every=2"]
MLE, ADV = ["--n_critic=0"], ["--n_critic=1", "--like_reg=0"]


def weights_of(folder, part, checkpoint="best"):
    model, _ = training.load_model(run_config({"mode": "sample", "run_dir": str(folder), "checkpoint": checkpoint}))
    return [variable.numpy() for variable in getattr(model, part).weights]


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """{objective: folder of a run of 3 steps}."""
    folder = tmp_path_factory.mktemp("sources")
    for name, flags in (("mle", MLE), ("adv", ADV)):
        assert main([*SMALL, *flags, "--max_steps=3", f"--run_dir={folder / name}"]) == 0
    return {name: folder / name for name in ("mle", "adv")}


def test_a_hybrid_from_an_mle_flow(sources, tmp_path, capsys):
    """Its NLL at step 0 is the source's; the critic starts anew; a resumed run has its own weights."""
    run = tmp_path / "run"
    flags = [*SMALL, "--n_critic=1", "--like_reg=0.1", f"--init_from_run={sources['mle']}"]
    assert main([*flags, "--learning_rate=1e-30", "--max_steps=1", f"--run_dir={run}"]) == 0
    out = capsys.readouterr().out
    step = json.loads((run / "initial_weights.json").read_text())["step"]
    assert f"initial weights      {sources['mle']}, checkpoint best (step {step}): generator (" in out
    assert "no critic weights" in out
    taken = json.loads((run / "initial_weights.json").read_text())
    assert taken["critic"] == [] and any("log_scale" in name for name in taken["generator"])
    model, _ = training.load_model(run_config({"mode": "sample", "run_dir": str(run)}))
    source = weights_of(sources["mle"], "generator")
    trained = {v.path for v in model.generator.trainable_variables}
    for variable, value in zip(model.generator.weights, source, strict=True):
        if variable.path in trained:
            np.testing.assert_array_equal(variable, value)
    (sources["mle"] / "config.json").rename(tmp_path / "hidden")
    try:
        assert main(["--resume", f"--run_dir={run}", "--max_steps=2"]) == 0
    finally:
        (tmp_path / "hidden").rename(sources["mle"] / "config.json")
    assert [line["step"] for line in lines_of(run)] == [1, 2]


def test_an_implicit_model_from_its_latest_weights(tmp_path):
    """It has no NLL by which weights could be the best."""
    flags = [f"--{name}={value}" for name, value in (TINY | DCGAN | {"max_steps": 1}).items()]
    assert main([*flags, f"--run_dir={tmp_path / 'source'}"]) == 0
    assert main([*flags, f"--init_from_run={tmp_path / 'source'}", f"--run_dir={tmp_path / 'run'}"]) == 0
    assert json.loads((tmp_path / "run" / "initial_weights.json").read_text())["checkpoint"] == "latest"


def test_a_resumed_run_still_says_which_weights_it_began_with(sources, tmp_path):
    stored = json.loads((sources["mle"] / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(stored | {"init_from_run": "x", "checkpoint": "latest"}))
    for mode, checkpoint in (({"mode": "train", "resume": True}, "latest"), ({"mode": "evaluate"}, "best")):
        assert run_config(mode | {"run_dir": str(tmp_path)}).checkpoint == checkpoint


def test_the_nll_at_step_0_is_the_source_s(sources):
    own = config.Config(
        **{"hidden_layers": 8, "no_of_layers": 0, "n_critic": 0, "max_steps": 1, "checkpoint": "best"},
        init_from_run=str(sources["mle"]),
    )
    prepared = training.prepare(own)
    model = prepared.model
    batches, steps = watched_batches(prepared.config, model, prepared.dataset)["validation"]
    nll = model.evaluate(batches, steps=steps, verbose=0, return_dict=True)["nll"]
    recorded = [line["validation_nll"] for line in lines_of(sources["mle"]) if "validation_nll" in line]
    assert float(nll) == min(recorded)
    assert model.num_steps == 0 and int(model.optimizer.iterations.numpy()) == 0


def test_the_critic_is_taken_where_it_is_the_same(sources):
    def prepared(df_dim):
        small = {"hidden_layers": 8, "no_of_layers": 0, "n_critic": 1, "like_reg": 0.0, "max_steps": 1}
        source = {"checkpoint": "latest", "init_from_run": str(sources["adv"])}
        return training.prepare(config.Config(**small, **source, df_dim=df_dim))

    same = prepared(2)
    ours = {variable.path: variable.numpy() for variable in same.model.critic.weights}
    assert same.initial_weights.critic == tuple(ours) and f"critic ({len(ours)} variables)" in str(same.initial_weights)
    for one, other in zip(ours.values(), weights_of(sources["adv"], "critic", "latest"), strict=True):
        np.testing.assert_array_equal(one, other)
    assert "no critic weights" in str(prepared(3).initial_weights)


def test_what_is_refused(sources, tmp_path, capsys):
    def refuse(message, *flags, source=sources["mle"]):
        run = tmp_path / "run"
        argv = [*SMALL, *MLE, "--max_steps=1", f"--init_from_run={source}", f"--run_dir={run}", *flags]
        assert_refused(argv, f"--init_from_run={source}.*{message}", capsys)
        assert not run.exists()

    refuse("is not a run", source=tmp_path)
    refuse(
        r"a different generator; expected the same settings for this run: --hidden_layers=8 \(not 9\)",
        "--hidden_layers=9",
    )
    refuse(r"--prior=logistic \(not gaussian\)", "--prior=gaussian")
    refuse("has no checkpoint 'best_score'; pass another --checkpoint", "--checkpoint=best_score")
    refuse("--init_from_original=x; expected one", "--init_from_original=x")
    damaged = tmp_path / "damaged"
    (damaged / "checkpoints" / "best").mkdir(parents=True)
    (damaged / "config.json").write_text((sources["mle"] / "config.json").read_text())
    for path in (sources["mle"] / "checkpoints" / "best").glob("ckpt-*"):
        content = path.read_bytes()
        half = content[: len(content) // 2] if ".data-" in path.name else content
        (damaged / "checkpoints" / "best" / path.name).write_bytes(half)
    refuse("cannot be read", source=damaged)
