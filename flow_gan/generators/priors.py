"""Prior densities p(z)."""

from flow_gan import probability as tfp
from flow_gan.errors import check_choice

tfd = tfp.distributions

PRIORS = {
    # log p(z) per entry: -z - 2 softplus(-z)
    "logistic": lambda zero: tfd.Logistic(zero, zero + 1),
    # -z^2 / 2 - log(2 pi) / 2
    "gaussian": lambda zero: tfd.Normal(zero, zero + 1),
    # -log 2 inside [-1, 1], -inf outside
    "uniform": lambda zero: tfd.Uniform(zero - 1, zero + 1),
}


def make_prior(prior: str, size: int, dtype: type) -> tfp.distributions.Distribution:
    """Return the factorised prior over z [size], a tfp distribution with event shape [size].

    Args:
      prior: "logistic" (the paper's for MNIST), "gaussian" (for CIFAR-10) or "uniform" on [-1, 1].
      size: int, entries of z.
      dtype: numpy float dtype.

    Raises:
      UserError: `prior` is unknown.
    """
    check_choice("prior", prior, PRIORS)
    return tfd.Sample(PRIORS[prior](dtype(0)), sample_shape=[size])
