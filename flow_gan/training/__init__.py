"""Training runs: strategy, optimizers, checkpoints, records, and `train(config)`."""

from flow_gan.training.build import load_data, num_steps, watched_images
from flow_gan.training.checkpoints import Checkpoints, saved_step
from flow_gan.training.signals import Stopped
from flow_gan.training.train import load_model, train

__all__ = [
    "Checkpoints",
    "Stopped",
    "load_data",
    "load_model",
    "num_steps",
    "saved_step",
    "train",
    "watched_images",
]
