"""A finished run: what it recorded, what is stored of it, and, once its model is loaded, what is measured."""

import dataclasses
import functools
import json
import math
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from flow_gan import data, evaluation, training
from flow_gan.config import Config
from flow_gan.config.evaluation import CLASSIFIERS
from flow_gan.config.setting import about
from flow_gan.errors import UserError
from flow_gan.generators.base import Generator
from flow_gan.measurement import registry
from flow_gan.measurement.classified import Classified
from flow_gan.model import FlowGAN
from flow_gan.report import image_figures
from flow_gan.training.run_config import run_config
from flow_gan.training.run_folder import RunFolder


@dataclasses.dataclass(frozen=True, kw_only=True)
class FinishedRun:
    """A run with what is stored of it.

    Attributes:
      config: its configuration, with the settings of the evaluation.
      folder: its `RunFolder`.
      dataset: the data as they are now. Stored results of other data do not count; where it is None all do.
    """

    config: Config
    folder: RunFolder
    dataset: data.Dataset | None = None

    @property
    def name(self) -> str:
        """The name of its folder."""
        return self.folder.path.name

    @property
    def steps(self) -> int | None:
        """The steps that it has made, None where no checkpoint says it."""
        return training.saved_step(self.folder.checkpoints, "latest")

    @property
    def label(self) -> str:
        """The name with what makes runs of one figure differ: the steps made and, of a hybrid, lambda."""
        steps = [] if self.steps is None else [f"{self.steps:,} steps"]
        hybrid = [f"lambda {self.config.like_reg:g}"] if self.config.objective == "hybrid" else []
        return ", ".join([self.name, *steps, *hybrid])

    def loaded(self, dataset: data.Dataset, metric: str, checkpoint: str | None = None) -> "LoadedRun":
        """Return this run with its data, and with the model that a metric is measured on, see `checkpoint`."""
        config = self.configured(metric, checkpoint)
        model, folder = training.load_model(config, dataset.levels)
        return LoadedRun(config=config, folder=folder, dataset=dataset, model=model)

    def checkpoint(self, metric: str) -> str:
        """Return the name of the weights that a metric is measured on.

        For the NLL of Tables 1 and 2 they are those of the lowest validation NLL, for all else those of the highest
        score in training. Without scores these are again those of the lowest NLL, or for ADV, whose progress the NLL
        does not show, the latest.
        """
        is_of_best_nll = registry.find(metric).is_of_best_nll
        if not is_of_best_nll and self._has("best_score"):
            return "best_score"
        follows_nll = is_of_best_nll or self.config.objective != "adv"
        return "best" if follows_nll and self._has("best") else "latest"

    def _has(self, checkpoint):
        return training.saved_step(self.folder.checkpoints, checkpoint) is not None

    def configured(self, metric: str, checkpoint: str | None = None) -> Config:
        """Return the configuration with which a metric is measured of the weights called `checkpoint`.

        If it is None, of those of `checkpoint(metric)`.
        """
        return dataclasses.replace(self.config, checkpoint=checkpoint or self.checkpoint(metric))

    def result(self, metric: str, checkpoint: str | None = None) -> dict | None:
        """Return the stored result of a metric, None if there is none of these settings, weights and data."""
        digest = None if self.dataset is None else self.dataset.digest
        return stored_result(self.folder, self.configured(metric, checkpoint), metric, digest)

    def read_records(self) -> list[dict]:
        """Return what it recorded, metrics.jsonl; read anew each time, since it may be long.

        Raises:
          UserError: it cannot be read.
        """
        try:
            return [json.loads(line) for line in self.folder.metrics_file.read_text(encoding="utf-8").splitlines()]
        except (OSError, ValueError) as error:
            raise UserError(f"the run {self.folder.path} has no readable metrics.jsonl ({error})") from error

    def validation_nll(self, step: int) -> float:
        """Return the NLL of all validation images in nats as it was measured at a step, or last before; NaN if never.

        It needs no data: a checkpoint is saved when the validation images have been measured.
        """
        records = [record for record in self.read_records() if record["step"] <= step]
        found = [record["validation_nll"] for record in records if record.get("validation_nll") is not None]
        return found[-1] if found else math.nan

    def curve(self, unit: Callable[[float], float]) -> dict[str, list]:
        """Return what `figures.learning_curves` draws; `unit` is a function from nats.

        The NLLs are those of the watched images at each validation, in evaluation mode, with their standard errors as
        "train_error" and "validation_error"; None where they are not finite, or were not measured. The critic's loss
        is that of each step, without its gradient penalty, as the paper draws it.
        """
        records = self.read_records()
        validated = [record for record in records if "validation_nll" in record]
        curve = {"step": [record["step"] for record in validated]}
        for split in ("train", "validation"):
            errors = (record.get(f"{split}_nll_standard_error") for record in validated)
            curve[f"{split}_nll"] = [_converted(record.get(f"{split}_nll"), unit) for record in validated]
            curve[f"{split}_error"] = [converted_error(error, unit) for error in errors]
        if self.config.n_critic:
            parts = [(r["step"], r["critic_loss_real"], r["critic_loss_fake"]) for r in records]
            curve["critic_step"] = [step for step, *_ in parts]
            curve["critic_loss"] = [None if None in losses else sum(losses) for _, *losses in parts]
        return curve

    def scores(self, name: str) -> dict[str, list] | None:
        """Return what `figures.score_curves` draws of the scores in training, None where there were none."""
        records = [record for record in self.read_records() if name in record]
        if not records:
            return None
        return {
            "step": [record["step"] for record in records],
            "score": [record[name] for record in records],
            "std": [record[f"{name}_std"] for record in records],
        }


class _ReadWhenAskedFor:
    """The data set of a run, as an attribute: the one given or, of None, what the run's configuration names."""

    def __get__(self, run, owner=None):
        if run is None:
            return None  # What a dataclass takes for the default.
        attributes = vars(run)
        if attributes["dataset"] is None:
            attributes["dataset"] = training.load_data(run.config)
        return attributes["dataset"]

    def __set__(self, run, dataset):
        vars(run)["dataset"] = dataset


@dataclasses.dataclass(frozen=True, kw_only=True)
class LoadedRun(FinishedRun):
    """A finished run with its model and its data, which can be measured; see `load`.

    Attributes:
      config: its configuration, with the settings of the evaluation.
      folder: its `RunFolder`.
      dataset: the data as they are now; read when they are first asked for, if they were not given.
      model: `FlowGAN` with the weights of `config.checkpoint`.
    """

    dataset: data.Dataset = _ReadWhenAskedFor()  # type: ignore[assignment]
    model: FlowGAN
    _classified: dict[Config, Classified] = dataclasses.field(default_factory=dict, repr=False, compare=False)

    def __repr__(self) -> str:
        step = f"checkpoint {self.config.checkpoint} (step {self.model.num_steps})"
        generator = type(self.generator).__name__
        return f"LoadedRun({self.folder.path}, {step}, {generator} {self.image_shape}, levels={self.levels})"

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(H, W, C) of the images."""
        return self.generator.image_shape

    @property
    def levels(self) -> int:
        """The number of grey levels of the images."""
        return self.model.levels

    @property
    def generator(self) -> Generator:
        """The model's generator."""
        return self.model.generator

    def images(self, split: str, count: int | None = None) -> np.ndarray:
        """Return the first `count` (or `--num_examples`) images of a split, dequantised as for its NLL."""
        return evaluation.dequantized_images(self.model, self.dataset, split, count or self.config.num_examples)

    def samples(self, count: int) -> np.ndarray:
        """Return `count` samples, float [count, H, W, C]."""
        return _draw(self.generator, self.config, count)

    @property
    def classified(self) -> Classified:
        """Its samples, and real images, as the classifier sees them, kept for all metrics with the same settings."""
        if self.config not in self._classified:
            draw = functools.partial(_draw, self.generator, self.config)
            self._classified[self.config] = Classified(self.config, self.dataset, draw)
        return self._classified[self.config]

    def path(self, name: str, suffix: str) -> pathlib.Path:
        """Return the path of a result's file."""
        return result_path(self.folder, self.config, name, suffix)

    def save_grid(
        self,
        name: str,
        rows: np.ndarray,
        title: str,
        row_labels: Sequence[str] = (),
        column_labels: Sequence[str] = (),
    ) -> pathlib.Path:
        """Write images as a PNG file under the name of the run and of its weights; return its path.

        Args:
          name: of the file.
          rows: float [rows, columns, H, W, C] in [0, 1].
          title: what they are.
          row_labels, column_labels: what stands beside each row and above each column; nothing if empty.
        """
        path = self.path(name, "png")
        whose = f"{self.name}, {self.config.checkpoint} weights"
        image_figures.labelled_rows(path, rows, f"{whose}\n{title}", row_labels, column_labels)
        return path


def _draw(generator, config, count):
    return evaluation.Sampler(generator, config.batch_size).draw(count, config.seed)


def _converted(nats, unit):
    return None if nats is None else unit(nats)


def converted_error(nats: float | None, unit: Callable[[float], float]) -> float | None:
    """Return the error of an NLL in another unit, None where it is none; `unit` is an affine function from nats."""
    return None if nats is None else unit(nats) - unit(0.0)


def open_run(folder: str | pathlib.Path, settings: dict, dataset: data.Dataset | None = None) -> FinishedRun:
    """Return the `FinishedRun` of a folder, without its model.

    Args:
      folder: path of the run.
      settings: {setting: value} with which it is measured.
      dataset: see `FinishedRun`.

    Raises:
      UserError: the folder is not a run.
    """
    config = run_config({"mode": "evaluate", "run_dir": str(folder)} | settings)
    return FinishedRun(config=config, folder=RunFolder(folder, config), dataset=dataset)


def load(run_dir: str | pathlib.Path, checkpoint: str | None = None, **settings: Any) -> LoadedRun:
    """Return a run with its model.

    Its data are not needed for that. They are read, and checked, where something is measured of them.

    Args:
      run_dir: its folder.
      checkpoint: "best" (the lowest validation NLL), "best_score" or "latest". If None, "best", or "latest" of a
        generator without a likelihood.
      **settings: what else the flags of `--mode=evaluate` can say, by their names.

    Raises:
      UserError: the folder is not a run, it has no such checkpoint, or a setting contradicts the run's own.
    """
    for name, value in settings.items():
        if name not in {field.name for field in dataclasses.fields(Config)}:
            raise UserError(f"load({name}={value!r}); expected the name of a flag without its dashes, see --help")
    given = settings | {"mode": "evaluate", "run_dir": str(run_dir)}
    config = run_config(given if checkpoint is None else given | {"checkpoint": checkpoint})
    model, folder = training.load_model(config, data.levels_of(config.dataset, config.levels))
    return LoadedRun(config=config, folder=folder, model=model)


def result_path(folder: RunFolder, config: Config, name: str, suffix: str = "json") -> pathlib.Path:
    """Return where a run keeps a result: evaluation/<name>-<split>-<checkpoint>.<suffix>."""
    return folder.evaluation / f"{name}-{config.split}-{config.checkpoint}.{suffix}"


def file_digests(config: Config, metric: str) -> dict[str, str]:
    """Return {setting: digests} of the contents of the files that a metric's settings name, such as a classifier's.

    A setting that names something else, such as a data set, is left out: its own value tells it from others.
    """
    digests = {}
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        is_path = field.name in registry.find(metric).settings and about(field).is_path
        if not is_path or value in (None, *CLASSIFIERS):
            continue
        is_one = os.path.lexists(value) or not about(field).is_list
        paths = [value] if is_one else [part.strip() for part in value.split(",")]
        if all(os.path.lexists(path) for path in paths):
            digests[field.name] = ",".join(map(evaluation.file_digest, paths))
    return digests


def stored_result(folder: RunFolder, config: Config, metric: str, data_digest: str | None = None) -> dict | None:
    """Return the stored result of a metric if it is of these settings, weights and data; otherwise None.

    Data are the same if one of the two digests is not known.
    """
    try:
        stored = json.loads(result_path(folder, config, metric).read_text(encoding="utf-8"))
        files = file_digests(config, metric)
        same = stored["step"] == training.saved_step(folder.checkpoints, config.checkpoint)
        settings = ["precision", *registry.find(metric).settings]
        if config.batch_norm and not config.batch_norm_adaptive:
            # Without moving averages whatever goes through the flow depends on its batch.
            settings.append("batch_size")
        # Without the key it is of an earlier version, which measured in other ways.
        same = same and (None in (data_digest, stored["data_digest"]) or stored["data_digest"] == data_digest)
        # What a setting was of which an earlier version knew nothing.
        then = {field.name: field.default for field in dataclasses.fields(config)} | stored["config"]
        same = same and stored.get("files", {}) == files
        # Wherever a file lies, its content counts.
        same = same and all(then[name] == getattr(config, name) for name in settings if name not in files)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return stored if same else None
