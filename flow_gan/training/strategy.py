"""Where a run computes."""

import functools

import tensorflow as tf

from flow_gan.errors import UserError

STRATEGIES = ("one_device", "mirrored")


def select_gpu(number):
    """Make the GPU `number` the only visible one. Without GPUs, or with None, nothing changes."""
    gpus = tf.config.list_physical_devices("GPU")
    if number is None or not gpus:
        return
    if number >= len(gpus):
        raise UserError(f"--gpu_nr={number}, but there are {len(gpus)} GPUs; expected 0 to {len(gpus) - 1}")
    tf.config.set_visible_devices([gpus[number]], "GPU")


def make_strategy(name, batch_size):
    """Return the tf.distribute strategy of `--strategy`.

    "one_device" is TensorFlow's default: the first GPU, or the CPU. "mirrored" keeps one replica on each visible
    GPU (or logical CPU) and gives each an equal part of every batch.

    Raises:
      UserError: `batch_size` cannot be divided among the replicas.
    """
    if name == "one_device":
        return tf.distribute.get_strategy()
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    strategy = _mirrored(tuple(device.name for device in devices))
    if batch_size % strategy.num_replicas_in_sync:
        raise UserError(f"--batch_size={batch_size} cannot be divided among {strategy.num_replicas_in_sync} replicas")
    return strategy


@functools.cache
def _mirrored(devices):
    # One for the whole process: TensorFlow numbers the collective operations of each strategy from the same start,
    # and those of a second one would meet the shapes that the first one's left behind.
    return tf.distribute.MirroredStrategy(devices)
