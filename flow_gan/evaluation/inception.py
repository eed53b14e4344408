"""The ImageNet classifier Inception: the network of 2015 that published scores are of, or InceptionV3 of Keras."""

import hashlib
import os
import pathlib
from collections.abc import Callable

import keras
import tensorflow as tf

from flow_gan import keras_internals
from flow_gan.data import is_grey, public
from flow_gan.errors import UserError, brief
from flow_gan.networks.precision import default_keras_settings

# The network of inception-2015-12-05.tgz, by its release.
PUBLISHED = "inception-2015-12-05"

_SIDE = 299
# Nodes of its graph: the images, 0 to 255; the last pooling, [n, 1, 1, 2048]; what multiplies it by the weights.
_IMAGES, _POOLED, _LOGITS = "ExpandDims", "pool_3", "softmax/logits/MatMul"
_EXPECTED = (
    "expected classify_image_graph_def.pb of inception-2015-12-05.tgz, or a weights file of "
    "keras.applications.InceptionV3"
)

Network = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


def is_published(weights: str | os.PathLike | None) -> bool:
    """Whether a file of weights is a frozen graph, by its name: the form in which the network of 2015 was released."""
    return weights is not None and pathlib.Path(weights).suffix == ".pb"


def check_inception(image_shape: tuple[int, int, int], weights: str | os.PathLike | None) -> None:
    """Raise `UserError` for images of neither 1 nor 3 channels, or weights of which there is no file."""
    if image_shape[-1] not in (1, 3):
        raise UserError(f"classifier=inception_v3 takes images of 1 or 3 channels, but these have {image_shape[-1]}")
    if weights is not None and not pathlib.Path(weights).is_file():
        raise UserError(f"inception_weights={weights}: there is no such file; {_EXPECTED}")


def inception_resizing(image_shape: tuple[int, int, int], weights: str | os.PathLike | None) -> str:
    """Return how images come to the network's size, in words."""
    height, width, _ = image_shape
    how = "from the corner, as TensorFlow 1 does" if is_published(weights) else "from the pixels' centres"
    grey = ", grey repeated to 3 channels" if is_grey(image_shape) else ""
    return f"{height}x{width} to {_SIDE}x{_SIDE}, bilinear {how}, without antialiasing{grey}"


def make_inception(image_shape: tuple[int, int, int], weights: str | os.PathLike | None = None) -> tuple[Network, str]:
    """Return Inception (Szegedy et al. 2016), from images of any size, and what identifies its weights.

    Grey images are repeated to three channels; all are resized to 299x299 and scaled to [-1, 1]. The features are those
    of the last pooling, 2048. By the graph of 2015 the class scores are the logits without their bias, 1008, as in the
    release of the Inception score (Salimans et al. 2016); by Keras's network they are the logits, 1000.

    Args:
      image_shape: (H, W, C), C 1 or 3.
      weights: the frozen graph of 2015, a .pb file, or a weights file of `keras.applications.InceptionV3`; None for
        Keras's own ImageNet weights, from its cache or downloaded.

    Returns:
      The function from images [batch, H, W, C] in [0, 1] to (logits [batch, K], features [batch, 2048]), and what
      identifies the network with its weights.

    Raises:
      UserError: the weights are missing or of another network, or images have neither 1 nor 3 channels.
    """
    check_inception(image_shape, weights)
    if weights is not None and is_published(weights):
        return _frozen(image_shape, weights), PUBLISHED
    network = _of_keras(image_shape, weights)
    # In evaluation explicitly, since Keras otherwise lets the batch norms of a model inside a model train.
    return lambda images: network(images, training=False), f"keras inception_v3, {weights_digest(network)}"


def weights_digest(network: keras.Model) -> str:
    """Return 16 hexadecimal digits of the SHA-256 of a network's weights."""
    digest = hashlib.sha256()
    for value in network.get_weights():
        digest.update(value.tobytes())
    return digest.hexdigest()[:16]


def _frozen(image_shape, path):
    graph = tf.compat.v1.GraphDef()
    try:
        graph.ParseFromString(pathlib.Path(path).read_bytes())
        nodes = {node.name: node for node in graph.node}
        weights = nodes[_LOGITS].input[1]
        missing = [name for name in (_IMAGES, _POOLED) if name not in nodes]
    except Exception as error:
        # No graph, or one without such nodes: of exceptions protobuf has its own.
        raise UserError(f"inception_weights={path} cannot be loaded ({brief(error)}); {_EXPECTED}") from error
    if missing:
        raise UserError(f"inception_weights={path} has no {' and no '.join(missing)}; {_EXPECTED}")

    _renew_batch_norms(graph)

    def network(images):
        if is_grey(image_shape):
            images = tf.repeat(images, 3, -1)
        # It resizes and scales by itself.
        pooled, matrix = tf.import_graph_def(
            graph, {f"{_IMAGES}:0": 255 * images}, [f"{_POOLED}:0", weights if ":" in weights else f"{weights}:0"]
        )
        features = tf.squeeze(pooled, [1, 2])
        return features @ matrix, features

    return network


def _renew_batch_norms(graph):
    """Put FusedBatchNormV3 in place of the op of 2015, (x, mean, variance, beta, gamma), which is no more."""
    for node in [node for node in graph.node if node.op == "BatchNormWithGlobalNormalization"]:
        x, mean, variance, beta, gamma = node.input
        if not node.attr["scale_after_normalization"].b:
            ones = graph.node.add(name=f"{node.name}/ones", op="OnesLike", input=[variance])
            ones.attr["T"].type = node.attr["T"].type
            gamma = ones.name
        kind, epsilon = node.attr["T"].type, node.attr["variance_epsilon"].f
        node.op = "FusedBatchNormV3"
        del node.input[:]
        node.input.extend([x, gamma, beta, mean, variance])
        node.attr.clear()
        node.attr["T"].type = node.attr["U"].type = kind
        node.attr["epsilon"].f = epsilon
        node.attr["is_training"].b = False


@default_keras_settings()
def _of_keras(image_shape, weights):
    if weights is None:
        _check_available()
    try:
        inception = keras.applications.InceptionV3(weights=weights or "imagenet", classifier_activation=None)
    except Exception as error:
        # A damaged file, a file of another network, an interrupted download: each raises other exceptions.
        raise UserError(
            f"inception_weights={weights or 'imagenet'} cannot be loaded ({brief(error)}); {_EXPECTED}"
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
            f"({error}); pass inception_weights=FILE, {_EXPECTED.removeprefix('expected ')}"
        ) from error
