"""A flow as its first layer, the logit of the pixels, and the remaining layers."""

from typing import Any

from flow_gan import probability as tfp
from flow_gan.bijectors import Chain
from flow_gan.generators import FlowGenerator


def logit_and_rest(
    generator: FlowGenerator, labels: Any = None
) -> tuple[tfp.bijectors.Bijector, tfp.bijectors.Bijector]:
    """Return the bijectors y = logit(x), elementwise over [batch, H, W, C], and z = rest(y), to [batch, D].

    Of a conditional generator without labels the second is to u, which does not depend on them; see
    `FlowGenerator.flow`.
    """
    is_to_u = generator.num_classes is not None and labels is None
    bijector = generator.flow() if is_to_u else generator.bijector(labels)
    # A chain applies its last bijector first: in every flow the logit.
    *others, logit = bijector.bijector.bijectors
    return logit, Chain(others)
