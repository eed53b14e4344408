"""The Parzen window on the run's samples: an estimate of the NLL (paper, Table 3)."""

import dataclasses

from flow_gan import evaluation
from flow_gan.data import Dataset
from flow_gan.measurement.metric import Metric
from flow_gan.measurement.needs import TEST_SPLIT
from flow_gan.measurement.run import LoadedRun
from flow_gan.report import paper
from flow_gan.report.model_tables import ESTIMATORS, Column
from flow_gan.report.values import Value, over_images


@dataclasses.dataclass(frozen=True)
class ParzenWindow:
    """A Parzen window with the bandwidth of the lowest validation NLL.

    Attributes:
      search: its `evaluation.BandwidthSearch`.
    """

    search: evaluation.BandwidthSearch

    def __str__(self) -> str:
        return f"Parzen window on {self.search.num_centres} samples, {self.search}"

    def to_dict(self) -> dict:
        """Return all figures by name."""
        return self.search.to_dict()


def search_bandwidth(
    run: LoadedRun, mixture: evaluation.IsotropicMixture, count: int | None = None
) -> evaluation.BandwidthSearch:
    """Choose a mixture's bandwidth on validation images, for the first `count` images of the run's split."""
    splits = "validation", run.config.split
    available = [len(run.dataset.split(split)) for split in splits]
    return evaluation.search_bandwidth(
        mixture, run.images(splits[0]), run.images(splits[1], count), num_available=available
    )


def search_on_samples(run: LoadedRun, count: int | None = None) -> evaluation.BandwidthSearch:
    """Return the search of the window on the run's samples, for the first `count` images of its split."""
    return search_bandwidth(run, evaluation.IsotropicMixture(run.samples(run.config.kde_samples)), count)


def measure(run: LoadedRun) -> ParzenWindow:
    """Return the window on the run's samples."""
    return ParzenWindow(search_on_samples(run))


def _to_value(result: dict) -> Value:
    return over_images(result["best_test_nll"], result["best_test_standard_error"], result["best_test_nll_per_image"])


def estimate(part: str | None = None) -> Column:
    """Return Table 3's column of the KDE; `part` is that of the stored result which holds it."""
    return Column(
        table=ESTIMATORS,
        heading="KDE",
        number="best_test_nll",
        error="best_test_standard_error",
        part=part,
        place=3,
        paper={objective: numbers[2] for objective, numbers in paper.TABLE_3.items()},
        paper_heading="Paper: KDE",
        to_value=_to_value,
    )


def columns(dataset: Dataset, split: str = "test") -> tuple[Column, ...]:
    """Return the column of the estimators' KDE."""
    return (estimate(),)


def remarks(results: dict[str, dict]) -> list[str]:
    """Return the warnings of the windows of runs, and of how many images they are."""
    found = []
    for name, result in results.items():
        found += [f"(!) {name}, KDE: {warning}" for warning in result["warnings"]]
        if result["num_test"] < result["num_available"][1]:
            found.append(f"{name}: {result['num_test']} of {result['num_available'][1]} images in KDE")
    return found


METRIC = Metric(
    measure=measure,
    settings=("num_examples", "kde_samples", "seed"),
    needs=(TEST_SPLIT,),
    columns=columns,
    noun="KDE",
    remarks=remarks,
)
