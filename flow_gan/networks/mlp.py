"""The coupling network of NICE."""

import keras

from flow_gan.networks.normalization import BatchNorm


class CouplingMLP(keras.layers.Layer):
    """Shift network m of an additive coupling: batch norm, dense, ReLU, ... (the release's `function_l_m`).

    norm - dense - ReLU, then `num_hidden_layers` times norm - dense - ReLU, then norm - dense:
    `num_hidden_layers + 2` matrices and as many scalar batch norms, one before each matrix.

    Args:
      size: int, entries of the input and of the output.
      hidden_units: int, width.
      num_hidden_layers: int, hidden-to-hidden matrices.
      initializers: `SeededInitializers` for the matrices.
      **kwargs: of `keras.layers.Layer`.
    """

    def __init__(self, size, hidden_units, num_hidden_layers, initializers, **kwargs):
        super().__init__(**kwargs)
        inputs = [size] + [hidden_units] * (num_hidden_layers + 1)
        outputs = [hidden_units] * (num_hidden_layers + 1) + [size]
        self.norms = []
        self.dense = []
        for i, (n_in, n_out) in enumerate(zip(inputs, outputs, strict=True)):
            norm = BatchNorm(axis=None, name=f"{self.name}_norm_{i}", dtype=self.dtype_policy)
            dense = keras.layers.Dense(
                n_out,
                activation="relu" if i <= num_hidden_layers else None,
                kernel_initializer=initializers.next(),
                name=f"{self.name}_dense_{i}",
                dtype=self.dtype_policy,
            )
            norm.build((None, n_in))
            dense.build((None, n_in))
            self.norms.append(norm)
            self.dense.append(dense)
        self.built = True

    def call(self, x, training=False, updates=1):
        """Map [batch, size] to [batch, size]; `training` and `updates` as in `BatchNorm.call`."""
        for norm, dense in zip(self.norms, self.dense, strict=True):
            x = dense(norm(x, training=training, updates=updates))
        return x
