"""The paper's figures and tables from a reproduction's results, each with its paper's values and verdicts."""

from flow_gan.reproduction.sections.ablation import ablation
from flow_gan.reproduction.sections.context import Context
from flow_gan.reproduction.sections.findings import findings
from flow_gan.reproduction.sections.jacobians import jacobians
from flow_gan.reproduction.sections.learning_curves import likelihood_curves, score_curves
from flow_gan.reproduction.sections.memorisation import memorisation
from flow_gan.reproduction.sections.mixture import mixture, mixture_samples
from flow_gan.reproduction.sections.samples import opening, samples
from flow_gan.reproduction.sections.tables import estimators, objectives
from flow_gan.reproduction.sections.trade_off import trade_off

# In the order of the page: that of the paper's numbers, and then what the paper does not have. Memorisation is what
# Figure 7 is about.
GROUPS = {
    "Figures": (samples, likelihood_curves, mixture, jacobians, score_curves, mixture_samples, memorisation),
    "Tables": (objectives, estimators),
    "Beyond the paper": (trade_off, ablation),
}

__all__ = ["GROUPS", "Context", "findings", "opening"]
