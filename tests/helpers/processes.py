"""Runs of the command line in processes of their own, to be killed, or to work together."""

import concurrent.futures
import contextlib
import importlib
import json
import multiprocessing
import os
import pathlib
import signal
import socket
import sys
import threading
import time

ROOT = pathlib.Path(__file__).parents[2]
# Seconds after which a process is taken to hang: many times what one takes where other programs use the machine.
BOUND = 1800
# Small enough that a process spends its time on starting up.
SMALL = ("--hidden_layers=8", "--no_of_layers=0", "--df_dim=2", "--n_critic=1", "--eval_every=4", "--log_every=3")

# As `fork` is not safe once TensorFlow computes, processes are forked from one that has imported it and no more, which
# takes 5 s less than a new interpreter.
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["flow_gan", "tensorflow", "flow_gan.training", "flow_gan.modes.train"])

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


class Running:
    """A process that was started, with what `subprocess.Popen` has of one.

    Args:
      process: `multiprocessing.Process`, started.
      stdout, stderr: the ends of its pipes to read from.
    """

    def __init__(self, process, stdout, stderr):
        self._process = process
        self.stdout, self.stderr = (os.fdopen(os.dup(one.fileno()), "r", encoding="utf-8") for one in (stdout, stderr))

    @property
    def returncode(self):
        return self._process.exitcode

    def poll(self):
        return self._process.exitcode

    def wait(self, timeout):
        self._process.join(timeout)
        assert self.returncode is not None, "it takes too long"

    def send_signal(self, number):
        os.kill(self._process.pid, number)

    def terminate(self):
        self._process.terminate()

    def kill(self):
        self._process.kill()


def _run(code, arguments, environment, stdout, stderr):
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(ROOT)
    for number, pipe in ((1, stdout), (2, stderr)):
        os.dup2(pipe.fileno(), number)
        pipe.close()
    sys.stdout, sys.stderr = (os.fdopen(number, "w", 1, "utf-8", closefd=False) for number in (1, 2))
    sys.argv = ["flow_gan.main", *arguments]
    try:
        exec(code, {"__name__": "__main__"})
    except SystemExit as end:
        # As Python ends: what cannot be written to stderr changes no status.
        sys.stdout.flush()
        with contextlib.suppress(OSError):
            sys.stderr.flush()
        os._exit(end.code or 0)


def start(arguments, before="", devices=1, task=None):
    """Start `flow_gan.main` with `arguments`; return the process, `Running`.

    Args:
      arguments: list of str.
      before: Python that runs before it.
      devices: int, logical CPUs.
      task: (addresses, index) of this process among several, or None.
    """
    environment = dict(os.environ)
    environment.pop("TF_CONFIG", None)
    if task is not None:
        addresses, index = task
        cluster = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
        environment["TF_CONFIG"] = json.dumps(cluster)
    pipes = [_FORKS.Pipe(duplex=False) for _ in range(2)]
    ends = [end for _, end in pipes]
    code = _MAIN.format(devices=devices, before=before)
    process = _FORKS.Process(target=_run, args=(code, [*SMALL, *map(str, arguments)], environment, *ends))
    process.start()
    for end in ends:
        end.close()
    return Running(process, *(end for end, _ in pipes))


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
    hangs = threading.Timer(BOUND, process.kill)
    hangs.start()
    try:
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            out, err = pool.map(lambda stream: stream.read(), (process.stdout, process.stderr))
        process.wait(BOUND)
    finally:
        hangs.cancel()
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
