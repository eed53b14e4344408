"""The generator and the critic of a configuration: one of each choice, as the choice says."""

import numpy as np
import pytest
import tensorflow as tf

from flow_gan.config import Config
from flow_gan.config.generator import MODEL_TYPES
from flow_gan.config.objective import CRITICS
from flow_gan.generators import Generator, make_generator
from flow_gan.networks.critics import make_critic

SHAPE = (4, 4, 1)
ADV = {"like_reg": 0.0, "n_critic": 1}


@pytest.mark.parametrize("model_type", MODEL_TYPES)
def test_a_generator_of_each_choice(model_type):
    config = Config(model_type=model_type, prior="gaussian", seed=3, precision="bfloat16", **ADV)
    generator = make_generator(config, SHAPE)
    assert isinstance(generator, Generator) and generator.name == "generator"
    assert generator.has_likelihood == config.has_likelihood
    assert (generator.image_shape, generator.prior_name) == (SHAPE, "gaussian")
    assert (generator.seed, generator.precision) == (3, "bfloat16")
    assert generator.sample(2).shape == (2, *SHAPE)


@pytest.mark.parametrize(
    "adaptive, batch_norm, kind", [(1, True, "moving"), (0, True, "batch"), (1, False, "none")], ids=str
)
def test_batch_norm_of_real_nvp(adaptive, batch_norm, kind):
    flags = {"batch_norm_adaptive": adaptive, "batch_norm": batch_norm, "scales": 1, "filters": 2, "no_of_layers": 0}
    generator = make_generator(Config(model_type="real_nvp", **flags, alpha=0.1), SHAPE)
    assert (generator.batch_norm, generator.scales, generator.filters, generator.residual_blocks) == (kind, 1, 2, 0)
    assert generator.logit_alpha == 0.1


@pytest.mark.parametrize("name", CRITICS)
def test_a_critic_of_each_choice(name):
    critic = make_critic(Config(critic=name, df_dim=2, f_div="ce"), SHAPE)
    logits = critic(tf.zeros([2, *SHAPE]))
    assert logits.shape == (2, 1) and np.isfinite(logits).all()
