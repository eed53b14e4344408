"""What a reproduction trains and measures: the settings of the paper's models on each data set, and the scales.

The values are those of the presets in `runs/`, which an installed package does not have beside it; a test compares
them.
"""

import dataclasses

# The lambda of the paper's Tables 1 and 2. The digits are taken for a small MNIST.
PAPER_LAMBDA = {"digits": 0.1, "mnist": 0.1, "cifar10": 1.0}
# The same over sqrt(width * channels). The release's column-wise penalty allows the critic a gradient of that norm on
# an image, the penalty on the whole gradient one of norm 1. If the paper's numbers are the release's, these are its
# lambdas.
IMAGE_WISE_LAMBDA = {"digits": 0.035, "mnist": 0.019, "cifar10": 0.1}
# What has a number of steps of its own.
ROLES = ("mle", "adv", "hybrid", "dcgan_wgan", "dcgan_ce", "sweep", "ablation")
# The trade-off between MLE, which is lambda without end, and ADV, which is lambda 0.
LAMBDAS = (0.001, 0.01, 0.1, 1.0, 10.0, 100.0)

_MLE, _ADV = {"n_critic": 0, "like_reg": 1.0}, {"n_critic": 5, "like_reg": 0.0}
_PENALTY = {"f_div": "wgan", "reg": 10.0}

_NICE = {"model_type": "nice", "prior": "logistic", "alpha": 1e-7, "beta1": 0.5, "batch_size": 100}
_REAL_NVP = {
    **{"model_type": "real_nvp", "prior": "gaussian", "alpha": 1e-7, "batch_norm_adaptive": 1},
    **{"scales": 2, "no_of_layers": 8, "filters": 64, "batch_size": 64},
}
_FLOW = {
    "digits": _NICE | {"no_of_layers": 1, "hidden_layers": 384, "learning_rate": 1e-3, "lr_decay": 0.997},
    "mnist": _NICE | {"no_of_layers": 5, "hidden_layers": 1000, "learning_rate": 1e-4, "lr_decay": 1.0},
    "cifar10": _REAL_NVP,
}
# The release's critic for grey images begins with one filter of stride 2, and so sees one value for four pixels: ADV
# learns next to nothing against it. That for colour images begins with `df_dim` filters.
_CRITICS = {"digits": {"critic": "dcgan", "df_dim": 16}, "mnist": {"df_dim": 64}, "cifar10": {"df_dim": 64}}
# The original commands for CIFAR-10 train each objective at rates of its own.
_RATES = {
    "cifar10": {
        "mle": {"learning_rate": 1e-3, "beta1": 0.9, "lr_decay": 0.999995},
        "adv": {"learning_rate": 1e-4, "beta1": 0.5, "lr_decay": 1.0},
        "hybrid": {"learning_rate": 1e-3, "beta1": 0.5, "lr_decay": 0.99999},
    }
}
_DCGAN = {"model_type": "dcgan", "like_reg": 0.0, "lr_decay": 1.0, "beta1": 0.5}
_DCGAN_MNIST = {"filters": 64, "critic": "mnist", "df_dim": 64, "learning_rate": 2e-4, "batch_size": 100}
_DCGAN_CIFAR10 = _DCGAN_MNIST | {"critic": "dcgan", "batch_size": 64}
_IMPLICIT = {
    "digits": {
        "dcgan_wgan": {"filters": 128, "critic": "dcgan", "df_dim": 16, "learning_rate": 5e-4, "batch_size": 100},
        "dcgan_ce": {"filters": 128, "critic": "mnist", "df_dim": 32, "learning_rate": 2e-4, "batch_size": 100},
    },
    "mnist": {"dcgan_wgan": _DCGAN_MNIST, "dcgan_ce": _DCGAN_MNIST},
    "cifar10": {"dcgan_wgan": _DCGAN_CIFAR10, "dcgan_ce": _DCGAN_CIFAR10},
}
_DIVERGENCE = {"dcgan_wgan": {"n_critic": 5, **_PENALTY}, "dcgan_ce": {"n_critic": 1, "f_div": "ce"}}


def flow_settings(dataset, objective, like_reg=None):
    """Return the settings of a flow, a dict.

    Args:
      dataset: "digits", "mnist" or "cifar10".
      objective: "mle", "adv" or "hybrid".
      like_reg: float, lambda of a hybrid; the paper's if None.
    """
    own = {"mle": _MLE, "adv": _ADV, "hybrid": {"n_critic": 5}}[objective]
    if objective != "mle":
        own = own | _CRITICS[dataset]
    if objective == "hybrid":
        own = own | {"like_reg": PAPER_LAMBDA[dataset] if like_reg is None else like_reg}
    return {"dataset": dataset} | _FLOW[dataset] | _PENALTY | _RATES.get(dataset, {}).get(objective, {}) | own


def implicit_settings(dataset, kind):
    """Return the settings of a DCGAN, `kind` "dcgan_wgan" or "dcgan_ce", whose z has as many entries as x."""
    prior = {"prior": _FLOW[dataset]["prior"]}
    return {"dataset": dataset} | _DCGAN | prior | _IMPLICIT[dataset][kind] | _DIVERGENCE[kind]


@dataclasses.dataclass(frozen=True)
class Scale:
    """How much of everything.

    Attributes:
      steps: {role: generator updates}, of "mle", "adv", "hybrid", "dcgan_wgan", "dcgan_ce", "sweep" for every training
        of the trade-off, and "ablation" for every one of the ablation.
      num_seeds: int, where `--num_seeds` says nothing.
      eval_every: int, updates between validations, which there is one of after the last update, too. At the larger
        scales 20 or more of them, for trends to be told from chance.
      score_every: int, epochs between scores in training.
      evaluation: {setting: value} of all measures.
      of_metric: {metric: {setting: value}}, what one measure has instead.
      flow: {setting: value}, what the flows have instead of the presets' values.
      of_objective: {objective: {setting: value}}, what flows of "mle", "adv" or "hybrid" have instead of these; all
        of the trade-off have the hybrid's, so that they differ by lambda alone.
      implicit: the same for the DCGANs.
      hybrid_lambda: float, of the hybrid of tables and figures; the paper's if None.
      warm_start: bool, the hybrid and the trade-off start from the MLE flow of the lowest validation NLL.
    """

    steps: dict
    num_seeds: int
    eval_every: int
    score_every: int
    evaluation: dict
    of_metric: dict = dataclasses.field(default_factory=dict)
    flow: dict = dataclasses.field(default_factory=dict)
    of_objective: dict = dataclasses.field(default_factory=dict)
    implicit: dict = dataclasses.field(default_factory=dict)
    hybrid_lambda: float | None = None
    warm_start: bool = False


def _measures(scores, images, chains, temperatures, draws):
    return {
        **{"score_samples": scores, "score_splits": 10, "kde_samples": scores, "jacobian_draws": draws},
        **{"ais_images": images, "ais_chains": chains, "ais_temperatures": temperatures},
    }


_FEW = {"gmm": {"num_examples": 500}, "ais": {"num_examples": 500}}
_SMALL_REAL_NVP = {"no_of_layers": 1, "filters": 16, "df_dim": 16, "batch_size": 32}
_LARGER_REAL_NVP = {"no_of_layers": 2, "filters": 32, "df_dim": 32, "batch_size": 32}
_SMALL_DCGAN = {"filters": 16, "df_dim": 16, "batch_size": 32}

# What trains well in hours of two cores, found by the tries of docs/recipes.md; the original commands take weeks there.
_SHORT_DIGITS = {
    "mle": {"learning_rate": 5e-4, "lr_decay": 1.0, "log_scale_rate": 10.0, "ema_decay": 0.99},
    "adv": {"learning_rate": 2e-4, "lr_decay": 1.0},
    "hybrid": {"learning_rate": 2e-4, "lr_decay": 1.0, "ema_decay": 0.99},
}
_ANNEALED = {"lr_schedule": "cosine", "warmup_steps": 50}
_MNIST_ADVERSARIAL = {"learning_rate": 2e-4, "critic": "dcgan", "df_dim": 16, **_ANNEALED}
_SHORT_MNIST = {
    "mle": {"learning_rate": 3e-4, "log_scale_rate": 10.0, **_ANNEALED, "warmup_steps": 100},
    "adv": _MNIST_ADVERSARIAL,
    "hybrid": _MNIST_ADVERSARIAL | {"log_scale_rate": 10.0, "ema_decay": 0.995},
}
_SHORT_CIFAR10 = {
    objective: {"learning_rate": rate, "beta1": 0.5, "log_scale_rate": factor, **_ANNEALED}
    for objective, rate, factor in (("mle", 1e-2, 3.0), ("adv", 1e-3, 1.0), ("hybrid", 1e-3, 10.0))
}

# What the scales have that are not the original commands.
_RECIPES = {
    dataset: {"of_objective": own, "hybrid_lambda": IMAGE_WISE_LAMBDA[dataset], "warm_start": True}
    for dataset, own in (("digits", _SHORT_DIGITS), ("mnist", _SHORT_MNIST), ("cifar10", _SHORT_CIFAR10))
}

SCALES = {
    "digits": {
        "tiny": Scale(
            steps=dict.fromkeys(("mle", "adv", "hybrid", "dcgan_wgan", "sweep", "ablation"), 600) | {"dcgan_ce": 900},
            num_seeds=1,
            eval_every=30,
            score_every=5,
            evaluation=_measures(2000, 10, 4, 300, 64),
            **_RECIPES["digits"],
        ),
        "small": Scale(
            steps=dict.fromkeys(("mle", "adv", "hybrid", "dcgan_wgan", "sweep", "ablation"), 1200) | {"dcgan_ce": 1800},
            num_seeds=3,
            eval_every=60,
            score_every=10,
            evaluation=_measures(5000, 50, 4, 1000, 64),
            **_RECIPES["digits"],
        ),
        "full": Scale(
            steps=dict.fromkeys(("mle", "adv", "hybrid", "dcgan_wgan", "sweep", "ablation"), 10_000)
            | {"dcgan_ce": 15_000},
            num_seeds=3,
            eval_every=250,
            score_every=60,
            evaluation=_measures(10_000, 250, 8, 3000, 64),
            flow={"lr_decay": 0.9998},
        ),
    },
    "mnist": {
        "tiny": Scale(
            steps=dict.fromkeys(ROLES, 100),
            num_seeds=1,
            eval_every=25,
            score_every=1,
            evaluation=_measures(2000, 10, 2, 50, 2),
            of_metric=_FEW,
        ),
        "small": Scale(
            steps={
                **{"mle": 6000, "adv": 4000, "hybrid": 1500, "dcgan_wgan": 500, "dcgan_ce": 500},
                **{"sweep": 300, "ablation": 1000},
            },
            num_seeds=1,
            eval_every=75,
            score_every=1,
            evaluation=_measures(5000, 20, 4, 400, 8),
            of_metric=_FEW,
            **_RECIPES["mnist"],
        ),
        "overnight": Scale(
            steps={
                **{"mle": 10_000, "adv": 12_000, "hybrid": 5000, "dcgan_wgan": 4000, "dcgan_ce": 4000},
                **{"sweep": 1500, "ablation": 2500},
            },
            num_seeds=1,
            eval_every=200,
            score_every=1,
            evaluation=_measures(10_000, 250, 2, 300, 16),
            **_RECIPES["mnist"],
        ),
        "full": Scale(
            steps=dict.fromkeys(("mle", "adv", "hybrid", "sweep", "ablation"), 250_000)
            | dict.fromkeys(("dcgan_wgan", "dcgan_ce"), 25_000),
            num_seeds=1,
            eval_every=2500,
            score_every=10,
            evaluation=_measures(10_000, 1000, 16, 10_000, 64),
        ),
    },
    "cifar10": {
        "tiny": Scale(
            steps=dict.fromkeys(ROLES, 40),
            num_seeds=1,
            eval_every=20,
            score_every=1,
            evaluation=_measures(1000, 2, 2, 20, 1),
            of_metric={metric: {"num_examples": 200} for metric in ("nll", "nll_reestimated", "gmm", "ais")},
            flow=_SMALL_REAL_NVP,
            implicit=_SMALL_DCGAN,
        ),
        "small": Scale(
            steps={
                **{"mle": 3000, "adv": 1800, "hybrid": 1000, "dcgan_wgan": 600, "dcgan_ce": 600},
                **{"sweep": 150, "ablation": 300},
            },
            num_seeds=1,
            eval_every=50,
            score_every=1,
            evaluation=_measures(2000, 5, 2, 100, 2),
            of_metric=_FEW,
            flow=_SMALL_REAL_NVP,
            implicit=_SMALL_DCGAN,
            **_RECIPES["cifar10"],
        ),
        "overnight": Scale(
            steps={
                **{"mle": 15_000, "adv": 6000, "hybrid": 2500, "dcgan_wgan": 4000, "dcgan_ce": 4000},
                **{"sweep": 400, "ablation": 800},
            },
            num_seeds=1,
            eval_every=125,
            score_every=1,
            evaluation=_measures(5000, 20, 2, 200, 4),
            of_metric=_FEW,
            flow=_LARGER_REAL_NVP,
            implicit=_SMALL_DCGAN,
            **_RECIPES["cifar10"],
        ),
        "full": Scale(
            steps={
                **{"mle": 210_900, "adv": 210_900, "hybrid": 351_500, "dcgan_wgan": 70_300, "dcgan_ce": 70_300},
                **{"sweep": 210_900, "ablation": 210_900},
            },
            num_seeds=1,
            eval_every=7030,
            score_every=10,
            evaluation=_measures(50_000, 100, 16, 10_000, 64),
        ),
    },
}
