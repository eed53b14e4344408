"""Where a run computes: one device, several of one machine, or several machines."""

import functools
import json
import os
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from flow_gan.errors import UserError, brief
from flow_gan.networks.replicas import has_several_processes

_TASKS = ("chief", "worker")
_EXAMPLE = '{"cluster": {"worker": ["host0:2222", "host1:2222"]}, "task": {"type": "worker", "index": 0}}'


def select_gpu(number: int | None) -> None:
    """Make the GPU `number` the only visible one. Without GPUs, or with None, nothing changes."""
    gpus = tf.config.list_physical_devices("GPU")
    if number is None or not gpus:
        return
    if number >= len(gpus):
        raise UserError(f"--gpu_nr={number}, but there are {len(gpus)} GPUs; expected 0 to {len(gpus) - 1}")
    tf.config.set_visible_devices([gpus[number]], "GPU")


def make_strategy(name: str, batch_size: int) -> tf.distribute.Strategy:
    """Return the tf.distribute strategy of `--strategy`.

    "one_device" is TensorFlow's default: the first GPU, or the CPU. "mirrored" keeps one replica on each visible GPU
    (or logical CPU) and gives each an equal part of every batch; "auto" is that where there are several GPUs, else
    "one_device". "multi_worker" does the same over all devices of the processes that the environment variable
    TF_CONFIG lists, and waits until they have all started; nothing may have used TensorFlow before it. Of one
    process it is "auto".

    Raises:
      UserError: there are too few devices, TF_CONFIG is wrong, or `batch_size` cannot be divided among the replicas.
    """
    cluster = _read_cluster(os.environ.get("TF_CONFIG")) if name == "multi_worker" else None
    if cluster is not None and cluster[0] > 1:
        strategy = _multi_worker(*cluster)
    else:
        name = "auto" if name == "multi_worker" else name
        gpus = tf.config.list_logical_devices("GPU")
        if name == "one_device" or (name == "auto" and len(gpus) < 2):
            return tf.distribute.get_strategy()
        devices = gpus or tf.config.list_logical_devices("CPU")
        if len(devices) < 2:
            raise UserError(
                f"--strategy={name} needs two or more devices, but there is one ({devices[0].name}); expected "
                "--strategy=auto, which uses the devices that there are"
            )
        strategy = _mirrored(tuple(device.name for device in devices))
    if batch_size % strategy.num_replicas_in_sync:
        raise UserError(
            f"--batch_size={batch_size} cannot be divided among {strategy.num_replicas_in_sync} replicas "
            f"(--strategy={name})"
        )
    return strategy


@functools.cache
def _mirrored(devices):
    # One for the whole process: TensorFlow numbers the collective operations of each strategy from the same start,
    # and those of a second one would meet the shapes that the first one's left behind.
    return tf.distribute.MirroredStrategy(devices)


@functools.cache
def _multi_worker(workers, task, index):
    print(f"waiting for the {workers} processes of TF_CONFIG; this is {task} {index}", flush=True)
    try:
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    except (RuntimeError, ValueError, tf.errors.OpError) as error:
        raise UserError(
            f"--strategy=multi_worker cannot start as {task} {index} of TF_CONFIG: {brief(error)}"
        ) from error
    return strategy


def _read_cluster(text):
    """Return (number of processes, this one's task, its index) of a TF_CONFIG."""

    def wrong(what):
        shown = "" if text is None else f"={text if len(text) < 200 else text[:200] + '...'}"
        return UserError(
            f"--strategy=multi_worker: the environment variable TF_CONFIG{shown} {what}; expected {_EXAMPLE}"
        )

    if not text:
        raise wrong("is not set")
    try:
        values = json.loads(text)
    except ValueError as error:
        raise wrong(f"is not JSON ({error})") from error
    cluster, task = (values.get(name) if isinstance(values, dict) else None for name in ("cluster", "task"))
    if not isinstance(cluster, dict) or not isinstance(task, dict):
        raise wrong('lacks "cluster" or "task"')
    for kind, addresses in cluster.items():
        if kind not in _TASKS:
            raise wrong(f'has tasks of the type "{kind}", which are not used here')
        if not (isinstance(addresses, list) and addresses and all(_is_address(a) for a in addresses)):
            raise wrong(f'lists for "{kind}" what is not an address host:port')
    kind, index = task.get("type"), task.get("index")
    if kind not in cluster:
        raise wrong(f'lists no task of the type "{kind}"')
    if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < len(cluster[kind]):
        raise wrong(f'lists no task "{kind}" {index}')
    return sum(map(len, cluster.values())), kind, index


def _is_address(value):
    return isinstance(value, str) and value.rpartition(":")[0] != "" and value.rpartition(":")[2].isdigit()


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process is the one that writes: the first of several, or the only one."""
    return strategy.extended.should_checkpoint


def from_chief(strategy: tf.distribute.Strategy, value: int) -> int:
    """Return the integer that the chief gave, once every process is here."""
    if not has_several_processes(strategy):
        return value

    @tf.function(autograph=False)
    def agree():
        context = tf.distribute.get_replica_context()
        mine = tf.where(tf.equal(context.replica_id_in_sync_group, 0), tf.constant(value, tf.int64), 0)
        return context.all_reduce(tf.distribute.ReduceOp.SUM, mine)

    return int(strategy.experimental_local_results(strategy.run(agree))[0])


def distribute(strategy: tf.distribute.Strategy, make: Callable[[range, int], tf.data.Dataset]) -> Any:
    """Return what `fit` and `evaluate` take, with the number of steps, for batches of which each replica has its part.

    Args:
      strategy: tf.distribute strategy.
      make: function from (range of the replicas of one process, number of all replicas) to a tf.data.Dataset whose
        elements go to these replicas in turn.
    """
    count = strategy.num_replicas_in_sync
    if count == 1:
        return make(range(1), 1)

    # All replicas get equally many batches, so nobody needs to ask the others before each whether they have one.
    strategy.extended.experimental_enable_get_next_as_optional = False

    def of_process(context):
        local = count // context.num_input_pipelines
        return make(range(context.input_pipeline_id * local, (context.input_pipeline_id + 1) * local), count)

    return strategy.distribute_datasets_from_function(of_process)
