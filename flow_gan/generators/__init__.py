"""Generators: Keras models from a prior to images. Flows own coupling networks and compose bijectors."""

from flow_gan.generators.base import NO_PER_IMAGE_LIKELIHOOD, FlowGenerator, Generator
from flow_gan.generators.dcgan import DCGAN
from flow_gan.generators.nice import NICE
from flow_gan.generators.priors import PRIORS, make_prior
from flow_gan.generators.real_nvp import RealNVP

__all__ = ["DCGAN", "NICE", "NO_PER_IMAGE_LIKELIHOOD", "PRIORS", "FlowGenerator", "Generator", "RealNVP", "make_prior"]
