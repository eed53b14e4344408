"""Checkpoints of a run: the latest ones, to go on from, and the best one, to use."""

import math

import tensorflow as tf

from flow_gan.errors import UserError

KEPT = 2


class Checkpoints:
    """Saves and restores a model.

    `latest` holds all that a run goes on from: both networks, both optimizers, the step (from which the learning
    rate, the place in the data and all random draws follow) and the best validation NLL so far. `best` holds the
    networks and the step of the lowest validation NLL.

    Args:
      model: compiled `FlowGAN`.
      folder: path below which latest/ and best/ lie.
    """

    def __init__(self, model, folder):
        self.model = model
        self.best_nll = tf.Variable(float("inf"), dtype=tf.float64, trainable=False)
        self.best_step = tf.Variable(0, dtype=tf.int64, trainable=False)
        networks = _by_path(model.weights)
        optimizers = {"generator_optimizer": _by_path(model.optimizer.variables, model.optimizer.name)}
        if model.critic is not None:
            critic_optimizer = model.critic_optimizer
            optimizers["critic_optimizer"] = _by_path(critic_optimizer.variables, critic_optimizer.name)
        best = {"best_nll": self.best_nll, "best_step": self.best_step}
        self._latest = tf.train.CheckpointManager(
            tf.train.Checkpoint(networks=networks, **optimizers, **best), folder / "latest", max_to_keep=KEPT
        )
        self._best = tf.train.CheckpointManager(tf.train.Checkpoint(networks=networks), folder / "best", max_to_keep=1)

    @property
    def latest_path(self):
        """Path prefix of the latest checkpoint, None if there is none."""
        return self._latest.latest_checkpoint

    def save(self):
        """Save the latest state."""
        return self._latest.save(checkpoint_number=self.model.num_steps)

    def save_if_best(self, nll):
        """Save the networks if `nll` is below the best so far; return whether it is."""
        if not (math.isfinite(nll) and nll < float(self.best_nll)):
            return False
        self.best_nll.assign(nll)
        self.best_step.assign(self.model.num_steps)
        self._best.save(checkpoint_number=self.model.num_steps)
        return True

    def restore(self, which):
        """Load the "latest" state, or the "best" networks (without optimizers).

        Raises:
          UserError: there is no checkpoint, it is damaged, or it is one of another architecture.
        """
        manager = {"latest": self._latest, "best": self._best}[which]
        path = manager.latest_checkpoint
        if path is None:
            hint = "; no validation NLL was finite, pass --checkpoint=latest" if self.latest_path else ""
            raise UserError(f"{manager.directory} holds no checkpoint{hint}")
        _read_whole(path)
        try:
            manager.checkpoint.restore(path).assert_consumed()
        except (AssertionError, ValueError) as error:
            reason = str(error).strip().split("\n")[0][:300]
            raise UserError(f"checkpoint {path} is one of another architecture: {reason}") from error


def _by_path(variables, prefix=""):
    """Return {path below `prefix`: tf.Variable} of Keras variables.

    Explicit, since tf.train.Checkpoint, given a Keras model, passes over its non-trainable weights.
    """
    named = {variable.path.removeprefix(f"{prefix}/"): variable.value for variable in variables}
    assert len(named) == len(variables), "two variables have one path"
    return named


def _read_whole(path):
    """Read every tensor of a checkpoint, which compares it with its checksum."""
    try:
        reader = tf.train.load_checkpoint(path)
        for name in reader.get_variable_to_shape_map():
            reader.get_tensor(name)
    except Exception as error:
        # A damaged file ends in one of many kinds of exception, IndexError among them.
        raise UserError(f"checkpoint {path} is damaged: {' '.join(str(error).split())[:300]}") from error
