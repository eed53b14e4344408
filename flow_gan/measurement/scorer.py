"""Scores of samples during training (`--score_every`)."""

import functools

from flow_gan import evaluation, random
from flow_gan.config import Config
from flow_gan.data import Dataset
from flow_gan.errors import UserError
from flow_gan.generators.base import Generator
from flow_gan.measurement import registry
from flow_gan.measurement.classified import Classified
from flow_gan.report import paper


class Scorer:
    """Scores a generator by what metrics say of its samples.

    The score of the paper's tables chooses weights, so the samples are others than those of any later measure.

    `training.train` takes this class.

    Args:
      config: the run's configuration.
      dataset: its data.

    Attributes:
      tags: {name of a figure: TensorBoard's tag}.

    Raises:
      UserError: the data have no labels, which the classifier needs.
    """

    def __init__(self, config: Config, dataset: Dataset):
        self._config = config
        self._score = paper.score_name(dataset)
        metrics = [metric for metric in registry.all_metrics().values() if metric.score_in_training]
        for metric in metrics:
            why = metric.why_not_of_data(f"--score_every={config.score_every}", config, dataset)
            if why:
                raise UserError(why)
        # One for all, so that neither the training images nor samples are classified twice.
        images = Classified(config, dataset)
        self._judges = [metric.score_in_training(images) for metric in metrics if metric.score_in_training]
        self.tags = {name: tag for metric in metrics for name, tag in metric.tags.items()}
        self._sampler = functools.cache(
            lambda generator: evaluation.Sampler(generator, config.batch_size, random.Stream.SELECTION)
        )

    def __call__(self, generator: Generator) -> tuple[float, dict[str, float]]:
        """Return (score, {name: figure}) of a generator's samples."""
        samples = self._sampler(generator).draw(self._config.score_samples, self._config.seed)
        figures: dict[str, float] = {}
        for judge in self._judges:
            figures |= judge(samples)
        return figures[self._score], figures
