"""Flow-GAN: generative adversarial networks with an exact likelihood (Grover, Dhar, Ermon, AAAI 2018)."""

import os

# TensorFlow tells at every start which CPU instructions it uses. Its warnings still come through.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")

from flow_gan import data, original
from flow_gan.errors import UserError
from flow_gan.flow_gan import FlowGAN
from flow_gan.generators import NICE, RealNVP
from flow_gan.networks import critics

__all__ = ["NICE", "FlowGAN", "RealNVP", "UserError", "critics", "data", "original"]
