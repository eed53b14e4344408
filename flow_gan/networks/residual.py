"""The coupling network of Real-NVP."""

import functools
from typing import Any

import keras
import tensorflow as tf

from flow_gan.networks.halves import halves
from flow_gan.networks.initializers import SeededInitializers, SeededLayer
from flow_gan.networks.normalization import (
    add_moving_average,
    channel_batch_norm,
    normalize,
    take_statistic,
    whole_batch_norm,
)
from flow_gan.networks.precision import product_dtype, product_policy
from flow_gan.networks.recompute import recomputed
from flow_gan.networks.weight_norm import add_convolutions, weight_norm_conv

BATCH_NORMS = ("moving", "batch", "none")

_EPSILON = 1e-4
_WHOLE_BATCH_EPSILON = 1e-6


@keras.saving.register_keras_serializable("flow_gan")
class ResidualNetwork(SeededLayer):
    """Shift and log-scale of an affine coupling by a residual network (the release's `function_l_m`).

        log_scale = tanh(o1) * tanh_scale + scale_shift
        shift = tanh(o2)

    with the two halves o1, o2 of the last convolution's channels, and learned scalars `tanh_scale`, `scale_shift`.
    The convolutions are weight-normalised, 1x1 in and out, 3x3 in the blocks.

        batch_norm="moving"
          in:     norm - conv - ReLU - norm
          block:  y + (conv - ReLU - norm - conv)(y) - ReLU - norm
        batch_norm="batch", with a bias only in the last convolution
          in:     norm - conv - norm - ReLU
          block:  y + (conv - norm - ReLU - conv - norm)(y) - ReLU
        batch_norm="none": as "moving", without the norms

    The first norm of "in" and the first norm of each block have no scale and no shift. The weights of all blocks are
    stacked: convolutions and moving averages two per block, scales and shifts one per block. With Keras layers (block,
    weight-normalised convolution and norm, 1,100 variables instead of 170) the preset for CIFAR-10, 8 blocks of 64
    filters, took 33.5 s of CPU instead of 21.5 to the end of the first step (later steps took the same time; batch 16,
    MLE, AMD EPYC with AVX-512). Checkpoints hold the weights in this stacked form.

    Args:
      channels: int, of the input, the shift and the log-scale.
      filters: int, channels of the hidden convolutions.
      residual_blocks: int.
      batch_norm: "moving", per channel, with moving averages in evaluation; or "batch", one scalar mean and variance
        of the current batch, in evaluation too (the release's `--batch_norm_adaptive` 1 and 0); or "none".
      initial_tanh_scale: float, initial value of `tanh_scale`.
      initializers: `SeededInitializers` for the convolutions.
      precision: of the convolutions, see `precision.product_policy`.
      recompute: bool, compute ReLUs and norms again in the backward pass of a training instead of keeping them, see
        `recompute.recomputed`. It makes no difference with batch_norm="none".
      **kwargs: of `keras.layers.Layer`.
    """

    def __init__(
        self,
        channels: int,
        filters: int,
        residual_blocks: int,
        batch_norm: str,
        initial_tanh_scale: float,
        initializers: SeededInitializers,
        precision: str = "float32",
        recompute: bool = False,
        **kwargs: Any,
    ):
        super().__init__(initializers, **kwargs)
        self.recompute = recompute
        product = product_dtype(product_policy(precision, self.dtype_policy))
        self._convolve = functools.partial(weight_norm_conv, dtype=product)
        self.channels = channels
        self.filters = filters
        self.batch_norm = batch_norm
        self.residual_blocks = residual_blocks
        self.initial_tanh_scale = initial_tanh_scale
        self.precision = precision
        has_biases = batch_norm != "batch"
        convolutions = 2 * residual_blocks
        self.conv_in = add_convolutions(self, "conv_in", (1, 1, channels, filters), initializers, has_biases)
        if residual_blocks:
            kernel_shape = (3, 3, filters, filters)
            self.block_convs = add_convolutions(
                self, "block_convs", kernel_shape, initializers, has_biases, convolutions
            )
        self.conv_out = add_convolutions(self, "conv_out", (1, 1, filters, 2 * channels), initializers, True)
        if batch_norm == "moving":
            self.input_averages = self._add_averages("input", (channels,))
            self.norm_averages = self._add_averages("norm", (1 + convolutions, filters))
            shape = (1 + residual_blocks, filters)
            self.norm_scale = self.add_weight(shape=shape, initializer="ones", name="norm_scale")
            self.norm_shift = self.add_weight(shape=shape, initializer="zeros", name="norm_shift")
        self.tanh_scale = self.add_weight(
            shape=(1,), initializer=keras.initializers.Constant(initial_tanh_scale), name="tanh_scale"
        )
        self.scale_shift = self.add_weight(shape=(1,), initializer="zeros", name="scale_shift")
        self.built = True

    def _add_averages(self, name, shape):
        mean = add_moving_average(self, shape, "zeros", f"{name}_moving_mean")
        return mean, add_moving_average(self, shape, "ones", f"{name}_moving_variance")

    def call(self, x: tf.Tensor, training: bool = False) -> tuple[tf.Tensor, tf.Tensor]:
        """Return (shift, log_scale), each [batch, H, W, channels], of `x` of that shape.

        `training` is as in `BatchNorm.call`; without moving averages it makes no difference.
        """
        outputs = {"moving": self._outputs, "batch": self._whole_batch_outputs, "none": self._outputs_without_norms}
        log_scale, shift = halves(tf.tanh(outputs[self.batch_norm](x, training)))
        return shift, log_scale * self.tanh_scale + self.scale_shift

    def _outputs(self, x, training):
        """Return the result of the last convolution, as the next two methods do."""
        averages: list[Any] = [tuple(tf.convert_to_tensor(v) for v in self.input_averages)]
        averages += zip(*(tf.unstack(v) for v in self.norm_averages), strict=True)
        affine = list(zip(tf.unstack(self.norm_scale), tf.unstack(self.norm_shift), strict=True))

        def norm(y, average, *scale_and_shift):
            if training:
                return channel_batch_norm(y, _EPSILON, *scale_and_shift)
            mean, variance = average
            return normalize(y, mean, variance, _EPSILON, *scale_and_shift), average

        def layer(y, affine, convolution, returns_norm=False):
            """Return the convolution of the norm of the ReLU of `y`, after this norm if it is to be returned, too."""
            average = averages[len(statistics)]

            def compute(y, *weights):
                y, statistic = norm(tf.nn.relu(y), average, *weights[: len(affine)])
                convolved = self._convolve(y, *weights[len(affine) :])
                return (y, convolved) if returns_norm else convolved, statistic

            results, statistic = self._run(training, compute, y, *affine, *convolution)
            statistics.append(statistic)
            return results

        y, of_input = norm(x, averages[0])
        statistics: list[Any] = [of_input]
        y = self._convolve(y, *self.conv_in)
        for (first, second), scale_and_shift in zip(self._blocks(), affine[:-1], strict=True):
            y, residual = layer(y, scale_and_shift, first, returns_norm=True)
            y += layer(residual, (), second)
        y = layer(y, affine[-1], list(map(tf.convert_to_tensor, self.conv_out)))
        if training:
            for average, statistic in zip(self.input_averages, of_input, strict=True):
                take_statistic(average, statistic)
            for average, statistic in zip(self.norm_averages, zip(*statistics[1:], strict=True), strict=True):
                take_statistic(average, tf.stack(statistic))
        return y

    def _whole_batch_outputs(self, x, training):
        def norm(y):
            return whole_batch_norm(y, _WHOLE_BATCH_EPSILON)[0]

        def second_half(y, *convolution):
            return self._convolve(tf.nn.relu(norm(y)), *convolution), ()

        def add(y, residual):
            return tf.nn.relu(y + norm(residual)), ()

        y = tf.nn.relu(norm(self._convolve(norm(x), *self.conv_in)))
        for first, second in self._blocks():
            residual, _ = self._run(training, second_half, self._convolve(y, *first), *second)
            y, _ = self._run(training, add, y, residual)
        return self._convolve(y, *self.conv_out)

    def _outputs_without_norms(self, x, training):
        y = tf.nn.relu(self._convolve(x, *self.conv_in))
        for first, second in self._blocks():
            y = tf.nn.relu(y + self._convolve(tf.nn.relu(self._convolve(y, *first)), *second))
        return self._convolve(y, *self.conv_out)

    def _run(self, training, function, *arguments):
        """Return (results, statistics) of `function`, see `recomputed`."""
        return recomputed(function, *arguments) if self.recompute and training else function(*arguments)

    def _blocks(self):
        """Return the weights of the two convolutions of each block."""
        if not self.residual_blocks:
            return []
        convolutions = list(zip(*(tf.unstack(v) for v in self.block_convs if v is not None), strict=True))
        return list(zip(convolutions[::2], convolutions[1::2], strict=True))

    def compute_output_shape(self, input_shape: tuple) -> tuple[tuple, tuple]:
        """Return the shapes of the shift and the log-scale, those of the input."""
        return input_shape, input_shape

    def get_config(self) -> dict:
        """Return the constructor's arguments."""
        return super().get_config() | {
            "channels": self.channels,
            "filters": self.filters,
            "residual_blocks": self.residual_blocks,
            "batch_norm": self.batch_norm,
            "initial_tanh_scale": self.initial_tanh_scale,
            "precision": self.precision,
            "recompute": self.recompute,
        }
