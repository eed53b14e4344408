"""What the machine can do at best."""

import dataclasses
import os
import time

import numpy as np
import tensorflow as tf

RUNS = 20
# Operations per measurement, so that a call's own cost does not count.
_CHAIN = 10

# Above these the figures say more about the machine's other work than about this package.
BUSY_SPREAD = 1.5
BUSY_DRIFT = 1.25


@dataclasses.dataclass(frozen=True)
class Limits:
    """The best rates of the operations that a training step consists of, in float32, with TensorFlow's threads.

    Attributes:
      matmul_flops: float, per second, of [100, 1000] x [1000, 1000].
      convolution_flops: float, per second, of a 3x3 convolution from 64 to 64 channels on [16, 32, 32, 64].
      bandwidth: float, bytes read and written per second by `a += b` on 64 MiB each.
      spread: float, the largest ratio of median to shortest time among the three.
    """

    matmul_flops: float
    convolution_flops: float
    bandwidth: float
    spread: float


def measure_limits():
    """Measure the `Limits` of the default device: each the best of 20 runs of ten operations."""
    draw = np.random.default_rng(0).standard_normal

    def tensor(*shape):
        return tf.constant(draw(shape, np.float32))

    weights = [tf.Variable(tensor(1000, 1000) / 1000**0.5) for _ in range(_CHAIN)]
    kernels = [tf.Variable(tensor(3, 3, 64, 64) / 576**0.5) for _ in range(_CHAIN)]
    sums = [tf.Variable(tf.zeros([2**24])) for _ in range(2)]
    images, rows, term = tensor(16, 32, 32, 64), tensor(100, 1000), tf.ones([2**24])

    def matmuls():
        y = rows
        for weight in weights:
            y = tf.matmul(y, weight)
        return y[0, 0]

    def convolutions():
        y = images
        for kernel in kernels:
            y = tf.nn.conv2d(y, kernel, strides=1, padding="SAME")
        return y[0, 0, 0, 0]

    def additions():
        for i in range(_CHAIN):
            sums[i % 2].assign_add(term)
        return sums[0][0] + sums[1][0]

    work = {
        matmuls: 2.0 * 100 * 1000 * 1000,
        convolutions: 2.0 * 16 * 32 * 32 * 9 * 64 * 64,
        additions: 3.0 * 4 * 2**24,
    }
    rates, spreads = [], []
    for run, amount in work.items():
        times = _time(tf.function(run, autograph=False))
        rates.append(_CHAIN * amount / min(times))
        spreads.append(float(np.median(times) / min(times)))
    return Limits(*rates, spread=max(spreads))


def _time(function):
    times = []
    for _ in range(RUNS + 2):
        start = time.perf_counter()
        function().numpy()
        times.append(time.perf_counter() - start)
    return times[2:]


def between(first, second):
    """Return the means of the rates of two measurements, which what was done between them compares with."""
    pairs = zip(dataclasses.astuple(first)[:3], dataclasses.astuple(second)[:3], strict=True)
    return Limits(*((a + b) / 2 for a, b in pairs), spread=max(first.spread, second.spread))


def why_busy(load, before, after):
    """Return why the figures mean little, a list of sentences, empty where the machine was quiet.

    Args:
      load: float, the 1-minute load average from before the benchmark began.
      before, after: `Limits` measured before and after the steps.
    """
    reasons = []
    cores = os.cpu_count() or 1
    if load > 0.5 * cores:
        reasons.append(f"the load average was {load:.1f} on {cores} cores before the benchmark began")
    spread = max(before.spread, after.spread)
    if spread > BUSY_SPREAD:
        reasons.append(f"the same operation took {spread:.2f} times its shortest time in the median")
    pairs = zip(dataclasses.astuple(before)[:3], dataclasses.astuple(after)[:3], strict=True)
    drift = max(max(a, b) / min(a, b) for a, b in pairs)
    if drift > BUSY_DRIFT:
        reasons.append(f"the machine's best rates changed by a factor of {drift:.2f} during the benchmark")
    return reasons
