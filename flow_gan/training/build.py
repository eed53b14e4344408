"""From a configuration to a data set and a model."""

import dataclasses

from flow_gan import data as data_module
from flow_gan.errors import UserError
from flow_gan.flow_gan import FlowGAN
from flow_gan.generators import NICE, RealNVP
from flow_gan.networks.critics import CRITICS
from flow_gan.training.optimizers import Adam, DecayToFloor

SIZE_FLAGS = ("input_height", "input_width", "c_dim")


def resolve(config, data):
    """Return the configuration with the data's sizes in place of those not given, the critic and flips chosen."""
    changes = dict(zip(SIZE_FLAGS, data.image_shape, strict=True))
    if config.horizontal_flip is None:
        public = data_module.PUBLIC_DATASETS.get(config.dataset)
        changes["horizontal_flip"] = public is not None and public.horizontal_flip
    if config.critic == "auto":
        changes["critic"] = "mnist" if data.image_shape[-1] == 1 else "dcgan"
    return dataclasses.replace(config, **changes)


def load_data(config):
    """Return the data set of a configuration, checked against its sizes."""
    data = data_module.load(config.dataset, config.data_dir, config.levels, config.validation_split)
    for flag, actual in zip(SIZE_FLAGS, data.image_shape, strict=True):
        asked = getattr(config, flag)
        if asked is not None and asked != actual:
            raise UserError(f"--{flag}={asked}, but the images of --dataset={config.dataset} have {actual}")
    needed = config.batch_size * (batches_per_step(config) or 1)
    if config.mode == "train" and needed > len(data.train):
        raise UserError(
            f"--batch_size={config.batch_size} needs {needed} training images per step; "
            f"--dataset={config.dataset} has {len(data.train)}"
        )
    return data


def batches_per_step(config):
    """Return how many batches a step takes, None for one that all its updates share."""
    if config.n_critic and config.critic_batches == "fresh":
        return config.n_critic
    return None


def num_steps(config, data):
    """Return the number of generator updates of a whole run."""
    per_step = config.batch_size * (batches_per_step(config) or 1)
    return config.max_steps or config.epoch * (len(data.train) // per_step)


def build_model(config, levels=256):
    """Return the compiled `FlowGAN` of a configuration from `resolve`. Call it in the strategy's scope."""
    image_shape = tuple(getattr(config, flag) for flag in SIZE_FLAGS)
    common = {"prior": config.prior, "logit_alpha": config.alpha, "seed": config.seed, "name": "generator"}
    if config.model_type == "nice":
        generator = NICE(
            image_shape,
            hidden_units=config.hidden_layers,
            num_hidden_layers=config.no_of_layers,
            init_type=config.init_type,
            **common,
        )
    else:
        generator = RealNVP(
            image_shape,
            residual_blocks=config.no_of_layers,
            filters=config.filters,
            batch_norm="moving" if config.batch_norm_adaptive else "batch",
            scales=config.scales,
            **common,
        )
    critic = None
    if config.n_critic:
        critic = CRITICS[config.critic](image_shape, config.f_div, filters=config.df_dim, seed=config.seed)
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
        seed=config.seed,
        name="flow_gan",
    )
    model.compile(_adam(config), _adam(config, config.n_critic) if critic else None)
    return model


def _adam(config, updates_per_step=1):
    rate = DecayToFloor(config.learning_rate, config.lr_decay, config.min_lr, updates_per_step)
    return Adam(rate, config.beta1)
