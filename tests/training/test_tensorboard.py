"""TensorBoard itself, started on real runs, and what its pages are made of."""

import json
import re
import shutil
import subprocess
import sys
import urllib.parse
import urllib.request

import numpy as np
import pytest
import tensorflow as tf

from flow_gan import config, training
from flow_gan.training.tensorboard_log import TensorBoardLog
from tests.helpers.processes import until
from tests.helpers.runs import DCGAN, settings, with_tags
from tests.helpers.same_run import events_of, lines_of

SCORES = {
    "inception_score": "Inception score",
    "inception_score_std": "Inception score std",
    "mode_score": "MODE score",
    "mode_score_std": "MODE score std",
    "fid": "FID",
}
RUNS = {"hybrid": {"like_reg": 0.5, "n_critic": 2}, "ce": {"f_div": "ce"}, "dcgan": DCGAN}
NAMES = [*RUNS, "copy of ce", "resumed"]
ROWS = {f"{name}/tensorboard/validation" for name in NAMES} | {"logs/a/validation"}
LAST_STEP = 12  # An epoch.


def make_scorer(config_, dataset):
    """Stands in for the classifier, whose figures are tested elsewhere."""
    return with_tags(lambda generator: (1.0, {name: number / 8 for number, name in enumerate(SCORES)}))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Folder with runs of 12 steps, one crashed and resumed (MLE), one with its events elsewhere (ADV)."""
    root = tmp_path_factory.mktemp("runs")
    for name, changes in RUNS.items():
        settings_ = {"score_every": 1, "max_steps": LAST_STEP} | changes
        training.train(settings(root / name, **settings_), make_scorer)
    shutil.copytree(root / "ce", root / "copy of ce")
    training.train(settings(root / "resumed", max_steps=8, n_critic=0))
    late = TensorBoardLog(root / "resumed" / "tensorboard", lambda nats: nats, 8)
    late.hparams({"like_reg": 3.0})
    late.validation(9, 0.0, 0.0, [0.0])
    late.close()
    for path in (root / "resumed" / "tensorboard").glob("*/events*"):
        with open(path, "ab") as file:
            file.write(b"half an eve")
    training.train(settings(root / "resumed", max_steps=LAST_STEP, n_critic=0, resume=True))
    training.train(settings(root / "elsewhere", max_steps=LAST_STEP, log_dir=str(root / "logs" / "a"), like_reg=0.0))
    return root


@pytest.fixture(scope="module")
def pages(runs):
    """{"all": ask, "one": ask} of TensorBoard on all runs' folder, and on one run's events; ask(path, request)."""
    folders = {"all": (runs, []), "one": (runs / "hybrid" / "tensorboard", ["--load_fast=false"])}
    processes, logs = [], {}
    try:
        for name, (folder, flags) in folders.items():
            command = [sys.executable, "-m", "tensorboard.main", "--host=127.0.0.1", "--port=0", *flags]
            log = runs.parent / f"{runs.name}-{name}.log"
            with open(log, "w", encoding="utf-8") as file:
                process = subprocess.Popen([*command, f"--logdir={folder}"], stdout=file, stderr=file)
            processes.append(process)
            logs[name] = log, process
        yield {name: asker(*started) for name, started in logs.items()}
    finally:
        for process in processes:
            process.terminate()
            process.wait()


def asker(log, process):
    """Return the function that asks the TensorBoard with this log, once it says where it is."""
    address = until(lambda: re.search(r"http://127\.0\.0\.1:\d+", log.read_text()), process)[0]

    def ask(path, request=None):
        data = None if request is None else json.dumps(request).encode()
        headers = {"Content-Type": "application/json"}
        with urllib.request.urlopen(urllib.request.Request(f"{address}/data/plugin/{path}", data, headers)) as answer:
            return json.load(answer)

    return ask


def table(ask):
    """Return {row: (settings, metrics)} of the HParams table."""
    statuses = ["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING"]
    groups = ask("hparams/session_groups", {"allowedStatuses": statuses, "startIndex": 0, "sliceSize": 100})
    rows = {}
    for group in groups["sessionGroups"]:
        assert len(group["sessions"]) == 1
        metrics = {metric["name"]["tag"]: metric for metric in group.get("metricValues", [])}
        assert not any(metric["name"]["group"] for metric in metrics.values())
        rows[group["name"]] = group["hparams"], metrics
    return rows


def complete_table(ask, names):
    """Return the table when TensorBoard has read all of its rows up to the last step."""

    def get():
        rows = table(ask)
        steps = {metric["trainingStep"] for _, metrics in rows.values() for metric in metrics.values()}
        is_complete = rows.keys() == names and steps == {LAST_STEP} and all(metrics for _, metrics in rows.values())
        return rows if is_complete else None

    return until(get)


def test_curves_of_training_and_validation_share_a_chart(runs, pages):
    tags = until(lambda: len(tags := pages["all"]("scalars/tags")) == 2 * len(ROWS) and tags)
    for name in NAMES:
        train, validation = (set(tags[f"{name}/tensorboard/{split}"]) for split in ("train", "validation"))
        has_nll = name != "dcgan"
        nll = {"NLL/nats per image", "NLL/bits per dim"} if has_nll else set()
        assert train & validation == nll
        assert {f"best {tag}" for tag in nll} <= validation
        assert {"optimizer/learning rate", "gradient norms/generator"} <= train
        assert ("losses/critic" in train) == (name != "resumed")
        assert {f"scores/{label}" for label in SCORES.values()} <= validation or name == "resumed"
        lines = {line["step"]: line for line in lines_of(runs / name)}
        for split, key in (("train", "train_nll"), ("validation", "validation_nll")) if has_nll else ():
            where = urllib.parse.urlencode({"tag": "NLL/bits per dim", "run": f"{name}/tensorboard/{split}"})
            bits = pages["all"](f"scalars/scalars?{where}")
            assert [step for _, step, _ in bits] == [4, 8, 12]
            expected = [lines[step][key] / (64 * np.log(2)) + np.log2(17) for _, step, _ in bits]
            np.testing.assert_allclose([value for _, _, value in bits], expected, rtol=1e-5)
    assert {"logs/a/train", "logs/a/validation"} <= tags.keys()


def test_images_and_histograms(pages):
    complete_table(pages["all"], ROWS)
    images, histograms = pages["all"]("images/tags"), pages["all"]("histograms/tags")
    assert images.keys() == ROWS
    assert all(tags.keys() == {"samples from a fixed z"} for tags in images.values())
    assert histograms.keys() == ROWS - {"dcgan/tensorboard/validation"}
    assert all(tags.keys() == {"z = f(x) of validation images"} for tags in histograms.values())


def test_a_row_for_each_run(runs, pages):
    rows = complete_table(pages["all"], ROWS)
    for name in NAMES:
        hparams, metrics = rows[f"{name}/tensorboard/validation"]
        stored = config.from_json((runs / name / "config.json").read_text(), "")
        assert hparams == stored.hparams
        lines = lines_of(runs / name)
        expected = {f"scores/{label}": lines[-1][key] for key, label in SCORES.items() if key in lines[-1]}
        if stored.has_likelihood:
            nlls = [line["validation_nll"] for line in lines if "validation_nll" in line]
            for prefix, nats in (("", nlls[-1]), ("best ", min(nlls))):
                expected[f"{prefix}NLL/nats per image"] = nats
                expected[f"{prefix}NLL/bits per dim"] = nats / (64 * np.log(2)) + np.log2(17)
        assert metrics.keys() == expected.keys()
        for tag, value in expected.items():
            np.testing.assert_allclose(metrics[tag]["value"], value, rtol=1e-5, err_msg=tag)
    assert rows["logs/a/validation"][0]["objective"] == "adv"


def test_what_differs_comes_first(pages):
    complete_table(pages["all"], ROWS)
    infos = pages["all"]("hparams/experiment", {"experimentName": ""})["hparamInfos"]
    differing = [info["name"] for info in infos if info.get("differs")]
    assert differing == ["batch_size", "f_div", "like_reg", "model_type", "n_critic", "objective"]
    assert [info["name"] for info in infos[: len(differing)]] == differing


def test_one_run(runs, pages):
    _, metrics = complete_table(pages["one"], {"validation"})["validation"]
    assert pages["one"]("scalars/tags").keys() == {"train", "validation"}
    np.testing.assert_allclose(metrics["NLL/nats per image"]["value"], lines_of(runs / "hybrid")[-1]["validation_nll"])


def test_a_resumed_run_has_its_settings_once(runs):
    events = events_of(runs / "resumed" / "tensorboard" / "validation")
    assert [step for step, _ in events["_hparams_/session_start_info"]] == [0]
    assert [step for step, _ in events["best NLL/nats per image"]] == [4, 8, 12]


@pytest.mark.parametrize("best, tags", [(np.inf, 2), (1.0, 4)])
def test_no_best_nll_where_none_is_finite(tmp_path, best, tags):
    log = TensorBoardLog(tmp_path, lambda nats: nats)
    log.validation(1, 1.0, best, tf.zeros([2]))
    log.close()
    assert len([tag for tag in events_of(tmp_path / "validation") if "NLL" in tag]) == tags


@pytest.mark.parametrize(
    "changes, there, not_there",
    [
        ({"n_critic": 0}, {"n_critic", "hidden_layers", "learning_rate"}, {"like_reg", "f_div", "filters"}),
        ({"model_type": "real_nvp"}, {"like_reg", "f_div", "scales", "filters"}, {"hidden_layers", "init_type"}),
        ({}, {"dataset", "objective", "seed", "lr_decay"}, {"max_steps", "epoch", "strategy", "eval_every", "split"}),
    ],
    ids=["mle", "real_nvp", "all"],
)
def test_settings_without_use_are_left_out(changes, there, not_there):
    hparams = config.Config(**changes).hparams
    assert there <= hparams.keys() and not not_there & hparams.keys()
