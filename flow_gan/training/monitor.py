"""The callback that watches, records and saves a run."""

import contextlib
import dataclasses
import math
import sys
import time

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from flow_gan import data, random
from flow_gan.bijectors import layer_not_finite, watched_layers
from flow_gan.errors import NotFiniteError, UserError
from flow_gan.signals import Interrupted, Stopped, StopSignals
from flow_gan.training.averaged_weights import weights_to_use
from flow_gan.training.build import is_validation_due, watched_batches, watched_images
from flow_gan.training.diagnosis import magnitudes
from flow_gan.training.run_folder import writing

# A record waits no longer than this for those that are written with it, however slow the steps are.
SECONDS_BETWEEN_WRITES = 10

# What matters most comes first: a narrow terminal cuts the end off.
_BAR = "{l_bar}{bar}| {n_fmt}/{total_fmt}{postfix} [{elapsed}<{remaining}, {rate_fmt}]"

HISTOGRAM_IMAGES = 256
# Latents of as many at most, since TensorBoard's histogram takes some 250 bytes for each.
HISTOGRAM_VALUES = 2**20


class Monitor(keras.callbacks.Callback):
    """Records every step, validates, saves checkpoints and samples, and stops at a non-finite loss or when asked.

    A step's values stay on the device until they are written: after the first step, every `log_every` steps, after
    `SECONDS_BETWEEN_WRITES`, before each checkpoint and at the end. Every `eval_every` steps and after the last: NLL of
    the validation images and of fixed training images, sample grid, histogram, checkpoint. A generator without a
    likelihood has no NLL and no histogram, and so no best weights by it. With `--ema_decay` all this is of the averaged
    weights.

    A step's record is written when all that is due after the step is done, and the checkpoint after that. A signal to
    stop breaks a validation off; the checkpoint then says so, and a run going on from it begins with the validation.

    Args:
      config: the run's configuration.
      dataset: `data.Dataset`.
      folder: `RunFolder`.
      checkpoints: `Checkpoints`.
      metrics_file: `MetricsFile`.
      tensorboard: `TensorBoardLog`.
      first_step, last_step: int, steps done before and after this fit.
      scorer: function from the generator to (score, {name: figure}), called every `score_interval` steps and after the
        last one, with TensorBoard's `tags` of the figures, {name: tag}; None for no scores.
      score_interval: int.
      signals: `StopSignals`; never any if None.
    """

    def __init__(
        self,
        config,
        dataset,
        folder,
        checkpoints,
        metrics_file,
        tensorboard,
        first_step,
        last_step,
        scorer=None,
        score_interval=0,
        signals=None,
    ):
        super().__init__()
        self._config = config
        self._dataset = dataset
        self._folder = folder
        self._checkpoints = checkpoints
        self._metrics_file = metrics_file
        self._tensorboard = tensorboard
        self._step = first_step
        self._last_step = last_step
        self._scorer = scorer
        self._score_interval = score_interval
        self._signals = signals or StopSignals()
        count = min(HISTOGRAM_IMAGES, max(HISTOGRAM_VALUES // math.prod(dataset.image_shape), 1))
        images = dataset.validation.images[np.arange(min(count, len(dataset.validation)))]
        self._histogram_images = data.dequantize(images, 0.5, dataset.levels)
        self._pending = []
        self._written_at = -math.inf
        self._bar = None
        self._watched = None
        self._weights_to_use = None
        self._saved_step = None

    def on_train_begin(self, logs=None):
        """Draw the fixed z of the sample grids and start the progress bar."""
        self._watched = watched_batches(self._config, self.model, self._dataset)
        self._weights_to_use = weights_to_use(self._config, self.model, self._dataset)
        key = random.key(self._config.seed, random.Stream.SAMPLE)
        self._fixed_z = self.model.generator.sample_latent(key, 0, self._config.num_samples)
        self._bar = tqdm(
            file=_Forgiving(sys.stderr),
            total=self._last_step,
            initial=self._step,
            desc="training",
            unit="step",
            mininterval=0.5 if sys.stderr.isatty() else 10,
            dynamic_ncols=True,
            bar_format=_BAR,
        )
        if self._checkpoints.is_step_unfinished:
            self._signals.protect()
            self._finish([self._metrics_file.take_back()])
        if self._signals.received:
            self._stop()

    def on_train_batch_end(self, batch, logs=None):
        """Record a step, and do what is due after it."""
        self._signals.protect()
        self._step += 1
        self._pending.append((self._step, logs))
        self._bar.update()
        if self._is_validation_due or self._is_score_due or self._step % self._config.log_every == 0:
            self._finish(self._collect())
        elif time.monotonic() - self._written_at > SECONDS_BETWEEN_WRITES:
            self._metrics_file.write(self._collect())
        if self._signals.received:
            self._stop()

    @property
    def _is_validation_due(self):
        return is_validation_due(self._config, self._step, self._last_step)

    @property
    def _is_score_due(self):
        is_last = self._step == self._last_step
        return self._scorer is not None and (self._step % self._score_interval == 0 or is_last)

    def _finish(self, records):
        """Do what is due after the last of the steps recorded, write the records, and save where something was due."""
        is_interrupted = False
        is_due = self._is_validation_due or self._is_score_due
        try:
            with self._weights_to_use() if is_due else contextlib.nullcontext():
                if self._is_validation_due:
                    records[-1] |= self.validate()
                if self._is_score_due:
                    records[-1] |= self._score()
                if is_due and self._config.ema_decay:
                    self._checkpoints.save_averaged()
        except Interrupted:
            is_interrupted = True
        finally:
            # Also where something is not finite: the steps before it were good.
            self._metrics_file.write(records)
        if not is_interrupted:
            self._tensorboard.train(self._step, records[-1])
        if is_due:
            self._save(unfinished=is_interrupted)
        self._show(records[-1])

    def _stop(self):
        """Save what is not saved yet, and leave `fit` at once: at its usual end other processes would be waited for."""
        if self._pending:
            self._metrics_file.write(self._collect())
        if self._saved_step != self._step:
            self._save()
        raise Stopped(self._signals.received, self._step, self._folder.path)

    def _save(self, unfinished=False):
        self._tensorboard.flush()
        self._checkpoints.save(unfinished)
        self._saved_step = self._step

    def on_train_end(self, logs=None):
        """Close the progress bar."""
        self.close()

    def close(self):
        """Close the progress bar, also after a failure."""
        if self._bar is not None:
            self._bar.close()

    def _collect(self):
        """Bring the pending steps to the host as {"step": ..., name: float}; stop at a non-finite loss."""
        records = []
        for step, logs in self._pending:
            record = {"step": step} | {name: float(value) for name, value in logs.items()}
            if step % self.model.nll_interval and not self.model.has_likelihood_objective:
                record.pop("nll", None)
            for name, value in record.items():
                # In ADV the NLL is no part of the objective, and may overflow while training goes well.
                if not math.isfinite(value) and (name != "nll" or self.model.has_likelihood_objective):
                    self._metrics_file.write(records)
                    raise self._failure(step, f"{name} is {value}")
            records.append(record)
        self._pending = []
        self._written_at = time.monotonic()
        self._show(records[-1])
        return records

    def _show(self, record):
        """Let the progress bar tell of a step."""
        if "nll" in record:
            text = f"train {self._dataset.format_nll(record['nll'])}"
        else:
            text = f"critic {record['critic_loss']:.3f}, generator {record['generator_loss']:.3f}"
        best = float(self._checkpoints.best_nll)
        if math.isfinite(best):
            text += f", best {self._dataset.format_nll(best)}"
        self._bar.set_postfix_str(text, refresh=False)

    def failure_in_step(self, what):
        """Return the `NotFiniteError` for a step that broke off, with the finished steps before it recorded.

        Args:
          what: str, from `bijectors.layer_not_finite`.
        """
        if self._pending:
            self._metrics_file.write(self._collect())
        try:
            sizes = magnitudes(self.model, self._config, self._dataset.train.images, self._step, what)
        except Exception:
            # What failed is told in any case.
            sizes = ""
        return self._failure(self._step + 1, f"{what} ({sizes})" if sizes else what)

    def _check_weights(self):
        """Stop before a model is saved that the last update has spoilt: its losses are from before that update."""
        # Moving averages too: a ReLU of oneDNN turns a NaN into 0, so an NLL may be finite and wrong.
        for variable in self.model.weights:
            if not np.isfinite(variable.numpy()).all():
                raise self._failure(self._step, f"the weight {variable.path} is not finite")

    def _layer_at_fault(self, split):
        """Return which layer's result is not finite on a watched image, in words, or None."""
        images, fast = watched_images(self._dataset)[split], self.model.generator.fast_batch_size
        for batch in data.evaluation_batches(images, split, min(fast, len(images))):
            try:
                with watched_layers() as layers:
                    self.model.generator.bijector(validate_args=True).inverse(self.model.evaluation_images(batch))
            except tf.errors.InvalidArgumentError as error:
                *_, (largest, _) = layers.values()
                image = {"train": "a training image", "validation": "a validation image"}[split]
                return f"{layer_not_finite(error)} on {image} (the layer's input is {largest:.3g} at most)"
        return None

    def _failure(self, step, what):
        known = f"step {step}: {what}, so training stopped; expected finite values"
        saved = self._checkpoints.latest_path
        if saved is None:
            return NotFiniteError(f"{known}; no checkpoint was saved before it", known)
        return NotFiniteError(
            f"{known}; the last good checkpoint is {saved}. --mode=evaluate and --mode=sample take it with "
            f"--run_dir={self._folder.path} --checkpoint=latest; --resume would come to the same step in the same way",
            known,
        )

    def validate(self):
        """Save a grid and the best weights; return the watched images' NLL as a part of the step's record."""
        result = self._watched_nll() if self.model.generator.has_likelihood else {}
        self._check_weights()
        grid = data.image_grid(self.model.generator.decode(self._fixed_z))
        path = self._folder.samples / f"step-{self._step:07d}.png"
        with writing(path):
            data.save_png(path, grid)
        self._tensorboard.samples(self._step, grid)
        if result:
            latents = self.model.generator.encode(self._histogram_images)
            self._checkpoints.save_if_best(result["validation_nll"])
            best_nll = float(self._checkpoints.best_nll)
            self._tensorboard.validation(self._step, result["validation_nll"], best_nll, latents)
        return result

    def _score(self):
        self._check_weights()
        try:
            with self._signals.interruptible():
                score, figures = self._scorer(self.model.generator)
        except UserError as error:
            raise self._failure(self._step, f"samples cannot be scored ({error})") from error
        self._tensorboard.scores(self._step, {self._scorer.tags[name]: value for name, value in figures.items()})
        self._checkpoints.save_if_best_score(score)
        return figures

    def _watched_nll(self):
        record = {}
        for split, (batches, steps) in self._watched.items():
            with self._signals.interruptible():
                result = self.model.evaluate(batches, steps=steps, verbose=0, return_dict=True)
            nll = float(result["nll"])
            if self.model.has_likelihood_objective and not math.isfinite(nll):
                raise self._failure(self._step, self._layer_at_fault(split) or f"{split}_nll is {nll}")
            record |= {f"{split}_nll": nll, f"{split}_nll_standard_error": float(result["nll_standard_error"])}
        return record


class _Forgiving:
    """A stream that may be gone, as a pipe's is when Ctrl-C has ended its reader first: training must not end of it."""

    def __init__(self, stream):
        self._stream = stream

    def __getattr__(self, name):
        return getattr(self._stream, name)

    def write(self, text):
        with contextlib.suppress(OSError):
            self._stream.write(text)

    def flush(self):
        with contextlib.suppress(OSError):
            self._stream.flush()


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a training run ended.

    Attributes:
      model: the `FlowGAN` with the weights of the lowest validation NLL, or the latest if there is none.
      dataset: its `data.Dataset`.
      folder: its `RunFolder`.
      best_nll: float, lowest validation NLL in nats per image, inf if there is none that is finite.
      best_step: int, the step of `best_nll`.
      best_score: float, highest score of samples, -inf if none were scored.
      best_score_step: int, the step of `best_score`.
      first_step, last_step: int, the step at which this training began, and the last one.
    """

    model: keras.Model
    dataset: data.Dataset
    folder: object
    best_nll: float
    best_step: int
    best_score: float
    best_score_step: int
    first_step: int
    last_step: int
