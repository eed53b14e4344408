"""Which generator."""

import dataclasses

from flow_gan.config.setting import Section, setting
from flow_gan.errors import UserError

FLOWS = ("nice", "real_nvp", "glow")
MODEL_TYPES = (*FLOWS, "dcgan")
PRIORS = ("logistic", "gaussian", "uniform")
INITIALIZERS = ("normal", "uniform", "orthogonal", "xavier")
BATCH_NORM_UPDATES = ("objective", "released")


@dataclasses.dataclass(frozen=True, kw_only=True)
class GeneratorSettings(Section):
    """Which generator."""

    TITLE = "Generator"

    model_type: str = setting(
        "nice",
        "a flow, or dcgan, which has no likelihood and can only be trained with --like_reg=0",
        choices=MODEL_TYPES,
    )
    hidden_layers: int = setting(
        384,
        "units per hidden layer of a coupling network of NICE (the release's name for the width)",
        more_than=0,
        models=("nice",),
    )
    no_of_layers: int = setting(
        1,
        "NICE and Glow: hidden-to-hidden layers of a coupling network, besides its input and output layer; Real-NVP: "
        "residual blocks of a coupling network",
        at_least=0,
        models=FLOWS,
    )
    filters: int = setting(
        64,
        "Real-NVP and Glow: channels in the coupling networks, 64 in the release; DCGAN: channels before the last "
        "convolution, with twice as many before each earlier one",
        more_than=0,
        models=("real_nvp", "glow", "dcgan"),
    )
    scales: int = setting(
        2,
        "scales of Real-NVP, each of which except the last halves height and width, or of Glow, where all do",
        at_least=1,
        models=("real_nvp", "glow"),
    )
    depth_per_scale: int = setting(
        8,
        "steps of Glow at each scale: activation norm, invertible 1x1 convolution, affine coupling",
        at_least=1,
        models=("glow",),
        is_later=True,
    )
    prior: str = setting("logistic", "density of z", choices=PRIORS)
    learned_prior: bool = setting(
        False,
        "learn a mean and a log-scale of the prior for each entry of z, together with the flow",
        models=FLOWS,
        is_later=True,
    )
    conditional: bool = setting(
        False,
        "model p(x | y) of images x given their labels y: the prior has a learned mean and log-scale for each class, "
        "and the critic is given the class. The data must have labels, such as the names of a folder's subfolders",
        models=FLOWS,
        is_later=True,
    )
    num_classes: int | None = setting(
        None,
        "number of classes with --conditional, with labels from 0 on; if not given, that of the data",
        at_least=1,
        models=FLOWS,
        is_later=True,
    )
    alpha: float = setting(
        1e-7,
        "pixels x in [0, 1] become alpha + (1 - 2 alpha) x before the logit, so that it is finite; between 0 and 0.5",
        more_than=0,
        less_than=0.5,
        models=FLOWS,
    )
    init_type: str = setting(
        "normal",
        "initial weights of NICE; Real-NVP's and Glow's are xavier, DCGAN's normal",
        choices=INITIALIZERS,
        models=("nice",),
        of_weights=True,
    )
    batch_norm_adaptive: int = setting(
        1,
        "what Real-NVP's batch norm uses in evaluation. 1: moving averages; 0: the statistics of the batch, so that an "
        "NLL is not a per-image likelihood. Other models always use moving averages",
        models=("real_nvp",),
    )
    batch_norm: bool = setting(
        True,
        "batch norm in the coupling networks of NICE and Real-NVP; --nobatch_norm leaves it out",
        models=("nice", "real_nvp"),
    )
    batch_norm_updates: str = setting(
        "objective",
        "which passes update batch norm's moving averages. objective: each pass that the objective needs, once; "
        "released: as in the release, the sampling pass n_critic + 1 times and the likelihood's pass once",
        choices=BATCH_NORM_UPDATES,
        of_weights=True,
    )
    init_from_original: str | None = setting(
        None,
        "TensorFlow 1 checkpoint of the original release, whose weights are the initial weights, the critic's "
        "included: the prefix of its files, or their folder. A resumed run does not read it again",
        models=("nice", "real_nvp"),
        of_weights=True,
        is_path=True,
    )
    init_from_run: str | None = setting(
        None,
        "folder of another run, whose weights are the initial weights: the generator's, whose flags must be the same, "
        "and the critic's if the critic is the same; --checkpoint says which checkpoint. Optimizers and steps start "
        "anew. A resumed run does not read it again",
        of_weights=True,
        is_path=True,
    )

    @property
    def has_likelihood(self) -> bool:
        """Whether the generator has a likelihood, and a run a best NLL."""
        return self.model_type in FLOWS

    def check(self) -> None:
        """Raise `UserError` where two settings contradict each other."""
        if self.init_from_run is not None and self.init_from_original is not None:
            raise UserError(
                f"--init_from_run={self.init_from_run} and --init_from_original={self.init_from_original}; expected one"
            )
        if self.num_classes is not None and not self.conditional:
            raise UserError(f"--num_classes={self.num_classes} is for --conditional; leave the flag out, or pass both")
        if self.batch_norm_adaptive not in (0, 1):
            raise UserError(f"--batch_norm_adaptive={self.batch_norm_adaptive}; expected 0 or 1")
        if not self.batch_norm and self.batch_norm_adaptive == 0:
            raise UserError(
                "--batch_norm_adaptive=0 chooses a kind of batch norm, and --nobatch_norm leaves batch norm out; "
                "expected one of the two"
            )
