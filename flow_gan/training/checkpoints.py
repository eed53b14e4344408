"""Checkpoints of a run: the latest ones, to go on from, and the best one, to use."""

import math

import tensorflow as tf

from flow_gan.errors import UserError

KEPT = 2


class Checkpoints:
    """Saves and restores a model.

    `latest` holds all that a run goes on from: both networks, both optimizers, the step (from which the learning
    rate, the place in the data and all random draws follow), the best validation NLL and the best score so far. `best`
    holds the networks and the step of the lowest validation NLL, where there is a likelihood, and `best_score` those of
    the highest score of samples, where they are scored.

    Args:
      model: compiled `FlowGAN`.
      folder: path below which latest/, best/ and best_score/ lie.
    """

    def __init__(self, model, folder):
        self.model = model
        self.best_nll = tf.Variable(float("inf"), dtype=tf.float64, trainable=False)
        self.best_step = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.best_score = tf.Variable(float("-inf"), dtype=tf.float64, trainable=False)
        self.best_score_step = tf.Variable(0, dtype=tf.int64, trainable=False)
        networks = _by_path(model.weights)
        optimizers = {"generator_optimizer": _by_path(model.optimizer.variables, model.optimizer.name)}
        if model.critic is not None:
            critic_optimizer = model.critic_optimizer
            optimizers["critic_optimizer"] = _by_path(critic_optimizer.variables, critic_optimizer.name)
        best = {name: getattr(self, name) for name in ("best_nll", "best_step", "best_score", "best_score_step")}
        self._latest = tf.train.CheckpointManager(
            tf.train.Checkpoint(networks=networks, **optimizers, **best), folder / "latest", max_to_keep=KEPT
        )
        self._best, self._best_score = (
            tf.train.CheckpointManager(tf.train.Checkpoint(networks=networks), folder / name, max_to_keep=1)
            for name in ("best", "best_score")
        )

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

    def save_if_best_score(self, score):
        """Save the networks if `score` is above the best so far; return whether it is."""
        if not (math.isfinite(score) and score > float(self.best_score)):
            return False
        self.best_score.assign(score)
        self.best_score_step.assign(self.model.num_steps)
        self._best_score.save(checkpoint_number=self.model.num_steps)
        return True

    def restore(self, which):
        """Load the "latest" state, or the "best" or "best_score" networks (without optimizers).

        Raises:
          UserError: there is no checkpoint, it is damaged, or it is one of another architecture.
        """
        manager = {"latest": self._latest, "best": self._best, "best_score": self._best_score}[which]
        path = manager.latest_checkpoint
        if path is None:
            hint = ""
            if which == "best_score":
                hint = "; no samples were scored in training, see --score_every"
            elif self.latest_path:
                generator = self.model.generator
                why = "no validation NLL was finite"
                if not generator.has_likelihood:
                    why = f"{type(generator).__name__} has no likelihood that tells the best"
                hint = f"; {why}, pass --checkpoint=latest"
            raise UserError(f"{manager.directory} holds no checkpoint{hint}")
        _read_whole(path)
        try:
            manager.checkpoint.restore(path).assert_consumed()
        except (AssertionError, ValueError) as error:
            reason = str(error).strip().split("\n")[0][:300]
            raise UserError(f"checkpoint {path} is one of another architecture: {reason}") from error


def saved_step(folder, which):
    """Return the step of the newest "latest", "best" or "best_score" checkpoint below a folder, None without one."""
    path = tf.train.latest_checkpoint(str(folder / which))
    return None if path is None else int(path.rsplit("-", 1)[1])


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
