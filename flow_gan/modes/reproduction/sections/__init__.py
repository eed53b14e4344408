"""The paper's figures and tables out of a reproduction's findings, each with its paper's values and verdicts."""

from flow_gan.modes.reproduction.sections.beyond import ablation, trade_off
from flow_gan.modes.reproduction.sections.context import Context
from flow_gan.modes.reproduction.sections.course import likelihood_curves, samples, score_curves
from flow_gan.modes.reproduction.sections.jacobians import jacobians
from flow_gan.modes.reproduction.sections.mixture import mixture, mixture_samples
from flow_gan.modes.reproduction.sections.tables import estimators, objectives

# In the order of the page: that of the paper, its appendix last, and then what the paper has not.
SECTIONS = (
    *(samples, likelihood_curves, objectives, mixture, estimators, jacobians, score_curves, mixture_samples),
    *(trade_off, ablation),
)

__all__ = ["SECTIONS", "Context"]
