"""Training runs: strategy, optimizers, checkpoints, records, and `train(config)`."""

from flow_gan.signals import Stopped
from flow_gan.training.build import load_data, num_steps, watched_images
from flow_gan.training.checkpoints import Checkpoints, saved_step
from flow_gan.training.initial_weights import load_initial_weights
from flow_gan.training.moving_averages import has_moving_averages, reestimated_moving_averages
from flow_gan.training.train import load_model, train

__all__ = [
    "Checkpoints",
    "Stopped",
    "has_moving_averages",
    "load_data",
    "load_initial_weights",
    "load_model",
    "num_steps",
    "reestimated_moving_averages",
    "saved_step",
    "train",
    "watched_images",
]
