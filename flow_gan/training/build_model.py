"""From a configuration to a compiled model."""

from flow_gan.config import Config
from flow_gan.flow_gan import FlowGAN
from flow_gan.generators import make_generator
from flow_gan.networks.critics import make_critic
from flow_gan.training.load_data import resolved_shape
from flow_gan.training.optimizers import critic_optimizer, generator_optimizer


def build_model(config: Config, levels: int = 256) -> FlowGAN:
    """Return the compiled `FlowGAN` of a configuration from `resolve`. Call it in the strategy's scope.

    Args:
      config: with all sizes, as `load_data.resolve` returns it.
      levels: grey levels of the images.
    """
    image_shape = resolved_shape(config)
    generator = make_generator(config, image_shape)
    critic = make_critic(config, image_shape) if config.n_critic else None
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
    model.compile(
        generator_optimizer(config, generator),
        critic_optimizer(config) if critic else None,
        jit_compile=config.jit_compile,
    )
    return model
