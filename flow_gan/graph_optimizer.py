"""TensorFlow's graph optimizer (Grappler), which training on CPUs goes without."""

import contextlib
from collections.abc import Iterator

import tensorflow as tf

_OFF = "disable_meta_optimizer"


@contextlib.contextmanager
def unoptimized_on_cpu() -> Iterator[None]:
    """Context in which functions that run for the first time are not optimized, where there are only CPUs.

    The step is traced as it is to be run, and the optimizer's passes cost more than they bring: steps take the same
    time, and the first one 0.65 s instead of 1.2 (NICE on MNIST, MLE), 1.7 instead of 3.2 (hybrid), 4.5 to 5.5 instead
    of 9 (Real-NVP on CIFAR-10, 1 block, hybrid; two cores, AMD EPYC with AVX-512). AIS, which is not made in here,
    takes 1.2 times as long without it.
    """
    if tf.config.get_visible_devices("GPU"):
        yield
        return
    before = tf.config.optimizer.get_experimental_options().get(_OFF, False)
    tf.config.optimizer.set_experimental_options({_OFF: True})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({_OFF: before})
