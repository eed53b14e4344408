"""A run that exists, with what is stored of it."""

import dataclasses
import json

from flow_gan import training
from flow_gan.errors import UserError
from flow_gan.measurement.measure import stored_result
from flow_gan.training.run_config import run_config
from flow_gan.training.run_folder import RunFolder

# Measures that Tables 1 and 2 take from the weights of the lowest NLL; all others from those of the highest score.
_OF_BEST_NLL = ("nll",)


@dataclasses.dataclass(frozen=True)
class CompletedRun:
    """A run with what is stored of it.

    Attributes:
      name: str, its folder's name.
      config: its `config.Config`, with the settings of the evaluation.
      folder: its `RunFolder`.
      data_digest: str, of the data as they are now, whose results alone count; None: all count.
    """

    name: str
    config: object
    folder: RunFolder
    data_digest: str | None = None

    def read_records(self):
        """Return what it recorded, metrics.jsonl, a list of dicts; read anew each time, since it may be long.

        Raises:
          UserError: it cannot be read.
        """
        try:
            return [json.loads(line) for line in self.folder.metrics_file.read_text(encoding="utf-8").splitlines()]
        except (OSError, ValueError) as error:
            raise UserError(f"the run {self.folder.path} has no readable metrics.jsonl ({error})") from error

    def checkpoint(self, metric):
        """Return the name of the weights that a measure is of.

        The NLL of Tables 1 and 2 is of the lowest validation NLL, all else of the highest score in training. Without
        scores that is the lowest NLL again; for a critic's objective alone, which the NLL does not tell the course of,
        the latest.
        """
        if metric not in _OF_BEST_NLL and self._has("best_score"):
            return "best_score"
        follows_nll = metric in _OF_BEST_NLL or self.config.objective != "adv"
        return "best" if follows_nll and self._has("best") else "latest"

    def _has(self, checkpoint):
        return training.saved_step(self.folder.checkpoints, checkpoint) is not None

    def configured(self, metric, checkpoint=None):
        """Return the configuration with which a measure of the weights called `checkpoint` is made.

        If it is None, that of `checkpoint(metric)`.
        """
        return dataclasses.replace(self.config, checkpoint=checkpoint or self.checkpoint(metric))

    def result(self, metric, checkpoint=None):
        """Return the stored result of a measure, a dict, or None if there is none of these settings, weights, data."""
        return stored_result(self.folder, self.configured(metric, checkpoint), metric, self.data_digest)

    def curve(self, unit):
        """Return what `figures.learning_curves` draws; `unit` is a function from nats.

        The NLLs are those of the watched images at each validation, in evaluation mode, with their standard errors as
        "train_error" and "validation_error"; None where they are not finite, or were not measured. The critic's loss
        is that of each step, without its gradient penalty, as the paper draws it.
        """
        records = self.read_records()
        validated = [record for record in records if "validation_nll" in record]
        curve = {"step": [record["step"] for record in validated]}
        for split in ("train", "validation"):
            errors = (record.get(f"{split}_nll_standard_error") for record in validated)
            curve[f"{split}_nll"] = [_converted(record.get(f"{split}_nll"), unit) for record in validated]
            curve[f"{split}_error"] = [converted_error(error, unit) for error in errors]
        if self.config.n_critic:
            parts = [(r["step"], r["critic_loss_real"], r["critic_loss_fake"]) for r in records]
            curve["critic_step"] = [step for step, *_ in parts]
            curve["critic_loss"] = [None if None in losses else sum(losses) for _, *losses in parts]
        return curve

    def scores(self, name):
        """Return what `figures.score_curves` draws of the scores in training, None where there were none."""
        records = [record for record in self.read_records() if name in record]
        if not records:
            return None
        return {
            "step": [record["step"] for record in records],
            "score": [record[name] for record in records],
            "std": [record[f"{name}_std"] for record in records],
        }


def _converted(nats, unit):
    return None if nats is None else unit(nats)


def converted_error(nats, unit):
    """Return the error of an NLL in another unit, None where it is none; `unit` is an affine function from nats."""
    return None if nats is None else unit(nats) - unit(0.0)


def open_run(folder, settings, data_digest=None):
    """Return the `CompletedRun` of a folder.

    Args:
      folder: path of the run.
      settings: {setting: value} with which it is measured.
      data_digest: see `CompletedRun`.

    Raises:
      UserError: the folder is no run.
    """
    config = run_config({"mode": "evaluate", "run_dir": str(folder)} | settings)
    place = RunFolder(folder, config)
    return CompletedRun(place.path.name, config, place, data_digest)
