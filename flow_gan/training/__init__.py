"""Training runs: `train(config)`, and what others need of a run."""

from flow_gan.signals import Stopped
from flow_gan.training.batch_norm_statistics import has_batch_norm_statistics, reestimated_batch_norm_statistics
from flow_gan.training.batches import watched_images
from flow_gan.training.build_model import build_model
from flow_gan.training.checkpoints import Checkpoints, saved_step
from flow_gan.training.load_data import load_data, resolve
from flow_gan.training.load_model import load_model
from flow_gan.training.prepare import prepare
from flow_gan.training.steps import num_steps
from flow_gan.training.train import TrainedRun, train

__all__ = [
    "Checkpoints",
    "Stopped",
    "TrainedRun",
    "build_model",
    "has_batch_norm_statistics",
    "load_data",
    "load_model",
    "num_steps",
    "prepare",
    "reestimated_batch_norm_statistics",
    "resolve",
    "saved_step",
    "train",
    "watched_images",
]
