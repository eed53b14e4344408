"""Inpainting: a flow fills in hidden pixels of images.

With y = logit(x) and z = f(x), both functions of the known pixels, which are fixed, and of the hidden ones:

    map  the hidden y for which log p(z) is highest, by Adam
    hmc  a draw from p(hidden | known), whose density in y is p(y) up to a factor, by Hamiltonian Monte Carlo

The first gives one picture, smoother than draws. It maximises the density of z, not of x, which is highest at pixels
that are exactly black or white, where the logit is steep.

Of a conditional flow both are without the label: in place of p(z) is p(u), the sum over classes.
"""

import dataclasses
import functools
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from flow_gan import probability as tfp
from flow_gan import random
from flow_gan.config.images import INPAINTING_METHODS
from flow_gan.errors import UserError, check_choice, check_number
from flow_gan.evaluation.layers import logit_and_rest
from flow_gan.generators import NO_PER_IMAGE_LIKELIHOOD, FlowGenerator
from flow_gan.progress import progress

# Adam's initial learning rate, in units of the logit. It falls to 0 along half a cosine.
RATE = 0.1
# Initial step size of a chain, and the acceptance to which it is adapted in the first half of the chain.
STEP_SIZE, ACCEPTANCE = 0.1, 0.75


@dataclasses.dataclass(frozen=True, kw_only=True)
class Frames:
    """The course of a vector for each of n images.

    Attributes:
      states: [frames, n, k].
      steps: for each frame, the number of steps before it.
      acceptance: mean acceptance probability over the second half of a Markov chain; None for gradient ascent.
    """

    states: np.ndarray = dataclasses.field(repr=False)
    steps: list[int]
    acceptance: float | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Inpainting:
    """Images while their hidden pixels are filled in.

    Attributes:
      images: float [frames, n, H, W, C] in [0, 1]; known pixels are as given.
      log_prob: log p(x) of each in nats, [frames, n].
      steps, acceptance: see `Frames`.
    """

    images: np.ndarray = dataclasses.field(repr=False)
    log_prob: np.ndarray = dataclasses.field(repr=False)
    steps: list[int]
    acceptance: float | None


def inpaint(
    generator: FlowGenerator,
    images: np.ndarray,
    hidden: np.ndarray,
    method: str = "map",
    num_steps: int = 400,
    num_frames: int = 9,
    num_leapfrog: int = 10,
    seed: int = 0,
) -> Inpainting:
    """Fill in the hidden pixels of images, starting from those of samples of the model.

    Args:
      images: float [n, H, W, C] in [0, 1], dequantised.
      hidden: bool [H, W, C], which pixel values are to be filled in.
      method: "map" or "hmc", see the module.
      num_steps: >= 1, steps of Adam, or of the chain.
      num_frames: >= 2; the first frame is the start.
      num_leapfrog: >= 1, leapfrog steps in each step of the chain (hmc).
      seed: of the start and of the chain.

    Raises:
      UserError: an argument is out of its range, or the flow has no per-image likelihood or a uniform prior.
    """
    check_choice("method", method, INPAINTING_METHODS)
    check_number("num_steps", num_steps, 1)
    check_number("num_frames", num_frames, 2)
    generator.require_likelihood("inpainting")
    if not generator.has_per_image_likelihood:
        raise UserError(f"inpainting fills in each image by itself, but {NO_PER_IMAGE_LIKELIHOOD}")
    if generator.prior_name == "uniform":
        raise UserError("inpainting needs a prior on all of R^k, but prior=uniform has bounded support")
    hidden = np.broadcast_to(hidden, generator.image_shape)
    if not hidden.any():
        raise UserError("no pixel is hidden; expected one or more")
    images = tf.cast(images, generator.compute_dtype)
    compose = _composer(logit_and_rest(generator)[0].forward(images), hidden)
    log_density = generator.prior.log_prob if generator.num_classes is None else generator.marginal_log_prior

    def densities(part):
        """Return log p(z), log p(y) and log p(x), each [n]."""
        logit, rest = logit_and_rest(generator)
        y = compose(part)
        log_prior = log_density(rest.forward(y))
        log_prob = log_prior + rest.forward_log_det_jacobian(y, event_ndims=3)
        return log_prior, log_prob, log_prob - logit.inverse_log_det_jacobian(y, event_ndims=3)

    z = generator.sample_latent(random.key(seed, random.Stream.SAMPLE), 0, len(images))
    labels = generator.sample_labels(random.key(seed, random.Stream.LABEL, random.Stream.SAMPLE), 0, len(images))
    start = tf.boolean_mask(logit_and_rest(generator, labels)[1].inverse(z), hidden, axis=1)
    if method == "map":
        found = ascend(lambda part: densities(part)[0], start, num_steps, num_frames)
    else:
        found = sample_chain(lambda part: densities(part)[1], start, num_steps, num_frames, num_leapfrog, seed)

    @tf.function(autograph=False)
    def finish(part):
        x = logit_and_rest(generator)[0].inverse(compose(part))
        return tf.clip_by_value(tf.where(hidden, x, images), 0.0, 1.0), densities(part)[2]

    pictures, log_prob = zip(*(finish(tf.constant(part)) for part in found.states), strict=True)
    return Inpainting(
        images=np.stack(pictures), log_prob=np.stack(log_prob), steps=found.steps, acceptance=found.acceptance
    )


def ascend(
    log_density: Callable[[tf.Tensor], tf.Tensor], start: tf.Tensor, num_steps: int, num_frames: int, rate: float = RATE
) -> Frames:
    """Maximise `densities`, log densities from [n, k] to [n], of each row by itself, by Adam from `start`, [n, k]."""
    state = keras.Variable(start, dtype=start.dtype)
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(rate, num_steps))
    optimizer.build([state])

    @tf.function(autograph=False)
    def step():
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(state.value)
            loss = -tf.reduce_sum(log_density(tf.convert_to_tensor(state.value)))
        optimizer.apply([tape.gradient(loss, state.value)], [state])

    def advance(_):
        step()
        return state.value

    return _follow(state.value, advance, num_steps, num_frames, "inpainting, map")


def sample_chain(
    log_density: Callable[[tf.Tensor], tf.Tensor],
    start: tf.Tensor,
    num_steps: int,
    num_frames: int,
    num_leapfrog: int = 10,
    seed: int = 0,
) -> Frames:
    """Run a Hamiltonian Monte Carlo chain of each row of `start`, [n, k], which leaves densities, [n], invariant.

    In the first half of its steps each chain adapts its step size. In the second half the step size is fixed, so that
    every transition leaves the density invariant.
    """
    adapted = num_steps // 2
    # A step size for each chain.
    kernel = tfp.mcmc.SimpleStepSizeAdaptation(
        tfp.mcmc.HamiltonianMonteCarlo(
            log_density, tf.fill([len(start), 1], tf.cast(STEP_SIZE, start.dtype)), num_leapfrog
        ),
        num_adaptation_steps=adapted,
        target_accept_prob=tf.cast(ACCEPTANCE, start.dtype),
        adaptation_rate=tf.cast(0.05, start.dtype),
    )
    one_step = tf.function(lambda state, results, key: kernel.one_step(state, results, seed=key), autograph=False)
    results = tf.function(kernel.bootstrap_results, autograph=False)(start)
    state, accepted = start, []
    key = random.key(seed, random.Stream.INPAINTING)

    def advance(number):
        nonlocal state, results
        state, results = one_step(state, results, tf.random.experimental.stateless_fold_in(key, number))
        if number >= adapted:
            accepted.append(np.exp(np.minimum(results.inner_results.log_accept_ratio, 0)))
        return state

    frames = _follow(start, advance, num_steps, num_frames, "inpainting, hmc")
    return dataclasses.replace(frames, acceptance=float(np.mean(accepted)))


def _follow(start, advance, num_steps, num_frames, text):
    """Return the `Frames` of `num_steps` calls of `advance`, from a step's number to the state after it."""
    steps = np.round(np.linspace(0, num_steps, num_frames)).astype(int)
    states = {0: np.array(start)}
    for number in progress(range(num_steps), text):
        state = advance(number)
        if number + 1 in steps:
            states[number + 1] = np.array(state)
    return Frames(states=np.stack([states[step] for step in steps]), steps=steps.tolist())


def _composer(y, hidden):
    """Return the function that puts hidden entries, [n, k], into the places of `hidden` in y, [n, H, W, C]."""
    places = np.concatenate([np.flatnonzero(~hidden), np.flatnonzero(hidden)])
    known = tf.boolean_mask(y, ~hidden, axis=1)
    return functools.partial(_compose, known, np.argsort(places), y.shape[1:])


def _compose(known, order, shape, part):
    return tf.reshape(tf.gather(tf.concat([known, part], 1), order, axis=1), [-1, *shape])
