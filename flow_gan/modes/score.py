"""--mode=score: log p, typicality and the critic's logit of each of one's own images."""

import csv
import os
import pathlib

import numpy as np

from flow_gan import data, evaluation, training
from flow_gan.data.image_file import shown
from flow_gan.device import full_float32
from flow_gan.measurement import FinishedRun
from flow_gan.report.pictures import PictureRow, picture_rows
from flow_gan.training.output import next_free, output_file, whole
from flow_gan.training.run_config import run_config
from flow_gan.training.run_folder import RunFolder, check_free, read_data
from flow_gan.training.run_images import find_images, require_likelihood

_SUFFIXES = (".csv", ".npy")
# Number of images of each kind in the picture.
_SHOWN = 8


@full_float32()
def run(given: dict) -> None:
    """Score images by a run; write a row for each, and a picture of the least and the most likely.

    Raises:
      UserError: the run has no likelihood, the images are not of its size and colour, or the output cannot be made.
    """
    config = run_config(given)
    require_likelihood(config)
    path = None
    if config.output is not None:
        path = output_file(config.output, _SUFFIXES)
        check_free("output", path.with_suffix(".png"), may_be_empty=False)
    images = find_images(config, given)
    if path is None:
        name = f"{images.name.replace(os.sep, '_')}-{config.checkpoint}"
        path = next_free(RunFolder(config.require_run_dir(), config).path / "scores", name, ".csv", ".png")
    model, folder = training.load_model(config, data.levels_of(config.dataset, config.levels))
    entropy = FinishedRun(config=config, folder=folder).validation_nll(model.num_steps)
    scores = evaluation.score_images(model, images.images, config.batch_size, entropy, images.split, config.seed)
    with whole(path) as written:
        _write(written, images, scores, _classes(config, scores))
    picture = path.with_suffix(".png")
    with whole(picture) as written:
        _draw(written, images, scores, model.levels)
    print(_summary(images, scores, f"checkpoint {config.checkpoint} (step {model.num_steps})"))
    print(f"{len(images)} rows  {path}\npicture  {picture}")


def _classes(config, scores):
    """Return the names, or the numbers where there are none, of the most likely classes; None without classes."""
    if scores.most_likely_class is None:
        return None
    names = read_data(config.require_run_dir())["class_names"]
    return [names[label] if names else str(label) for label in scores.most_likely_class]


def _rows(images, scores, classes):
    """Return {column: values [N]}; missing values are empty or NaN."""
    unknown = np.full(len(images), np.nan)
    of_classes = {} if classes is None else {"most_likely_class": np.array(classes, str)}
    return {
        "file": np.array(images.files, str),
        "label": np.array(images.labels or [""] * len(images), str),
        "log_prob": scores.log_prob,
        "bits_per_dim": scores.bits_per_dim,
        "typicality": scores.typicality,
        "critic_logit": unknown if scores.critic_logit is None else scores.critic_logit,
        **of_classes,
    }


def _write(path, images, scores, classes):
    columns = _rows(images, scores, classes)
    if path.suffix.lower() == ".npy":
        rows = np.empty(len(images), [(name, values.dtype) for name, values in columns.items()])
        for name, values in columns.items():
            rows[name] = values
        np.save(path, rows)
        return
    with open(path, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for row in zip(*columns.values(), strict=True):
            writer.writerow([value if isinstance(value, str) else _number(value) for value in row])


def _number(value):
    """Return a number with the digits of float32, "" for NaN."""
    return "" if np.isnan(value) else f"{value:.9g}"


def _draw(path, images, scores, levels):
    order = _order(scores)
    pixels = data.shown_levels(levels)

    def row(title, chosen):
        texts = [f"{scores.log_prob[i]:.2f}\n{pathlib.Path(images.files[i]).name}" for i in chosen]
        return PictureRow(title, pixels[images.images[chosen]], texts)

    rows = [row("least likely, log p in nats", order[:_SHOWN]), row("most likely", order[::-1][:_SHOWN])]
    picture_rows(path, rows)


def _order(scores):
    """Return the numbers of the images from the least likely on; NaN is less likely than anything."""
    return np.argsort(np.nan_to_num(scores.log_prob, nan=-np.inf, posinf=np.inf, neginf=-np.inf), kind="stable")


def _summary(images, scores, checkpoint):
    order = _order(scores)
    is_conditional = scores.most_likely_class is not None
    lines = [
        f"{len(images)} images, {checkpoint}{', log p(x) over all classes' * is_conditional}",
        f"mean log p       {np.mean(scores.log_prob):.2f} nats, {np.mean(scores.bits_per_dim):.4f} bits/dim",
        f"entropy          {scores.entropy:.2f} nats, the mean -log p of the run's validation images"
        f"{', given the label' * is_conditional}",
        f"least likely     {_named(images, scores, order[0])}",
        f"most likely      {_named(images, scores, order[-1])}",
        f"least typical    {_named(images, scores, np.argmax(np.nan_to_num(scores.typicality, nan=-1)))}",
    ]
    return "\n".join(lines + [f"warning: {warning}" for warning in scores.warnings])


def _named(images, scores, i):
    return f"{shown(images.files[i])}: log p {scores.log_prob[i]:.2f}, typicality {scores.typicality[i]:.2f}"
