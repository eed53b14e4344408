"""Activation norms and invertible 1x1 convolutions (Kingma and Dhariwal 2018, Sections 3.1 and 3.2)."""

from typing import Any

import keras
import numpy as np
import scipy.linalg
import tensorflow as tf

from flow_gan.networks.initializers import SeededInitializers, SeededLayer

# Added to a channel's standard deviation before it is divided by.
_EPSILON = 1e-6


@keras.saving.register_keras_serializable("flow_gan")
class InvertibleConvolutions(SeededLayer):
    """Affine maps of the channels: `depth` times an activation norm, then an invertible 1x1 convolution.

        u = W ((x + b) exp(s)),  W = P L (U + diag(sign exp(d)))   at each pixel
        log |det du/dx| = sum(s) + sum(d)                          per pixel

    P is a permutation, L lower triangular with ones on its diagonal, U strictly upper triangular. P and `sign` are
    fixed; the others are learned. W begins as a random rotation, and s and b as 0. So the log-determinant costs a sum
    over C numbers, and the inverse two triangular systems, whatever the size of the image.

    The weights of all steps are stacked, so that they are few, and all matrices are computed together. Checkpoints
    hold them in this form.

    Args:
      depth: int, number of maps.
      channels: int, C.
      initializers: `SeededInitializers` of "orthogonal" matrices.
      **kwargs: of `keras.layers.Layer`.
    """

    def __init__(self, depth: int, channels: int, initializers: SeededInitializers, **kwargs: Any):
        super().__init__(initializers, **kwargs)
        self.depth = depth
        self.channels = channels
        factors = [scipy.linalg.lu(initializers.next()((channels, channels)).numpy()) for _ in range(depth)]
        permutation, lower, upper = (np.stack(matrices) for matrices in zip(*factors, strict=True))
        diagonal = np.diagonal(upper, axis1=1, axis2=2)
        # Below the diagonal L, above it U; the diagonal itself has no effect.
        self.lower_upper = self._add("lower_upper", np.tril(lower, -1) + np.triu(upper, 1))
        self.log_diagonal = self._add("log_diagonal", np.log(np.abs(diagonal)))
        self.sign = self._add("sign", np.sign(diagonal), trainable=False)
        self.permutation = self._add("permutation", permutation, trainable=False)
        self.norm_shift = self._add("norm_shift", np.zeros([depth, channels]))
        self.norm_log_scale = self._add("norm_log_scale", np.zeros([depth, channels]))
        self.built = True

    def _add(self, name, value, **kwargs):
        return self.add_weight(
            shape=value.shape, initializer=lambda shape, dtype: tf.constant(value, dtype), name=name, **kwargs
        )

    @property
    def log_scale_variables(self) -> list[keras.Variable]:
        """The weights that are log-scales."""
        return [self.norm_log_scale, self.log_diagonal]

    def normalize(self, number: int, x: tf.Tensor) -> None:
        """Set the activation norm of a step so that its result for `x`, [batch, H, W, C], has mean 0 and variance 1."""
        values = np.asarray(x, np.float64).reshape(-1, self.channels)
        for variable, value in (
            (self.norm_shift, -values.mean(axis=0)),
            (self.norm_log_scale, -np.log(values.std(axis=0) + _EPSILON)),
        ):
            stacked = variable.numpy()
            stacked[number] = value
            variable.assign(stacked)

    def forward_maps(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Return A, [depth, C, C], and b, [depth, C], of u = x A + b, with rows as vectors."""
        lower, upper = self._factors()
        # W transposed.
        matrix = tf.matmul(upper, tf.matmul(lower, self.permutation, True, True), True)
        matrix *= tf.exp(self.norm_log_scale)[..., tf.newaxis]
        return matrix, tf.einsum("kc,kcd->kd", tf.convert_to_tensor(self.norm_shift), matrix)

    def inverse_maps(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Return those of the inverse, x = u A' + b'."""
        lower, upper = self._factors()
        identity = tf.eye(self.channels, batch_shape=[self.depth], dtype=self.compute_dtype)
        # The inverse of W transposed: P L^-T (U + diag)^-T.
        matrix = tf.linalg.triangular_solve(upper, identity, lower=False, adjoint=True)
        matrix = tf.matmul(self.permutation, tf.linalg.triangular_solve(lower, matrix, lower=True, adjoint=True))
        matrix *= tf.exp(-self.norm_log_scale)[:, tf.newaxis]
        return matrix, -self.norm_shift

    def _factors(self):
        """Return L and U + diag."""
        both = tf.convert_to_tensor(self.lower_upper)
        ones = tf.ones([self.depth, self.channels], both.dtype)
        upper = tf.linalg.set_diag(tf.linalg.band_part(both, 0, -1), self.sign * tf.exp(self.log_diagonal))
        return tf.linalg.set_diag(tf.linalg.band_part(both, -1, 0), ones), upper

    def log_det(self) -> tf.Tensor:
        """Return the log-determinant of all maps together, per pixel, a scalar."""
        return tf.reduce_sum(self.norm_log_scale) + tf.reduce_sum(self.log_diagonal)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Return the input's shape."""
        return input_shape

    def get_config(self) -> dict:
        """Return the constructor's arguments."""
        return super().get_config() | {"depth": self.depth, "channels": self.channels}
