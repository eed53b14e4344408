"""Which generator."""

import dataclasses

from flow_gan.config.setting import Section, setting
from flow_gan.errors import UserError

FLOWS = ("nice", "real_nvp")
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
        "a flow, or dcgan, which has no likelihood and is trained with --like_reg=0 alone",
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
        "NICE: hidden-to-hidden layers of a coupling network, besides its input and output layer; Real-NVP: residual "
        "blocks of a coupling network",
        at_least=0,
        models=FLOWS,
    )
    filters: int = setting(
        64,
        "channels in Real-NVP's coupling networks, 64 in the release; in DCGAN before the last convolution, and 2, 4, "
        "... times as many before those",
        more_than=0,
        models=("real_nvp", "dcgan"),
    )
    scales: int = setting(
        2, "scales of Real-NVP; each but the last halves height and width", at_least=1, models=("real_nvp",)
    )
    prior: str = setting("logistic", "density of z", choices=PRIORS)
    alpha: float = setting(
        1e-7,
        "squeeze of the pixels before the logit, between 0 and 0.5",
        more_than=0,
        less_than=0.5,
        models=FLOWS,
    )
    init_type: str = setting(
        "normal",
        "initial weights of NICE; Real-NVP's are xavier, DCGAN's normal",
        choices=INITIALIZERS,
        models=("nice",),
        of_weights=True,
    )
    batch_norm_adaptive: int = setting(
        1,
        "batch norm of Real-NVP: 1 moving averages in evaluation; 0 the batch's own statistics, in evaluation too, so "
        "that no NLL is a per-image likelihood. The others have one kind, moving averages",
        models=("real_nvp",),
    )
    batch_norm: bool = setting(
        True, "batch norm in the coupling networks of NICE and Real-NVP; --nobatch_norm leaves it out", models=FLOWS
    )
    batch_norm_updates: str = setting(
        "objective",
        "what moves the batch norms' averages: each pass that the objective needs, once, or as released, the "
        "sampling pass n_critic + 1 times and the likelihood's once",
        choices=BATCH_NORM_UPDATES,
        of_weights=True,
    )
    init_from_original: str | None = setting(
        None,
        "initial weights, of the critic too, from a TensorFlow 1 checkpoint of the original release: the prefix of its "
        "files, or their folder. A resumed run has its own",
        models=FLOWS,
        of_weights=True,
        is_path=True,
    )
    init_from_run: str | None = setting(
        None,
        "initial weights from another run, which this one fine-tunes: the generator's, of the same flags, and the "
        "critic's where it is the same; --checkpoint says which of its weights. Optimizers and steps start anew. A "
        "resumed run has its own",
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
        if self.batch_norm_adaptive not in (0, 1):
            raise UserError(f"--batch_norm_adaptive={self.batch_norm_adaptive}; expected 0 or 1")
        if not self.batch_norm and self.batch_norm_adaptive == 0:
            raise UserError(
                "--batch_norm_adaptive=0 is a kind of batch norm, which --nobatch_norm leaves out; drop one"
            )
