"""Training runs: strategy, optimizers, checkpoints, records, and `train(config)`."""

from flow_gan.training.train import load_run, train

__all__ = ["load_run", "train"]
