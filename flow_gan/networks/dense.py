"""Dense layers whose products and gradients are fast on CPUs."""

from typing import Any

import keras
import tensorflow as tf

from flow_gan.networks.gradients import takes_own_gradients


@keras.saving.register_keras_serializable("flow_gan")
class Dense(keras.layers.Dense):
    """`keras.layers.Dense` of inputs [batch, inputs], with derivatives of any order."""

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Return activation(inputs kernel + bias), [batch, units]."""
        weights = [tf.convert_to_tensor(v) for v in (self.kernel, *([self.bias] if self.use_bias else []))]
        if not takes_own_gradients(inputs):
            return self.activation(_affine(inputs, *weights))
        if self.activation is keras.activations.relu:
            return _affine_with_own_gradients(inputs, weights, has_relu=True)
        return self.activation(_affine_with_own_gradients(inputs, weights, has_relu=False))


def _affine(x, kernel, bias=None):
    product = tf.matmul(x, kernel)
    return product if bias is None else tf.nn.bias_add(product, bias)


def _affine_with_own_gradients(x, weights, has_relu):
    # Product, bias and ReLU have one gradient, so that TensorFlow can join them to one operation: a step of NICE on
    # MNIST by MLE takes RATIO of its time (two cores, Intel Xeon with AVX-512).
    @tf.custom_gradient
    def call(x: Any, kernel: Any, *bias: Any) -> Any:
        y = _affine(x, kernel, *bias)
        if has_relu:
            y = tf.nn.relu(y)
        # The gradient of a ReLU needs the sign alone.
        sign = tf.stop_gradient(y)

        def gradient(dy):
            if has_relu:
                dy = tf.raw_ops.ReluGrad(gradients=dy, features=sign)
            # As an einsum this product is made by another kernel of oneDNN than as tf.matmul with transpose_b: 100x1000
            # by 1000x1000 take 1.12 ms instead of 1.44 (two cores, AMD EPYC with AVX-512), a step of NICE on MNIST by
            # MLE 0.93 of its time. The other two products are faster as they are.
            dx, d_kernel = tf.einsum("bo,io->bi", dy, kernel), tf.matmul(x, dy, transpose_a=True)
            return dx, d_kernel, *(tf.raw_ops.BiasAddGrad(out_backprop=dy) for _ in bias)

        return y, gradient

    return call(tf.convert_to_tensor(x), *weights)
