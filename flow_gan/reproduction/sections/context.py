"""What the sections of the report share."""

import dataclasses
import itertools
import pathlib
from collections.abc import Callable, Collection

import numpy as np

from flow_gan import data
from flow_gan.data import Dataset
from flow_gan.metrics import nll, scores
from flow_gan.report import paper
from flow_gan.report.claims import UNKNOWN, Verdict, ascending
from flow_gan.report.model_tables import Column
from flow_gan.report.tables import Cell
from flow_gan.report.values import Value, over_seeds
from flow_gan.reproduction import settings
from flow_gan.reproduction.plan import FLOWS
from flow_gan.reproduction.results import Results

# Sentences on single runs, above which one on all of them stands for them.
_MANY = 4
NAMES = {"mle": "MLE", "adv": "ADV", "hybrid": "Hybrid", "dcgan_wgan": "DCGAN, WGAN", "dcgan_ce": "DCGAN, JS"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Context:
    """What all sections are made from.

    Attributes:
      results: `results.Results`.
      dataset: `data.Dataset`.
      folder: path into which figures are drawn.
    """

    results: Results
    dataset: Dataset
    folder: pathlib.Path

    @property
    def is_grey(self) -> bool:
        """Whether the images are grey: they stand for the paper's MNIST, others for its CIFAR-10."""
        return self.dataset.is_grey

    @property
    def paper_dataset(self) -> str:
        """The paper's data set to compare with."""
        return "mnist" if self.is_grey else "cifar10"

    @property
    def paper_name(self) -> str:
        """The same for people."""
        return {"mnist": "MNIST", "cifar10": "CIFAR-10"}[self.paper_dataset]

    @property
    def unit(self) -> str:
        """The unit of an NLL."""
        return self.dataset.nll_unit

    def convert(self, nats: float) -> float:
        """Return nats in `unit`."""
        return self.dataset.in_nll_unit(nats)

    @property
    def score(self) -> str:
        """Name of the score for people."""
        return paper.score_label(self.dataset)

    @property
    def roles(self) -> dict[str, str]:
        """{role: name for people} of the models of tables and figures."""
        hybrid = f"Hybrid (λ = {self.results.plan.training('hybrid').config.like_reg:g})"
        return NAMES | {"hybrid": hybrid}

    def values(self, role: str, metric: str, column: Column, checkpoint: str | None = None) -> list[Value]:
        """Return what a column of a metric shows of a role, a `Value` for each seed."""
        return self.results.values(role, metric, column.value, checkpoint)

    def column_cell(self, role: str, metric: str, column: Column, checkpoint: str | None = None) -> Cell:
        """Return the `Cell` of these over the seeds, marked where it has warnings."""
        marked = bool(self.results.warnings(role, metric, checkpoint))
        return cell(over_seeds(self.values(role, metric, column, checkpoint)), column.digits, marked)

    @property
    def _nll_column(self):
        return on_page(nll.columns(self.dataset)[0])

    def nlls(self, role: str, checkpoint: str | None = None, metric: str = "nll") -> list[Value]:
        """Return a role's test NLLs in `unit` with their standard errors, a `Value` for each seed."""
        return self.values(role, metric, self._nll_column, checkpoint)

    def nll(self, role: str, checkpoint: str | None = None, metric: str = "nll") -> Value:
        """Return the `Value` of a role's test NLL in `unit`."""
        return over_seeds(self.nlls(role, checkpoint, metric))

    def nll_cell(self, role: str, checkpoint: str | None = None, metric: str = "nll") -> Cell:
        """Return its `Cell`, marked where it has warnings."""
        return self.column_cell(role, metric, self._nll_column, checkpoint)

    @property
    def _score_column(self):
        return on_page(scores.columns(self.dataset)[0])

    def scores(self, role: str, checkpoint: str | None = None) -> list[Value]:
        """Return a role's sample scores, means over the splits with their deviation, a `Value` for each seed."""
        return self.values(role, "scores", self._score_column, checkpoint)

    def scored(self, role: str, checkpoint: str | None = None) -> Value:
        """Return the `Value` of a role's sample score."""
        return over_seeds(self.scores(role, checkpoint))

    def score_cell(self, role: str, checkpoint: str | None = None) -> Cell:
        """Return its `Cell`, marked where it has warnings."""
        return self.column_cell(role, "scores", self._score_column, checkpoint)

    def first_seed_warnings(self, role: str, metric: str) -> list[str]:
        """Return the warnings of a metric that is measured of the first seed alone, sentences."""
        return self.results.warnings(role, metric, seeds=self.results.plan.seeds[:1])

    def draw(
        self, stem: str, draw: Callable[[pathlib.Path], object], kinds: tuple[str, ...] = ("png", "svg")
    ) -> pathlib.Path:
        """Draw a figure as files of these kinds; return the path of the last, which the page embeds."""
        paths = [self.folder / f"{stem}.{kind}" for kind in kinds]
        for path in paths:
            draw(path)
        return paths[-1]

    def keep_grid(self, stem: str, grid: np.ndarray) -> pathlib.Path:
        """Write a grid of images, uint8, as a PNG file; return its path."""
        path = self.folder / f"{stem}.png"
        data.save_png(path, grid)
        return path


def on_page(column: Column) -> Column:
    """Return a column as the page has it, a decimal shorter: the paper's numbers have two."""
    return dataclasses.replace(column, digits=max(column.digits - 1, 2))


def ascending_over_seeds(claim: str, models: list[tuple[str, list[Value]]], decimals: int = 2) -> Verdict:
    """Return the `Verdict` on the order of means over seeds, and in how many of the seeds it is the same.

    Args:
      claim: str.
      models: [(name, list of `Value`, one for each seed)] in the claim's order.
      decimals: int, of the numbers in the detail.
    """
    verdict = ascending(claim, [(name, over_seeds(values)) for name, values in models], decimals)
    of_seeds = [seed for seed in zip(*(values for _, values in models), strict=True) if all(v.is_known for v in seed)]
    if len(of_seeds) < 2 or verdict.status == UNKNOWN:
        return verdict
    held = sum(all(low.number < high.number for low, high in itertools.pairwise(seed)) for seed in of_seeds)
    return dataclasses.replace(verdict, detail=f"{verdict.detail}; the claim holds in {held} of {len(of_seeds)} seeds")


def cell(value: Value, decimals: int = 2, is_marked: bool = False) -> Cell:
    """Return the `Cell` of a `Value`."""
    return Cell(value.number, value.error, digits=decimals, is_marked=is_marked)


def digits(context: Context) -> int:
    """Return the decimals of an NLL in the data set's unit."""
    return 2 if context.is_grey else 3


def checks_of_nll(context: Context, roles: Collection[str], checkpoint: str | None = None) -> list[str]:
    """Return what the exact NLLs of roles rest on: a sentence for each, or of many one, and one for each warning."""
    results = context.results
    lines, warnings, checked = [], [], []
    for role in roles:
        for seed in results.plan.seeds:
            name = f"{context.roles.get(role) or results.plan.training(role, seed).name}, seed {seed}"
            warnings += [f"(!) {name}: {why}" for why in results.warnings(role, "nll", checkpoint, [seed])]
            result = results.result(role, "nll", checkpoint, seed)
            if result is None:
                warnings.append(f"{name}: no NLL")
                continue
            checked.append(result)
            lines.append(f"{name}, weights {result['checkpoint']} of step {result['step']}: {_checked([result])}")
    if len(lines) > len(roles) or len(lines) > _MANY:
        lines = [f"{len(checked)} runs, {checkpoint or 'best'} weights: {_checked(checked)}"]
    return [f"Test NLL of {line}" for line in lines] + warnings


def _checked(results):
    checks = [result["checks"] for result in results]

    def largest(name):
        values = [check[name] for check in checks]
        return "not finite" if None in values else f"{max(values):.2g}"

    finite = min(check["finite_fraction"] for check in checks)
    used = min((result["num_images"], result["num_available"]) for result in results)
    return (
        f"round trip |x − G(f(x))| {largest('round_trip_largest')} at most, {100 * finite:g} % of the likelihoods "
        f"finite; they change by {largest('batch_dependence')} nats at most with the rest of the batch, by "
        f"{largest('rounding')} in float64; {used[0]} of {used[1]} test images"
    )


def marks(context: Context, roles: Collection[str], metric: str, what: str, checkpoint: str | None = None) -> list[str]:
    """Return the warnings of a metric, which `what` names, of roles, sentences; without those of failed trainings."""
    results = context.results
    return [
        f"(!) {results.plan.training(role, seed).title}, {what}: {warning}"
        for role in roles
        for seed in results.plan.seeds
        for warning in results.warnings(role, metric, checkpoint, [seed])
        if warning != results.failure(role, seed)
    ]


def checks_of_scores(context: Context, roles: Collection[str]) -> list[str]:
    """Return what the scores of roles rest on, sentences."""
    found = [context.results.result(role, "scores") for role in roles]
    results = [result for result in found if result]
    against = marks(context, roles, "scores", context.score)
    if not results:
        return ["No samples could be scored.", *against]
    first = results[0]
    accuracy = first["classifier_test_accuracy"]
    known = "" if accuracy is None else f", whose test accuracy is {100 * accuracy:.2f} %"
    return [
        f"Scores are of {first['num_samples']} samples in {first['splits']} splits by {first['classifier']}{known}. "
        f"{first['note'][:1].upper()}{first['note'][1:]}",
        *against,
    ]


def steps_text(context: Context) -> str:
    """Return how long the models were trained, beside the paper, a sentence."""
    plan = context.results.plan
    steps = {role: plan.training(role).config.max_steps for role in FLOWS}
    full = {"mnist": 250_000, "cifar10": 210_900}[context.paper_dataset]
    counts = ", ".join(f"{NAMES[role]} {count:,}" for role, count in steps.items())
    return f"Generator updates: {counts}; the original commands for {context.paper_name} make {full:,} or more."


def differences(context: Context) -> list[str]:
    """Return what is otherwise than in the paper for all figures and tables, sentences."""
    plan = context.results.plan
    lines = [steps_text(context)]
    if plan.config.dataset == "digits":
        lines.append("scikit-learn's 8×8 digits with 17 grey levels stand for MNIST, so no number compares in size.")
    if context.is_grey and plan.training("adv").config.critic == "dcgan":
        lines.append(
            "The critic of ADV and the hybrid is the release's for colour images. Its critic for grey ones begins with "
            "one filter of stride 2, and so sees one value for four pixels: ADV learns next to nothing against it."
        )
    if plan.scale.of_objective:
        lines.append(
            "Learning rates, schedules and critics are those that train well within hours on two cores, not those of "
            "the original commands."
        )
    stated, ours = settings.PAPER_LAMBDA[plan.config.dataset], plan.training("hybrid").config.like_reg
    if ours != stated:
        lines.append(
            f"The hybrid has λ = {ours:g} where the paper has {stated:g}. The release's penalty, column by column, "
            "lets the critic's gradient on an image have the norm √(width × channels); the penalty here, on the whole "
            "gradient, lets it have the norm 1. Divided by that factor, the paper's λ is this one. The trade-off has "
            "both."
        )
    if plan.scale.warm_start:
        lines.append(
            "The hybrid and all of the trade-off start from the MLE flow with the lowest validation NLL; their steps "
            "come after its own. The paper says nothing of that, and the original commands start from scratch."
        )
    lines.append(
        "Scores are by this package's own classifier: they compare with one another, not with the paper's."
        if plan.config.classifier == "cnn"
        else f"Scores are by {plan.config.classifier}."
    )
    config = plan.training("mle").config
    if config.model_type == "real_nvp" and (config.no_of_layers, config.filters) != (8, 64):
        lines.append(
            f"Real-NVP has {config.no_of_layers} residual blocks of {config.filters} filters, the release's 8 of 64."
        )
    if config.model_type == "real_nvp":
        lines.append(
            "MLE's batch norm uses moving averages, so that each image has a likelihood of its own. With the original "
            "command's batch statistics it has none."
        )
    return lines


def first_seed_alone(context: Context) -> list[str]:
    """Return, where there are several seeds, that a section is of the first alone: a list of one sentence, or none."""
    seeds = context.results.plan.seeds
    return [f"Of seed {seeds[0]} alone."] if len(seeds) > 1 else []
