"""Generators: Keras models from a prior to images. Flows own coupling networks and compose bijectors.

Each has a file, whose name is its value of `--model_type`.
"""

import importlib

from flow_gan.config import Config
from flow_gan.generators.base import NO_PER_IMAGE_LIKELIHOOD, FlowGenerator, Generator
from flow_gan.generators.dcgan import DCGAN
from flow_gan.generators.glow import Glow
from flow_gan.generators.nice import NICE
from flow_gan.generators.priors import PRIORS, make_prior
from flow_gan.generators.real_nvp import RealNVP

__all__ = [
    "DCGAN",
    "NICE",
    "NO_PER_IMAGE_LIKELIHOOD",
    "PRIORS",
    "FlowGenerator",
    "Generator",
    "Glow",
    "RealNVP",
    "make_generator",
    "make_prior",
]


def make_generator(config: Config, image_shape: tuple) -> Generator:
    """Return the generator of a configuration for images (H, W, C), with initial weights.

    It is made by `from_settings(config, image_shape)` in the file that `--model_type` names. To add a generator, add
    its file, and its name and settings in `config.generator`.
    """
    return importlib.import_module(f"{__name__}.{config.model_type}").from_settings(config, image_shape)
