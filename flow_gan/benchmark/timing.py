"""How long a run's parts take."""

import contextlib
import dataclasses
import itertools
import resource
import sys
import tempfile
import time

import keras
import numpy as np
import psutil
import tensorflow as tf

from flow_gan import data, random
from flow_gan.config import Config
from flow_gan.model import FlowGAN
from flow_gan.training import prepare
from flow_gan.training.batches import training_batches
from flow_gan.training.chief import ChiefCallback
from flow_gan.training.resume import open_run
from flow_gan.training.steps import batches_per_step

# Data are read while the model is built and traced; only the time that is then still spent waiting counts as "data".
START_UP = ("imports", "build", "trace", "data", "first step")

_PART_RUNS = 5
# Number of batches whose NLL and samples are timed.
_EVALUATED = 4


@dataclasses.dataclass(frozen=True, kw_only=True)
class Timing:
    """What was measured; times in seconds.

    Attributes:
      start_up: by stage, from the process's start to the end of the first step.
      steps: each step after the first.
      parts: by part; they add up to the median step. Preparing the data is not among them, since it happens during the
        step before. None with several replicas.
      data: to prepare a step's data.
      nll: per image; None without a likelihood.
      sampling: per sample.
      peak_memory: bytes, of the whole process.
      images_per_step: images that a step takes from the data set.
    """

    start_up: dict[str, float]
    steps: list[float]
    parts: dict[str, float] | None
    data: float
    nll: float | None
    sampling: float
    peak_memory: int
    images_per_step: int


class _Stopwatch(keras.callbacks.Callback):
    """Times the steps, and the callbacks between its two halves."""

    def __init__(self, num_steps):
        super().__init__()
        self.num_steps = num_steps
        self.computed = []
        self.finished = []
        self.before = keras.callbacks.LambdaCallback(on_train_batch_end=self._computed)

    def _computed(self, batch, logs):
        _wait(logs)
        self.computed.append(time.time())

    def on_train_batch_end(self, batch, logs=None):
        """Note the time; stop after the last step."""
        self.finished.append(time.time())
        self.model.stop_training = len(self.finished) == self.num_steps


def process_start() -> float:
    """Return when this process started, in seconds as of `time.time()`."""
    created = psutil.Process().create_time()
    if not hasattr(time, "CLOCK_BOOTTIME"):
        return created
    # Linux tells the time of boot in whole seconds, so that `created` is off by up to one; since boot it is exact.
    since_boot = time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.time() - since_boot + created - psutil.boot_time()


def time_training(config: Config, num_steps: int) -> tuple[FlowGAN, data.Dataset, Config, Timing]:
    """Train with `config` for `num_steps` >= 2 steps and time it.

    Returns:
      The model, the data set, the configuration with the defaults that depend on the data filled in, and the `Timing`.
    """
    noted = [process_start(), time.time()]
    prepared = prepare(config, lambda stage: noted.append(time.time()))
    config, dataset, model = prepared.config, prepared.dataset, prepared.model
    with tempfile.TemporaryDirectory() as scratch:
        places: dict = {
            "runs_dir": scratch,
            "run_dir": None,
            "checkpoint_dir": None,
            "log_dir": None,
            "sample_dir": None,
        }
        # One step more than are made, so that no validation follows the last.
        last_step = num_steps + 1
        config_here = dataclasses.replace(config, **places, max_steps=last_step, eval_every=last_step, score_every=0)
        run = open_run(config_here, dataset, model, last_step)
        watch = _Stopwatch(num_steps)
        batches = training_batches(config, model, dataset, 0, num_steps)
        with contextlib.closing(ChiefCallback(run)) as callback:
            watching = [watch.before, callback, watch]
            model.fit(batches, epochs=1, steps_per_epoch=num_steps, verbose=0, callbacks=watching, shuffle=False)
        noted.append(watch.finished[0])
    start_up = dict(zip(START_UP, np.diff(noted).tolist(), strict=True))
    steps = np.diff(watch.finished).tolist()
    callbacks = float(np.median(np.subtract(watch.finished, watch.computed)[1:]))
    parts = None
    if prepared.strategy.num_replicas_in_sync == 1:
        parts = _parts(model, next(iter(batches)), float(np.median(steps)), callbacks)
    nll, sampling = _evaluation_times(model, dataset, config.batch_size)
    timing = Timing(
        start_up=start_up,
        steps=steps,
        parts=parts,
        data=_data_time(batches, num_steps),
        nll=nll,
        sampling=sampling,
        peak_memory=_peak_memory(),
        images_per_step=config.batch_size * (batches_per_step(config) or 1),
    )
    return model, dataset, config, timing


def _parts(model, batch, step, callbacks):
    """Split the seconds of a step by timing its optimizers and its critic updates separately."""
    generator_adam = _optimizer_time(model.optimizer, model.generator.trainable_variables)
    critic = critic_adam = 0.0
    if model.critic is not None:
        n_critic = model.objective.n_critic
        critic_adam = n_critic * _optimizer_time(model.critic_optimizer, model.critic.trainable_variables)
        images, _ = model.batch_of(batch[:, 0] if model.critic_batches == "fresh" else batch)
        fake = tf.cast(images, model.compute_dtype) / model.levels

        @tf.function(autograph=False)
        def updates():
            draws = model.draws.of_step(model.step, images)
            return model.critic_updates(lambda run: model.critic_update(draws, run, images, fake))

        critic = max(_time_of(lambda: _wait(updates()), _PART_RUNS) - critic_adam, 0.0)
    optimizer = generator_adam + critic_adam
    generator = max(step - callbacks - critic - optimizer, 0.0)
    return {"critic": critic, "generator": generator, "optimizer": optimizer, "callbacks": callbacks}


def _evaluation_times(model, dataset, batch_size):
    """Return the seconds per image of the NLL (None without a likelihood) and of sampling, in fast batches."""
    generator, images = model.generator, dataset.validation.images
    batch_size = data.evaluation_batch_size(batch_size, generator.fast_batch_size, len(images))
    count = min(_EVALUATED, -(-len(images) // batch_size)) * batch_size
    nll = None
    if generator.has_likelihood:
        batches = data.evaluation_batches(images, "validation", batch_size).take(_EVALUATED).cache()
        nll = _time_of(lambda: model.evaluate(batches, verbose=0)) / count
    latents = [generator.sample_latent(random.key(0, random.Stream.SAMPLE), 0, batch_size)] * _EVALUATED
    decode = tf.function(generator.decode, autograph=False)
    sampling = _time_of(lambda: [_wait(decode(z)) for z in latents]) / (_EVALUATED * batch_size)
    return nll, sampling


def _optimizer_time(optimizer, variables):
    gradients = [tf.zeros(v.shape, v.dtype) for v in variables]

    @tf.function(autograph=False)
    def apply():
        optimizer.apply(gradients, variables)
        return optimizer.iterations.value

    return _time_of(lambda: _wait(apply()), _PART_RUNS)


def _data_time(batches, num_steps):
    times = []
    iterator = iter(batches)
    for _ in itertools.repeat(None, num_steps):
        start = time.perf_counter()
        next(iterator)
        times.append(time.perf_counter() - start)
    return float(np.mean(times[1:]))


def _time_of(work, runs=1):
    """Return the median seconds of `work` after a first run, which may trace."""
    work()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def _wait(values):
    """Wait until the device has computed the values."""
    tf.nest.map_structure(lambda value: value.numpy() if hasattr(value, "numpy") else value, values)


def _peak_memory():
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
