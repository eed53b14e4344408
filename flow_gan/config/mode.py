"""What to do, and with which run."""

import dataclasses
import functools

from flow_gan.config.datasets import SPLITS
from flow_gan.config.setting import EXISTING_RUN, Section, setting
from flow_gan.errors import UserError

MODES = (
    "train",
    "evaluate",
    "compare",
    "reproduce",
    "sample",
    "score",
    "interpolate",
    "inpaint",
    "export",
    "status",
)
CHECKPOINTS = ("best", "best_score", "latest")
# How much of the paper --mode=reproduce computes.
SCALES = ("tiny", "small", "overnight", "full")
REPRODUCED_DATASETS = ("digits", "mnist", "cifar10")

_setting = functools.partial(setting, identifies=False, changes_in=EXISTING_RUN)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModeSettings(Section):
    """What to do, and with which run."""

    TITLE = "What to do"

    mode: str = _setting(
        "train",
        "train a model and evaluate it on the test images; evaluate a finished run (--run_dir) by --metrics; compare "
        "several (--run_dirs) in the paper's tables and figures; reproduce the paper: train its models and write a "
        "report with all of its tables and figures; draw samples from a run; score images by it, each by its own "
        "likelihood; interpolate between two images; inpaint what a mask hides; export a run as a SavedModel; or show "
        "the status of all runs below --runs_dir: how far they are, and how long they still take",
        choices=MODES,
        changes_in=MODES,
    )
    run_dir: str | None = _setting(
        None,
        "folder of the run. Train: a new folder, by default <runs_dir>/<dataset>_<model>_<objective>-<n>. "
        "Compare: a new folder, by default <runs_dir>/comparison-<n>. Reproduce: a new folder, or a reproduction to "
        "continue, by default <runs_dir>/reproduce_<dataset>_<scale>. Other modes and --resume: an existing run",
        changes_in=MODES,
        is_path=True,
    )
    scale: str = _setting(
        "tiny",
        "how much --mode=reproduce computes; times are of 2 free cores. tiny: to see that everything works (digits: a "
        "quarter of an hour; MNIST: three quarters; CIFAR-10: an hour); small: models that have learnt something "
        "(digits with 3 seeds: an hour; MNIST, CIFAR-10: two and a half hours each); overnight: what fits into a night "
        "(MNIST: seven hours; CIFAR-10: nine); full: the paper's sizes and the original README's numbers of steps, for "
        "a GPU (digits: six hours). The report states all steps",
        choices=SCALES,
        changes_in=(*EXISTING_RUN, "reproduce"),
    )
    num_seeds: int | None = _setting(
        None,
        "number of seeds with which --mode=reproduce repeats each training; the first is --seed. If not given, 3 for "
        "digits at small and full, otherwise 1",
        at_least=1,
        changes_in=(*EXISTING_RUN, "reproduce"),
    )
    run_dirs: str | None = _setting(
        None,
        "folders of the runs that --mode=compare takes, separated by commas; a pattern in quotes, such as "
        "'runs/mnist_*', stands for the runs that it matches",
        changes_in=(*EXISTING_RUN, "compare"),
        is_path=True,
        is_list=True,
    )
    runs_dir: str = _setting(
        "runs", "folder in which new runs are made, and whose runs --mode=status shows", changes_in=MODES, is_path=True
    )
    resume: bool = _setting(False, "continue the run in --run_dir from its latest checkpoint")
    checkpoint: str = _setting(
        "best",
        "which weights of an existing run to use, also with --init_from_run. best: those of the lowest validation NLL "
        "(for dcgan, which has no NLL, the latest); best_score: of the highest sample score (--score_every); latest: "
        "the latest",
        choices=CHECKPOINTS,
    )
    split: str = _setting(
        "test",
        "images of a data set that --mode=evaluate, compare and score use",
        choices=SPLITS,
        changes_in=(*EXISTING_RUN, "compare"),
    )
    num_samples: int = _setting(64, "number of samples in a grid, or written to --output", at_least=1)
    temperature: float = _setting(1.0, "factor by which --mode=sample scales z", more_than=0)
    export_dir: str | None = _setting(
        None,
        "folder that --mode=export makes; <run_dir>/export/<checkpoint> if not given",
        changes_in=("export",),
        is_path=True,
    )

    def require_run_dir(self) -> str:
        """Return `run_dir`, which names an existing run; raise `UserError` if it is not given."""
        if self.run_dir is None:
            what = "--resume" if self.resume else f"--mode={self.mode}"
            raise UserError(f"{what} needs --run_dir=FOLDER, an existing run")
        return self.run_dir

    def check(self) -> None:
        """Raise `UserError` where the mode lacks a setting that it needs, or has one of another mode."""
        if self.mode == "compare":
            if not self.run_dirs:
                raise UserError("--mode=compare needs --run_dirs=FOLDER,FOLDER,..., existing runs")
        elif self.resume or self.mode not in ("train", "reproduce", "status"):
            self.require_run_dir()
        for name in ("scale", "num_seeds"):
            value = getattr(self, name)
            if self.mode != "reproduce" and value != getattr(ModeSettings, name):
                raise UserError(f"--{name}={value} goes with --mode=reproduce, not with --mode={self.mode}")
        if self.resume and self.mode != "train":
            raise UserError(f"--resume goes with --mode=train, not with --mode={self.mode}")
        if self.export_dir is not None and self.mode != "export":
            raise UserError(f"--export_dir={self.export_dir} goes with --mode=export, not with --mode={self.mode}")
