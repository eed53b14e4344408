"""Critics (discriminators) D of the original release: DCGAN-style convolutional networks (Radford et al. 2015).

Every convolution is 5x5 with stride 2 and zero padding, every leaky ReLU has slope 0.2. The logits are
[batch, 1], without a sigmoid, as the objectives take them.
"""

import collections
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from flow_gan import keras_internals
from flow_gan.config import Config
from flow_gan.errors import UserError, brief
from flow_gan.networks.activations import LeakyReLU
from flow_gan.networks.convolution import Conv2D
from flow_gan.networks.dense import Dense
from flow_gan.networks.initializers import CRITIC, SeededInitializers
from flow_gan.networks.normalization import BatchNorm, LayerNorm
from flow_gan.networks.precision import check_float, network_policy, product_policy


@keras.saving.register_keras_serializable("flow_gan")
class Critic(keras.Model):
    """A stack of layers from images [batch, H, W, C] to logits [batch, 1].

    With classes it takes a pair (images, labels int32 [batch]), and is a projection critic (Miyato and Koyama 2018,
    "cGANs with projection discriminator"): with f(x) the input of the last layer, a learned vector v_y of each class is
    projected on it,

        D(x, y) = w . f(x) + b + v_y . f(x)

    Args:
      image_shape: (H, W, C).
      stack: list of Keras layers.
      num_classes: int, or None for images alone.
      embedding_initializer: of the v_y; zeros if None.
      dtype: see `precision.network_policy`.
      **kwargs: of `keras.Model`.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        stack: list[keras.layers.Layer],
        num_classes: int | None = None,
        embedding_initializer: keras.initializers.Initializer | None = None,
        dtype: str | keras.DTypePolicy | None = None,
        **kwargs: Any,
    ):
        super().__init__(dtype=network_policy(dtype), **kwargs)
        self.image_shape = tuple(image_shape)
        self.stack = stack
        self.num_classes = num_classes
        shape = (None, *self.image_shape)
        keras_internals.show_shapes(self, shape)
        for layer in stack:
            if not layer.built:
                layer.build(shape)
            features, shape = shape, layer.compute_output_shape(shape)
        if num_classes is not None:
            self.embedding = self.add_weight(
                shape=(num_classes, features[-1]),
                initializer=embedding_initializer or "zeros",
                name="critic_class_embedding",
            )
        self.built = True

    @property
    def class_variables(self) -> list[keras.Variable]:
        """The weights that belong to classes."""
        return [] if self.num_classes is None else [self.embedding]

    def call(self, images: Any, training: bool = False) -> tf.Tensor:
        """Return the logits [batch, 1] of float images, or (images, labels); `training` as in `BatchNorm.call`."""
        images, labels = self._parts(images)
        check_float("images", images)
        x = tf.cast(images, self.compute_dtype)
        for layer in self.stack:
            features = x
            x = layer(x, training=training) if isinstance(layer, BatchNorm) else layer(x)
        if labels is None:
            return x
        vectors = tf.gather(self.embedding.value, labels)
        return x + tf.reduce_sum(vectors * tf.cast(features, self.compute_dtype), axis=-1, keepdims=True)

    def _parts(self, images):
        is_pair = isinstance(images, (tuple, list))
        if is_pair != (self.num_classes is not None):
            has = "labels, but it has no classes" if is_pair else f"no labels, but it has {self.num_classes} classes"
            raise UserError(
                f"the critic {self.name} was given {has}; expected images, or with classes (images, labels)"
            )
        if not is_pair:
            return images, None
        counts = [part.shape[0] for part in images]
        if None not in counts and counts[0] != counts[1]:
            raise UserError(
                f"the critic {self.name} was given {counts[1]} labels of {counts[0]} images; expected one for each"
            )
        return images

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Return the shape of the logits."""
        batch = input_shape[0]
        # Of a pair (images, labels) it is the shape of the images.
        return (batch[0] if isinstance(batch, tuple) else batch), 1

    def get_config(self) -> dict:
        """Return the constructor's arguments."""
        stack = [keras.saving.serialize_keras_object(layer) for layer in self.stack]
        config = {"image_shape": list(self.image_shape), "stack": stack, "num_classes": self.num_classes}
        return super().get_config() | config

    @classmethod
    def from_config(cls, config: dict) -> "Critic":
        """Return the critic of `get_config`."""
        stack = [keras.saving.deserialize_keras_object(layer) for layer in config["stack"]]
        return cls(**config | {"stack": stack})


def two_convolutions(
    image_shape: tuple[int, int, int],
    divergence: Any = "wgan",
    filters: int = 64,
    dense_units: int = 1024,
    seed: int = 0,
    dtype: str | None = None,
    precision: str = "float32",
    num_classes: int | None = None,
) -> Critic:
    """Two convolutions and two dense layers, the release's critic for MNIST; for images of any shape.

    conv to C channels - lrelu - conv to `filters` - [norm] - lrelu - flatten - dense `dense_units` - [norm] -
    lrelu - dense 1. There is batch norm for every divergence except "wgan", whose gradient penalty is
    per example.

    Args:
      image_shape: (H, W, C).
      divergence: one of `objectives.DIVERGENCES`, or one of your own, see `objectives.Divergence`.
      filters: int, the release's `--df_dim`.
      dense_units: int.
      seed: int, from which the initial weights derive.
      dtype: "float32", the default, or "float64".
      precision: of the convolutions and all matrix products but the last, whose results are the logits; see
        `precision.product_policy`.
      num_classes: int, of a critic of images and labels, see `Critic`; None for images alone.

    Example:
      >>> import flow_gan, numpy as np
      >>> critic = flow_gan.critics.two_convolutions((8, 8, 1), divergence="ce", filters=4, dense_units=8)
      >>> critic(np.zeros((2, 8, 8, 1))).shape
      TensorShape([2, 1])
    """
    make = _LayerMaker(0, seed, dtype, precision)
    norm = [] if _has_penalty(divergence) else [make.batch_norm]
    stack = [make.conv(image_shape[-1]), make.leaky_relu(), make.conv(filters)]
    stack += [layer() for layer in norm] + [make.leaky_relu(), make.flatten(), make.dense(dense_units)]
    stack += [layer() for layer in norm] + [make.leaky_relu(), make.logits()]
    return make.critic(image_shape, stack, num_classes)


def dcgan(
    image_shape: tuple[int, int, int],
    divergence: Any = "wgan",
    filters: int = 64,
    seed: int = 0,
    dtype: str | None = None,
    precision: str = "float32",
    num_classes: int | None = None,
) -> Critic:
    """Four convolutions (Radford et al. 2015), the release's critic for colour images; for images of any shape.

    Four convolutions to `filters` times 1, 2, 4, 8 channels, flatten, dense 1. For "wgan" each convolution
    is followed by lrelu, then layer norm; for the other divergences by batch norm (not the first), then lrelu.

    Args:
      image_shape: (H, W, C).
      divergence: one of `objectives.DIVERGENCES`, or one of your own, see `objectives.Divergence`.
      filters: int, the release's `--df_dim`.
      seed: int, from which the initial weights derive.
      dtype: "float32", the default, or "float64".
      precision: of the convolutions and all matrix products but the last, whose results are the logits; see
        `precision.product_policy`.
      num_classes: int, of a critic of images and labels, see `Critic`; None for images alone.
    """
    make = _LayerMaker(1, seed, dtype, precision)
    stack = []
    for i in range(4):
        stack.append(make.conv(filters * 2**i))
        if _has_penalty(divergence):
            stack += [make.leaky_relu(), make.layer_norm()]
        else:
            stack += ([make.batch_norm()] if i else []) + [make.leaky_relu()]
    stack += [make.flatten(), make.logits()]
    return make.critic(image_shape, stack, num_classes)


def _has_penalty(divergence):
    """Whether there is a gradient penalty. It is per image, so that the critic must not mix images by batch norm."""
    return divergence == "wgan" or getattr(divergence, "has_penalty", False)


class _LayerMaker:
    """Makes the release's layers, with initial weights that derive from a seed and the critic's number."""

    def __init__(self, number, seed, dtype, precision):
        # Convolutions start as the coupling networks do (truncated normal, 0.02). The release's dense
        # layers start from the same normal without truncation, a difference without consequence.
        self._initializers = SeededInitializers("normal", seed, CRITIC, number)
        self._dtype = network_policy(dtype)
        self._product_dtype = product_policy(precision, self._dtype)
        self._counts: collections.Counter[str] = collections.Counter()

    def _common(self, kind, dtype=None):
        # Explicit names, since Keras numbers its own through the whole process.
        self._counts[kind] += 1
        return {"name": f"critic_{kind}_{self._counts[kind]}", "dtype": dtype or self._dtype}

    def critic(self, image_shape, stack, num_classes):
        embedding = None if num_classes is None else self._initializers.next()
        return Critic(image_shape, stack, num_classes, embedding, name="critic", dtype=self._dtype)

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
        return Dense(units, kernel_initializer=self._initializers.next(), **common)

    def logits(self):
        return Dense(1, kernel_initializer=self._initializers.next(), **self._common("dense"))

    def leaky_relu(self):
        return LeakyReLU(**self._common("leaky_relu"))

    def flatten(self):
        return keras.layers.Flatten(data_format="channels_last", **self._common("flatten"))

    def batch_norm(self):
        return BatchNorm(epsilon=1e-5, **self._common("norm"))

    def layer_norm(self):
        return LayerNorm(**self._common("norm"))


def build_critic(critic: keras.Model, image_shape: tuple[int, int, int], num_classes: int | None = None) -> None:
    """Build a critic that is not built yet.

    Raises:
      UserError: it is not a Keras model, or does not map images of the shape (H, W, C), or with `num_classes` pairs
        (images, labels), to logits [batch, 1].
    """
    if not isinstance(critic, keras.layers.Layer):
        raise UserError(
            f"critic={critic!r}; expected a Keras model from images to logits, such as those of flow_gan.critics"
        )
    if isinstance(critic, Critic):
        if critic.image_shape != tuple(image_shape):
            raise UserError(f"the critic's image_shape={critic.image_shape}; expected the generator's, {image_shape}")
        if critic.num_classes != num_classes:
            raise UserError(f"the critic's num_classes={critic.num_classes}; expected the generator's, {num_classes}")
        return
    images = f"images [batch, {', '.join(map(str, image_shape))}]"
    given = keras.Input(image_shape, dtype="float32")
    if num_classes is not None:
        images = f"({images}, labels [batch])"
        given = given, keras.Input((), dtype="int32")
    try:
        logits = critic(given)
    except (TypeError, ValueError, tf.errors.OpError) as error:
        reason = brief(keras_internals.reason(error))
        raise UserError(f"critic={critic.name} cannot take {images}: {reason}") from error
    if tuple(getattr(logits, "shape", ())) != (None, 1):
        shape = list(getattr(logits, "shape", ())) or type(logits).__name__
        raise UserError(f"critic={critic.name} maps {images} to {shape}; expected logits [batch, 1]")


# {value of `--critic`: the function that makes the critic}.
CRITICS: dict[str, Callable[..., Critic]] = {"mnist": two_convolutions, "dcgan": dcgan}


def make_critic(config: Config, image_shape: tuple[int, int, int]) -> Critic:
    """Return the critic of a configuration for images (H, W, C), with initial weights.

    To add a critic, add a function with the same arguments to `CRITICS`, and its name to `config.objective`.
    """
    make = CRITICS[config.critic]
    settings = {"filters": config.df_dim, "seed": config.seed, "precision": config.precision}
    if config.conditional:
        settings["num_classes"] = config.num_classes
    return make(image_shape, config.f_div, **settings)
