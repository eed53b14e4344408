"""What each `--mode` does with runs that exist."""

from flow_gan.modes.compare import compare
from flow_gan.modes.effective import effective_config
from flow_gan.modes.evaluate import Run, evaluate, make_scorer, measure, score_label
from flow_gan.modes.export import export
from flow_gan.modes.reproduce import reproduce

__all__ = [
    "Run",
    "compare",
    "effective_config",
    "evaluate",
    "export",
    "make_scorer",
    "measure",
    "reproduce",
    "score_label",
]
