"""The best rates of the machine."""

import dataclasses
import os
import time

import numpy as np
import tensorflow as tf

RUNS = 20
# Operations per measurement: so many that the cost of a call does not matter.
_CHAIN = 10

# Above these the machine is too busy for the figures to mean anything.
BUSY_SPREAD = 1.5
BUSY_DRIFT = 1.25


@dataclasses.dataclass(frozen=True, kw_only=True)
class Limits:
    """The best rates of the operations that a training step consists of, in float32, with TensorFlow's threads.

    Attributes:
      matmul_flops: per second, of [100, 1000] x [1000, 1000].
      convolution_flops: per second, of a 3x3 convolution from 64 to 64 channels on [16, 32, 32, 64].
      bandwidth: bytes read and written per second by `a += b` on 64 MiB each.
      spread: the largest ratio of median to shortest time among the three.
    """

    matmul_flops: float
    convolution_flops: float
    bandwidth: float
    spread: float


def measure_limits() -> Limits:
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
        "matmul_flops": (matmuls, 2.0 * 100 * 1000 * 1000),
        "convolution_flops": (convolutions, 2.0 * 16 * 32 * 32 * 9 * 64 * 64),
        "bandwidth": (additions, 3.0 * 4 * 2**24),
    }
    rates, spreads = {}, []
    for name, (run, amount) in work.items():
        times = _time(tf.function(run, autograph=False))
        rates[name] = _CHAIN * amount / min(times)
        spreads.append(float(np.median(times) / min(times)))
    return Limits(**rates, spread=max(spreads))


def _time(function):
    times = []
    for _ in range(RUNS + 2):
        start = time.perf_counter()
        function().numpy()
        times.append(time.perf_counter() - start)
    return times[2:]


def between(first: Limits, second: Limits) -> Limits:
    """Return the mean rates of two measurements, for the work that was timed between them."""
    means = {name: (a + b) / 2 for name, (a, b) in _pairs(first, second).items()}
    return Limits(**means, spread=max(first.spread, second.spread))


def _pairs(first, second):
    """Return {rate: its two values}."""
    return {
        field.name: (getattr(first, field.name), getattr(second, field.name))
        for field in dataclasses.fields(Limits)
        if field.name != "spread"
    }


def why_busy(load: float, before: Limits, after: Limits) -> list[str]:
    """Return sentences that say why the machine was too busy for the figures to mean much; none where it was quiet.

    Args:
      load: the 1-minute load average before the benchmark began.
      before, after: measured before and after the steps.
    """
    reasons = []
    cores = os.cpu_count() or 1
    if load > 0.5 * cores:
        reasons.append(f"the load average was {load:.1f} on {cores} cores before the benchmark began")
    spread = max(before.spread, after.spread)
    if spread > BUSY_SPREAD:
        reasons.append(f"the median time of the same operation was {spread:.2f} times its shortest time")
    drift = max(max(pair) / min(pair) for pair in _pairs(before, after).values())
    if drift > BUSY_DRIFT:
        reasons.append(f"the machine's best rates changed by a factor of {drift:.2f} during the benchmark")
    return reasons
