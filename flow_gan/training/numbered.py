"""Numbered checkpoints in a folder, of which the newest are kept."""

import functools
import pathlib
import shutil

import tensorflow as tf

from flow_gan.errors import UserError
from flow_gan.training.run_folder import writing

_PREFIX = "ckpt-"


class NumberedCheckpoints:
    """The checkpoints <folder>/ckpt-<step> of one `tf.train.Checkpoint`.

    What is there is told by the files, not by TensorFlow's list of them, which a crash may leave behind the truth: the
    index of a checkpoint is written last, so one with an index is whole.

    Args:
      checkpoint: `tf.train.Checkpoint`.
      folder: path.
      max_to_keep: int, a further one deletes the oldest.
    """

    def __init__(self, checkpoint, folder, max_to_keep):
        self.folder = pathlib.Path(folder)
        self._checkpoint = checkpoint
        self._max_to_keep = max_to_keep

    @property
    def steps(self):
        """The steps of the checkpoints, ascending."""
        return steps_in(self.folder)

    def path(self, step):
        """Return the path prefix of a step's checkpoint, a str."""
        return str(self.folder / f"{_PREFIX}{step}")

    def save(self, step):
        """Write a checkpoint, whole or not at all, then delete those too many.

        Raises:
          UserError: it cannot be written; the older ones are then as they were.
        """
        try:
            with writing(self.path(step)):
                self._manager.save(checkpoint_number=step)
        except UserError:
            if step not in self.steps:
                self._delete(lambda found, _: found == step)
            raise

    def restore(self, step=None):
        """Load the newest checkpoint that is whole, or that of `step`.

        Returns:
          The damaged ones that were passed over, newest first: a list of sentences.

        Raises:
          UserError: there is none, all are damaged, or it is one of another architecture.
        """
        damaged = []
        for candidate in reversed(self.steps) if step is None else [step]:
            path = self.path(candidate)
            reason = _damage(path)
            if reason is None:
                break
            damaged.append(f"checkpoint {path} is damaged: {reason}")
        else:
            raise UserError("; ".join(damaged) or f"{self.folder} holds no checkpoint")
        if step is not None and damaged:
            raise UserError(damaged[0])
        try:
            self._checkpoint.restore(path).assert_consumed()
        except (AssertionError, ValueError) as error:
            reason = str(error).strip().split("\n")[0][:300]
            raise UserError(f"checkpoint {path} is one of another architecture: {reason}") from error
        return damaged

    def drop_after(self, step):
        """Delete the checkpoints after `step`, and what a crash left of one that was being written."""
        self._delete(lambda found, is_whole: found > step or not is_whole)

    def _delete(self, choose):
        """Delete the files of the steps for which `choose(step, is it whole)`."""
        whole = self.steps
        for path in self.folder.glob(f"{_PREFIX}*"):
            step = _step_of(path)
            if step is not None and choose(step, step in whole):
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink()

    @functools.cached_property
    def _manager(self):
        paths = [self.path(step) for step in self.steps]
        if paths:
            tf.compat.v1.train.update_checkpoint_state(str(self.folder), paths[-1], paths)
        return tf.train.CheckpointManager(self._checkpoint, self.folder, self._max_to_keep)


def steps_in(folder):
    """Return the steps of the checkpoints in a folder, ascending."""
    steps = [_step_of(path) for path in pathlib.Path(folder).glob(f"{_PREFIX}*.index")]
    return sorted(step for step in steps if step is not None)


def _step_of(path):
    """Return the step that a checkpoint's file, whole or temporary, belongs to, or None."""
    digits = path.name.removeprefix(_PREFIX)
    for separator in (".", "_"):
        digits = digits.split(separator)[0]
    return int(digits) if digits.isdigit() else None


def _damage(path):
    """Read every tensor of a checkpoint, which compares it with its checksum; return what is wrong, or None."""
    try:
        reader = tf.train.load_checkpoint(path)
        for name in reader.get_variable_to_shape_map():
            reader.get_tensor(name)
    except Exception as error:
        # A damaged file ends in one of many kinds of exception, IndexError among them.
        return " ".join(str(error).split())[:300]
    return None
