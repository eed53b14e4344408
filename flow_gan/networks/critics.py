"""Critics (discriminators) D of the original release: DCGAN-style convolutional networks (Radford et al. 2015).

Every convolution is 5x5 with stride 2 and zero padding, every leaky ReLU has slope 0.2. The logits are
[batch, 1] and not squashed: the objectives take them as they are.
"""

import collections

import keras
import tensorflow as tf

from flow_gan.config import Config
from flow_gan.errors import UserError
from flow_gan.networks.convolution import Conv2D
from flow_gan.networks.initializers import CRITIC, SeededInitializers
from flow_gan.networks.normalization import BatchNorm
from flow_gan.networks.precision import check_float, network_policy, product_policy


class Critic(keras.Model):
    """A stack of layers from images [batch, H, W, C] to logits [batch, 1].

    Args:
      image_shape: (H, W, C).
      stack: list of Keras layers.
      dtype: see `precision.network_policy`.
      **kwargs: of `keras.Model`.
    """

    def __init__(self, image_shape, stack, dtype=None, **kwargs):
        super().__init__(dtype=network_policy(dtype), **kwargs)
        self.image_shape = tuple(image_shape)
        self.stack = stack
        shape = (1, *self.image_shape)
        for layer in stack:
            if not layer.built:
                layer.build(shape)
            shape = layer.compute_output_shape(shape)
        self.built = True

    def call(self, images, training=False, updates=1):
        """Return the logits [batch, 1] of float images; `training` and `updates` as in `BatchNorm.call`."""
        check_float("images", images)
        x = tf.cast(images, self.compute_dtype)
        for layer in self.stack:
            if isinstance(layer, BatchNorm):
                x = layer(x, training=training, updates=updates)
            else:
                x = layer(x)
        return x


class LayerNorm(keras.layers.Layer):
    """Layer normalisation over height, width and channels, with an affine map per channel.

        y = (x - mean) / sqrt(var + epsilon) * scale + offset

    with one mean and one biased variance per example. Keras's own layer cuts the mean inside the variance off
    from the gradient, which makes the second derivatives that a gradient penalty needs wrong by 1 to 3 %.
    """

    epsilon = 1e-5

    def build(self, input_shape):
        """Create scale and offset, [channels]."""
        self.scale = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="scale")
        self.offset = self.add_weight(shape=(input_shape[-1],), initializer="zeros", name="offset")

    def call(self, x):
        """Normalise [batch, H, W, C]."""
        centred = x - tf.reduce_mean(x, [1, 2, 3], keepdims=True)
        variance = tf.reduce_mean(tf.square(centred), [1, 2, 3], keepdims=True)
        return centred * tf.math.rsqrt(variance + self.epsilon) * self.scale + self.offset

    def compute_output_shape(self, input_shape):
        """Return the input's shape."""
        return input_shape


class LeakyReLU(keras.layers.Layer):
    """x where x > 0, and 0.2 x elsewhere.

    The slope is a constant to the gradient, as it is almost everywhere. To the library's own one its derivative is a
    tensor of zeros, and a gradient penalty then takes these through a whole backward pass of the critic.
    """

    def call(self, x):
        """Return a tensor of the shape of `x`."""
        return x * tf.stop_gradient(tf.where(x > 0, tf.ones([], x.dtype), tf.constant(0.2, x.dtype)))

    def compute_output_shape(self, input_shape):
        """Return the input's shape."""
        return input_shape


def mnist(image_shape, divergence="wgan", filters=64, dense_units=1024, seed=0, dtype=None, precision="float32"):
    """The release's critic for MNIST, for images of any shape.

    conv to C channels - lrelu - conv to `filters` - [norm] - lrelu - flatten - dense `dense_units` - [norm] -
    lrelu - dense 1. The batch norms are there for every divergence but "wgan", whose gradient penalty is
    per example.

    Args:
      image_shape: (H, W, C).
      divergence: one of `objectives.DIVERGENCES`.
      filters: int, the release's `--df_dim`.
      dense_units: int.
      seed: int, from which the first weights derive.
      dtype: "float32", the default, or "float64".
      precision: of the convolutions and all matrix products but the last, whose results are the logits; see
        `precision.product_policy`.

    Example:
      >>> import flow_gan, numpy as np
      >>> critic = flow_gan.critics.mnist((8, 8, 1), divergence="ce", filters=4, dense_units=8)
      >>> critic(np.zeros((2, 8, 8, 1))).shape
      TensorShape([2, 1])
    """
    make = _LayerMaker("mnist", seed, dtype, precision)
    norm = [] if divergence == "wgan" else [make.batch_norm]
    stack = [make.conv(image_shape[-1]), make.leaky_relu(), make.conv(filters)]
    stack += [layer() for layer in norm] + [make.leaky_relu(), make.flatten(), make.dense(dense_units)]
    stack += [layer() for layer in norm] + [make.leaky_relu(), make.logits()]
    return Critic(image_shape, stack, name="critic", dtype=dtype)


def dcgan(image_shape, divergence="wgan", filters=64, seed=0, dtype=None, precision="float32"):
    """The release's critic for colour images.

    Four convolutions to `filters` times 1, 2, 4, 8 channels, flatten, dense 1. For "wgan" each convolution
    is followed by lrelu, then layer norm; for the other divergences by batch norm (not the first), then lrelu.

    Args:
      image_shape: (H, W, C).
      divergence: one of `objectives.DIVERGENCES`.
      filters: int, the release's `--df_dim`.
      seed: int, from which the first weights derive.
      dtype: "float32", the default, or "float64".
      precision: of the convolutions and all matrix products but the last, whose results are the logits; see
        `precision.product_policy`.
    """
    make = _LayerMaker("dcgan", seed, dtype, precision)
    stack = []
    for i in range(4):
        stack.append(make.conv(filters * 2**i))
        if divergence == "wgan":
            stack += [make.leaky_relu(), make.layer_norm()]
        else:
            stack += ([make.batch_norm()] if i else []) + [make.leaky_relu()]
    stack += [make.flatten(), make.logits()]
    return Critic(image_shape, stack, name="critic", dtype=dtype)


class _LayerMaker:
    """Makes the release's layers with first weights from one seed."""

    def __init__(self, name, seed, dtype, precision):
        # Convolutions start as the coupling networks do (truncated normal, 0.02). The release's dense
        # layers start from the same normal without truncation, a difference without consequence.
        self._initializers = SeededInitializers("normal", seed, CRITIC, list(CRITICS).index(name))
        self._dtype = network_policy(dtype)
        self._product_dtype = product_policy(precision, self._dtype)
        self._counts = collections.Counter()

    def _common(self, kind, dtype=None):
        # Names of our own, since Keras counts its through the whole process.
        self._counts[kind] += 1
        return {"name": f"critic_{kind}_{self._counts[kind]}", "dtype": dtype or self._dtype}

    def conv(self, filters):
        return Conv2D(
            filters,
            5,
            strides=2,
            padding="same",
            kernel_initializer=self._initializers.next(),
            **self._common("conv", self._product_dtype),
        )

    def dense(self, units):
        common = self._common("dense", self._product_dtype)
        return keras.layers.Dense(units, kernel_initializer=self._initializers.next(), **common)

    def logits(self):
        return keras.layers.Dense(1, kernel_initializer=self._initializers.next(), **self._common("dense"))

    def leaky_relu(self):
        return LeakyReLU(**self._common("leaky_relu"))

    def flatten(self):
        return keras.layers.Flatten(data_format="channels_last", **self._common("flatten"))

    def batch_norm(self):
        return BatchNorm(epsilon=1e-5, **self._common("norm"))

    def layer_norm(self):
        return LayerNorm(**self._common("norm"))


def build_critic(critic, image_shape: tuple):
    """Build a Keras model that is not built yet.

    Raises:
      UserError: it is no Keras model, or does not map images of the shape (H, W, C) to logits [batch, 1].
    """
    if not isinstance(critic, keras.layers.Layer):
        raise UserError(
            f"critic={critic!r}; expected a Keras model from images to logits, as flow_gan.critics has them"
        )
    if isinstance(critic, Critic):
        if critic.image_shape != tuple(image_shape):
            raise UserError(f"the critic's image_shape={critic.image_shape}; expected the generator's, {image_shape}")
        return
    images = f"images [batch, {', '.join(map(str, image_shape))}]"
    try:
        logits = critic(keras.Input(image_shape, dtype="float32"))
    except (TypeError, ValueError, tf.errors.OpError) as error:
        # Keras sets what is wrong in bold, and lists the arguments after it.
        reason = str(error).rpartition("\x1b[1m")[2].partition("\x1b[0m")[0]
        raise UserError(f"critic={critic.name} cannot take {images}: {' '.join(reason.split())[:300]}") from error
    if tuple(getattr(logits, "shape", ())) != (None, 1):
        shape = list(getattr(logits, "shape", ())) or type(logits).__name__
        raise UserError(f"critic={critic.name} maps {images} to {shape}; expected logits [batch, 1]")


CRITICS = {"mnist": mnist, "dcgan": dcgan}


def make_critic(config: Config, image_shape: tuple) -> Critic:
    """Return the critic of a configuration for images (H, W, C), with initial weights.

    A new critic is a function in `CRITICS` with these arguments, and its choice in `config.objective`.
    """
    make = CRITICS[config.critic]
    return make(image_shape, config.f_div, filters=config.df_dim, seed=config.seed, precision=config.precision)
