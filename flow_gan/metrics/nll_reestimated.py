"""The NLL with the moving averages of a pass over training images in place of the run's own."""

import dataclasses

from flow_gan import evaluation, training
from flow_gan.measurement.metric import Metric
from flow_gan.measurement.needs import LIKELIHOOD, MOVING_AVERAGES
from flow_gan.measurement.run import LoadedRun
from flow_gan.metrics import nll


@dataclasses.dataclass(frozen=True)
class ReestimatedNLL:
    """An NLL with moving averages that are not the run's own.

    Attributes:
      nll: the `evaluation.NLL`.
    """

    nll: evaluation.NLL

    def __str__(self):
        return f"moving averages re-estimated on training images: {self.nll}"

    def to_dict(self) -> dict:
        """Return all figures by name."""
        return self.nll.to_dict()


def measure(run: LoadedRun) -> ReestimatedNLL:
    """Return the NLL of the run's split with re-estimated averages; afterwards the model has its own again."""
    with training.reestimated_batch_norm_statistics(
        run.model,
        run.dataset.train.images,
        run.config.batch_size,
        lambda batches: evaluation.progress(batches, "moving averages"),
    ):
        return ReestimatedNLL(nll.measure(run))


METRIC = Metric(
    measure=measure,
    settings=("num_examples", "noise_draws", "batch_size"),
    needs=(LIKELIHOOD, MOVING_AVERAGES),
    is_of_likelihood=True,
    noun="NLL with re-estimated moving averages",
)
