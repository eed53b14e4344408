"""How, how long and where it is trained."""

import dataclasses

from flow_gan.config.generator import FLOWS
from flow_gan.config.setting import EXISTING_RUN, Section, setting
from flow_gan.errors import UserError

LR_SCHEDULES = ("exponential", "cosine")
STRATEGIES = ("auto", "one_device", "mirrored", "multi_worker")
PRECISIONS = ("float32", "bfloat16")

# Settings of where and how fast a training is computed; a training that differs in them is the same training.
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
    learning_rate: float = setting(1e-3, "initial learning rate of Adam, for generator and critic", more_than=0)
    critic_learning_rate: float | None = setting(
        None, "initial learning rate of the critic; --learning_rate if not given", more_than=0
    )
    log_scale_rate: float = setting(
        1.0,
        "factor of the learning rate for a flow's log-scales: NICE's diagonal, the two scalars of each Real-NVP "
        "coupling, those of Glow's norms and convolutions, of a learned prior. Adam moves a weight by about the rate "
        "in a step, and only the diagonal changes NICE's volume",
        more_than=0,
        models=FLOWS,
    )
    prior_mean_rate: float = setting(
        1.0,
        "factor of the learning rate for the mean of a learned prior, that of each class with --conditional. Classes "
        "begin equal, and at a rate that falls their means may not get far",
        more_than=0,
        models=FLOWS,
        is_later=True,
    )
    beta1: float = setting(0.5, "Adam's beta1, generator and critic", at_least=0, less_than=1)
    beta2: float = setting(0.9, "Adam's beta2, generator and critic", at_least=0, less_than=1)
    lr_schedule: str = setting(
        "exponential",
        "how the learning rates fall. exponential: by the factor --lr_decay after every step, as released; cosine: "
        "along half a cosine that reaches --min_lr after --max_steps, which must be given (a run that is resumed with "
        "another --max_steps follows the cosine of that number)",
        choices=LR_SCHEDULES,
    )
    lr_decay: float = setting(
        0.997,
        "factor of the learning rate after every step, with --lr_schedule=exponential",
        more_than=0,
        at_most=1,
    )
    min_lr: float = setting(
        0.0,
        "lowest learning rate; of the critic, where it has a rate of its own, the lowest is the same share of that",
        at_least=0,
    )
    warmup_steps: int = setting(
        0, "steps over which the learning rates grow linearly from 0 to the schedule", at_least=0
    )
    clip_norm: float | None = setting(
        None,
        "gradient clipping: the largest global norm of the generator's gradient, and of the critic's; a larger one is "
        "scaled down to it. No clipping if not given",
        more_than=0,
    )
    ema_decay: float = setting(
        0.0,
        "decay of an exponential moving average (EMA) of the generator's weights, "
        "avg <- ema_decay avg + (1 - ema_decay) weights after every step; 0.999 averages about the last 1,000 steps. "
        "Validation, scores, samples and other modes then use the averaged weights, with batch norm's statistics "
        "re-estimated for them. 0: no averaging",
        at_least=0,
        less_than=1,
    )
    seed: int = setting(
        0,
        "seed of all random numbers",
        at_least=0,
        changes_in=("sample", "score", "interpolate", "inpaint", "reproduce"),
    )
    strategy: str = setting(
        "auto",
        "where to compute. one_device: one GPU, or the CPU; mirrored: all visible GPUs; auto: mirrored if there are "
        "several GPUs, otherwise one_device; multi_worker: the machines that the environment variable TF_CONFIG lists, "
        "with a run folder that all of them see",
        choices=STRATEGIES,
        **_COMPUTED,
    )
    data_on_device: bool = setting(
        False,
        "keep all training images in the memory of each GPU, so that the host sends only their indices for each step",
        **_COMPUTED,
    )
    precision: str = setting(
        "float32",
        "precision of the networks' matrix products and convolutions; weights, norms, densities, log-determinants and "
        "the penalty are always float32",
        choices=PRECISIONS,
        changes_in=("evaluate", "sample", "score", "interpolate", "inpaint", "export", "reproduce"),
    )
    recompute: bool = setting(
        False,
        "Real-NVP: compute the ReLUs and norms of its coupling networks again in the backward pass instead of keeping "
        "them, to train in less memory",
        models=("real_nvp",),
        **_COMPUTED,
    )
    deterministic_ops: bool = setting(
        False,
        "use only deterministic operations. On GPUs a resumed run needs this to end bit for bit as one that was never "
        "stopped; on CPUs it always does",
        **_COMPUTED,
    )
    jit_compile: bool = setting(
        False,
        "compile the whole training step with XLA: about five times as fast on a GPU, after a minute or two",
        **_COMPUTED,
    )
    gpu_nr: int | None = setting(
        None,
        "use only this GPU, counted from 0; ignored on a machine without GPUs",
        at_least=0,
        changes_in=(*EXISTING_RUN, "compare", "reproduce"),
        identifies=False,
    )

    def check(self) -> None:
        """Raise `UserError` where two settings contradict each other."""
        if self.strategy == "multi_worker" and self.data_on_device:
            # Processes send one another no uint8, and each would need all images.
            raise UserError("--data_on_device with --strategy=multi_worker; expected one of them")
        if self.min_lr > self.learning_rate:
            raise UserError(f"--min_lr={self.min_lr}; expected at most --learning_rate={self.learning_rate}")
