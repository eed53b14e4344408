"""Runs of the command line in processes of their own, to be killed, or to work together."""

import importlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).parents[2]
# Seconds after which a process is taken to hang: many times what one takes where other programs use the machine.
BOUND = 1800
# Small enough that a process spends its time on starting up.
SMALL = ("--hidden_layers=8", "--no_of_layers=0", "--df_dim=2", "--n_critic=1", "--eval_every=4", "--log_every=3")

_MAIN = """
import sys
import flow_gan
import tensorflow as tf

tf.config.threading.set_inter_op_parallelism_threads(2)
cpus = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpus[0], [tf.config.LogicalDeviceConfiguration()] * {devices})
{before}
from flow_gan.main import main
sys.exit(main(sys.argv[1:]))
"""


def start(arguments, before="", devices=1, task=None):
    """Start `flow_gan.main` with `arguments`; return the process, whose output is text.

    Args:
      arguments: list of str.
      before: Python that runs before it.
      devices: int, logical CPUs.
      task: (addresses, index) of this process among several, or None.
    """
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": "-1", "PYTHONPATH": str(ROOT)}
    environment.pop("TF_CONFIG", None)
    if task is not None:
        addresses, index = task
        cluster = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
        environment["TF_CONFIG"] = json.dumps(cluster)
    return subprocess.Popen(
        [sys.executable, "-c", _MAIN.format(devices=devices, before=before), *SMALL, *map(str, arguments)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def until(get, process=None):
    """Return get() once it is anything, as long as a process runs if one is given."""
    deadline = time.monotonic() + BOUND
    while not (value := get()):
        assert process is None or process.poll() is None, f"the process ended with status {process.returncode}"
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(0.05)
    return value


def finish(process):
    """Wait for a process; return (status, what it printed, what it complained of)."""
    try:
        out, err = process.communicate(timeout=BOUND)
    finally:
        process.kill()
    return process.returncode, out, err


def free_addresses(count):
    """Return addresses on this machine that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    addresses = [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    for one in sockets:
        one.close()
    return addresses


def kill_at(owner, name, call, delay=None):
    """Let this process be killed by SIGKILL as the `call`-th call of a function begins, or `delay` seconds later.

    Args:
      owner: "module" or "module:class" that holds the function.
      name: str.
      call: int, counted from 1.
      delay: float, seconds in which the process goes on; None for none.
    """
    module, _, class_name = owner.partition(":")
    holder = importlib.import_module(module)
    holder = getattr(holder, class_name) if class_name else holder
    original, calls = getattr(holder, name), []

    def kill():
        time.sleep(delay or 0)
        os.kill(os.getpid(), signal.SIGKILL)

    def counted(*args, **kwargs):
        calls.append(name)
        if len(calls) == call:
            if delay is None:
                kill()
            threading.Thread(target=kill).start()
        return original(*args, **kwargs)

    setattr(holder, name, counted)


def killer(*where):
    """Return the code for `start` that calls `kill_at` with these arguments."""
    return f"from tests.helpers.processes import kill_at; kill_at{where}"
