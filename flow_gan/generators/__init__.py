"""Generators: Keras models that own coupling networks and compose bijectors and a prior."""

from flow_gan.generators.base import NO_PER_IMAGE_LIKELIHOOD, FlowGenerator
from flow_gan.generators.nice import NICE
from flow_gan.generators.priors import PRIORS, make_prior
from flow_gan.generators.real_nvp import RealNVP

__all__ = ["NICE", "NO_PER_IMAGE_LIKELIHOOD", "PRIORS", "FlowGenerator", "RealNVP", "make_prior"]
