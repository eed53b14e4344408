"""The coupling network of NICE."""

from typing import Any

import keras
import tensorflow as tf

from flow_gan.networks.dense import Dense
from flow_gan.networks.initializers import SeededInitializers, SeededLayer
from flow_gan.networks.normalization import add_moving_average, normalize, take_statistic, whole_batch_norm
from flow_gan.networks.precision import product_policy

_EPSILON = 1e-6


@keras.saving.register_keras_serializable("flow_gan")
class CouplingMLP(SeededLayer):
    """Shift network m of an additive coupling: batch norm, dense, ReLU, ... (the release's `function_l_m`).

    norm - dense - ReLU, then `num_hidden_layers` times norm - dense - ReLU, then norm - dense:
    `num_hidden_layers + 2` matrices and as many batch norms, one before each matrix. A norm takes one mean and one
    biased variance over the batch and all features, and has one scale and one shift; entry i of `norm_scale`,
    `norm_shift`, `moving_mean` and `moving_variance` is that of the norm before matrix i. They are stacked because with
    Keras layers as norms (169 variables instead of 73) the preset for MNIST, by MLE, took 9.3 s of CPU instead of 8.5
    to the end of the first step (later steps took the same time; AMD EPYC with AVX-512), and because checkpoints hold
    them in this form.

    Args:
      size: int, entries of the input and of the output.
      hidden_units: int, width.
      num_hidden_layers: int, hidden-to-hidden matrices.
      initializers: `SeededInitializers` for the matrices.
      precision: of the matrix products, see `precision.product_policy`.
      batch_norm: bool, whether there are norms.
      **kwargs: of `keras.layers.Layer`.
    """

    def __init__(
        self,
        size: int,
        hidden_units: int,
        num_hidden_layers: int,
        initializers: SeededInitializers,
        precision: str = "float32",
        batch_norm: bool = True,
        **kwargs: Any,
    ):
        super().__init__(initializers, **kwargs)
        self.size = size
        self.hidden_units = hidden_units
        self.num_hidden_layers = num_hidden_layers
        self.precision = precision
        self.batch_norm = batch_norm
        inputs = [size] + [hidden_units] * (num_hidden_layers + 1)
        outputs = [hidden_units] * (num_hidden_layers + 1) + [size]
        self.dense = []
        for i, (n_in, n_out) in enumerate(zip(inputs, outputs, strict=True)):
            dense = Dense(
                n_out,
                activation="relu" if i <= num_hidden_layers else None,
                kernel_initializer=initializers.next(),
                name=f"{self.name}_dense_{i}",
                dtype=product_policy(precision, self.dtype_policy),
            )
            dense.build((None, n_in))
            self.dense.append(dense)
        if batch_norm:
            shape = (len(inputs),)
            self.norm_scale = self.add_weight(shape=shape, initializer="ones", name="norm_scale")
            self.norm_shift = self.add_weight(shape=shape, initializer="zeros", name="norm_shift")
            self.moving_mean = add_moving_average(self, shape, "zeros", "moving_mean")
            self.moving_variance = add_moving_average(self, shape, "ones", "moving_variance")
        self.built = True

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Map [batch, size] to [batch, size]; `training` as in `BatchNorm.call`."""
        if not self.batch_norm:
            for dense in self.dense:
                x = tf.cast(dense(x), x.dtype)
            return x
        averages = [tf.unstack(v) for v in (self.moving_mean, self.moving_variance)]
        affine = [tf.unstack(v) for v in (self.norm_scale, self.norm_shift)]
        statistics = []
        for i, dense in enumerate(self.dense):
            scale, shift = (v[i] for v in affine)
            if training:
                y, statistic = whole_batch_norm(x, _EPSILON, scale, shift)
                statistics.append(statistic)
            else:
                mean, variance = (v[i] for v in averages)
                y = normalize(x, mean, variance, _EPSILON, scale, shift)
            x = tf.cast(dense(y), x.dtype)
        if training:
            means, variances = zip(*statistics, strict=True)
            take_statistic(self.moving_mean, tf.stack(means))
            take_statistic(self.moving_variance, tf.stack(variances))
        return x

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Return the input's shape."""
        return input_shape

    def get_config(self) -> dict:
        """Return the constructor's arguments."""
        return super().get_config() | {
            "size": self.size,
            "hidden_units": self.hidden_units,
            "num_hidden_layers": self.num_hidden_layers,
            "precision": self.precision,
            "batch_norm": self.batch_norm,
        }
