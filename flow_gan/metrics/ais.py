"""AIS, and beside it the exact NLL and the Parzen window of the same images (paper, Table 3)."""

import dataclasses

from flow_gan import evaluation
from flow_gan.data import Dataset
from flow_gan.measurement.metric import Metric
from flow_gan.measurement.needs import PRIOR_WITHOUT_EDGE, TEST_SPLIT, UNCONDITIONAL
from flow_gan.measurement.run import LoadedRun
from flow_gan.metrics import kde, nll
from flow_gan.report import paper
from flow_gan.report.model_tables import ESTIMATORS, Column
from flow_gan.report.values import Value, over_images

# Validation images by which AIS chooses its observation noise.
_SIGMA_IMAGES = 10
# Images whose chains run at once, but for those of the gap.
_BATCH = 50


@dataclasses.dataclass(frozen=True)
class Estimates:
    """Estimates of the NLL of the same images.

    Attributes:
      ais: `evaluation.AIS`.
      kde: `evaluation.BandwidthSearch` of the Parzen window on samples.
      exact: `evaluation.NLL`, None of a model without a likelihood.
    """

    ais: evaluation.AIS
    kde: evaluation.BandwidthSearch
    exact: evaluation.NLL | None

    def __str__(self) -> str:
        text = f"AIS    {self.ais}\nKDE    {self.kde}"
        return text if self.exact is None else f"exact  {self.exact}\n{text}"

    def to_dict(self) -> dict:
        """Return all figures of AIS by name, those of the others as "kde" and "nll"."""
        return self.ais.to_dict() | {"kde": self.kde.to_dict(), "nll": self.exact and self.exact.to_dict()}


def measure(run: LoadedRun) -> Estimates:
    """Return the estimates of the first images of the run's split."""
    config, generator = run.config, run.generator
    settings = evaluation.AISSettings(
        chains=config.ais_chains,
        temperatures=config.ais_temperatures,
        leapfrog_steps=config.ais_leapfrog,
        batch_size=min(config.ais_images, _BATCH),
        seed=config.seed,
    )
    short = dataclasses.replace(settings, temperatures=max(config.ais_temperatures // 10, 1))
    # What takes seconds comes before what takes minutes.
    exact = None
    if config.has_likelihood:
        exact = evaluation.evaluate_nll(
            run.model, run.dataset, config.split, config.batch_size, num_examples=config.ais_images
        )
    window = kde.search_on_samples(run, config.ais_images)
    validation = run.images("validation", min(_SIGMA_IMAGES, len(run.dataset.validation)))
    sigma = evaluation.choose_sigma(generator.decode, generator.prior, validation, settings=short)
    images = run.images(config.split, config.ais_images)
    available = len(run.dataset.split(config.split))
    ais = evaluation.evaluate_ais(generator.decode, generator.prior, images, sigma, settings, num_available=available)
    return Estimates(ais, window, exact)


def _to_value(result: dict) -> Value:
    nats = [None if log_prob is None else -log_prob for log_prob in result["log_prob"]]
    return over_images(result["nats"], result["nats_standard_error"], nats)


def columns(dataset: Dataset, split: str = "test") -> tuple[Column, ...]:
    """Return the columns of all three estimates."""
    own = Column(
        table=ESTIMATORS,
        heading="AIS",
        number="nats",
        error="nats_standard_error",
        place=2,
        paper={objective: numbers[1] for objective, numbers in paper.TABLE_3.items()},
        paper_heading="Paper: AIS",
        to_value=_to_value,
    )
    return nll.exact("nll"), own, kde.estimate("kde")


def remarks(results: dict[str, dict]) -> list[str]:
    """Return the warnings of the estimates of runs, and of how many images they are."""
    found = []
    for name, result in results.items():
        for what, part in {"exact": result["nll"], "AIS": result, "KDE": result["kde"]}.items():
            found += [f"(!) {name}, {what}: {warning}" for warning in (part["warnings"] if part else [])]
        if result["num_images"] < result["num_available"]:
            found.append(f"{name}: {result['num_images']} of {result['num_available']} images in AIS")
    return found


METRIC = Metric(
    measure=measure,
    settings=(
        "num_examples",
        "kde_samples",
        "seed",
        "ais_images",
        "ais_chains",
        "ais_temperatures",
        "ais_leapfrog",
    ),
    needs=(UNCONDITIONAL, PRIOR_WITHOUT_EDGE, TEST_SPLIT),
    image_counts=("ais_images",),
    columns=columns,
    noun="AIS",
    remarks=remarks,
)
