"""The paper's own numbers, and by which score it compares models of grey and of colour images.

Grey images stand for the paper's MNIST, others for its CIFAR-10.
"""

from flow_gan import image_kinds
from flow_gan.data import Dataset

# {objective: (score, test NLL)}: MODE score and nats for MNIST, Inception score and bits/dim for CIFAR-10.
TABLE_1 = {"mle": (7.42, -3334.56), "adv": (9.24, -1604.09), "hybrid": (9.37, -3342.95)}
TABLE_2 = {"mle": (2.92, 3.54), "adv": (5.76, 8.53), "hybrid": (3.90, 4.21)}

# {objective: (exact NLL, AIS, KDE)} of MNIST, in nats, at the weights of the best MODE score.
TABLE_3 = {
    "mle": (-3287.69, -2584.40, -167.10),
    "adv": (26350.30, -2916.10, -3.03),
    "hybrid": (-3121.53, -2703.03, -205.69),
}

# {data set: {objective: mean log |det dG/dz|}}, in nats.
LOG_DETERMINANTS = {
    "mnist": {"mle": -4170.34, "adv": -15588.34, "hybrid": -5184.40},
    "cifar10": {"mle": -12818.84, "adv": -21848.09, "hybrid": -14729.51},
}

# Of the Gaussian mixture whose samples Figure 7 shows, on CIFAR-10: training images with a little noise.
COPYING_BANDWIDTH = 0.07

_LABELS = {"mode_score": "MODE score", "inception_score": "Inception score"}


def score_name(dataset: Dataset) -> str:
    """Return the score that the paper gives for such images; see `image_kinds`."""
    return image_kinds.score_name(dataset.image_shape)


def score_label(dataset: Dataset) -> str:
    """Return `score_name` as people write it."""
    return _LABELS[score_name(dataset)]


def nll_name(dataset: Dataset) -> str:
    """Return what stored results call the NLL in `Dataset.nll_unit`."""
    return "nats" if dataset.is_grey else "bits_per_dim"


def objectives_number(dataset: Dataset) -> int:
    """Return which of the paper's tables of scores and likelihoods is of such images: 1 for grey ones, 2 for colour."""
    return 1 if dataset.is_grey else 2


def objectives_table(dataset: Dataset) -> dict[str, tuple[float, float]]:
    """Return that table, {objective: (score, test NLL)}."""
    return TABLE_1 if dataset.is_grey else TABLE_2
