"""Figures and tables of the paper, from the numbers of runs."""

from flow_gan.report import figures, tables

__all__ = ["figures", "tables"]
