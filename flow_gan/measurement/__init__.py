"""Finished runs and what is measured of them; the metrics themselves are the files of `flow_gan/metrics/`."""

from flow_gan.measurement.measuring import cannot_have, check_metrics, measure
from flow_gan.measurement.metric import Metric
from flow_gan.measurement.run import FinishedRun, LoadedRun, load, open_run, result_path, stored_result
from flow_gan.measurement.scorer import Scorer

__all__ = [
    "FinishedRun",
    "LoadedRun",
    "Metric",
    "Scorer",
    "cannot_have",
    "check_metrics",
    "load",
    "measure",
    "open_run",
    "result_path",
    "stored_result",
]
