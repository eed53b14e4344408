"""Divergences, the gradient penalty and the hybrid objective: pure functions of tensors.

r are the critic's logits on real images, k those on generated images, [batch, 1]; each loss is a mean over the batch.

| divergence | critic, real   | critic, fake  | generator     |
|------------|----------------|---------------|---------------|
| wgan       | -r             | k             | -k            |
| ce         | softplus(-r)   | softplus(k)   | softplus(-k)  |
| lsgan      | (r - 1)^2 / 2  | k^2 / 2       | (k - 1)^2 / 2 |
| kl         | -r             | exp(k - 1)    | -k            |
| rkl        | exp(r)         | -k - 1        | k + 1         |
| tv         | -tanh(r) / 2   | tanh(k) / 2   | -tanh(k) / 2  |
| hellinger  | exp(-r)        | exp(k) - 2    | exp(-k)       |

wgan is Eq. 5 of the paper with a gradient penalty (Gulrajani et al. 2017), ce is Eq. 3 with the non-saturating
generator loss, the others are the release's f-divergences (Nowozin et al. 2016) and least squares. A `Divergence` can
define others.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from flow_gan import serialization
from flow_gan.config.objective import DIVERGENCES, GRADIENT_PENALTY_NORMS
from flow_gan.errors import UserError, check_choice, check_number

# Each function below takes logits [batch, 1] and returns the same shape.
_TERMS = {
    "wgan": (lambda r: -r, lambda k: k, lambda k: -k),
    "ce": (lambda r: tf.nn.softplus(-r), tf.nn.softplus, lambda k: tf.nn.softplus(-k)),
    "lsgan": (
        lambda r: tf.square(r - 1) / 2,
        lambda k: tf.square(k) / 2,
        lambda k: tf.square(k - 1) / 2,
    ),
    "kl": (lambda r: -r, lambda k: tf.exp(k - 1), lambda k: -k),
    "rkl": (tf.exp, lambda k: -k - 1, lambda k: k + 1),
    "tv": (lambda r: -tf.tanh(r) / 2, lambda k: tf.tanh(k) / 2, lambda k: -tf.tanh(k) / 2),
    "hellinger": (lambda r: tf.exp(-r), lambda k: tf.exp(k) - 2, lambda k: tf.exp(-k)),
}


@keras.saving.register_keras_serializable("flow_gan")
@dataclasses.dataclass(frozen=True)
class Divergence:
    """What the critic and the generator minimise, as functions of logits [batch, 1]; the mean is taken over the batch.

    Any object with these attributes can take its place.

    Attributes:
      critic_loss: function from (logits on real images, logits on generated images) to the critic's loss: one tensor,
        or a pair (real, fake) whose sum is the loss and whose parts are logged separately.
      generator_loss: function of the logits on generated images.
      has_penalty: bool, whether the critic's loss includes the gradient penalty, see `gradient_penalty`.

    Example:
      >>> hinge = Divergence(
      ...     critic_loss=lambda real, fake: (tf.nn.relu(1 - real), tf.nn.relu(1 + fake)),
      ...     generator_loss=lambda fake: -fake,
      ... )
      >>> [float(part) for part in critic_loss(hinge, tf.constant([[0.25]]), tf.constant([[0.5]]))]
      [0.75, 1.5]
    """

    critic_loss: Callable[[tf.Tensor, tf.Tensor], Any]
    generator_loss: Callable[[tf.Tensor], tf.Tensor]
    has_penalty: bool = False

    def get_config(self) -> dict:
        """Return the constructor's arguments; `UserError` if Keras does not know the functions."""
        names = ("critic_loss", "generator_loss")
        functions = {name: serialization.serialize(name, getattr(self, name)) for name in names}
        return functions | {"has_penalty": self.has_penalty}

    @classmethod
    def from_config(cls, config: dict) -> "Divergence":
        """Return the divergence of `get_config`."""
        names = ("critic_loss", "generator_loss")
        return cls(**config | {name: keras.saving.deserialize_keras_object(config[name]) for name in names})


def find_divergence(divergence: Any) -> Any:
    """Return the `Divergence` of a name, of a pair of functions (critic's loss, generator's loss), or itself.

    Raises:
      UserError: it is none of these.
    """
    if isinstance(divergence, str):
        check_choice("divergence", divergence, DIVERGENCES)
        real, fake, generator = _TERMS[divergence]
        return Divergence(lambda r, k: (real(r), fake(k)), generator, has_penalty=divergence == "wgan")
    if isinstance(divergence, (tuple, list)) and len(divergence) == 2:
        divergence = Divergence(*divergence)
    losses = (getattr(divergence, name, None) for name in ("critic_loss", "generator_loss"))
    if not all(map(callable, losses)):
        raise UserError(
            f"divergence={divergence!r}; expected one of {', '.join(DIVERGENCES)}, a pair of functions (critic_loss, "
            "generator_loss) of logits, or an object with these as attributes"
        )
    return divergence


def critic_loss(divergence: Any, real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """Return the critic's loss on real and on generated images, two scalars whose sum is minimised.

    A custom divergence, see `find_divergence`, may return only their sum. The penalty of "wgan" is not included, see
    `gradient_penalty`.

    Example:
      >>> real, fake = critic_loss("wgan", tf.constant([[2.0]]), tf.constant([[0.5]]))
      >>> float(real), float(fake)
      (-2.0, 0.5)
    """
    loss = find_divergence(divergence).critic_loss(real_logits, fake_logits)
    return tuple(map(tf.reduce_mean, loss if isinstance(loss, (tuple, list)) else [loss]))


def generator_loss(divergence: Any, fake_logits: tf.Tensor) -> tf.Tensor:
    """Return the generator's adversarial loss, a scalar: the part of V(G, D) in Eq. 7 that depends on G."""
    return tf.reduce_mean(find_divergence(divergence).generator_loss(fake_logits))


def is_real_high(divergence: Any) -> bool:
    """Whether the critic's logits are higher of what it takes for real, as of all named divergences but "rkl".

    That is where the generator's loss falls as the logits grow. It is asked at 0, from which lsgan's real images, at 1,
    are on the same side as all others'.
    """
    at_zero, above = (generator_loss(divergence, tf.fill([1, 1], logit)) for logit in (0.0, 0.5))
    return bool(above < at_zero)


def interpolate(real_images: tf.Tensor, fake_images: tf.Tensor, alpha: tf.Tensor) -> tf.Tensor:
    """Return real + alpha (fake - real), [batch, H, W, C]; `alpha` is [batch], one coefficient per example."""
    return real_images + alpha[:, None, None, None] * (fake_images - real_images)


def gradient_penalty(critic: Callable[[tf.Tensor], tf.Tensor], images: tf.Tensor, norm: str = "image") -> tf.Tensor:
    """Return the mean of (|grad D(x)| - 1)^2 over `images` (Gulrajani et al. 2017), a scalar.

    Args:
      critic: from images [batch, H, W, C] to logits [batch, 1].
      images: float [batch, H, W, C], the interpolates.
      norm: "image" takes the Euclidean norm of an image's whole gradient, as the method is defined; "column"
        sums over the height alone, as the release does, and averages over [batch, W, C].
    """
    check_choice("gradient_penalty_norm", norm, GRADIENT_PENALTY_NORMS)
    with tf.GradientTape() as tape:
        tape.watch(images)
        total = tf.reduce_sum(critic(images))
    gradient = tape.gradient(total, images)
    squared = tf.reduce_sum(tf.square(gradient), [1, 2, 3] if norm == "image" else [1])
    # The square root's derivative is infinite at 0, where the gradient of a dead column is: it is set to 0 there.
    is_zero = tf.equal(squared, 0)
    slopes = tf.sqrt(tf.where(is_zero, tf.ones_like(squared), squared))
    slopes = tf.where(is_zero, tf.zeros_like(squared), slopes)
    return tf.reduce_mean(tf.square(slopes - 1))


def generator_objective(adversarial: tf.Tensor | None, nll: tf.Tensor | None, like_reg: float) -> tf.Tensor:
    """Return what the generator minimises (Eq. 7 divided by lambda, as in the release).

        adversarial is None:  NLL                           MLE, Eq. 1
        nll is None:          adversarial                   ADV, like_reg = 0
        otherwise:            adversarial / like_reg + NLL  hybrid, lambda = like_reg

    Args:
      adversarial: scalar from `generator_loss`.
      nll: scalar, mean negative log-likelihood in nats.
      like_reg: lambda > 0 in the hybrid.
    """
    if adversarial is None:
        return nll
    if nll is None:
        return adversarial
    return adversarial / like_reg + nll


@dataclasses.dataclass(frozen=True)
class Objective:
    """The objective, and the weights of its parts.

        MLE     n_critic = 0                  minimise NLL
        ADV     n_critic > 0, like_reg = 0    minimise V(G, D)
        hybrid  n_critic > 0, like_reg > 0    minimise V(G, D) / like_reg + NLL

    Attributes:
      divergence: what `find_divergence` takes.
      like_reg: float >= 0, lambda.
      n_critic: int >= 0, critic updates per generator update.
      gradient_penalty: float >= 0, weight of the penalty, if the divergence has one ("wgan").
      gradient_penalty_norm: see `gradient_penalty`.

    Raises:
      UserError: a value outside its range.
    """

    divergence: Any
    like_reg: float
    n_critic: int
    gradient_penalty: float
    gradient_penalty_norm: str

    def __post_init__(self) -> None:
        find_divergence(self.divergence)
        check_choice("gradient_penalty_norm", self.gradient_penalty_norm, GRADIENT_PENALTY_NORMS)
        check_number("n_critic", self.n_critic, 0)
        check_number("like_reg", self.like_reg, 0.0)
        check_number("gradient_penalty", self.gradient_penalty, 0.0)

    @property
    def has_likelihood(self) -> bool:
        """Whether the NLL is a part of it (MLE and hybrid)."""
        return not self.n_critic or self.like_reg > 0

    @property
    def has_penalty(self) -> bool:
        """Whether the critic's loss includes the gradient penalty."""
        return getattr(find_divergence(self.divergence), "has_penalty", False)
