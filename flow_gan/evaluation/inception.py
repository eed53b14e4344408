"""The ImageNet classifier InceptionV3."""

import os
import pathlib

import keras

from flow_gan import keras_internals
from flow_gan.data import is_grey, public
from flow_gan.errors import UserError, brief
from flow_gan.networks.precision import default_keras_settings

_SIDE = 299


@default_keras_settings()
def make_inception(image_shape: tuple[int, int, int], weights: str | os.PathLike | None = None) -> keras.Model:
    """Return InceptionV3 (Szegedy et al. 2016) of `keras.applications`, from images of any size.

    Grey images are repeated to three channels; all are resized to 299x299, bilinearly, and scaled to [-1, 1].

    Args:
      image_shape: (H, W, C), C 1 or 3.
      weights: a weights file of `keras.applications.InceptionV3`; None for Keras's own ImageNet weights, from its cache
        or downloaded.

    Returns:
      A model from images [batch, H, W, C] in [0, 1] to (logits [batch, 1000], features [batch, 2048]); the
      features are those of the last pooling.

    Raises:
      UserError: the weights are missing or of another network, or images have neither 1 nor 3 channels.
    """
    if image_shape[-1] not in (1, 3):
        raise UserError(f"classifier=inception_v3 takes images of 1 or 3 channels, but these have {image_shape[-1]}")
    if weights is not None and not pathlib.Path(weights).is_file():
        raise UserError(f"inception_weights={weights}: there is no such file; expected weights of InceptionV3")
    if weights is None:
        _check_available()
    try:
        inception = keras.applications.InceptionV3(weights=weights or "imagenet", classifier_activation=None)
    except Exception as error:
        # A damaged file, a file of another network, an interrupted download: each raises other exceptions.
        raise UserError(
            f"inception_weights={weights or 'imagenet'} cannot be loaded ({brief(error)}); expected a weights file of "
            "keras.applications.InceptionV3()"
        ) from error
    images = x = keras.Input(image_shape)
    if is_grey(image_shape):
        x = keras.layers.Concatenate()([x, x, x])
    x = keras.layers.Resizing(_SIDE, _SIDE)(x)
    x = keras.layers.Rescaling(2.0, offset=-1.0)(x)
    both = keras.Model(inception.inputs, (inception.output, inception.get_layer("avg_pool").output))
    return keras.Model(images, both(x))


def _check_available():
    """Raise `UserError` unless Keras's weights are in its cache or can be downloaded."""
    cached = keras_internals.cached_inception_weights()
    if cached.is_file():
        return
    try:
        public.check_network()
    except OSError as error:
        raise UserError(
            f"classifier=inception_v3 needs ImageNet weights, but they are not in {cached} and cannot be downloaded "
            f"({error}); pass inception_weights=FILE, a weights file of keras.applications.InceptionV3"
        ) from error
