"""Checkpoints of a run: the latest ones, to resume from, and the best one, to use."""

import math
import pathlib

import keras
import tensorflow as tf
from absl import logging

from flow_gan.errors import UserError
from flow_gan.model import FlowGAN
from flow_gan.training.checkpoint_manager import CheckpointManager, checkpoint_path, steps_in

KEPT = 2
_AVERAGED = "averaged"


class Checkpoints:
    """Saves and restores a model.

    `latest` holds all that a run goes on from: both networks, both optimizers, the step (from which the learning
    rate, the place in the data and all random draws follow), the best validation NLL and the best score so far, and
    whether what is due after that step (its validation) is still to be done. `best` holds the networks and the step of
    the lowest validation NLL, where there is a likelihood, and `best_score` those of the highest score of samples,
    where they are scored. Where the generator's weights are averaged, both are of the averaged ones, and `averaged`
    holds these as they were at the latest validation.

    Args:
      model: compiled `FlowGAN`.
      folder: path below which latest/, averaged/, best/ and best_score/ lie.
    """

    def __init__(self, model: FlowGAN, folder: pathlib.Path):
        self.model = model
        self.best_nll = tf.Variable(float("inf"), dtype=tf.float64, trainable=False)
        self.best_step = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.best_score = tf.Variable(float("-inf"), dtype=tf.float64, trainable=False)
        self.best_score_step = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.is_step_unfinished = tf.Variable(False, trainable=False)
        networks = _by_path(model.weights)
        optimizers = {"generator_optimizer": _by_path(model.optimizer.variables, model.optimizer.name)}
        if model.critic is not None:
            critic_optimizer = model.critic_optimizer
            optimizers["critic_optimizer"] = _by_path(critic_optimizer.variables, critic_optimizer.name)
        names = ("best_nll", "best_step", "best_score", "best_score_step", "is_step_unfinished")
        state = {name: getattr(self, name) for name in names}
        self._latest = CheckpointManager(
            tf.train.Checkpoint(networks=networks, **optimizers, **state), folder / "latest", KEPT
        )
        # Those that the kept latest ones name as their best, and one more: a latest one follows every best one.
        self._averaged, self._best, self._best_score = (
            CheckpointManager(tf.train.Checkpoint(networks=networks), folder / name, KEPT + 1)
            for name in (_AVERAGED, "best", "best_score")
        )
        self._folder = folder

    @property
    def latest_path(self) -> str | None:
        """Path prefix of the latest checkpoint, None if there is none."""
        steps = self._latest.steps
        return self._latest.path(steps[-1]) if steps else None

    def save(self, unfinished: bool = False) -> None:
        """Save the latest state; `unfinished` if what is due after this step is still to be done."""
        self.is_step_unfinished.assign(unfinished)
        self._latest.save(self.model.num_steps)

    def save_averaged(self) -> None:
        """Save the networks, the generator with its averaged weights, as those to use of the latest state."""
        self._averaged.save(self.model.num_steps)

    def save_if_best(self, nll: float) -> bool:
        """Save the networks if `nll` is below the best so far; return whether it is."""
        if not (math.isfinite(nll) and nll < float(self.best_nll)):
            return False
        self._best.save(self.model.num_steps)
        self.best_nll.assign(nll)
        self.best_step.assign(self.model.num_steps)
        return True

    def save_if_best_score(self, score: float) -> bool:
        """Save the networks if `score` is above the best so far; return whether it is."""
        if not (math.isfinite(score) and score > float(self.best_score)):
            return False
        self._best_score.save(self.model.num_steps)
        self.best_score.assign(score)
        self.best_score_step.assign(self.model.num_steps)
        return True

    def restore(self, which: str, step: int | None = None) -> None:
        """Load the "latest" state, or the "best" or "best_score" networks (without optimizers).

        The newest one, or that of `step`. A damaged one is passed over with a warning, and the one before it loaded.

        Raises:
          UserError: there is no checkpoint, all are damaged, or it is one of another architecture.
        """
        checkpoints = {
            "latest": self._latest,
            _AVERAGED: self._averaged,
            "best": self._best,
            "best_score": self._best_score,
        }[which]
        if not checkpoints.steps:
            hint = ""
            if which == "best_score":
                hint = "; no samples were scored in training, see --score_every"
            elif self.latest_path:
                generator = self.model.generator
                why = "no validation NLL was finite"
                if not generator.has_likelihood:
                    why = f"{type(generator).__name__} has no likelihood to choose the best by"
                hint = f"; {why}, pass --checkpoint=latest"
            raise UserError(f"{checkpoints.folder} holds no checkpoint{hint}")
        for damaged in checkpoints.restore(step):
            logging.warning("%s; the previous one is used", damaged)

    def restore_for_use(self, which: str) -> None:
        """Load the networks that `--checkpoint` names: of "latest" the averaged ones, if any; see `restore`."""
        self.restore(_for_use(self._folder, which))

    def restore_best(self) -> None:
        """Load the networks of the lowest validation NLL so far or, if none is finite, those to use of the latest."""
        if math.isfinite(float(self.best_nll)):
            self.restore("best", int(self.best_step))
        elif _for_use(self._folder, "latest") == _AVERAGED:
            self.restore(_AVERAGED)

    def drop_after(self, step: int) -> None:
        """Delete the checkpoints after `step`, and what a crash left of one that was being written."""
        for checkpoints in (self._latest, self._averaged, self._best, self._best_score):
            checkpoints.drop_after(step)


def saved_step(folder: pathlib.Path, which: str) -> int | None:
    """Return the step of the newest checkpoint below a folder that `--checkpoint` names, None without one."""
    return max(steps_in(folder / _for_use(folder, which)), default=None)


def chosen_checkpoint(folder: pathlib.Path, which: str) -> tuple[str, int] | tuple[None, None]:
    """Return (path prefix, step) of the newest checkpoint that `--checkpoint` names, (None, None) without one."""
    step = saved_step(folder, which)
    return (None, None) if step is None else (checkpoint_path(folder / _for_use(folder, which), step), step)


def value_key(variable: keras.Variable) -> str:
    """Return the name that a checkpoint's file has for the value of a Keras variable of a network."""
    # TensorFlow's way of writing a name with slashes and dots.
    name = variable.path.replace(".", "..").replace("/", ".S")
    return f"networks/{name}/.ATTRIBUTES/VARIABLE_VALUE"


def _for_use(folder, which):
    return _AVERAGED if which == "latest" and steps_in(folder / _AVERAGED) else which


def _by_path(variables, prefix=""):
    """Return {path below `prefix`: tf.Variable} of Keras variables.

    Explicit, since tf.train.Checkpoint, given a Keras model, passes over its non-trainable weights.
    """
    named = {variable.path.removeprefix(f"{prefix}/"): variable.value for variable in variables}
    assert len(named) == len(variables), "two variables have one path"
    return named
