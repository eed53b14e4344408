"""The settings of a reproduction: the presets of the paper's models, and each scale's changes to them."""

import dataclasses
import functools
from typing import Any

from flow_gan import config

_FLOW_PRESETS = {"digits": "digits_nice", "mnist": "mnist_nice", "cifar10": "cifar10_real_nvp"}
# What of a preset is no part of a model's recipe: how long it is trained is the scale's affair, sizes are the data's.
_NOT_OF_THE_RECIPE = ("epoch", "max_steps", "eval_every", "input_height", "input_width", "c_dim")
# Without those that validate.
_TRAINING_IMAGES = {"mnist": 50_000, "cifar10": 45_000}


@functools.cache
def _flow_preset(dataset, objective):
    return config.preset(f"{_FLOW_PRESETS[dataset]}_{'hybrid_paper' if objective == 'hybrid' else objective}")


@functools.cache
def _implicit_preset(dataset, kind):
    return config.preset(f"{dataset}_{kind}")


def _recipe(preset):
    return {name: value for name, value in preset.items() if name not in _NOT_OF_THE_RECIPE}


def flow_settings(dataset: str, objective: str, like_reg: float | None = None) -> dict:
    """Return {setting: value} of a flow: its preset, of the hybrid that with the paper's lambda.

    Args:
      dataset: "digits", "mnist" or "cifar10".
      objective: "mle", "adv" or "hybrid".
      like_reg: lambda of a hybrid; the paper's if None.
    """
    own = _recipe(_flow_preset(dataset, objective))
    if own["model_type"] == "real_nvp":
        # The original command of MLE has no moving averages, so that its NLL is none per image.
        own = own | {"batch_norm_adaptive": 1}
    if objective == "hybrid" and like_reg is not None:
        own = own | {"like_reg": like_reg}
    return own


def implicit_settings(dataset: str, kind: str) -> dict:
    """Return {setting: value} of a DCGAN, "dcgan_wgan" or "dcgan_ce", whose z has as many entries as x."""
    return _recipe(_implicit_preset(dataset, kind))


# The lambda of the paper's Tables 1 and 2. The digits are taken for a small MNIST.
PAPER_LAMBDA = {dataset: flow_settings(dataset, "hybrid")["like_reg"] for dataset in _FLOW_PRESETS}
# The same over sqrt(width * channels). The release's column-wise penalty allows the critic a gradient of that norm on
# an image, the penalty on the whole gradient one of norm 1. If the paper's numbers are the release's, these are its
# lambdas.
IMAGE_WISE_LAMBDA = {"digits": 0.035, "mnist": 0.019, "cifar10": 0.1}
# What has a number of steps of its own.
ROLES = ("mle", "adv", "hybrid", "dcgan_wgan", "dcgan_ce", "sweep", "ablation")
# The trade-off between MLE, which is an infinite lambda, and ADV, which is lambda 0.
LAMBDAS = (0.001, 0.01, 0.1, 1.0, 10.0, 100.0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scale:
    """How much of everything.

    Attributes:
      steps: {role: generator updates}, of "mle", "adv", "hybrid", "dcgan_wgan", "dcgan_ce", "sweep" for every training
        of the trade-off, and "ablation" for every one of the ablation.
      num_seeds: int, where `--num_seeds` says nothing.
      eval_every: int, updates between validations; the last update is followed by one, too. The larger scales have 20
        or more, so that a trend can be told from chance.
      most_validations: int, of one training, whose validations are further apart where it would have more; None for
        any number.
      time_factor: float, about how many times as long everything takes as with the smaller scales' models.
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

    steps: dict[str, int]
    num_seeds: int
    eval_every: int
    score_every: int
    evaluation: dict
    of_metric: dict[str, dict] = dataclasses.field(default_factory=dict)
    flow: dict = dataclasses.field(default_factory=dict)
    of_objective: dict[str, dict] = dataclasses.field(default_factory=dict)
    implicit: dict = dataclasses.field(default_factory=dict)
    hybrid_lambda: float | None = None
    warm_start: bool = False
    most_validations: int | None = None
    time_factor: float = 1.0


def _measures(*, samples: int, images: int, chains: int, temperatures: int, draws: int) -> dict:
    return {
        "score_samples": samples,
        "score_splits": 10,
        "kde_samples": samples,
        "jacobian_draws": draws,
        "ais_images": images,
        "ais_chains": chains,
        "ais_temperatures": temperatures,
    }


def _steps(most: int | None = None, **of_roles: int) -> dict:
    """Return {role: generator updates}: `most` for those that are not named."""
    return {role: of_roles.get(role, most) for role in ROLES}


def _steps_of_presets(dataset: str) -> dict:
    """Return {role: generator updates} by the presets' epochs; trade-off and ablation are trained as long as ADV."""
    presets = {objective: _flow_preset(dataset, objective) for objective in ("mle", "adv", "hybrid")}
    presets |= {kind: _implicit_preset(dataset, kind) for kind in ("dcgan_wgan", "dcgan_ce")}
    images = _TRAINING_IMAGES[dataset]
    steps = {role: preset["epoch"] * (images // preset["batch_size"]) for role, preset in presets.items()}
    return _steps(steps["adv"], **steps)


_FEW = {"gmm": {"num_examples": 500}, "ais": {"num_examples": 500}, "memorisation": {"score_samples": 2000}}
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
_MNIST_ADVERSARIAL = _ANNEALED | {"learning_rate": 2e-4, "critic": "dcgan", "df_dim": 16}
_SHORT_MNIST = {
    "mle": _ANNEALED | {"learning_rate": 3e-4, "log_scale_rate": 10.0, "warmup_steps": 100},
    "adv": _MNIST_ADVERSARIAL,
    "hybrid": _MNIST_ADVERSARIAL | {"log_scale_rate": 10.0, "ema_decay": 0.995},
}
_CIFAR10 = _ANNEALED | {"learning_rate": 1e-2, "beta1": 0.5}
_CIFAR10_ADVERSARIAL = _CIFAR10 | {"critic_learning_rate": 2e-4}
_SHORT_CIFAR10 = {
    "mle": _CIFAR10 | {"log_scale_rate": 3.0},
    "adv": _CIFAR10_ADVERSARIAL,
    "hybrid": _CIFAR10_ADVERSARIAL,
}

# What the scales have that are not the original commands.
_RECIPES: dict[str, dict[str, Any]] = {
    dataset: {"of_objective": own, "hybrid_lambda": IMAGE_WISE_LAMBDA[dataset], "warm_start": True}
    for dataset, own in (("digits", _SHORT_DIGITS), ("mnist", _SHORT_MNIST), ("cifar10", _SHORT_CIFAR10))
}

SCALES = {
    "digits": {
        "tiny": Scale(
            steps=_steps(600, dcgan_ce=900),
            num_seeds=1,
            eval_every=30,
            score_every=5,
            evaluation=_measures(samples=2000, images=10, chains=4, temperatures=300, draws=64),
            **_RECIPES["digits"],
        ),
        "small": Scale(
            steps=_steps(1200, dcgan_ce=1800),
            num_seeds=3,
            eval_every=60,
            score_every=10,
            evaluation=_measures(samples=5000, images=50, chains=4, temperatures=1000, draws=64),
            **_RECIPES["digits"],
        ),
        "full": Scale(
            steps=_steps(10_000, dcgan_ce=15_000),
            num_seeds=3,
            eval_every=250,
            score_every=60,
            evaluation=_measures(samples=10_000, images=250, chains=8, temperatures=3000, draws=64),
            flow={"lr_decay": 0.9998},
        ),
    },
    "mnist": {
        "tiny": Scale(
            steps=_steps(100),
            num_seeds=1,
            eval_every=25,
            score_every=1,
            evaluation=_measures(samples=2000, images=10, chains=2, temperatures=50, draws=2),
            of_metric=_FEW,
        ),
        "small": Scale(
            steps=_steps(mle=6000, adv=4000, hybrid=1500, dcgan_wgan=320, dcgan_ce=320, sweep=300, ablation=1000),
            num_seeds=1,
            eval_every=75,
            score_every=1,
            evaluation=_measures(samples=5000, images=20, chains=4, temperatures=400, draws=8),
            of_metric=_FEW,
            **_RECIPES["mnist"],
        ),
        "overnight": Scale(
            steps=_steps(mle=8000, adv=8000, hybrid=2500, dcgan_wgan=1500, dcgan_ce=1500, sweep=750, ablation=1500),
            num_seeds=1,
            eval_every=125,
            score_every=2,
            evaluation=_measures(samples=10_000, images=250, chains=2, temperatures=300, draws=16),
            **_RECIPES["mnist"],
        ),
        "full": Scale(
            steps=_steps_of_presets("mnist"),
            num_seeds=1,
            eval_every=2500,
            score_every=10,
            evaluation=_measures(samples=10_000, images=1000, chains=16, temperatures=10_000, draws=64),
        ),
    },
    "cifar10": {
        "tiny": Scale(
            steps=_steps(40),
            num_seeds=1,
            eval_every=20,
            score_every=1,
            evaluation=_measures(samples=1000, images=2, chains=2, temperatures=20, draws=1),
            of_metric={metric: {"num_examples": 200} for metric in ("nll", "nll_reestimated", "gmm", "ais")},
            flow=_SMALL_REAL_NVP,
            implicit=_SMALL_DCGAN,
        ),
        "small": Scale(
            steps=_steps(mle=6000, adv=1800, hybrid=1000, dcgan_wgan=400, dcgan_ce=400, sweep=150, ablation=275),
            num_seeds=1,
            eval_every=50,
            score_every=1,
            evaluation=_measures(samples=2000, images=5, chains=2, temperatures=100, draws=2),
            of_metric=_FEW,
            flow=_SMALL_REAL_NVP,
            implicit=_SMALL_DCGAN,
            # One takes as long as 100 steps of MLE.
            most_validations=20,
            **_RECIPES["cifar10"],
        ),
        "overnight": Scale(
            steps=_steps(mle=15_000, adv=5000, hybrid=2500, dcgan_wgan=2000, dcgan_ce=2000, sweep=300, ablation=800),
            num_seeds=1,
            eval_every=125,
            score_every=1,
            evaluation=_measures(samples=5000, images=20, chains=2, temperatures=200, draws=4),
            of_metric=_FEW,
            flow=_LARGER_REAL_NVP,
            implicit=_SMALL_DCGAN,
            # One takes as long as 100 steps of MLE.
            most_validations=20,
            time_factor=2.1,
            **_RECIPES["cifar10"],
        ),
        "full": Scale(
            steps=_steps_of_presets("cifar10"),
            num_seeds=1,
            eval_every=7030,
            score_every=10,
            evaluation=_measures(samples=50_000, images=100, chains=16, temperatures=10_000, draws=64),
        ),
    },
}
