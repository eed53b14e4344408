"""What is minimised, and against which critic."""

import dataclasses

from flow_gan.config.setting import Section, setting
from flow_gan.errors import UserError

DIVERGENCES = ("wgan", "ce", "lsgan", "kl", "rkl", "tv", "hellinger")
GRADIENT_PENALTY_NORMS = ("image", "column")
CRITICS = ("mnist", "dcgan")
CRITIC_BATCHES = ("shared", "fresh")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ObjectiveSettings(Section):
    """What is minimised, and against which critic."""

    TITLE = "Objective"

    n_critic: int = setting(5, "critic updates per generator update; 0 is maximum likelihood (MLE)", at_least=0)
    like_reg: float = setting(
        1.0, "lambda: the objective is V / lambda + NLL; 0 is purely adversarial (ADV)", at_least=0
    )
    f_div: str = setting("wgan", "divergence that the critic estimates", choices=DIVERGENCES)
    reg: float = setting(10.0, "weight of the gradient penalty (wgan)", at_least=0)
    gradient_penalty_norm: str = setting(
        "image",
        "norm in the gradient penalty. image: of an image's whole gradient; column: of each column's, as released",
        choices=GRADIENT_PENALTY_NORMS,
    )
    critic: str = setting(
        "auto", "critic network; auto is mnist for one channel, dcgan for more", choices=("auto", *CRITICS)
    )
    df_dim: int = setting(
        64,
        "filters of the critic's first convolution (dcgan) or of its second (mnist, whose first has one per channel)",
        more_than=0,
    )
    critic_batches: str = setting(
        "shared",
        "shared: one batch and one z for all critic updates of a step, as released; fresh: new ones for each",
        choices=CRITIC_BATCHES,
    )

    @property
    def objective(self) -> str:
        """Return "mle", "adv" or "hybrid"."""
        if self.n_critic == 0:
            return "mle"
        return "hybrid" if self.like_reg else "adv"

    def check(self) -> None:
        """Raise `UserError` where nothing is minimised."""
        if self.n_critic == 0 and self.like_reg == 0:
            raise UserError(
                "--n_critic=0 with --like_reg=0 leaves no objective; expected --n_critic > 0 (ADV), "
                "--like_reg > 0 (MLE), or both (hybrid)"
            )
