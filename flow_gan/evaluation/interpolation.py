"""Paths between two points of the latent space, through regions where the prior has its mass."""

import numpy as np
import scipy.special

from flow_gan.errors import UserError, check_choice
from flow_gan.evaluation.image_scores import most_likely_class
from flow_gan.generators import FlowGenerator
from flow_gan.generators.labels import arguments

# {value of `--prior`: shape of the path between two z}.
PATHS = {
    "gaussian": "spherical",
    "logistic": "spherical where the prior is Gaussian",
    "uniform": "straight",
}


def interpolate(
    generator: FlowGenerator, first: np.ndarray, last: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return images on the paths from z = f(first) to f(last), and log p(x) of each in nats.

    Args:
      first, last: float [n, H, W, C] in [0, 1], dequantised.
      count: images per path; see `latent_path`.

    Of a conditional flow each end has its z given its most likely class, and the prior's mean and log-scale move from
    one class's to the other's in a straight line, too.

    Returns:
      ([n, count, H, W, C], [n, count]). The images are not clipped.
    """
    generator.require_likelihood("interpolation between images")
    ends = [most_likely_class(generator, images) for images in (first, last)]
    start, end = (
        np.asarray(generator.encode(images, **arguments(labels)))
        for images, labels in zip((first, last), ends, strict=True)
    )
    z = latent_path(generator.prior_name, start, end, count).astype(generator.compute_dtype)
    if generator.num_classes is None:
        z, bijector, log_density = z.reshape(-1, generator.size), generator.bijector(), generator.prior.log_prob
    else:
        of_first, of_last = (
            [v.numpy()[labels] for v in (generator.prior_mean, generator.prior_log_scale)] for labels in ends
        )
        means, log_scales = (_straight(a, b, count) for a, b in zip(of_first, of_last, strict=True))
        z = (means + np.exp(log_scales) * z).astype(z.dtype).reshape(-1, generator.size)
        bijector, log_density = generator.flow(), generator.marginal_log_prior
    # log p is computed in the pass z -> x, where pixels that round to black or white keep their exact logit.
    log_prob = log_density(z) - bijector.forward_log_det_jacobian(z, event_ndims=1)
    images = bijector.forward(z)
    return np.reshape(images, (len(first), count, *generator.image_shape)), np.reshape(log_prob, (len(first), count))


def latent_path(prior: str, first: np.ndarray, last: np.ndarray, count: int) -> np.ndarray:
    """Return points from `first` to `last`, both included, on a path that suits the prior.

    Draws from a Gaussian prior in many dimensions lie near a sphere. The straight line between two of them leaves it:
    its middle has half of their variance, unlike any draw. The great circle stays on it (White 2016, "Sampling
    generative networks"), and each of its points is distributed as the prior if the ends are.

    A logistic prior, with independent entries, has no such sphere. But each entry maps to a Gaussian one,
    u = Phi^-1(F(z)), and a circle in u gives points that are distributed as the prior, too.

    A uniform prior's support is a box, which contains the straight line between any two of its points. The z of an
    image may lie outside of the box, where u would be infinite.

    Args:
      prior: "gaussian", "logistic" or "uniform".
      first, last: float [n, k], the ends of n paths.
      count: >= 2, points of each.

    Returns:
      float64 [n, count, k]. The ends are exact.
    """
    check_choice("prior", prior, PATHS)
    if count < 2:
        raise UserError(f"count={count}; expected 2 or more")
    start, end = np.asarray(first, np.float64), np.asarray(last, np.float64)
    if prior == "gaussian":
        points = _spherical(start, end, count)
    elif prior == "logistic":
        points = _logistic_of_gaussian(_spherical(_gaussian_of_logistic(start), _gaussian_of_logistic(end), count))
    else:
        points = _straight(start, end, count)
    points[:, 0], points[:, -1] = start, end
    return points


def _straight(first, last, count):
    shares = np.linspace(0, 1, count)[:, np.newaxis]
    return (1 - shares) * first[:, np.newaxis] + shares * last[:, np.newaxis]


def _spherical(first, last, count):
    """Return sin((1 - t) w) / sin(w) first + sin(t w) / sin(w) last, with w the angle between the two."""
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(last, axis=1)
    cosine = np.divide(np.sum(first * last, axis=1), lengths, out=np.ones(len(first)), where=lengths > 0)
    angle = np.arccos(np.clip(cosine, -1, 1))[:, np.newaxis]
    shares = np.linspace(0, 1, count)
    sine = np.sin(angle)
    with np.errstate(divide="ignore", invalid="ignore"):
        start, end = np.sin((1 - shares) * angle) / sine, np.sin(shares * angle) / sine
    # For two z in the same direction the circle is the straight line; for opposite ones it is not unique.
    is_line = sine < 1e-6
    start, end = np.where(is_line, 1 - shares, start), np.where(is_line, shares, end)
    return start[..., np.newaxis] * first[:, np.newaxis] + end[..., np.newaxis] * last[:, np.newaxis]


def _gaussian_of_logistic(z):
    """Return u with Phi(u) = sigmoid(z), from the logarithms of the tails, since 1 - sigmoid(40) is 0 in float64."""
    return -np.sign(z) * scipy.special.ndtri_exp(-np.logaddexp(0, np.abs(z)))


def _logistic_of_gaussian(u):
    """Return z with sigmoid(z) = Phi(u)."""
    log_tail = scipy.special.log_ndtr(-np.abs(u))
    return -np.sign(u) * (log_tail - np.log(-np.expm1(log_tail)))
