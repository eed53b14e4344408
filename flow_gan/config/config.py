"""The effective configuration of a run: all of its settings."""

import dataclasses
import json
import os

from flow_gan.config.data import DataSettings
from flow_gan.config.datasets import canonical_name
from flow_gan.config.evaluation import EvaluationSettings
from flow_gan.config.generator import GeneratorSettings
from flow_gan.config.images import ImageSettings
from flow_gan.config.mode import REPRODUCED_DATASETS, ModeSettings
from flow_gan.config.objective import ObjectiveSettings
from flow_gan.config.recording import RecordingSettings
from flow_gan.config.setting import about, plain
from flow_gan.config.training import TrainingSettings
from flow_gan.errors import UserError

SECTIONS = (
    ModeSettings,
    DataSettings,
    GeneratorSettings,
    ObjectiveSettings,
    TrainingSettings,
    EvaluationSettings,
    ImageSettings,
    RecordingSettings,
)


# A dataclass begins with the fields of its last base.
@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(
    RecordingSettings,
    ImageSettings,
    EvaluationSettings,
    TrainingSettings,
    ObjectiveSettings,
    GeneratorSettings,
    DataSettings,
    ModeSettings,
):
    """The effective configuration of a run. Its settings are those of `SECTIONS`; `--help` explains each.

    Raises:
      UserError: a value of another type or out of its bounds, or settings that contradict each other.
    """

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            object.__setattr__(self, field.name, plain(field, getattr(self, field.name)))
        object.__setattr__(self, "dataset", canonical_name(self.dataset))
        for field in dataclasses.fields(self):
            if getattr(self, field.name) is not None:
                about(field).check(field.name, getattr(self, field.name))
        self._check_model()
        for section in SECTIONS:
            section.check(self)
        self._check_objective()
        self._check_reproduction()
        self._check_images()
        if self.lr_schedule == "cosine" and self.max_steps is None and self.mode != "reproduce":
            raise UserError("--lr_schedule=cosine needs --max_steps, the step at which the rate reaches --min_lr")

    def _check_model(self):
        """Raise `UserError` if a setting is given that this kind of generator does not have."""
        for field in dataclasses.fields(self):
            models, value = about(field).models, getattr(self, field.name)
            if models and self.model_type not in models and value != field.default:
                raise UserError(
                    f"--{field.name}={value} is for --model_type={' or '.join(models)}, not {self.model_type}; "
                    "leave the flag out"
                )

        if self.prior_mean_rate != 1 and not (self.learned_prior or self.conditional):
            raise UserError(
                f"--prior_mean_rate={self.prior_mean_rate} is for --learned_prior or --conditional; leave the flag out"
            )

    def _check_objective(self):
        """Raise `UserError` if the generator does not have the likelihood that the objective needs."""
        if self.prior == "uniform" and self.objective != "adv":
            raise UserError(
                "--prior=uniform has density 0 outside [-1, 1]^D, where the NLL of images is infinite; expected "
                "--like_reg=0 and --n_critic > 0 (ADV) with it, or another prior"
            )
        if not self.has_likelihood and self.objective != "adv":
            raise UserError(
                f"--model_type={self.model_type} has no likelihood; expected --like_reg=0 and --n_critic > 0 (ADV), "
                f"not --like_reg={self.like_reg} and --n_critic={self.n_critic}"
            )

    def _check_reproduction(self):
        """Raise `UserError` if --mode=reproduce does not support this data set or strategy."""
        if self.mode != "reproduce":
            return
        if self.dataset not in REPRODUCED_DATASETS:
            raise UserError(
                f"--dataset={self.dataset} with --mode=reproduce; expected one of: {', '.join(REPRODUCED_DATASETS)}"
            )
        if (self.dataset, self.scale) == ("digits", "overnight"):
            raise UserError(
                "--scale=overnight with --dataset=digits, which has no such scale; expected tiny, small or full"
            )
        if self.strategy == "multi_worker":
            raise UserError(
                "--strategy=multi_worker with --mode=reproduce, which runs in one process; expected another strategy"
            )

    def _check_images(self):
        """Raise `UserError` if a setting of `ImageSettings` is given in another mode, or missing where it is needed."""
        for field in dataclasses.fields(ImageSettings):
            value, modes = getattr(self, field.name), about(field).changes_in
            if value != field.default and self.mode not in modes:
                raise UserError(
                    f"--{field.name}={value} goes with --mode={' or '.join(modes)}, not with --mode={self.mode}"
                )
        needed = {"interpolate": {"images": "A,B"}, "inpaint": {"images": "FILE", "mask": "FILE"}}
        for name, kind in needed.get(self.mode, {}).items():
            if getattr(self, name) is None:
                raise UserError(f"--mode={self.mode} needs --{name}={kind}")

    @property
    def hparams(self) -> dict:
        """The settings that tell this run from others, {name: value}: those that its generator and objective have."""
        sections = [GeneratorSettings, *([] if self.objective == "mle" else [ObjectiveSettings]), TrainingSettings]
        fields = [field for section in sections for field in dataclasses.fields(section)]
        names = [field.name for field in fields if "train" not in about(field).changes_in and self._has(field)]
        values = {name: getattr(self, name) for name in ("dataset", "objective", "n_critic", *names)}
        return {name: value for name, value in values.items() if value is not None}

    def _has(self, field):
        models = about(field).models
        return models is None or self.model_type in models

    def to_json(self) -> str:
        """Return the configuration as JSON, one setting per line."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"


def from_json(text: str, path: str | os.PathLike) -> Config:
    """Return the configuration of the run file `path` with the content `text`."""
    known = {field.name for field in dataclasses.fields(Config)}
    try:
        values = json.loads(text)
        return Config(**{name: value for name, value in values.items() if name in known})
    except (ValueError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is not the configuration of a run: {error}") from error


def changeable(mode: str) -> list[str]:
    """Return the settings that may be given with `--mode`; for "train", those that may be given with `--resume`."""
    return [field.name for field in dataclasses.fields(Config) if mode in about(field).changes_in]


def refuse_unused(given: dict, mode: str) -> None:
    """Raise `UserError` for the first of {setting: value} given that may not be given with `--mode`."""
    unused = sorted(given.keys() - set(changeable(mode)))
    if unused:
        raise UserError(f"--{unused[0]}={given[unused[0]]} has no effect in --mode={mode}; leave the flag out")


def identity(config: Config) -> dict:
    """Return the settings by which two trainings differ, {setting: value} in alphabetical order."""
    identifying = {field.name: field for field in dataclasses.fields(config) if about(field).identifies}
    return {
        name: getattr(config, name)
        for name, field in sorted(identifying.items())
        if not about(field).is_later or getattr(config, name) != field.default
    }
