"""TensorBoard's events of a run."""

import math
import os
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from tensorboard.plugins.hparams import api as hparams_plugin

from flow_gan.training.files import writing

# TensorBoard's names, grouped and sorted as its page shows them: capitals come first, and so the NLL.
_NATS_TAG = "NLL/nats per image"
_BITS_TAG = "NLL/bits per dim"
_TAGS = {
    "train_nll": _NATS_TAG,
    "nll": "losses/NLL of the step's batch",
    "critic_loss": "losses/critic",
    "critic_loss_real": "losses/critic on real images",
    "critic_loss_fake": "losses/critic on samples",
    "gradient_penalty": "losses/gradient penalty",
    "generator_loss": "losses/generator (adversarial)",
    "critic_gradient_norm": "gradient norms/critic",
    "generator_gradient_norm": "gradient norms/generator",
    "learning_rate": "optimizer/learning rate",
}
# The beginning of the name of an event file that is being cut.
_CUT = "cut."


class TensorBoardLog:
    """TensorBoard's events, train and validation apart, so that the curves of their NLL share a chart.

    Args:
      folder: path below which train/ and validation/ lie.
      bits_per_dim: function from an NLL in nats to bits/dim.
      last_step: a run that is resumed at this step keeps the events up to it and drops the rest.
    """

    def __init__(self, folder: pathlib.Path, bits_per_dim: Callable[[float], float], last_step: int = 0):
        self._folder = folder
        self._bits_per_dim = bits_per_dim
        with writing(folder):
            for left_by_a_crash in pathlib.Path(folder).glob(f"*/{_CUT}*"):
                left_by_a_crash.unlink()
            for events in pathlib.Path(folder).glob("*/events.out.tfevents.*"):
                _cut_events(events, last_step)
            self._train = tf.summary.create_file_writer(str(folder / "train"))
            self._validation = tf.summary.create_file_writer(str(folder / "validation"))

    def hparams(self, settings: dict[str, Any]) -> None:
        """Write what the run is compared by, {name: value}: its row in the HParams table.

        The table's metrics are the last values of the scalars beside it. It lies with the validation, not a folder
        above, since TensorBoard finds no metrics below a row that is the folder it was started on.
        """
        with writing(self._folder), self._validation.as_default(0):
            # No trial_id: a hash of the settings would put runs with the same ones into one row.
            hparams_plugin.hparams(settings, trial_id="")

    def train(self, step: int, record: dict[str, float]) -> None:
        """Write the values of a training step, {name: float}."""
        with writing(self._folder), self._train.as_default(step):
            for name, tag in _TAGS.items():
                if name in record:
                    tf.summary.scalar(tag, record[name])
            if "train_nll" in record:
                tf.summary.scalar(_BITS_TAG, self._bits_per_dim(record["train_nll"]))

    def validation(self, step: int, nll: float, best_nll: float, latents: Any) -> None:
        """Write the validation NLL, the lowest so far if there is one that is finite, and a histogram of latents."""
        with writing(self._folder), self._validation.as_default(step):
            tf.summary.scalar(_NATS_TAG, nll)
            tf.summary.scalar(_BITS_TAG, self._bits_per_dim(nll))
            if math.isfinite(best_nll):
                tf.summary.scalar(f"best {_NATS_TAG}", best_nll)
                tf.summary.scalar(f"best {_BITS_TAG}", self._bits_per_dim(best_nll))
            tf.summary.histogram("z = f(x) of validation images", latents)

    def scores(self, step: int, figures: dict[str, float]) -> None:
        """Write the scores of samples, {tag: float}."""
        with writing(self._folder), self._validation.as_default(step):
            for tag, value in figures.items():
                tf.summary.scalar(tag, value)

    def samples(self, step: int, grid: np.ndarray) -> None:
        """Write a sample grid, uint8 [H, W, C]."""
        with writing(self._folder), self._validation.as_default(step):
            tf.summary.image("samples from a fixed z", grid[None])

    def flush(self) -> None:
        """Bring everything to the disk."""
        with writing(self._folder):
            self._train.flush()
            self._validation.flush()

    def close(self) -> None:
        """Close the files."""
        with writing(self._folder):
            self._train.close()
            self._validation.close()


def _is_hparams(event):
    return any(value.metadata.plugin_data.plugin_name == "hparams" for value in event.summary.value)


def _cut_events(path, last_step):
    """Rewrite an event file without what comes after `last_step` and the settings, which a resumed run writes anew.

    It is deleted if nothing is left.
    """
    temporary = path.with_name(_CUT + path.name)
    kept = 0
    with tf.io.TFRecordWriter(str(temporary)) as writer:
        try:
            for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
                event = tf.compat.v1.Event.FromString(record)
                if event.step <= last_step and not _is_hparams(event):
                    writer.write(record)
                    kept += event.HasField("summary")
        except tf.errors.DataLossError:
            pass  # A crash cut the last event off.
    if kept:
        os.replace(temporary, path)
    else:
        temporary.unlink()
        path.unlink()
