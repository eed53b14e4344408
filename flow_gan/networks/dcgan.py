"""The generator network of DCGAN (Radford et al. 2015)."""

import itertools
import math
from typing import Any

import keras
import tensorflow as tf

from flow_gan.networks.dense import Dense
from flow_gan.networks.initializers import SeededInitializers, SeededLayer
from flow_gan.networks.normalization import BatchNorm
from flow_gan.networks.precision import product_policy

_KERNEL = 5
# The smallest number of rows and columns of the first convolution's input, as in the publication, ...
_SMALLEST = 4
# ... unless the images are so small that there would be fewer convolutions than this.
_FEWEST = 2


@keras.saving.register_keras_serializable("flow_gan")
class UpsamplingNetwork(SeededLayer):
    """Maps z to images by a dense layer and transposed convolutions, each of which doubles height and width.

        dense - reshape - norm - ReLU - convolution - norm - ReLU - ... - convolution - sigmoid

    The convolutions are transposed, 5x5 with stride 2. From the images backwards, height and width are halved, rounded
    up, while both stay 4 or more, and at least twice: 28x28 comes from 4x4 by 7x7 and 14x14, 32x32 from 4x4, 8x8 from
    2x2. The last convolution's input has `filters` channels, the one before it twice as many, and so on.

    Args:
      latent_size: int, entries of z.
      image_shape: (H, W, C), of any size.
      filters: int.
      initializers: `SeededInitializers` for the matrix and the kernels.
      precision: of the matrix product and the convolutions, see `precision.product_policy`.
      **kwargs: of `keras.layers.Layer`.
    """

    def __init__(
        self,
        latent_size: int,
        image_shape: tuple[int, int, int],
        filters: int,
        initializers: SeededInitializers,
        precision: str = "float32",
        **kwargs: Any,
    ):
        super().__init__(initializers, **kwargs)
        self.latent_size = latent_size
        self.image_shape = tuple(image_shape)
        self.filters = filters
        self.precision = precision
        product = product_policy(precision, self.dtype_policy)
        *size, image_channels = image_shape
        sizes = _sizes(size)
        channels = [filters * 2**i for i in reversed(range(len(sizes) - 1))] + [image_channels]
        self.first_shape = (*sizes[0], channels[0])
        # No bias where a norm follows, which would subtract it again.
        self.dense = Dense(
            math.prod(self.first_shape),
            use_bias=False,
            kernel_initializer=initializers.next(),
            name=f"{self.name}_dense",
            dtype=product,
        )
        self.dense.build((None, latent_size))
        self.norms = []
        self.convs = []
        for i, (before, after) in enumerate(itertools.pairwise(sizes)):
            shape = (None, *before, channels[i])
            norm = BatchNorm(name=f"{self.name}_norm_{i}", dtype=self.dtype_policy)
            norm.build(shape)
            conv = keras.layers.Conv2DTranspose(
                channels[i + 1],
                _KERNEL,
                strides=2,
                padding="same",
                data_format="channels_last",
                # Both 2n - 1 and 2n pixels are halved to n: the output padding decides between them.
                output_padding=tuple(b - (2 * a - 1) for a, b in zip(before, after, strict=True)),
                use_bias=after is sizes[-1],
                kernel_initializer=initializers.next(),
                name=f"{self.name}_conv_{i}",
                dtype=product,
            )
            conv.build(shape)
            self.norms.append(norm)
            self.convs.append(conv)
        self.built = True

    def call(self, z: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Map z [batch, latent_size] to [batch, H, W, C] in [0, 1]; `training` as in `BatchNorm.call`."""
        x = tf.reshape(self.dense(z), [-1, *self.first_shape])
        for norm, conv in zip(self.norms, self.convs, strict=True):
            x = conv(tf.nn.relu(norm(x, training=training)))
        return tf.sigmoid(tf.cast(x, self.compute_dtype))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Return the shape of the images."""
        return (input_shape[0], *self.image_shape)

    def get_config(self) -> dict:
        """Return the constructor's arguments."""
        return super().get_config() | {
            "latent_size": self.latent_size,
            "image_shape": list(self.image_shape),
            "filters": self.filters,
            "precision": self.precision,
        }


def _sizes(size):
    """Return the (height, width) before the first convolution and after each, the last of them `size`."""
    sizes = [tuple(size)]
    while len(sizes) <= _FEWEST or min(_half(sizes[-1])) >= _SMALLEST:
        sizes.append(_half(sizes[-1]))
    return sizes[::-1]


def _half(size):
    return tuple(-(-n // 2) for n in size)
