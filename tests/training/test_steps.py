"""How many steps a run makes, and what is due after which."""

import numpy as np
import pytest

from flow_gan import data
from flow_gan.config import Config
from flow_gan.training.steps import Steps, batches_per_step, num_steps, steps_per_epoch

IMAGES = data.Split(np.zeros((130, 2, 2, 1), np.uint8))
DATASET = data.Dataset(name="own", image_shape=(2, 2, 1), levels=256, train=IMAGES, validation=IMAGES, test=IMAGES)


@pytest.mark.parametrize(
    "changes, batches, per_epoch",
    [({}, None, 13), ({"critic_batches": "fresh"}, 3, 4), ({"critic_batches": "fresh", "n_critic": 0}, None, 13)],
)
def test_steps_of_an_epoch(changes, batches, per_epoch):
    config = Config(**{"batch_size": 10, "n_critic": 3, "epoch": 5} | changes)
    assert batches_per_step(config) == batches
    assert steps_per_epoch(config, DATASET) == per_epoch
    assert num_steps(config, DATASET) == 5 * per_epoch


def test_what_is_due_after_which_step():
    """Two epochs of 13 steps."""
    steps = Steps.of(Config(batch_size=10, epoch=2, eval_every=10, log_every=4, score_every=1), DATASET, first=3)
    due = {"validation": steps.is_validation_due, "score": steps.is_score_due, "record": steps.is_record_due}
    found = {name: [step for step in range(1, 27) if is_due(step)] for name, is_due in due.items()}
    assert found == {
        "validation": [10, 20, 26],
        "score": [13, 26],
        "record": [4, 8, 10, 12, 13, 16, 20, 24, 26],
    }
    assert (steps.first, steps.last) == (3, 26)


def test_without_scores_none_is_due():
    steps = Steps.of(Config(batch_size=10, epoch=1), DATASET, first=0)
    assert not any(map(steps.is_score_due, range(1, 14)))
