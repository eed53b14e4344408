"""From a configuration to a data set and a model."""

import concurrent.futures
import dataclasses
import math

import keras
import numpy as np
import tensorflow as tf

from flow_gan import data as data_module
from flow_gan import original
from flow_gan.config.datasets import SPLITS
from flow_gan.data import memory
from flow_gan.errors import UserError
from flow_gan.generators import DCGAN, NICE, RealNVP
from flow_gan.model import FlowGAN
from flow_gan.networks.critics import CRITICS
from flow_gan.training.optimizers import Adam, DecayToFloor, PerStep
from flow_gan.training.run_folder import RunFolder
from flow_gan.training.strategy import distribute, make_strategy, select_gpu

SIZE_FLAGS = ("input_height", "input_width", "c_dim")
# Training images whose NLL is watched, at most.
WATCHED_IMAGES = 2000


def prepare(config, note=lambda stage: None):
    """Return (configuration with all sizes, data set, strategy, compiled model) of a training run.

    Args:
      config: `config.Config`.
      note: called with "build", "trace" and "data" as they are done. A public data set, whose shape is known, is read
        while the model is built and its step traced, which lets training on MNIST start two seconds sooner.
    """
    select_gpu(config.gpu_nr)
    if config.deterministic_ops:
        tf.config.experimental.enable_op_determinism()
    # Several processes must find each other before anything else uses TensorFlow.
    strategy = make_strategy(config.strategy, config.batch_size)
    source = _open_data(config)
    with concurrent.futures.ThreadPoolExecutor(1) as reader:
        reading = reader.submit(lambda: _checked(config, source.read()))
        known = reading.result() if source.image_shape is None else source
        shape, levels = known.image_shape, known.levels
        resolved = resolve(config, shape)
        with strategy.scope():
            model = build_model(resolved, levels)
            if config.init_from_original is not None and not has_begun(config):
                _load_original(model, config.init_from_original)
        note("build")
        # Replicas synchronise, which tf.distribute forbids inside a nested function.
        if strategy is tf.distribute.get_strategy() and not config.data_on_device:
            model.trace_step(config.batch_size)
        note("trace")
        data = reading.result()
        note("data")
    return resolved, data, strategy, model


def has_begun(config):
    """Whether this is a run that goes on from a checkpoint; a killed one may have none yet."""
    return config.resume and RunFolder(config.run_dir, config).metrics_file.exists()


def _load_original(model, path):
    try:
        original.load_checkpoint(model, path)
    except UserError as error:
        raise UserError(f"--init_from_original={path}: {error}") from error


def resolve(config, image_shape):
    """Return the configuration with the data's sizes in place of those not given, the critic and flips chosen."""
    changes = dict(zip(SIZE_FLAGS, image_shape, strict=True))
    if config.horizontal_flip is None:
        public = data_module.known_dataset(config.dataset)
        changes["horizontal_flip"] = public is not None and public.horizontal_flip
    if config.critic == "auto":
        changes["critic"] = "mnist" if image_shape[-1] == 1 else "dcgan"
    return dataclasses.replace(config, **changes)


def load_data(config):
    """Return the data set of a configuration, checked against its sizes."""
    return _checked(config, _open_data(config).read())


def _open_data(config):
    size = config.input_height, config.input_width
    return data_module.open_dataset(config.dataset, config.data_dir, config.levels, config.validation_split, *size)


def _checked(config, data):
    for flag, actual in zip(SIZE_FLAGS, data.image_shape, strict=True):
        asked = getattr(config, flag)
        if asked is not None and asked != actual:
            raise UserError(f"--{flag}={asked}, but the images of --dataset={config.dataset} have {actual}")
    check_grid(config, data.image_shape)
    largest = max(len(data.split(split)) for split in SPLITS)
    if config.mode != "train" and config.batch_size > largest:
        raise UserError(f"--batch_size={config.batch_size}; --dataset={config.dataset} has {largest} images in a split")
    needed = config.batch_size * (batches_per_step(config) or 1)
    if config.mode == "train" and needed > len(data.train):
        raise UserError(
            f"--batch_size={config.batch_size} needs {needed} training images per step; "
            f"--dataset={config.dataset} has {len(data.train)}"
        )
    return data


def check_grid(config, image_shape):
    """Raise `UserError` if a grid of `--num_samples` images does not fit in memory."""
    # Latents and images, in 32 bits, at the least.
    num_bytes = 8 * config.num_samples * math.prod(image_shape)
    memory.require(num_bytes, f"a grid of --num_samples={config.num_samples}", "pass a smaller number")


def batches_per_step(config):
    """Return how many batches a step takes, None for one that all its updates share."""
    if config.n_critic and config.critic_batches == "fresh":
        return config.n_critic
    return None


def num_steps(config, data):
    """Return the number of generator updates of a whole run."""
    return config.max_steps or config.epoch * steps_per_epoch(config, data)


def steps_per_epoch(config, data):
    """Return the number of generator updates in a pass over the training images."""
    return len(data.train) // (config.batch_size * (batches_per_step(config) or 1))


def training_batches(config, model, data, first_step, last_step):
    """Return what `model.fit` takes for the steps `first_step` to `last_step - 1`."""
    steps = (config.batch_size, config.seed, first_step, last_step, batches_per_step(config))
    if config.data_on_device:
        model.keep_on_device(data.train.images[np.arange(len(data.train))])
        source, images = data_module.training_indices, len(data.train)
    else:
        source, images = data_module.training_batches, data.train.images
    return distribute(model.distribute_strategy, lambda *replicas: source(images, *steps, *replicas))


def is_validation_due(config, step, last_step):
    """Whether a validation follows the step number `step`; all processes of a run take part in it together."""
    return step % config.eval_every == 0 or step == last_step


def watched_images(data):
    """Return {split: images} whose NLL every validation measures, in evaluation mode.

    They are all validation images, and as many training images, `WATCHED_IMAGES` at most and always the same ones.
    """
    count = min(len(data.validation), len(data.train), WATCHED_IMAGES)
    return {"validation": data.validation.images, "train": data_module.fixed_sample(data.train.images, count)}


def watched_batches(config, model, data):
    """Return {split: (what `model.evaluate` takes for the NLL of `watched_images`, the number of its batches)}.

    The noise is keyed by (seed, split, image's place among those watched).
    """
    return {split: _evaluated(config, model, split, images) for split, images in watched_images(data).items()}


def _evaluated(config, model, split, images):
    size = data_module.evaluation_batch_size(config.batch_size, model.generator.fast_batch_size, len(images))

    def make(*replicas):
        return data_module.evaluation_batches(images, split, size, None, *replicas)

    return distribute(model.distribute_strategy, make), -(-len(images) // size)


def build_model(config, levels=256):
    """Return the compiled `FlowGAN` of a configuration from `resolve`. Call it in the strategy's scope."""
    image_shape = tuple(getattr(config, flag) for flag in SIZE_FLAGS)
    common = {"prior": config.prior, "seed": config.seed, "precision": config.precision, "name": "generator"}
    if config.model_type == "nice":
        generator = NICE(
            image_shape,
            hidden_units=config.hidden_layers,
            num_hidden_layers=config.no_of_layers,
            init_type=config.init_type,
            batch_norm=config.batch_norm,
            logit_alpha=config.alpha,
            **common,
        )
    elif config.model_type == "real_nvp":
        generator = RealNVP(
            image_shape,
            residual_blocks=config.no_of_layers,
            filters=config.filters,
            batch_norm=_real_nvp_batch_norm(config),
            scales=config.scales,
            logit_alpha=config.alpha,
            **common,
        )
    else:
        generator = DCGAN(image_shape, filters=config.filters, **common)
    critic = None
    if config.n_critic:
        critic = CRITICS[config.critic](
            image_shape, config.f_div, filters=config.df_dim, seed=config.seed, precision=config.precision
        )
    model = FlowGAN(
        generator,
        critic,
        divergence=config.f_div,
        like_reg=config.like_reg,
        n_critic=config.n_critic,
        gradient_penalty=config.reg,
        gradient_penalty_norm=config.gradient_penalty_norm,
        batch_norm_updates=config.batch_norm_updates,
        critic_batches=config.critic_batches,
        levels=levels,
        horizontal_flip=bool(config.horizontal_flip),
        nll_interval=config.log_every,
        seed=config.seed,
        name="flow_gan",
    )
    critic_optimizer = _critic_optimizer(config) if critic else None
    model.compile(_generator_optimizer(config, generator), critic_optimizer, jit_compile=config.jit_compile)
    return model


def _real_nvp_batch_norm(config):
    if not config.batch_norm:
        return "none"
    return "moving" if config.batch_norm_adaptive else "batch"


def _learning_rate(config, initial, updates_per_step):
    """Return the schedule of an optimizer whose first rate, after the warm-up, is `initial`."""
    lowest = config.min_lr
    if config.lr_schedule == "cosine":
        # The floor is the same part of both rates.
        schedule = keras.optimizers.schedules.CosineDecay(initial, config.max_steps, lowest / config.learning_rate)
    else:
        schedule = DecayToFloor(initial, config.lr_decay, lowest)
    return PerStep(schedule, updates_per_step, config.warmup_steps)


def _generator_optimizer(config, generator):
    rate = _learning_rate(config, config.learning_rate, 1)
    average = {"use_ema": config.ema_decay > 0, "ema_momentum": config.ema_decay}
    factors = {}
    if config.log_scale_rate != 1:
        factors = {variable.path: config.log_scale_rate for variable in generator.log_scale_variables}
    return Adam(rate, config.beta1, config.beta2, rate_factors=factors, global_clipnorm=config.clip_norm, **average)


def _critic_optimizer(config):
    rate = _learning_rate(config, config.critic_learning_rate or config.learning_rate, config.n_critic)
    return Adam(rate, config.beta1, config.beta2, global_clipnorm=config.clip_norm)
