"""What a person who waits for a training sees: the progress bar, and the first records."""

import re

import pytest

from flow_gan import training
from flow_gan.training import recorder
from flow_gan.training.chief import ChiefCallback
from flow_gan.training.validator import Validator
from tests.helpers.runs import DCGAN, settings
from tests.helpers.same_run import assert_same_run, lines_of
from tests.helpers.terminals import terminal


@pytest.mark.parametrize("changes", [{"n_critic": 0}, {"like_reg": 0.0}, DCGAN], ids=["mle", "adv", "dcgan"])
def test_the_bar_is_one_line_and_ends_on_the_best_nll(tmp_path, monkeypatch, changes):
    with terminal(monkeypatch, 80) as drawn:
        outcome = training.train(settings(tmp_path / "run", **changes))
    lines = [line for line in drawn if "training" in line]
    assert len(lines) >= 10 and max(map(len, lines)) < 80
    assert re.match(r"training: (100%\|.*\| )?10/10, ", lines[-1])
    if "model_type" in changes:
        assert re.search(r"critic -?[\d.]+, generator -?[\d.]+", lines[-1])
    else:
        assert f", best {outcome.best_nll:.2f} nats" in lines[-1]
        assert outcome.best_step == 10, "the best of this run is its last, which a bar may miss"


def test_the_first_record_is_there_after_the_first_step(tmp_path, monkeypatch):
    """And the others after some seconds, however long `--log_every` steps take."""
    seen, moments = [], iter([0.0, 1.0, 2.0, 30.0])
    now = 0.0

    def count(self, *arguments, **logs):
        nonlocal now
        now = next(moments, 31.0)
        on_train_batch_end(self, *arguments, **logs)
        seen.append(len(lines_of(tmp_path / "run")))

    on_train_batch_end = ChiefCallback.on_train_batch_end
    monkeypatch.setattr(recorder.time, "monotonic", lambda: now)
    monkeypatch.setattr(ChiefCallback, "on_train_batch_end", count)
    training.train(settings(tmp_path / "run", n_critic=0, max_steps=6, log_every=100, eval_every=100))
    assert seen == [1, 1, 1, 4, 4, 6]


def test_the_steps_before_a_validation_do_not_wait_for_it(tmp_path, monkeypatch):
    seen = []

    def validate(self, step):
        seen.append((step, len(lines_of(tmp_path / "run"))))
        return of_validator(self, step)

    of_validator = Validator.validate
    monkeypatch.setattr(Validator, "validate", validate)
    training.train(settings(tmp_path / "run", n_critic=0, max_steps=5, log_every=100, eval_every=4))
    assert seen == [(4, 3), (5, 4)] and len(lines_of(tmp_path / "run")) == 5


def test_when_records_are_written_changes_nothing_else(tmp_path, monkeypatch):
    runs = tmp_path / "at once", tmp_path / "late"
    for run, seconds in zip(runs, (-1.0, float("inf")), strict=True):
        monkeypatch.setattr(recorder, "SECONDS_BETWEEN_WRITES", seconds)
        training.train(settings(run, max_steps=5))
    assert_same_run(*runs)
