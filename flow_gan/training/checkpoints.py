"""Checkpoints of a run: the latest ones, to go on from, and the best one, to use."""

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
        networks = {"generator": model.generator, "step": model.step.value}
        if model.critic is not None:
            networks["critic"] = model.critic
        state = {"optimizer": model.optimizer, "best_nll": self.best_nll, "best_step": self.best_step}
        if model.critic is not None:
            state["critic_optimizer"] = model.critic_optimizer
        self._latest = tf.train.CheckpointManager(
            tf.train.Checkpoint(**networks, **state), folder / "latest", max_to_keep=KEPT
        )
        self._best = tf.train.CheckpointManager(tf.train.Checkpoint(**networks), folder / "best", max_to_keep=1)

    @property
    def latest_path(self):
        """Path prefix of the latest checkpoint, None if there is none."""
        return self._latest.latest_checkpoint

    def save(self):
        """Save the latest state."""
        return self._latest.save(checkpoint_number=int(self.model.step))

    def save_if_best(self, nll):
        """Save the networks if `nll` is below the best so far; return whether it is."""
        if not nll < float(self.best_nll):
            return False
        self.best_nll.assign(nll)
        self.best_step.assign(int(self.model.step))
        self._best.save(checkpoint_number=int(self.model.step))
        return True

    def restore(self, which):
        """Load the "latest" state, or the "best" networks (without optimizers).

        Raises:
          UserError: there is no checkpoint, it is damaged, or it is one of another architecture.
        """
        manager = {"latest": self._latest, "best": self._best}[which]
        path = manager.latest_checkpoint
        if path is None:
            raise UserError(f"{manager.directory} holds no checkpoint")
        try:
            manager.checkpoint.restore(path).assert_consumed()
        except (tf.errors.DataLossError, tf.errors.OutOfRangeError, tf.errors.NotFoundError) as error:
            raise UserError(f"checkpoint {path} is damaged: {_first_line(error)}") from error
        except (AssertionError, ValueError) as error:
            raise UserError(f"checkpoint {path} is one of another architecture: {_first_line(error)}") from error


def _first_line(error):
    return str(error).strip().split("\n")[0][:300]
