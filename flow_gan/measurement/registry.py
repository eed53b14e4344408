"""The metrics by name. They import this package, which loads each of them only when it is used."""

import importlib
from typing import Any

from flow_gan.config import evaluation
from flow_gan.errors import check_choice
from flow_gan.measurement.metric import Metric


def find(name: str) -> Metric[Any]:
    """Return the metric called `name`: `METRIC` of its file in `flow_gan/metrics/`.

    Raises:
      UserError: there is none.
    """
    check_choice("metric", name, evaluation.METRICS)
    return importlib.import_module(f"flow_gan.metrics.{name}").METRIC


def all_metrics() -> dict[str, Metric[Any]]:
    """Return {name: metric} of all, in alphabetical order."""
    return {name: find(name) for name in evaluation.METRICS}
