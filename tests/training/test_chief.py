"""The order in which a run's parts act, on which its going on after a kill at any moment depends."""

import flow_gan
from flow_gan import training
from flow_gan.training.averaged_weights import AveragedWeights
from flow_gan.training.checkpoints import Checkpoints
from flow_gan.training.metrics_file import MetricsFile
from tests.helpers.runs import settings, with_tags

EFFECTS = (
    *(
        (flow_gan.FlowGAN, "evaluate"),
        (flow_gan.data, "save_png"),
        (MetricsFile, "write"),
        (AveragedWeights, "in_place"),
    ),
    *((Checkpoints, name) for name in ("save", "save_if_best", "save_if_best_score", "save_averaged")),
)


def test_the_order_of_effects(tmp_path, monkeypatch):
    """Weights to use, NLLs, grid, best weights, record, and the latest checkpoint last."""
    seen = []

    def note(owner, name):
        original = getattr(owner, name)

        def noted(*args, **kwargs):
            seen.append(name)
            return original(*args, **kwargs)

        monkeypatch.setattr(owner, name, noted)

    for owner, name in EFFECTS:
        note(owner, name)

    def make_score(config, dataset):
        return with_tags(lambda generator: (seen.append("score") or 1.0, {"fid": 2.0}))

    changes = {"n_critic": 0, "ema_decay": 0.5, "max_steps": 2, "eval_every": 2, "log_every": 1, "score_every": 1}
    training.train(settings(tmp_path / "run", **changes), make_score)
    measured = ["evaluate", "evaluate", "save_png", "save_if_best", "score", "save_if_best_score", "save_averaged"]
    assert seen == ["save", "write", "in_place", *measured, "write", "save"]
