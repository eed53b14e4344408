"""Invertible transformations: mathematics only, tfp bijectors that own no weights.

Every bijector here runs in the direction of f, from an image x to its latent z. A generator's
G is `tfb.Invert` of their chain.
"""

from flow_gan.bijectors.coupling import AdditiveCoupling, AffineCoupling, layer_not_finite, watched_layers
from flow_gan.bijectors.elementwise import alpha_logit, diagonal_scaling, standardization
from flow_gan.bijectors.glow_steps import GlowSteps
from flow_gan.bijectors.identity import Chain
from flow_gan.bijectors.masks import channel_mask, checkerboard_mask
from flow_gan.bijectors.multi_scale import Scale, Shape, factor_out, multi_scale, scale_shapes, squeeze
from flow_gan.bijectors.split import even_odd_split

__all__ = [
    "AdditiveCoupling",
    "AffineCoupling",
    "Chain",
    "GlowSteps",
    "Scale",
    "Shape",
    "alpha_logit",
    "channel_mask",
    "checkerboard_mask",
    "diagonal_scaling",
    "even_odd_split",
    "factor_out",
    "layer_not_finite",
    "multi_scale",
    "scale_shapes",
    "squeeze",
    "standardization",
    "watched_layers",
]
