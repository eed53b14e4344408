"""Flow-GAN: generative adversarial networks with an exact likelihood (Grover, Dhar, Ermon, AAAI 2018)."""

from flow_gan import original
from flow_gan.errors import UserError
from flow_gan.flow_gan import FlowGAN
from flow_gan.generators import NICE
from flow_gan.networks import critics

__all__ = ["NICE", "FlowGAN", "UserError", "critics", "original"]
