"""Singular values of the generator's Jacobian (paper, Section 5.1, Figures 4 and 8)."""

import pathlib

from flow_gan import evaluation
from flow_gan.data import Dataset
from flow_gan.measurement.metric import Metric
from flow_gan.measurement.run import FinishedRun, LoadedRun
from flow_gan.report import figures, style


def measure(run: LoadedRun) -> evaluation.JacobianSpectrum:
    """Return the spectrum at `--jacobian_draws` samples z."""
    config = run.config
    return evaluation.jacobian_spectrum(
        run.generator, config.jacobian_draws, config.seed, run.folder.evaluation / f"jacobian-{config.checkpoint}"
    )


def draw(run: LoadedRun, spectrum: evaluation.JacobianSpectrum) -> list[pathlib.Path]:
    """Draw the distribution of the singular values."""
    path = run.path("jacobian", "png")
    figures.singular_value_cdf(path, {run.name: spectrum.singular_values}, style.colours_of({run.name: _kind(run)}))
    return [path]


def overlay(
    results: dict[str, dict], runs: dict[str, FinishedRun], dataset: Dataset, folder: pathlib.Path
) -> list[pathlib.Path]:
    """Draw the distributions of several runs in one figure."""
    path = folder / "jacobian.png"
    values = {runs[name].label: result["singular_values"] for name, result in results.items()}
    colours = style.colours_of({runs[name].label: _kind(runs[name]) for name in results})
    figures.singular_value_cdf(path, values, colours)
    return [path]


def _kind(run):
    """Return what the paper's figures call such a model, a key of `style.MODELS`, or None."""
    if run.config.has_likelihood:
        return run.config.objective
    return {"wgan": "dcgan_wgan", "ce": "dcgan_ce"}.get(run.config.f_div)


METRIC = Metric(
    measure=measure,
    draw=draw,
    settings=("jacobian_draws", "seed"),
    noun="singular values",
    overlay=overlay,
)
