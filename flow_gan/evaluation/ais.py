"""Annealed importance sampling of log p(x) under a Gaussian observation model (paper, Section 3.3 and Table 3).

    z ~ p(z),  x | z ~ N(G(z), sigma^2 I),  log p(x) = log of the integral of p(z) p(x | z) over z

A chain follows the densities p(z) p(x | z)^b from the prior (b = 0) to the posterior (b = 1), and its weight

    log w = sum_t (b_t - b_{t-1}) log p(x | z_{t-1}),  z_t ~ transition that leaves p(z) p(x | z)^{b_t} invariant

has E[w] = p(x) (Neal 2001, "Annealed importance sampling"), so that E[log w] is a lower bound of log p(x). Transitions,
schedule and target acceptance follow Wu, Burda, Salakhutdinov, Grosse 2017, "On the quantitative analysis of
decoder-based generative models", except that a pilot run finds the step sizes, which are then fixed: if the weighted
chains adapted their own, no transition would leave its density invariant, and E[w] would not be p(x).
"""

import dataclasses
import math
import typing
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf
from scipy import stats

from flow_gan import probability as tfp
from flow_gan import random
from flow_gan.errors import UserError
from flow_gan.evaluation.statistics import log_mean_exp, mean_and_error
from flow_gan.evaluation.text import out_of, with_error, with_warnings
from flow_gan.progress import progress

SIGMAS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2)

# Nats. The mean over 50 images is not more exact than that, and a smaller gap does not change the ranking of models.
GAP_LIMIT = 1.0

# The schedule is the sigmoid over [-RADIUS, RADIUS]: small steps at both ends (Wu et al. 2017).
RADIUS = 4.0

# Chains of the pilot run. After each of its transitions: log step += rate (mean acceptance - target).
PILOT_CHAINS = 5
ADAPTATION_RATE = 0.3

_TEMPERATURES_PER_CALL = 10

# A point so far from 0 that the density is above 0 there only if its support is all of R^k.
_FAR = 100.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class AISSettings:
    """How annealed importance sampling is run.

    One leapfrog step costs one forward and one backward pass of G for all chains of a batch; a run costs
    `temperatures` times `leapfrog_steps` of them for each batch.

    Attributes:
      chains: >= 1, per image.
      temperatures: T >= 1, steps of the schedule; each has one HMC transition.
      leapfrog_steps: >= 1, per transition.
      target_acceptance: acceptance in (0, 1) to which the pilot run adapts the step size.
      step_size: > 0, initial step size of the pilot run, in units of z.
      batch_size: >= 1, images annealed at once; the chains of the gap, as many as of 2 `gap_images`, are extra.

    Raises:
      UserError: a value outside its range.
    """

    chains: int = 4
    temperatures: int = 1000
    leapfrog_steps: int = 5
    target_acceptance: float = 0.65
    step_size: float = 0.1
    batch_size: int = 50
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("chains", "temperatures", "leapfrog_steps", "batch_size"):
            if getattr(self, name) < 1:
                raise UserError(f"{name}={getattr(self, name)}; expected 1 or more")
        if not 0 < self.target_acceptance < 1:
            raise UserError(f"target_acceptance={self.target_acceptance}; expected more than 0 and less than 1")
        if not self.step_size > 0:
            raise UserError(f"step_size={self.step_size}; expected more than 0")


@dataclasses.dataclass(frozen=True, kw_only=True)
class SigmaChoice:
    """The observation noise with the lowest NLL on validation images, by a short run of AIS.

    It is fitted to these images, so their NLL with it is not an estimate for other images. A short run underestimates
    log p(x), more so for smaller sigma, so the choice is biased towards large values.

    Attributes:
      sigma: the chosen standard deviation, in units of pixel values.
      nats: the NLL per image with each of `candidates`.
      num_images: number of validation images.
      settings: the settings of these runs.
    """

    sigma: float
    candidates: list[float]
    nats: list[float]
    num_images: int
    settings: AISSettings

    @property
    def warnings(self) -> list[str]:
        """Sentences to show with the choice; none if it is sound."""
        if self.sigma not in (min(self.candidates), max(self.candidates)) or len(self.candidates) < 3:
            return []
        return [
            f"the chosen sigma {self.sigma:g} is at the end of the list {self.candidates}: a better one may be beyond"
        ]

    def to_dict(self) -> dict:
        """Return all figures by name."""
        return dataclasses.asdict(self) | {"warnings": self.warnings}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Gap:
    """The gap between AIS's two bounds of log p(x) on images sampled from the model (Grosse, Ghahramani, Adams 2015).

    For z ~ p(z), x = G(z) + sigma noise, this z is an exact sample of the posterior. On average AIS from the prior is a
    lower bound of log p(x), and the reverse chain, from z back to the prior, an upper bound: the gap between them
    bounds the error of AIS on such images. It applies to real images as far as the model's images resemble these.

    Attributes:
      nats, standard_error: mean of upper - lower over images and its standard error.
      lower, upper: the bounds of log p(x) in nats for each image.
      limit: nats.
    """

    nats: float
    standard_error: float
    lower: list[float] = dataclasses.field(repr=False)
    upper: list[float] = dataclasses.field(repr=False)
    limit: float

    @property
    def converged(self) -> bool:
        """Whether the gap is below `limit` by more than its own error."""
        return self.at_most < self.limit

    @property
    def at_most(self) -> float:
        """The upper end of the gap's 95 % interval by Student's t over images, in nats."""
        return self.nats + float(stats.t.ppf(0.975, max(len(self.lower) - 1, 1))) * self.standard_error

    @property
    def warnings(self) -> list[str]:
        """Sentences to show with an estimate; none if AIS has converged."""
        if self.converged:
            return []
        return [
            f"AIS has not converged: on the model's own images its bounds on log p(x) are {self.nats:.1f} +- "
            f"{self.standard_error:.1f} nats apart, at most {self.at_most:.1f} (95 % interval); expected less than "
            f"{self.limit:g}; take more temperatures"
        ]

    def to_dict(self) -> dict:
        """Return all figures by name."""
        return dataclasses.asdict(self) | {
            "at_most": self.at_most,
            "converged": self.converged,
            "warnings": self.warnings,
        }


@dataclasses.dataclass(frozen=True, kw_only=True)
class AIS:
    """Negative log-likelihood of images by annealed importance sampling.

    Attributes:
      nats, nats_standard_error: the NLL per image and its standard error over images. Infinite if an image has
        probability 0 in all of its chains.
      log_prob: log p(x) in nats for each image: the log of the mean weight over chains.
      effective_sample_size: (sum w)^2 / sum w^2 over the chains of an image, mean over images; 1 to `chains`.
      acceptance, final_acceptance: mean acceptance probability over all chains and over all temperatures, and over the
        last tenth of them.
      sigma: standard deviation of the observation noise.
      sigma_choice: None if sigma was given.
      num_available: images in the split, `num_images` of which were used. None: all were used.
      pilot_share: transitions of the pilot run, divided by those of the images' chains.
    """

    nats: float
    nats_standard_error: float
    log_prob: list[float] = dataclasses.field(repr=False)
    effective_sample_size: float
    acceptance: float
    final_acceptance: float
    sigma: float
    num_images: int
    settings: AISSettings
    gap: Gap
    sigma_choice: SigmaChoice | None = None
    num_available: int | None = None
    pilot_share: float

    @property
    def converged(self) -> bool:
        """Whether the bounds of AIS meet on the model's own images; see `Gap`."""
        return self.gap.converged

    @property
    def warnings(self) -> list[str]:
        """Sentences to show with the number; none if it is sound."""
        return self.gap.warnings + (self.sigma_choice.warnings if self.sigma_choice else [])

    def __str__(self) -> str:
        images = out_of(self.num_images, self.num_available)
        text = (
            f"{with_error(self.nats, self.nats_standard_error, 2)} nats (AIS, {images} images, "
            f"{self.settings.chains} chains, {self.settings.temperatures} temperatures, sigma {self.sigma:g}); "
            f"gap {self.gap.nats:.2f} +- {self.gap.standard_error:.2f} nats, acceptance {self.acceptance:.2f}, "
            f"effective sample size {self.effective_sample_size:.1f}, pilot run {100 * self.pilot_share:.3g} % extra"
        )
        return with_warnings(text, self.warnings)

    def to_dict(self) -> dict:
        """Return all figures by name."""
        return dataclasses.asdict(self) | {
            "gap": self.gap.to_dict(),
            "sigma_choice": self.sigma_choice and self.sigma_choice.to_dict(),
            "converged": self.converged,
            "warnings": self.warnings,
        }


def evaluate_ais(
    decode: Callable[[tf.Tensor], tf.Tensor],
    prior: tfp.distributions.Distribution,
    images: np.ndarray,
    sigma: float | SigmaChoice,
    settings: AISSettings | None = None,
    gap_images: int = 10,
    gap_limit: float = GAP_LIMIT,
    num_available: int | None = None,
) -> AIS:
    """Estimate the NLL of images under z ~ prior, x | z ~ N(G(z), sigma^2 I), and the error of the estimate.

    A pilot run of `PILOT_CHAINS` chains on the first images finds a step size for each temperature. All weighted chains
    then use these, so that E[w] = p(x). The draws depend on the seed and on the number of the batch, so another batch
    size gives other draws.

    Args:
      decode: G from z [batch, k], of the prior's dtype, to images [batch, H, W, C], made of TensorFlow operations.
        Each image has to depend on its own z alone: with norms by the batch's statistics it is no estimate of p(x).
      prior: over z, with event shape [k] and a density on all of R^k.
      images: float [n, H, W, C], dequantised.
      sigma: > 0 in units of pixel values, or the result of `choose_sigma`.
      settings: the defaults if None.
      gap_images: >= 2, images sampled for the `Gap`; each has twice the chains of one of `images`.
      gap_limit: nats, see `Gap`.
      num_available: see `AIS`.

    Raises:
      UserError: the prior's support is bounded, or a value is outside its range.
    """
    choice = sigma if isinstance(sigma, SigmaChoice) else None
    sigma = sigma.sigma if isinstance(sigma, SigmaChoice) else sigma
    _check_sigma(sigma)
    settings = settings or AISSettings()
    annealer = _Annealer(decode, prior, settings)
    if gap_images < 2:
        raise UserError(f"gap_images={gap_images}; expected 2 or more, for a standard error")
    log_steps = annealer.pilot(images, sigma, "AIS, pilot run")
    simulated = annealer.simulate(gap_images, sigma)
    log_weights, acceptances, bounds = annealer.estimate(images, sigma, log_steps, "AIS", simulated)
    log_prob = log_mean_exp(log_weights, axis=1)
    nats, error = mean_and_error(-log_prob)
    return AIS(
        nats=nats,
        nats_standard_error=error,
        log_prob=log_prob.tolist(),
        effective_sample_size=float(np.mean(_effective_sample_size(log_weights))),
        acceptance=float(np.mean(acceptances)),
        final_acceptance=float(np.mean(acceptances[-math.ceil(len(acceptances) / 10) :])),
        sigma=float(sigma),
        num_images=len(log_prob),
        settings=settings,
        gap=_gap(bounds, gap_limit),
        sigma_choice=choice,
        num_available=num_available,
        pilot_share=PILOT_CHAINS / log_weights.size,
    )


def choose_sigma(
    decode: Callable[[tf.Tensor], tf.Tensor],
    prior: tfp.distributions.Distribution,
    images: np.ndarray,
    sigmas: Sequence[float] = SIGMAS,
    settings: AISSettings | None = None,
) -> SigmaChoice:
    """Choose the observation noise by the NLL of validation images, estimated by AIS.

    Args:
      decode, prior: see `evaluate_ais`.
      images: float [n, H, W, C], validation images, dequantised.
      sigmas: candidates > 0.
      settings: settings for each candidate's run; if None, the defaults with a tenth of the temperatures.
    """
    settings = settings or AISSettings(temperatures=AISSettings.temperatures // 10)
    annealer = _Annealer(decode, prior, settings)
    nats = []
    for sigma in sigmas:
        _check_sigma(sigma)
        log_steps = annealer.pilot(images, sigma, f"AIS, sigma {sigma:g}, pilot run")
        log_weights, *_ = annealer.estimate(images, sigma, log_steps, f"AIS, sigma {sigma:g}")
        nats.append(float(np.mean(-log_mean_exp(log_weights, axis=1))))
    return SigmaChoice(
        sigma=float(sigmas[int(np.argmin(nats))]),
        candidates=[float(s) for s in sigmas],
        nats=nats,
        num_images=len(images),
        settings=settings,
    )


def sigmoid_schedule(temperatures: int) -> np.ndarray:
    """Return the inverse temperatures b_0 = 0 < ... < b_T = 1, float64 [T + 1].

    b_t = (s_t - s_0) / (s_T - s_0),  s_t = sigmoid(RADIUS (2 t / T - 1))
    """
    s = 1 / (1 + np.exp(-np.linspace(-RADIUS, RADIUS, temperatures + 1)))
    return (s - s[0]) / (s[-1] - s[0])


def _check_sigma(sigma):
    if not sigma > 0:
        raise UserError(f"sigma={sigma}; expected more than 0")


def _gap(bounds, limit):
    lower, upper = bounds
    nats, error = mean_and_error(upper - lower)
    return Gap(nats=nats, standard_error=error, lower=lower.tolist(), upper=upper.tolist(), limit=float(limit))


class _Chains(typing.NamedTuple):
    """Where chains begin; there is a row for each chain of each image.

    Attributes:
      images: float64 [rows, H, W, C].
      z: [rows, k].
      is_reverse: bool [rows], whether the chain goes from the posterior to the prior.
    """

    images: tf.Tensor
    z: tf.Tensor
    is_reverse: tf.Tensor


class _State(typing.NamedTuple):
    """State of the chains between two transitions; there is a row for each chain of each image.

    Attributes:
      z: [rows, k].
      results: of the HMC kernel at z, with the target's value and gradient at inverse temperature `beta`.
      beta: [rows], > 0.
      log_weight: [rows].
    """

    z: tf.Tensor
    results: object
    beta: tf.Tensor
    log_weight: tf.Tensor


class _Annealer:
    """Chains of AIS, traced once for any number of them and all values of sigma.

    Everything except G and the prior is computed in float64: sums over thousands of pixels in float32 are off by 1e-3
    nats, and nearly all of the cost is in G's matrix products.
    """

    def __init__(self, decode, prior, settings):
        far = tf.fill(prior.event_shape, tf.constant(_FAR, prior.dtype))
        if not np.isfinite([prior.log_prob(far), prior.log_prob(-far)]).all():
            raise UserError(
                f"prior={prior.name} has bounded support, at whose edge HMC fails; expected a density "
                "on all of R^k, such as that of prior=logistic or prior=gaussian"
            )
        self._decode = decode
        self._prior = prior
        self._settings = settings
        self._schedule = sigmoid_schedule(settings.temperatures)
        self._start = tf.function(self._first_state, autograph=False)
        self._advance = tf.function(self._transitions, autograph=False)
        self._image_shape = None

    def pilot(self, images, sigma, text):
        """Return the log step sizes, [T + 1], with which chains on some of the images reach the target acceptance.

        Entry t is for transitions at the inverse temperature b_t; only reverse chains use that of b_0 = 0.
        """
        images = np.asarray(images)
        if images.ndim != 4 or not len(images):
            raise UserError(f"images have the shape {images.shape}; expected [n, H, W, C] with n of 1 or more")
        start, transitions = tf.unstack(tf.random.experimental.stateless_split(self._key(0, 1), 2))
        images = tf.constant(images[np.arange(PILOT_CHAINS) % len(images)], tf.float64)
        chains = self._from_prior(images, start)
        log_steps = tf.fill([len(self._schedule)], tf.constant(math.log(self._settings.step_size), tf.float64))
        _, log_steps, _ = self._run(chains, sigma, log_steps, transitions, text, adapt=True)
        return log_steps

    def estimate(self, images, sigma, log_steps, text, simulated=None):
        """Run forward chains for `images`, in batches, and those for the bounds together with the last batch.

        One run of many chains is faster than several of few; performance.md has the gain.

        Args:
          simulated: the result of `simulate`, or None.

        Returns:
          The log weights, [n, chains], the mean acceptances in order, [calls], and the stochastic lower and upper
          bounds of log p(x) of the simulated images, each [number of these]; None without them.
        """
        size = self._settings.batch_size
        weights, acceptances, bounds = [], [], None
        for number, first in enumerate(range(0, len(images), size), start=1):
            batch = images[first : first + size]
            start, transitions = tf.unstack(tf.random.experimental.stateless_split(self._key(number), 2))
            has_bounds = simulated is not None and first + size >= len(images)
            if has_bounds:
                z, made = simulated
                forward = self._from_prior(self._repeat(np.concatenate([batch, made])), start)
                reverse = self._repeat(made), self._repeat(z), tf.fill([len(z) * self._settings.chains], True)
                chains = _Chains(*(tf.concat(parts, 0) for parts in zip(forward, reverse, strict=True)))
            else:
                chains = self._from_prior(self._repeat(batch), start)
            state, _, accepts = self._run(chains, sigma, log_steps, transitions, text)
            rows = len(batch) * self._settings.chains
            by_image = state.log_weight.numpy().reshape(-1, self._settings.chains)
            weights.append(by_image[: len(batch)])
            acceptances.append([np.mean(call[:rows]) for call in accepts])
            if has_bounds:
                lower, upper = np.split(log_mean_exp(by_image[len(batch) :], axis=1), 2)
                bounds = lower, -upper
        return np.concatenate(weights), np.average(acceptances, axis=0, weights=[len(w) for w in weights]), bounds

    def simulate(self, num_images, sigma):
        """Return z ~ p(z), [n, k], and images x ~ p(x | z), [n, H, W, C]."""
        return _simulate(self._decode, self._prior, sigma, num_images, self._key(0, 0))

    def _key(self, *numbers):
        return random.key(self._settings.seed, random.Stream.SAMPLE, *numbers)

    def _repeat(self, values):
        return tf.repeat(values, self._settings.chains, axis=0)

    def _from_prior(self, images, key):
        """Return forward chains for `images`, one each."""
        images = tf.cast(images, tf.float64)
        return _Chains(images, self._prior.sample(len(images), seed=key), tf.fill([len(images)], False))

    def _run(self, chains, sigma, log_steps, key, text, adapt=False):
        """Return the last `_State`, the log step sizes, and the mean acceptances of each call, [calls, rows]."""
        images, z, is_reverse = chains
        fixed = [tf.constant(sigma, tf.float64), is_reverse, key, tf.constant(adapt)]
        self._trace(images.shape[1:])
        state = self._start(images, fixed[0], tf.cast(z, tf.float64))
        last, acceptances = self._settings.temperatures, []
        with progress(None, text, total=last) as bar:
            for first in range(0, last, _TEMPERATURES_PER_CALL):
                count = min(_TEMPERATURES_PER_CALL, last - first)
                state, log_steps, acceptance = self._advance(
                    images, *fixed, state, log_steps, tf.constant(first), tf.constant(first + count)
                )
                acceptances.append(acceptance.numpy() / count)
                bar.update(count)
        return state, log_steps, acceptances

    def _trace(self, image_shape):
        """Trace what `_run` calls for any number of rows: the pilot run and each batch may have another.

        A trace of G with its gradients takes seconds, and each number of rows would have its own.
        """
        if image_shape == self._image_shape:
            return
        self._image_shape = image_shape
        images, scalar = tf.TensorSpec([None, *image_shape], tf.float64), tf.TensorSpec([], tf.float64)
        z = tf.TensorSpec([None, *self._prior.event_shape], tf.float64)
        start = self._start.get_concrete_function(images, scalar, z)
        state = tf.nest.map_structure(lambda t: tf.TensorSpec(t.shape, t.dtype), start.structured_outputs)
        log_steps, is_reverse = tf.TensorSpec([len(self._schedule)], tf.float64), tf.TensorSpec([None], tf.bool)
        key, adapt, number = (tf.TensorSpec(*one) for one in (([2], tf.int32), ([], tf.bool), ([], tf.int32)))
        self._advance.get_concrete_function(images, scalar, is_reverse, key, adapt, state, log_steps, number, number)

    def _log_prior(self, z):
        return tf.cast(self._prior.log_prob(tf.cast(z, self._prior.dtype)), tf.float64)

    def _log_likelihood(self, z, images, sigma):
        """Return log N(x; G(z), sigma^2 I), [rows]; -inf where G(z) is not finite."""
        residuals = images - tf.cast(self._decode(tf.cast(z, self._prior.dtype)), tf.float64)
        size = tf.cast(tf.size(images[0]), tf.float64)
        squares = tf.reduce_sum(residuals**2, axis=tf.range(1, tf.rank(residuals)))
        log_prob = -squares / (2 * sigma**2) - size * (tf.math.log(sigma) + math.log(2 * math.pi) / 2)
        return tf.where(tf.math.is_finite(log_prob), log_prob, tf.constant(-math.inf, tf.float64))

    def _kernel(self, images, sigma, beta, log_step):
        """Return the transition at inverse temperatures `beta` with steps of exp(log_step), both [rows]."""
        return tfp.mcmc.HamiltonianMonteCarlo(
            lambda z: self._log_prior(z) + beta * self._log_likelihood(z, images, sigma),
            step_size=tf.exp(log_step)[:, None],
            num_leapfrog_steps=self._settings.leapfrog_steps,
        )

    def _first_state(self, images, sigma, z):
        one = tf.ones_like(z[:, 0])
        results = self._kernel(images, sigma, one, tf.zeros_like(one)).bootstrap_results(z)
        return _State(z, results, one, tf.zeros_like(one))

    def _transitions(self, images, sigma, is_reverse, key, adapt, state, log_steps, first, last):
        """Take the steps first + 1 to last of the schedule, or of the schedule from its end where `is_reverse`.

        Return the state, the log step sizes, [T + 1], all of which except the first `adapt` may change, and the sum of
        the acceptances, [rows].
        """
        schedule = tf.constant(self._schedule)

        def at(values, t):
            return tf.where(is_reverse, values[tf.size(values) - 1 - t], values[t])

        def step(t, state, log_steps, acceptance):
            beta = at(schedule, t + 1)
            # The last transition's target already has the likelihood and its gradient at z. Subtracting the cheap
            # prior from it saves a pass through G.
            prior, prior_gradient = tfp.math.value_and_gradient(self._log_prior, state.z)
            accepted = state.results.accepted_results
            likelihood = (accepted.target_log_prob - prior) / state.beta
            gradient = (accepted.grads_target_log_prob[0] - prior_gradient) / state.beta[:, None]
            accepted = accepted._replace(
                target_log_prob=prior + beta * likelihood,
                grads_target_log_prob=[prior_gradient + beta[:, None] * gradient],
            )
            z, results = self._kernel(images, sigma, beta, at(log_steps, t + 1)).one_step(
                state.z,
                state.results._replace(accepted_results=accepted),
                seed=tf.random.experimental.stateless_fold_in(key, t),
            )
            accepts = tf.exp(tf.minimum(results.log_accept_ratio, 0.0))
            # Set for all later steps too, so that the last step needs no special case.
            change = ADAPTATION_RATE * self._excess(accepts, likelihood)
            log_steps += tf.where(adapt & (tf.range(tf.size(log_steps)) > t + 1), change, tf.zeros_like(change))
            log_weight = state.log_weight + (beta - at(schedule, t)) * likelihood
            return t + 1, _State(z, results, beta, log_weight), log_steps, acceptance + accepts

        _, state, log_steps, acceptance = tf.while_loop(
            lambda t, *_: t < last, step, (first, state, log_steps, tf.zeros_like(state.beta)), parallel_iterations=1
        )
        return state, log_steps, acceptance

    def _excess(self, accepts, likelihood):
        """Return mean acceptance - target over the chains that can move, those with a finite likelihood."""
        excess = tf.where(tf.math.is_finite(likelihood), accepts - self._settings.target_acceptance, 0.0)
        return tf.math.divide_no_nan(
            tf.reduce_sum(excess), tf.reduce_sum(tf.cast(tf.math.is_finite(likelihood), tf.float64))
        )


def _simulate(decode, prior, sigma, num_images, key):
    """Draw z ~ p(z), [num_images, k], and x ~ N(G(z), sigma^2 I), float64 [num_images, H, W, C]."""
    latent, noise = tf.unstack(tf.random.experimental.stateless_split(key, 2))
    z = prior.sample(num_images, seed=latent)
    means = tf.cast(decode(z), tf.float64)
    return z, means + sigma * tf.random.stateless_normal(tf.shape(means), noise, dtype=tf.float64)


def _effective_sample_size(log_weights):
    weights = tf.nn.softmax(log_weights, axis=1).numpy()
    # 0 / 0 for an image whose weights are all 0.
    return np.nan_to_num(1 / np.sum(weights**2, axis=1))
