"""The effective configuration of a command line."""

import dataclasses
import os

from flow_gan import data
from flow_gan.config import Config, about, changeable, from_json
from flow_gan.config.evaluation import EvaluationSettings
from flow_gan.errors import UserError
from flow_gan.training.run_folder import read_config, read_data

# What belongs to an evaluation, not to the run; the folder of its classifiers is the run's.
_OF_EVALUATION = [
    field.name
    for field in dataclasses.fields(EvaluationSettings)
    if "evaluate" in about(field).changes_in and field.name != "classifier_dir"
]


def run_config(given: dict) -> Config:
    """Return the configuration of {setting: value} given, completed from `--run_dir` where there is a run.

    Raises:
      UserError: a value is out of range, or another one than that of the run to go on with or to evaluate.
    """
    asked = Config(**given)
    if asked.mode in ("compare", "reproduce") or (asked.mode == "train" and not asked.resume):
        return asked
    text, path = read_config(asked.require_run_dir())
    stored = from_json(text, path)
    recorded = read_data(asked.require_run_dir())
    for name, value in given.items():
        if name == "dataset" and _is_elsewhere(asked, stored, recorded):
            continue
        if name not in changeable(asked.mode) and getattr(asked, name) != getattr(stored, name):
            raise UserError(
                f"--{name}={value}, but the run {asked.run_dir} has {getattr(stored, name)}, which cannot be changed; "
                "leave the flag out"
            )
    settings = vars(stored) | {"mode": "train", "resume": False, "split": "test"}
    if asked.mode == "evaluate":
        # Those of training, for --score_every, are another matter: results of several runs should compare.
        settings |= {name: getattr(asked, name) for name in _OF_EVALUATION}
    if asked.mode != "train":
        # Of a training it says which weights another run gave it to begin with.
        settings["checkpoint"] = "best" if stored.has_likelihood else "latest"
    if "epoch" in given:
        settings["max_steps"] = None  # What is asked for now counts, not what the run was started with.
    if recorded["path"] is not None and not os.path.exists(stored.dataset):
        # Its path is of another working directory.
        settings["dataset"] = recorded["path"]
    return Config(**(settings | given))


def _is_elsewhere(asked, stored, recorded):
    """Whether `--dataset` may be the run's own data, though it is called otherwise.

    Where data of the run are read, what they are is checked there.
    """
    if not data.is_path(asked.dataset):
        return False
    places = {os.path.realpath(path) for path in (stored.dataset, recorded["path"]) if path is not None}
    reads_data = asked.mode in ("train", "evaluate")
    is_known = None not in (recorded["digest"], recorded["path"])
    return os.path.realpath(asked.dataset) in places or (reads_data and is_known)
