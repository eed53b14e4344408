"""How, how long and where it is trained."""

import dataclasses

from flow_gan.config.generator import FLOWS
from flow_gan.config.setting import EXISTING_RUN, Section, setting
from flow_gan.errors import UserError

LR_SCHEDULES = ("exponential", "cosine")
STRATEGIES = ("auto", "one_device", "mirrored", "multi_worker")
PRECISIONS = ("float32", "bfloat16")

# Of where and how fast it is computed, which makes no other training.
_COMPUTED = {"changes_in": (*EXISTING_RUN, "reproduce"), "identifies": False}


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingSettings(Section):
    """How, how long and where it is trained."""

    TITLE = "Training"

    epoch: int = setting(58, "passes over the training images", more_than=0, changes_in=EXISTING_RUN)
    max_steps: int | None = setting(None, "generator updates; overrides --epoch", at_least=1, changes_in=EXISTING_RUN)
    batch_size: int = setting(
        100,
        "images per batch, over all replicas",
        more_than=0,
        changes_in=("evaluate", "compare", "sample", "score"),
    )
    learning_rate: float = setting(1e-3, "Adam's first rate, generator and critic", more_than=0)
    critic_learning_rate: float | None = setting(
        None, "the critic's own first rate; --learning_rate if not given", more_than=0
    )
    log_scale_rate: float = setting(
        1.0,
        "factor of the learning rate for a flow's log-scales: NICE's diagonal, the two scalars of each Real-NVP "
        "coupling. Adam moves a weight by about the rate in a step, and NICE's volume changes by the diagonal alone",
        more_than=0,
        models=FLOWS,
    )
    beta1: float = setting(0.5, "Adam's beta1, generator and critic", at_least=0, less_than=1)
    beta2: float = setting(0.9, "Adam's beta2, generator and critic", at_least=0, less_than=1)
    lr_schedule: str = setting(
        "exponential",
        "how the rates fall: by --lr_decay after every step, as released, or along half a cosine that ends at --min_lr "
        "after --max_steps, which must be given (a run that is resumed with other --max_steps follows their cosine)",
        choices=LR_SCHEDULES,
    )
    lr_decay: float = setting(
        0.997, "factor of the rate after every step, with --lr_schedule=exponential", more_than=0, at_most=1
    )
    min_lr: float = setting(0.0, "lowest rate", at_least=0)
    warmup_steps: int = setting(0, "steps over which the rates grow linearly to where the schedule is", at_least=0)
    clip_norm: float | None = setting(
        None,
        "largest norm of the gradient of the generator, and of the critic, over all weights: a longer one is scaled "
        "down to it; never if not given",
        more_than=0,
    )
    ema_decay: float = setting(
        0.0,
        "validate, score, sample and keep averaged weights of the generator, avg <- ema_decay avg + (1 - ema_decay) "
        "weights after every step, with batch norm's statistics re-estimated for them; 0.999 is about the last 1,000 "
        "steps. 0: the weights themselves",
        at_least=0,
        less_than=1,
    )
    seed: int = setting(
        0,
        "from which all randomness derives",
        at_least=0,
        changes_in=("sample", "score", "interpolate", "inpaint", "reproduce"),
    )
    strategy: str = setting(
        "auto",
        "one_device; mirrored over all visible GPUs; auto, the one or the other by what there is; or multi_worker, "
        "over the machines that the environment variable TF_CONFIG lists, with a run folder that all of them see",
        choices=STRATEGIES,
        **_COMPUTED,
    )
    data_on_device: bool = setting(
        False,
        "keep all training images in the memory of each GPU, so that a step takes only their numbers from the host",
        **_COMPUTED,
    )
    precision: str = setting(
        "float32",
        "of the networks' matrix products and convolutions; weights, norms, densities, log-determinants and the "
        "penalty are float32 in any case",
        choices=PRECISIONS,
        changes_in=("evaluate", "sample", "score", "interpolate", "inpaint", "export", "reproduce"),
    )
    deterministic_ops: bool = setting(
        False,
        "use deterministic operations alone, which a resumed run on GPUs needs to end bit for bit as one that was "
        "never stopped; on CPUs it does so in any case",
        **_COMPUTED,
    )
    jit_compile: bool = setting(False, "compile the whole training step with XLA", **_COMPUTED)
    gpu_nr: int | None = setting(
        None,
        "use this GPU alone, counted from 0; ignored on a machine without any",
        at_least=0,
        changes_in=(*EXISTING_RUN, "compare", "reproduce"),
        identifies=False,
    )

    def check(self) -> None:
        """Raise `UserError` where two settings contradict each other."""
        if self.min_lr > self.learning_rate:
            raise UserError(f"--min_lr={self.min_lr}; expected at most --learning_rate={self.learning_rate}")
