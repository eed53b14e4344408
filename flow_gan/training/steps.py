"""The steps of a run: how many, of how many batches, and what is due after which."""

import dataclasses

from flow_gan import data
from flow_gan.config import Config


def batches_per_step(config: Config) -> int | None:
    """Return how many batches a step takes, None for one that all its updates share."""
    if config.n_critic and config.critic_batches == "fresh":
        return config.n_critic
    return None


def steps_per_epoch(config: Config, dataset: data.Dataset) -> int:
    """Return the number of generator updates in a pass over the training images."""
    return len(dataset.train) // (config.batch_size * (batches_per_step(config) or 1))


def num_steps(config: Config, dataset: data.Dataset) -> int:
    """Return the number of generator updates of a whole run."""
    return config.max_steps or config.epoch * steps_per_epoch(config, dataset)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Steps:
    """The steps of one training, counted from 1 over the whole run.

    Attributes:
      first, last: int, steps made before and after this training.
      eval_every: int, steps between validations.
      log_every: int, steps between writes of records.
      score_every: int, steps between scores of samples; 0 for no scores.
    """

    first: int
    last: int
    eval_every: int
    log_every: int
    score_every: int

    @classmethod
    def of(cls, config: Config, dataset: data.Dataset, first: int) -> "Steps":
        """Return the steps of a run from `first` on."""
        return cls(
            first=first,
            last=num_steps(config, dataset),
            eval_every=config.eval_every,
            log_every=config.log_every,
            score_every=config.score_every * steps_per_epoch(config, dataset),
        )

    def is_validation_due(self, step: int) -> bool:
        """Whether a validation follows a step; all processes of a run take part in it together."""
        return step % self.eval_every == 0 or step == self.last

    def is_score_due(self, step: int) -> bool:
        """Whether samples are scored after a step."""
        return self.score_every > 0 and (step % self.score_every == 0 or step == self.last)

    def is_record_due(self, step: int) -> bool:
        """Whether records are written after a step, those of what is due after it among them."""
        return self.is_validation_due(step) or self.is_score_due(step) or step % self.log_every == 0
