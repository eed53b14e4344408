"""The plan of a reproduction: its trainings, what is measured of them, and about how long each stage takes."""

import dataclasses
import hashlib
import json
import pathlib

from flow_gan import config as config_module
from flow_gan.config import Config
from flow_gan.errors import UserError
from flow_gan.measurement import cannot_have, registry
from flow_gan.reproduction import settings
from flow_gan.training import saved_step

# The models of the paper's tables and figures.
FLOWS = ("mle", "adv", "hybrid")
IMPLICIT = ("dcgan_wgan", "dcgan_ce")
# ADV trainings, from scratch, that differ from the first of them in what is named.
ABLATIONS = {
    "adv_plain": {},
    "adv_column": {"gradient_penalty_norm": "column"},
    "adv_released": {"gradient_penalty_norm": "column", "batch_norm_updates": "released"},
    "adv_no_norm": {"batch_norm": False},
}
_TITLES = {
    "mle": "MLE",
    "adv": "ADV",
    "hybrid": "Hybrid",
    "dcgan_wgan": "DCGAN, WGAN",
    "dcgan_ce": "DCGAN, JS",
    "sweep_mle": "MLE, end of the trade-off",
    "sweep_adv": "ADV, end of the trade-off",
    "adv_plain": "ADV, to compare the ablations with",
    "adv_column": "ADV, column-wise penalty",
    "adv_released": "ADV as released (column-wise, averages x 6)",
    "adv_no_norm": "ADV without batch norm",
}
# What the command line hands on to every training.
_HANDED_ON = ("data_dir", "strategy", "gpu_nr", "data_on_device", "precision", "deterministic_ops", "jit_compile")
_CLASSIFIER = ("classifier", "classifier_dir", "inception_weights")

# Seconds on 2 cores (AMD EPYC with AVX-512), for the estimate of the remaining time alone. Those of CIFAR-10, whose
# validations take long, include them.
_STEP_SECONDS = {
    "digits": {"mle": 0.015, "adv": 0.05, "hybrid": 0.055, "dcgan_wgan": 0.07, "dcgan_ce": 0.025},
    "mnist": {"mle": 0.14, "adv": 0.45, "hybrid": 0.56, "dcgan_wgan": 0.37, "dcgan_ce": 0.16},
    "cifar10": {"mle": 0.2, "adv": 0.6, "hybrid": 0.8, "dcgan_wgan": 0.3, "dcgan_ce": 0.1},
}
_START_SECONDS = {"digits": 6, "mnist": 15, "cifar10": 30}
_METRIC_SECONDS = {
    "digits": {"ais": 30, "jacobian": 5, "gmm": 6, "memorisation": 4},
    "mnist": {"ais": 300, "jacobian": 60, "gmm": 90, "memorisation": 35, "kid": 4, "prdc": 2},
    "cifar10": {"ais": 300, "jacobian": 60, "gmm": 200, "memorisation": 90, "kid": 6, "prdc": 4},
}
_OTHER_METRIC_SECONDS = {"digits": 2, "mnist": 10, "cifar10": 30}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Training:
    """One training.

    Attributes:
      role: str, what it is in the plan: "mle", "lambda_0.01", ...
      name: str, for people, without the seed.
      config: `config.Config`, with its run folder.
      seconds: float, about how long it takes.
    """

    role: str
    name: str
    config: Config
    seconds: float

    @property
    def title(self) -> str:
        """The name with the seed, a str."""
        return f"{self.name}, seed {self.config.seed}"

    @property
    def folder(self) -> pathlib.Path:
        """The folder of the run, a path, whose name says by a digest which settings it has."""
        return pathlib.Path(str(self.config.run_dir))

    @property
    def key(self) -> str:
        """What the journal calls it, a str."""
        return self.folder.name

    @property
    def has_weights(self) -> bool:
        """Whether weights of a training that failed are kept, which were good."""
        return bool(saved_step(self.folder / "checkpoints", "latest"))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Measurement:
    """One measure of a training.

    Attributes:
      training: `Training`.
      metric: str, one of `config.evaluation.METRICS`.
      checkpoint: "latest", or "chosen": those that the paper's tables take, see `FinishedRun.checkpoint`.
      settings: {setting: value} of the evaluation.
    """

    training: Training
    metric: str
    checkpoint: str
    settings: dict

    def failure_key(self, checkpoint: str) -> str:
        """Return what the journal calls it when it failed at the weights called `checkpoint`, a str."""
        settings = _digest(sorted(self.settings.items()))
        return f"{self.training.key}/{self.metric}/{checkpoint}/{settings}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class MeasuringStage:
    """Measures that are made together.

    Attributes:
      title: str.
      measurements: tuple of `Measurement`.
      seconds: float, about how long it takes.
    """

    title: str
    measurements: tuple[Measurement, ...]
    seconds: float

    @property
    def key(self) -> str:
        """What the journal calls it, a str."""
        named = [(m.training.key, m.metric, m.checkpoint, sorted(m.settings.items())) for m in self.measurements]
        return f"measure-{_digest(named)}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """All of a reproduction.

    Attributes:
      config: `config.Config` of --mode=reproduce.
      scale: `settings.Scale`.
      seeds: tuple of int.
      lambdas: tuple of float, of the trade-off, ascending.
      roles: {(role, seed): `Training`}; one training may have several roles.
      trainings: tuple of `Training`, each once.
      stages: tuple of `MeasuringStage`.
    """

    config: Config
    scale: settings.Scale
    seeds: tuple[int, ...]
    lambdas: tuple[float, ...]
    roles: dict[tuple[str, int], Training]
    trainings: tuple[Training, ...]
    stages: tuple[MeasuringStage, ...]

    def training(self, role: str, seed: int | None = None) -> Training:
        """Return the training with a role, of the first seed if none is given."""
        return self.roles[role, self.seeds[0] if seed is None else seed]


def make_plan(config: Config, folder: str | pathlib.Path, scale: settings.Scale | None = None) -> Plan:
    """Return the `Plan` of a command line.

    Args:
      config: `config.Config` of --mode=reproduce.
      folder: path, below which the runs lie.
      scale: `settings.Scale`; that of `config` if None.

    Raises:
      UserError: a seed that is out of range.
    """
    scale = scale or settings.SCALES[config.dataset][config.scale]
    seeds = tuple(config.seed + i for i in range(config.num_seeds or scale.num_seeds))
    if seeds[-1] >= 2**31:
        raise UserError(f"--seed={config.seed} with {len(seeds)} seeds comes to {seeds[-1]}; expected less than 2^31")
    roles: dict[tuple[str, int], Training] = {}
    trainings: dict[str, Training] = {}
    for seed in seeds:
        for role, own, steps in _roles(config.dataset, scale):
            if scale.warm_start and role in warm_started(config.dataset, scale):
                own = own | {"init_from_run": roles["mle", seed].config.run_dir, "checkpoint": "best"}
            training = _training(config, folder, scale, role, own, steps, seed)
            # Where a training of the trade-off has a main one's settings, it is that one.
            roles[role, seed] = trainings.setdefault(training.key.split("-")[-1], training)
    lambdas = tuple(_lambdas(config.dataset, scale))
    made = tuple(trainings.values())
    return Plan(
        config=config,
        scale=scale,
        seeds=seeds,
        lambdas=lambdas,
        roles=roles,
        trainings=made,
        stages=tuple(_stages(config, scale, roles, seeds, lambdas)),
    )


def _hybrid_lambda(dataset, scale):
    return settings.PAPER_LAMBDA[dataset] if scale.hybrid_lambda is None else scale.hybrid_lambda


def _lambdas(dataset, scale):
    return sorted({*settings.LAMBDAS, settings.PAPER_LAMBDA[dataset], _hybrid_lambda(dataset, scale)})


def warm_started(dataset: str, scale: settings.Scale) -> set[str]:
    """Return the roles that start from the MLE flow of their seed where the scale says so: hybrid and trade-off."""
    return {"hybrid", "sweep_mle", "sweep_adv", *map(lambda_role, _lambdas(dataset, scale))}


def _roles(dataset, scale):
    """Yield (role, settings, steps) of one seed; those that others start from come first."""

    def flow(objective, like_reg=None, recipe=None):
        own = settings.flow_settings(dataset, objective, like_reg)
        return own | scale.flow | scale.of_objective.get(recipe or objective, {})

    for role in FLOWS:
        yield role, flow(role, _hybrid_lambda(dataset, scale)), scale.steps[role]
    for role in IMPLICIT:
        yield role, settings.implicit_settings(dataset, role) | scale.implicit, scale.steps[role]
    for end in ("mle", "adv"):
        yield f"sweep_{end}", flow(end, recipe="hybrid"), scale.steps["sweep"]
    for value in _lambdas(dataset, scale):
        yield lambda_role(value), flow("hybrid", value), scale.steps["sweep"]
    for role, change in ABLATIONS.items():
        yield role, flow("adv") | change, scale.steps["ablation"]


def lambda_role(value: float) -> str:
    """Return the role of the trade-off's training with a lambda."""
    return f"lambda_{value:g}"


def _training(config, folder, scale, role, own, steps, seed):
    handed_on = {name: getattr(config, name) for name in (*_HANDED_ON, *_CLASSIFIER)}
    values = own | handed_on
    fewest_apart = steps // scale.most_validations if scale.most_validations else 1
    values |= {"seed": seed, "max_steps": steps, "eval_every": max(scale.eval_every, fewest_apart), "mode": "train"}
    values |= {name: scale.evaluation[name] for name in ("score_samples", "score_splits") if name in scale.evaluation}
    values |= {"score_every": scale.score_every, "log_every": max(min(50, steps // 20), 1)}
    trained = config_module.Config(**values)
    name = f"{role}-seed{seed}-{_digest(_identity(trained))}"
    trained = dataclasses.replace(trained, run_dir=str(pathlib.Path(folder) / "trainings" / name))
    title = _TITLES.get(role, f"hybrid, lambda {trained.like_reg:g}")
    if role == "hybrid":
        title += f", lambda {trained.like_reg:g}"
    kind = role if role in IMPLICIT else trained.objective
    seconds = _START_SECONDS[config.dataset] + steps * _STEP_SECONDS[config.dataset][kind] * scale.time_factor
    return Training(role=role, name=title, config=trained, seconds=seconds)


def _identity(config):
    """Return what makes a training another one, {setting: value}."""
    identity = config_module.identity(config)
    if config.init_from_run is not None:
        # The folder's name tells its settings; where the reproduction lies makes no difference.
        identity["init_from_run"] = pathlib.Path(config.init_from_run).name
    return identity


def _digest(value):
    return hashlib.sha256(json.dumps(value, default=str).encode()).hexdigest()[:10]


def _stages(config, scale, roles, seeds, lambdas):
    """Yield the measuring stages: what all trainings have, then what those of the first seed have."""
    light: dict[Training, list[tuple[str, str]]] = {}
    sweep = ("sweep_mle", "sweep_adv", *map(lambda_role, lambdas), *ABLATIONS)
    of_every_model = [name for name, metric in registry.all_metrics().items() if metric.is_of_every_model]
    for seed in seeds:
        for role in (*FLOWS, *IMPLICIT, *sweep):
            training = roles[role, seed]
            checkpoint = "latest" if role in sweep else "chosen"
            metrics = [name for name in of_every_model if not cannot_have(training.config, name)]
            light.setdefault(training, []).extend((name, checkpoint) for name in metrics)
        for role in ("adv_plain", "adv_column", "adv_released"):
            light[roles[role, seed]].append(("nll_reestimated", "latest"))
    for training, measures in light.items():
        yield _stage(config, scale, f"likelihood and scores: {training.title}", [(training, *m) for m in measures])
    first = {role: roles[role, seeds[0]] for role in (*FLOWS, *IMPLICIT)}
    yield _stage(config, scale, "Gaussian mixture against ADV", [(first["adv"], "gmm", "chosen")])
    for role in FLOWS:
        yield _stage(config, scale, f"KDE and AIS: {first[role].title}", [(first[role], "ais", "chosen")])
    for name in ("jacobian", "pictures"):
        title = {"jacobian": "Jacobians", "pictures": "samples"}[name]
        yield _stage(config, scale, title, [(training, name, "chosen") for training in first.values()])
    yield _stage(config, scale, "memorisation", [(first[role], "memorisation", "chosen") for role in FLOWS])


def _stage(config, scale, title, measures):
    shared = {name: getattr(config, name) for name in _CLASSIFIER} | scale.evaluation
    measurements = tuple(
        Measurement(
            training=training, metric=metric, checkpoint=checkpoint, settings=shared | scale.of_metric.get(metric, {})
        )
        for training, metric, checkpoint in measures
    )
    known, other = _METRIC_SECONDS[config.dataset], _OTHER_METRIC_SECONDS[config.dataset]
    return MeasuringStage(
        title=title,
        measurements=measurements,
        seconds=scale.time_factor * sum(known.get(m.metric, other) for m in measurements),
    )
