"""The run's images told from those of other data: AUROC of what the model says of single images."""

import dataclasses
import functools
import math
import os
import pathlib
from collections.abc import Callable

import numpy as np

from flow_gan import data, evaluation, objectives
from flow_gan.config import Config
from flow_gan.data.dataset import Rows
from flow_gan.errors import UserError
from flow_gan.evaluation.checks import finite_warnings
from flow_gan.evaluation.statistics import kept_per_image
from flow_gan.evaluation.text import out_of, with_warnings
from flow_gan.generators import NO_PER_IMAGE_LIKELIHOOD
from flow_gan.measurement.metric import Metric
from flow_gan.measurement.needs import Need
from flow_gan.measurement.run import FinishedRun, LoadedRun
from flow_gan.report.histograms import Panel, histograms
from flow_gan.report.model_tables import OBJECTIVES, Column
from flow_gan.report.values import Value, difference

# Of either kind. The bootstrap's error of fewer says little.
_FEWEST = 10

# What is measured of single images: its name in tables and in figures.
SCORES = {
    "log_prob": ("log p", "log p(x), nats"),
    "typicality": ("typicality", "|log p(x) + H|, nats"),
    "input_complexity": ("log p and PNG", "−log₂ p(x) − L(x), bits"),
    "critic_logit": ("critic", "critic's logit"),
}


@dataclasses.dataclass(frozen=True)
class Separation:
    """What is measured of the run's own images, and of the others.

    Attributes:
      own, other: [n] and [m].
      is_high_usual: bool, whether a high value is what the run's own images should have.
    """

    own: np.ndarray = dataclasses.field(repr=False)
    other: np.ndarray = dataclasses.field(repr=False)
    is_high_usual: bool = False

    @functools.cached_property
    def auroc(self) -> evaluation.AUROC:
        """The probability that of two images the other data's is the less usual. What is no number is least usual."""
        sign = -1 if self.is_high_usual else 1
        return evaluation.evaluate_auroc(sign * self.own, sign * self.other)

    def to_dict(self) -> dict:
        """Return all figures by name."""
        return {
            "auroc": self.auroc.value,
            "standard_error": self.auroc.standard_error,
            "resamples": self.auroc.resamples.tolist(),
            "num_resampled": min(len(self.own), len(self.other)),
            "own": kept_per_image(self.own),
            "other": kept_per_image(self.other),
        }


@dataclasses.dataclass(frozen=True, kw_only=True)
class OutOfDistribution:
    """How well a run tells its own images from others.

    Attributes:
      others: str, what the others are called.
      num_images, num_available: numbers of own images, measured and in the split.
      num_others, num_others_available: numbers of the others.
      entropy: in nats, with which the typicality is computed; NaN where it is not known.
      separations: {name in `SCORES`: `Separation`} of what the run has.
      warnings: sentences to be shown with the figures.
    """

    others: str
    num_images: int
    num_available: int
    num_others: int
    num_others_available: int
    entropy: float
    separations: dict[str, Separation]
    warnings: list[str]

    def __str__(self) -> str:
        lines = [
            f"AUROC of {_compared(self.to_dict())}; 1: all others are the less usual, 0.5: chance, below: they pass "
            "for more usual than the run's own",
            *(f"{SCORES[name][0]:14} {found.auroc}" for name, found in self.separations.items()),
        ]
        return with_warnings("\n".join(lines), self.warnings)

    def to_dict(self) -> dict:
        """Return all figures by name; None for what the run does not have."""
        about = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        del about["separations"]
        parts = {name: self.separations[name].to_dict() if name in self.separations else None for name in SCORES}
        return about | parts


def _compared(result):
    own = out_of(result["num_images"], result["num_available"])
    others = out_of(result["num_others"], result["num_others_available"])
    return f"{own} images against {others} images of {result['others']}"


def find_others(asked: str, config: Config, dataset: data.Dataset) -> data.ImageSet:
    """Return the images of `--ood_dataset`, of the size and the grey levels of the data.

    Args:
      asked: str, what asks for them.
      config: the run's.
      dataset: its data.

    Raises:
      UserError: there are none, they do not fit, or either kind has too few.
    """
    if config.ood_dataset is None:
        raise UserError(f"{asked} needs --ood_dataset=NAME|PATH, images that are not the run's")
    expected = data.Expected(shape=dataset.image_shape, levels=dataset.levels, is_resized=True)
    find: Callable[..., data.ImageSet] = data.open_images if os.path.lexists(config.ood_dataset) else _find_by_name
    others = find(
        config.ood_dataset, expected, config.split, config.data_dir, config.validation_split, flag="--ood_dataset"
    )
    if len(others) < _FEWEST:
        raise UserError(f"--ood_dataset={config.ood_dataset} has {len(others)} images; expected {_FEWEST} or more")
    count = _count(config, dataset)
    if count < _FEWEST:
        raise UserError(f"{asked} of {count} {config.split} images; expected {_FEWEST} or more")
    return others


# A data set is read once for several runs; images at a path may have changed.
_find_by_name = functools.lru_cache(maxsize=1)(data.open_images)


def _count(config, dataset):
    return config.num_examples or len(dataset.split(config.split))


def _why_not(asked, config, dataset):
    try:
        find_others(asked, config, dataset)
    except UserError as error:
        return str(error)
    return None


def measure(run: LoadedRun) -> OutOfDistribution:
    """Return how well the run tells the images of its split from as many others, or from all if there are fewer.

    Of more others a part is drawn at random, always the same one, since they may be sorted.
    """
    config, dataset = run.config, run.dataset
    others = find_others("--metrics=ood", config, dataset)
    count = _count(config, dataset)
    entropy = run.validation_nll(run.model.num_steps) if config.has_likelihood else math.nan
    # The others first: one of their files may be broken.
    of_others = _values(run, data.fixed_sample(others.images, min(count, len(others))), others.split, entropy)
    own = _values(run, Rows(dataset.split(config.split).images, np.arange(count)), config.split, entropy)
    usual = {"log_prob": True}
    if "critic_logit" in own:
        usual["critic_logit"] = objectives.is_real_high(run.model.objective.divergence)
    separations = {
        name: Separation(own[name], of_others[name], usual.get(name, False)) for name in SCORES if name in own
    }
    return OutOfDistribution(
        others=others.name,
        num_images=count,
        num_available=len(dataset.split(config.split)),
        num_others=min(count, len(others)),
        num_others_available=len(others),
        entropy=entropy,
        separations=separations,
        warnings=_warnings(run, separations),
    )


def _values(run, images, split, entropy):
    """Return {name in `SCORES`: [N]} of images, as far as the run has them."""
    batch_size = run.config.batch_size
    if not run.config.has_likelihood:
        return {"critic_logit": evaluation.critic_logits(run.model, images, batch_size, split)}
    scores = evaluation.score_images(run.model, images, batch_size, entropy, split)
    bits = scores.bits_per_dim * run.generator.size
    found = {
        "log_prob": scores.log_prob,
        "typicality": scores.typicality if np.isfinite(entropy) else None,
        "input_complexity": evaluation.input_complexity(bits, evaluation.png_bits(images)),
        "critic_logit": scores.critic_logit,
    }
    return {name: values for name, values in found.items() if values is not None}


def _warnings(run, separations):
    if not run.config.has_likelihood:
        return []
    log_prob = separations["log_prob"]
    found = []
    for whose, values in (("own images", log_prob.own), ("others", log_prob.other)):
        found += [f"{whose}: {warning}" for warning in finite_warnings(float(np.mean(np.isfinite(values))))]
    if "typicality" not in separations:
        found.append("no typicality: the run has recorded no finite NLL of its validation images")
    return found if run.generator.has_per_image_likelihood else [*found, NO_PER_IMAGE_LIKELIHOOD]


def draw(run: LoadedRun, found: OutOfDistribution) -> list[pathlib.Path]:
    """Draw the histograms of both kinds of images."""
    path = run.path("ood", "png")
    result = found.to_dict()
    histograms(path, {f"{run.name}, {run.config.checkpoint}": _panels(result)}, "the run's images", found.others)
    return [path]


def overlay(
    results: dict[str, dict], runs: dict[str, FinishedRun], dataset: data.Dataset, folder: pathlib.Path
) -> list[pathlib.Path]:
    """Draw the histograms of several runs in one figure."""
    path = folder / "ood.png"
    others = next(iter(results.values()))["others"]
    histograms(path, {name: _panels(result) for name, result in results.items()}, dataset.name, others)
    return [path]


def _panels(result):
    parts = {axis: result[name] for name, (_, axis) in SCORES.items() if result[name] is not None}
    return {
        axis: Panel(part["own"], part["other"], f"AUROC {part['auroc']:.3f} ± {part['standard_error']:.3f}")
        for axis, part in parts.items()
    }


def _to_value(part: dict) -> Value:
    count = part["num_resampled"]
    error = part["standard_error"] * math.sqrt(count)
    return Value(part["auroc"], error, count, over="images", resamples=tuple(part["resamples"]))


def columns(dataset: data.Dataset, split: str = "test") -> tuple[Column, ...]:
    """Return a column for each of `SCORES`."""
    return tuple(
        Column(
            table=OBJECTIVES,
            heading=f"OOD AUROC, {label}",
            number="auroc",
            error="standard_error",
            part=name,
            digits=3,
            to_value=_to_value,
        )
        for name, (label, _) in SCORES.items()
    )


def remarks(results: dict[str, dict]) -> list[str]:
    """Return which images were told apart, the warnings, and by how much each AUROC is below the highest."""
    found = [f"{name}: OOD AUROC of {_compared(result)}" for name, result in results.items()]
    for name, result in results.items():
        found += [f"(!) {name}, OOD AUROC: {warning}" for warning in result["warnings"]]
    for score, (label, _) in SCORES.items():
        values = {name: _to_value(result[score]) for name, result in results.items() if result[score] is not None}
        best = max(values, key=lambda name: results[name][score]["auroc"], default="")
        found += [
            f"OOD AUROC, {label}, {best} - {name}: {difference(values[best], value)}"
            for name, value in values.items()
            if name != best
        ]
    return found


METRIC = Metric(
    measure=measure,
    draw=draw,
    settings=("ood_dataset", "num_examples"),
    needs=(Need(_why_not, is_of_run=False),),
    is_of_likelihood=True,
    columns=columns,
    noun="OOD AUROC",
    remarks=remarks,
    overlay=overlay,
)
