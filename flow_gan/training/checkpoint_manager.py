"""Checkpoints of one kind, numbered by their step; only the newest are kept."""

import os
import pathlib
import shutil

import tensorflow as tf

from flow_gan.errors import UserError, brief
from flow_gan.training.files import writing

_PREFIX = "ckpt-"
# Name of a checkpoint that is being written.
_WRITING = "writing"


class CheckpointManager:
    """The checkpoints <folder>/ckpt-<step> of one `tf.train.Checkpoint`.

    A checkpoint is written under another name, and its index renamed last: one with an index is complete. The files
    alone say which checkpoints there are. (`tf.train.CheckpointManager` writes the index in place, and keeps a list
    that a crash may leave wrong.)

    Args:
      checkpoint: `tf.train.Checkpoint`.
      folder: path.
      max_to_keep: int, number of checkpoints above which the oldest is deleted.
    """

    def __init__(self, checkpoint: tf.train.Checkpoint, folder: str | os.PathLike, max_to_keep: int):
        self.folder = pathlib.Path(folder)
        self._checkpoint = checkpoint
        self._max_to_keep = max_to_keep

    @property
    def steps(self) -> list[int]:
        """The steps of the checkpoints, ascending."""
        return steps_in(self.folder)

    def path(self, step: int) -> str:
        """Return the path prefix of a step's checkpoint, a str."""
        return checkpoint_path(self.folder, step)

    def save(self, step: int) -> None:
        """Write a checkpoint, completely or not at all, then delete the oldest ones beyond `max_to_keep`.

        Raises:
          UserError: it cannot be written; those that are there are then as they were.
        """
        try:
            with writing(self.path(step)):
                self.folder.mkdir(parents=True, exist_ok=True)
                self._checkpoint.write(str(self.folder / _WRITING))
                index = self.folder / f"{_WRITING}.index"
                # An earlier one of this step goes first, so that its index never stands beside the new data.
                pathlib.Path(f"{self.path(step)}.index").unlink(missing_ok=True)
                for path in self.folder.glob(f"{_WRITING}.data-*"):
                    path.rename(self.path(step) + path.suffix)
                index.rename(self.path(step) + index.suffix)
        finally:
            self._delete(lambda found: found is None)
        kept = self.steps[-self._max_to_keep :]
        self._delete(lambda found: found not in kept)

    def restore(self, step: int | None = None) -> list[str]:
        """Load the newest checkpoint that is whole, of those up to `step` if it is given.

        Returns:
          The damaged ones that were passed over, newest first: a list of sentences.

        Raises:
          UserError: there is no checkpoint, all are damaged, or it belongs to another architecture.
        """
        candidates = self.steps[::-1]
        if step is not None:
            candidates = [step, *(older for older in candidates if older < step)]
        damaged = []
        for candidate in candidates:
            path = self.path(candidate)
            reason = _damage(path)
            if reason is None:
                break
            damaged.append(f"checkpoint {path} is damaged: {reason}")
        else:
            raise UserError("; ".join(damaged) or f"{self.folder} holds no checkpoint")
        try:
            self._checkpoint.read(path).assert_consumed()
        except (AssertionError, ValueError) as error:
            reason = brief(str(error).strip().partition("\n")[0])
            raise UserError(f"checkpoint {path} belongs to another architecture: {reason}") from error
        return damaged

    def drop_after(self, step: int) -> None:
        """Delete the checkpoints after `step`, and what a crash left of one that was being written."""
        whole = self.steps
        self._delete(lambda found: found is None or found > step or found not in whole)

    def _delete(self, choose):
        """Delete the files of the steps for which `choose(step)`; the step of one that is being written is None."""
        for path in self.folder.glob("*"):
            is_being_written = path.name.startswith(_WRITING)
            step = None if is_being_written else _step_of(path)
            if (is_being_written or step is not None) and choose(step):
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink()


def checkpoint_path(folder: str | os.PathLike, step: int) -> str:
    """Return the path prefix of a step's checkpoint in a folder, a str."""
    return str(pathlib.Path(folder) / f"{_PREFIX}{step}")


def steps_in(folder: str | os.PathLike) -> list[int]:
    """Return the steps of the checkpoints in a folder, ascending."""
    steps = [_step_of(path) for path in pathlib.Path(folder).glob(f"{_PREFIX}*.index")]
    return sorted(step for step in steps if step is not None)


def _step_of(path):
    """Return the step of a checkpoint's file, or None if it is none."""
    digits = path.name.removeprefix(_PREFIX).split(".")[0]
    return int(digits) if path.name.startswith(_PREFIX) and digits.isdigit() else None


def _damage(path):
    """Read every tensor of a checkpoint, which compares it with its checksum; return what is wrong, or None."""
    try:
        reader = tf.train.load_checkpoint(path)
        for name in reader.get_variable_to_shape_map():
            reader.get_tensor(name)
    except Exception as error:
        # A damaged file ends in one of many kinds of exception, IndexError among them.
        return brief(error)
    return None
