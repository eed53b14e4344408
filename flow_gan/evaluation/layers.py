"""A flow as its first layer, the logit of the pixels, and the remaining layers."""

from flow_gan import probability as tfp
from flow_gan.bijectors import Chain
from flow_gan.generators import FlowGenerator


def logit_and_rest(generator: FlowGenerator) -> tuple[tfp.bijectors.Bijector, tfp.bijectors.Bijector]:
    """Return the bijectors y = logit(x), elementwise over [batch, H, W, C], and z = rest(y), to [batch, D]."""
    # A chain applies its last bijector first: in every flow the logit.
    *others, logit = generator.bijector().bijector.bijectors
    return logit, Chain(others)
