"""Runs by two processes on this machine, which find each other by TF_CONFIG."""

import json
import signal
import types

import numpy as np
import pytest
import tensorflow as tf

import flow_gan
from flow_gan import config
from flow_gan.training.fit import fit_as_worker
from flow_gan.training.prepare import Prepared
from flow_gan.training.strategy import make_strategy
from tests.helpers.models import CASES, FEW_CASES, train_each_case
from tests.helpers.processes import finish, free_addresses, killer, start
from tests.helpers.same_run import assert_same_run, lines_of

# What a process does instead of the command line: its own arguments are put aside.
_TRAIN_EACH_CASE = """
import json
from flow_gan.training.strategy import make_strategy
strategy = make_strategy("multi_worker", 100)
from tests.helpers.models import train_each_case
json.dump(train_each_case(strategy, {cases!r}), open({path!r}, "w"))
sys.exit(0)
"""


@pytest.mark.parametrize("cases", [FEW_CASES, pytest.param(CASES, marks=pytest.mark.slow)], ids=["few", "all"])
def test_two_processes_equal_one_with_the_whole_batch(tmp_path, cases):
    addresses = free_addresses(2)
    paths = [tmp_path / f"{i}.json" for i in range(2)]
    together = [
        start([], before=_TRAIN_EACH_CASE.format(path=str(path), cases=cases), task=(addresses, i))
        for i, path in enumerate(paths)
    ]
    alone = train_each_case(make_strategy("one_device", 100), cases)
    for process in together:
        status, _, err = finish(process)
        assert status == 0, err
    for path in paths:
        found = json.loads(path.read_text())
        assert found.keys() == alone.keys() and len(found) == len(cases)
        for case, (weights, figures) in alone.items():
            for name, value in enumerate(weights):
                largest = np.abs(value).max(initial=1e-3)
                difference = np.abs(np.subtract(found[case][0][name], value)).max(initial=0)
                assert difference <= 1e-5 * largest, f"{case}, weight {name}: {difference} of {largest}"
            for name, value in figures.items():
                np.testing.assert_allclose(found[case][1][name], value, rtol=1e-4, atol=1e-5, err_msg=f"{case}, {name}")


def start_both(arguments, folders, **how_of_second):
    addresses = free_addresses(2)
    arguments = ["--strategy=multi_worker", "--max_steps=9", *arguments]
    return [
        start([*arguments, f"--run_dir={folder}"], task=(addresses, i), **(how_of_second if i else {}))
        for i, folder in enumerate(folders)
    ]


@pytest.mark.slow
def test_a_run_whose_second_process_is_killed(tmp_path):
    whole, killed, elsewhere = (tmp_path / name for name in ("whole", "killed", "elsewhere"))
    before_the_kill = killer("flow_gan.training.worker:WorkerCallback", "on_train_batch_end", 6)
    survivor, victim = start_both([], [killed, elsewhere], before=before_the_kill)
    assert finish(victim)[0] == -signal.SIGKILL
    status, _, err = finish(survivor)
    assert status == 2 and "Traceback" not in err, err
    assert "error: another process of this run was lost" in err and "ckpt-4 saved last" in err
    for process in start_both(["--resume"], [killed, killed]):
        status, out, err = finish(process)
        assert status == 0, err
    assert "training is done; the chief evaluates and saves" in out
    for process in start_both([], [whole, elsewhere]):
        assert finish(process)[0] == 0
    assert_same_run(whole, killed)
    assert [line["step"] for line in lines_of(whole)] == list(range(1, 10))
    assert not elsewhere.exists(), "only the chief writes"


def test_a_worker_joins_a_run_that_ended_before_its_first_validation(tmp_path, monkeypatch):
    """The chief's step is 0, but its weights may be those of another run."""
    joined, model = [], types.SimpleNamespace(distribute_strategy=None)
    monkeypatch.setattr("flow_gan.training.fit.from_chief", lambda strategy, value: value)
    monkeypatch.setattr("flow_gan.training.resume.join_run", lambda config, model, step: joined.append(step))
    monkeypatch.setattr("flow_gan.training.fit.Steps.of", lambda *_: types.SimpleNamespace(first=0, last=0))
    for has_metrics in (False, True):
        if has_metrics:
            (tmp_path / "metrics.jsonl").touch()
        config_ = config.Config(run_dir=str(tmp_path), resume=True)
        fit_as_worker(Prepared(config=config_, dataset=None, model=model))
        assert joined == [0] * has_metrics


@pytest.mark.parametrize(
    "tf_config, message",
    [
        (None, "TF_CONFIG is not set"),
        ("{", r"TF_CONFIG=\{ is not JSON"),
        ("[1]", 'lacks "cluster" or "task"'),
        ('{"cluster": {"worker": ["a:1"]}}', 'lacks "cluster" or "task"'),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}', 'lists no task "worker" 1'),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": "0"}}', 'lists no task "worker" 0'),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "chief", "index": 0}}', 'no task of the type "chief"'),
        ('{"cluster": {"ps": ["a:1"]}, "task": {"type": "ps", "index": 0}}', 'tasks of the type "ps"'),
        ('{"cluster": {"worker": ["a"]}, "task": {"type": "worker", "index": 0}}', "what is not an address"),
        ('{"cluster": {"worker": []}, "task": {"type": "worker", "index": 0}}', "what is not an address"),
    ],
)
def test_a_wrong_tf_config(monkeypatch, tf_config, message):
    if tf_config is None:
        monkeypatch.delenv("TF_CONFIG", raising=False)
    else:
        monkeypatch.setenv("TF_CONFIG", tf_config)
    with pytest.raises(flow_gan.UserError, match=f"--strategy=multi_worker.*{message}"):
        make_strategy("multi_worker", 100)


def test_one_process_is_no_cluster(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", '{"cluster": {"worker": ["localhost:1"]}, "task": {"type": "worker", "index": 0}}')
    assert make_strategy("multi_worker", 100) is make_strategy("one_device", 100)


def test_several_processes_must_be_told_first(monkeypatch):
    tf.constant(0)
    cluster = {"worker": ["localhost:1", "localhost:2"]}
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": {"type": "worker", "index": 0}}))
    with pytest.raises(flow_gan.UserError, match="cannot start as worker 0 of TF_CONFIG: Collective ops must be"):
        make_strategy("multi_worker", 100)
