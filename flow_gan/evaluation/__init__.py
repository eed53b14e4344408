"""Measures of a trained model."""

from flow_gan.evaluation.nll import NLL, evaluate_nll

__all__ = ["NLL", "evaluate_nll"]
