"""The description of a metric."""

import dataclasses
import pathlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import numpy as np

from flow_gan.config import Config
from flow_gan.data import Dataset
from flow_gan.measurement.classified import Classified
from flow_gan.measurement.needs import Need
from flow_gan.report.model_tables import Column

if TYPE_CHECKING:
    from flow_gan.measurement.run import FinishedRun, LoadedRun


class Measured(Protocol):
    """What a metric has found: `str` is what is printed, `to_dict` what is stored."""

    def to_dict(self) -> dict:
        """Return all figures by name, with the sentences that must stand beside them as "warnings", if any."""
        ...


Found = TypeVar("Found", bound=Measured)


def _no_columns(dataset, split):
    return ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Metric(Generic[Found]):
    """All that the package knows of a metric, whose name is that of its file in `flow_gan/metrics/`.

    Attributes:
      measure: function from a `LoadedRun` to what is found.
      draw: function from the run and what was found to the paths of the files that it writes, such as pictures;
        None for none.
      settings: the settings of an evaluation that the result depends on, besides the precision: a stored result of
        other ones, or of other contents of the files that they name, is measured again.
      needs: what a run must have, see `needs`.
      image_counts: settings that say how many images of the split are measured; there must be as many.
      is_of_best_nll: bool, whether `--mode=compare` and the report take it of the weights of the lowest validation NLL,
        as the paper's tables do the NLL. All else is of those of the highest score in training.
      is_of_likelihood: bool, whether it is the model's likelihood, and itself warns if that is not per image.
      is_of_every_model: bool, whether a reproduction measures it for every model that it trains.
      columns: function from the data and the name of the measured split to its `Column`s in the tables of
        `--mode=compare` and of the report.
      noun: str, what sentences below a table call it.
      remarks: function from {name of a run: stored result} to the sentences below the table of its first column.
      remarks_beside: function from {metric: {name of a run: stored result}} of all metrics to further such sentences,
        on its results beside those of other metrics.
      overlay: function from ({name of a run: stored result}, {name: its `FinishedRun`}, the data, a folder) to the
        paths of the figures of several runs that it draws there; None for none.
      score_in_training: function from what is `Classified` to the function from samples, float [n, H, W, C], to the
        {name: figure} that `--score_every` records; None for none.
      tags: {name: TensorBoard's tag} of these figures.
    """

    measure: Callable[["LoadedRun"], Found]
    draw: Callable[["LoadedRun", Found], list[pathlib.Path]] | None = None
    settings: tuple[str, ...] = ()
    needs: tuple[Need, ...] = ()
    image_counts: tuple[str, ...] = ()
    is_of_best_nll: bool = False
    is_of_likelihood: bool = False
    is_of_every_model: bool = False
    columns: Callable[[Dataset, str], tuple[Column, ...]] = _no_columns
    noun: str = "result"
    remarks: Callable[[dict[str, dict]], list[str]] | None = None
    remarks_beside: Callable[[dict[str, dict[str, dict]]], list[str]] | None = None
    overlay: Callable[[dict, dict[str, "FinishedRun"], Dataset, pathlib.Path], list[pathlib.Path]] | None = None
    score_in_training: Callable[[Classified], Callable[[np.ndarray], dict[str, float]]] | None = None
    tags: dict[str, str] = dataclasses.field(default_factory=dict)

    def why_not(self, asked: str, config: Config) -> str | None:
        """Return why a run of this configuration cannot have it, whatever the data; None if it can.

        Args:
          asked: str, what asks for it, such as "--metrics=nll".
          config: the run's.
        """
        reasons = (need.why_not(asked, config, None) for need in self.needs if need.is_of_run)
        return next(filter(None, reasons), None)

    def why_not_of_data(self, asked: str, config: Config, dataset: Dataset) -> str | None:
        """Return why it cannot be had of these data with these settings; None if it can."""
        reasons = (need.why_not(asked, config, dataset) for need in self.needs)
        return next(filter(None, reasons), None)
