"""The coupling network of Real-NVP."""

import keras
import tensorflow as tf

from flow_gan.networks.normalization import BatchNorm, whole_batch_norm
from flow_gan.networks.weight_norm import WeightNormConv

BATCH_NORMS = ("moving", "batch")


class ResidualNetwork(keras.layers.Layer):
    """Shift and log-scale of an affine coupling by a residual network (the release's `function_l_m`).

        log_scale = tanh(o1) * tanh_scale + scale_shift
        shift = tanh(o2)

    with the two halves o1, o2 of the last convolution's channels, and learned scalars `tanh_scale`, `scale_shift`.
    The convolutions are weight-normalised, 1x1 in and out, 3x3 in the blocks.

        batch_norm="moving"
          in:     norm - conv - ReLU - norm
          block:  y + (conv - ReLU - norm - conv)(y) - ReLU - norm
        batch_norm="batch", with no biases but the last one's
          in:     norm - conv - norm - ReLU
          block:  y + (conv - norm - ReLU - conv - norm)(y) - ReLU

    Args:
      channels: int, of the input, the shift and the log-scale.
      filters: int, channels between.
      residual_blocks: int.
      batch_norm: "moving", per channel, with moving averages in evaluation; or "batch", one scalar mean and variance
        of the batch at hand, in evaluation too (the release's `--batch_norm_adaptive` 1 and 0).
      first_tanh_scale: float, `tanh_scale` at the start.
      initializers: `SeededInitializers` for the convolutions.
      **kwargs: of `keras.layers.Layer`.
    """

    def __init__(
        self,
        channels,
        filters,
        residual_blocks,
        batch_norm,
        first_tanh_scale,
        initializers,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.channels = channels
        self.batch_norm = batch_norm
        moving = batch_norm == "moving"

        def conv(n_in, n_out, size, part, use_bias=moving):
            name = f"{self.name}_conv_{part}"
            layer = WeightNormConv(n_out, size, initializers, use_bias, name=name, dtype=self.dtype_policy)
            layer.build((None, None, None, n_in))
            return layer

        def norm(n, part, affine):
            layer = BatchNorm(epsilon=1e-4, affine=affine, name=f"{self.name}_norm_{part}", dtype=self.dtype_policy)
            layer.build((None, None, None, n))
            return layer

        blocks = range(residual_blocks)
        self.conv_in = conv(channels, filters, 1, "in")
        self.block_convs = [[conv(filters, filters, 3, f"{i}_{j}") for j in (1, 2)] for i in blocks]
        self.conv_out = conv(filters, 2 * channels, 1, "out", use_bias=True)
        if moving:
            self.norms_in = [norm(channels, "in_1", affine=False), norm(filters, "in_2", affine=True)]
            self.block_norms = [[norm(filters, f"{i}_{j}", affine=j == 2) for j in (1, 2)] for i in blocks]
        self.tanh_scale = self.add_weight(
            shape=(1,), initializer=keras.initializers.Constant(first_tanh_scale), name="tanh_scale"
        )
        self.scale_shift = self.add_weight(shape=(1,), initializer="zeros", name="scale_shift")
        self.built = True

    def call(self, x, training=False, updates=1):
        """Return (shift, log_scale), each [batch, H, W, channels], of `x` of that shape.

        `training` and `updates` are as in `BatchNorm.call`; batch_norm="batch" has one mode and no averages.
        """
        if self.batch_norm == "moving":
            y = self._features(x, training=training, updates=updates)
        else:
            y = self._whole_batch_features(x)
        log_scale, shift = tf.split(tf.tanh(self.conv_out(y)), 2, axis=-1)
        return shift, log_scale * self.tanh_scale + self.scale_shift

    def _features(self, x, **mode):
        y = self.norms_in[0](x, **mode)
        y = self.norms_in[1](tf.nn.relu(self.conv_in(y)), **mode)
        for convs, norms in zip(self.block_convs, self.block_norms, strict=True):
            residual = norms[0](tf.nn.relu(convs[0](y)), **mode)
            y = norms[1](tf.nn.relu(y + convs[1](residual)), **mode)
        return y

    def _whole_batch_features(self, x):
        y = tf.nn.relu(whole_batch_norm(self.conv_in(whole_batch_norm(x))))
        for convs in self.block_convs:
            residual = tf.nn.relu(whole_batch_norm(convs[0](y)))
            y = tf.nn.relu(y + whole_batch_norm(convs[1](residual)))
        return y
