"""The Gaussian mixture on the training images, against the run (paper, Section 3.4, Figures 3, 6 and 7)."""

import dataclasses
import math
import pathlib

import numpy as np

from flow_gan import evaluation
from flow_gan.data import Dataset
from flow_gan.measurement.classified import Predictions
from flow_gan.measurement.metric import Metric
from flow_gan.measurement.needs import CLASSIFIER_FILES, LABELS, TEST_SPLIT, UNCONDITIONAL
from flow_gan.measurement.run import FinishedRun, LoadedRun
from flow_gan.metrics import kde, scores
from flow_gan.report import figures, paper

# Images of a row of the mixture's samples.
_COLUMNS = 10


@dataclasses.dataclass(frozen=True)
class AgainstMixture:
    """A mixture at each of its bandwidths, and the run that it is compared with.

    Attributes:
      mixture: the `evaluation.IsotropicMixture` on the training images.
      search: its `evaluation.BandwidthSearch`.
      score: str, the score that the paper gives for such images.
      nll: `evaluation.NLL` of the run on the validation images, None where it has no likelihood.
      run_score: (score, deviation) of the run, None where there is no classifier that could judge samples.
      scores: list of (score, deviation) of the mixture at each bandwidth; likewise.
    """

    mixture: evaluation.IsotropicMixture
    search: evaluation.BandwidthSearch
    score: str
    nll: evaluation.NLL | None = None
    run_score: tuple[float, float] | None = None
    scores: list[tuple[float, float]] | None = None

    @property
    def wins(self) -> list[float]:
        """The bandwidths at which the mixture has both the lower NLL and the higher score."""
        if self.nll is None or self.run_score is None or self.scores is None:
            return []
        return evaluation.winning_bandwidths(
            self.search.bandwidths,
            self.search.validation_nll,
            [score for score, _ in self.scores],
            self.nll.nats,
            self.run_score[0],
        )

    def __str__(self) -> str:
        wins = self.wins
        return f"mixture on {self.search.num_centres} training images, {self.search}\n" + (
            f"the mixture has the lower NLL and the higher score at bandwidths {wins[0]:.3g} to {wins[-1]:.3g}"
            if wins
            else "no bandwidth has both the lower NLL and the higher score"
        )

    def to_dict(self) -> dict:
        """Return all figures by name; None for what the run does not have."""
        nll = self.nll
        run_score, run_score_std = self.run_score or (None, None)
        excess, excess_error = (None, None) if nll is None else self._run_minus_mixture(nll)
        result = self.search.to_dict() | {
            "score": self.score,
            "run_validation_nll": nll and nll.nats,
            "run_validation_standard_error": nll and nll.nats_standard_error,
            "run_validation_nll_per_image": nll and nll.nats_per_image,
            "run_minus_mixture": excess,
            "run_minus_mixture_standard_error": excess_error,
            "run_score": run_score,
            "run_score_std": run_score_std,
            "bandwidths_that_win": self.wins,
        }
        if nll is not None:
            result["warnings"] = result["warnings"] + [f"the run's own NLL: {warning}" for warning in nll.warnings]
        if self.scores is not None:
            result["scores"], result["scores_std"] = map(list, zip(*self.scores, strict=True))
        return result

    def _run_minus_mixture(self, nll):
        """Return the differences of the NLLs at each bandwidth and their standard errors.

        They are of the same images, so that they are known better than either NLL.
        """
        own = np.array(nll.nats_per_image)
        differences = own - self.search.validation_nll_per_image[:, : len(own)]
        return map(list, zip(*map(evaluation.mean_and_error, differences), strict=True))


def measure(run: LoadedRun) -> AgainstMixture:
    """Return the mixture on the training images against the run, both on validation images."""
    config, dataset = run.config, run.dataset
    mixture = evaluation.IsotropicMixture.of_images(dataset.train.images, dataset.levels)
    found = AgainstMixture(mixture=mixture, search=kde.search_bandwidth(run, mixture), score=paper.score_name(dataset))
    if config.has_likelihood:
        nll = evaluation.evaluate_nll(
            run.model, dataset, "validation", config.batch_size, num_examples=config.num_examples
        )
        found = dataclasses.replace(found, nll=nll)
    if LABELS.why_not("", config, dataset) is None:
        found = _scored(run, found)
    return found


def _scored(run, found):
    """Return it with the scores of the run and of the mixture at each bandwidth."""
    images, count = run.classified, run.config.score_samples

    def score(predictions: Predictions) -> tuple[float, float]:
        # Of the scores none is an FID.
        judged = evaluation.score_predictions(
            images.classifier, *predictions, reference=images.reference, splits=images.config.score_splits
        )
        return getattr(judged, found.score), getattr(judged, f"{found.score}_std")

    of_mixture = [
        score(images.of(found.mixture.sample(count, bandwidth, run.config.seed).numpy()))
        for bandwidth in evaluation.progress(found.search.bandwidths, "scores of the mixture")
    ]
    return dataclasses.replace(found, run_score=score(images.samples), scores=of_mixture)


def draw(run: LoadedRun, found: AgainstMixture) -> list[pathlib.Path]:
    """Draw NLL and score over the bandwidth, and samples at the best bandwidth and at the narrowest that wins."""
    path = run.path("gmm", "png")
    result = found.to_dict()
    title = f"{run.name}, {run.config.checkpoint}"
    _sweep(path, result, title, result["run_validation_nll"], paper.score_label(run.dataset))
    shown = {"best": found.search.best_bandwidth}
    if found.wins:
        shown["winning"] = found.wins[0]
    paths = [path]
    for which, bandwidth in shown.items():
        samples = found.mixture.sample(_COLUMNS**2, bandwidth, run.config.seed).numpy()
        grid = samples.reshape(_COLUMNS, _COLUMNS, *samples.shape[1:])
        why = {"best": "the lowest validation NLL", "winning": "the narrowest that wins"}[which]
        title = f"samples of the Gaussian mixture, σ = {bandwidth:.3g}, {why}"
        paths.append(run.save_grid(f"gmm-samples-{which}", grid, title))
    return paths


def _sweep(path, result, title, run_nll, score_label):
    sweep = {"bandwidths": result["bandwidths"], "nll": result["validation_nll"], "score": result.get("scores")}
    figures.mixture_sweep(path, sweep, title, run_nll, result["run_score"], score_label, "nats")


def overlay(
    results: dict[str, dict], runs: dict[str, FinishedRun], dataset: Dataset, folder: pathlib.Path
) -> list[pathlib.Path]:
    """Draw NLL and score over the bandwidth against each run, a figure for each."""
    paths = []
    for name, result in results.items():
        nll = result["run_validation_nll"]
        if nll is None and runs[name].config.has_likelihood:
            nll = math.inf  # Which JSON does not know.
        paths.append(folder / f"gmm-{name}.png")
        _sweep(
            paths[-1], result, f"{runs[name].label}, {runs[name].checkpoint('gmm')}", nll, paper.score_label(dataset)
        )
    return paths


METRIC = Metric(
    measure=measure,
    draw=draw,
    settings=("num_examples", *scores.SETTINGS),
    needs=(UNCONDITIONAL, TEST_SPLIT, CLASSIFIER_FILES),
    noun="mixture",
    overlay=overlay,
)
