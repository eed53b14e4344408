"""The network of published scores, as its frozen graph gives it, by a small stand-in with the same nodes."""

import numpy as np
import pytest
import tensorflow as tf

import flow_gan
from flow_gan import data
from flow_gan.evaluation import classifier, inception

FEATURES, CLASSES = 5, 7
RNG = np.random.default_rng(0)
KERNEL = RNG.normal(size=(50, 50, 3, FEATURES)).astype(np.float32) / 50
MEAN, BETA = RNG.normal(size=(2, FEATURES)).astype(np.float32)
VARIANCE, GAMMA = RNG.uniform(0.5, 2, (2, FEATURES)).astype(np.float32)
WEIGHTS = RNG.normal(size=(FEATURES, CLASSES)).astype(np.float32)


def graph_def(scales=True):
    """A graph like that of 2015: one image, resized and scaled; batch norm by an op that newer graphs may not have."""
    with tf.Graph().as_default() as graph:
        image = tf.constant(0.0, shape=(4, 4, 3), name="Cast")
        images = tf.expand_dims(image, 0, name="ExpandDims")
        resized = tf.compat.v1.image.resize_bilinear(images, [299, 299], name="ResizeBilinear")
        scaled = tf.multiply(tf.subtract(resized, 128.0, name="Sub"), 1 / 128, name="Mul")
        hidden = tf.nn.conv2d(scaled, KERNEL, 50, "VALID", name="conv")
        for name, value in (("mean", MEAN), ("variance", VARIANCE), ("beta", BETA), ("gamma", GAMMA)):
            tf.constant(value, name=name)
        normal = tf.nn.relu(tf.identity(hidden, name="batchnorm"))
        pooled = tf.nn.avg_pool(normal, 5, 1, "VALID", name="pool_3")
        flat = tf.reshape(pooled, [1, FEATURES], name="pool_3/_reshape")
        logits = tf.matmul(flat, tf.constant(WEIGHTS, name="softmax/weights"), name="softmax/logits/MatMul")
        tf.nn.softmax(logits + 3.0, name="softmax")
    found = graph.as_graph_def()
    (node,) = (node for node in found.node if node.name == "batchnorm")
    node.op = "BatchNormWithGlobalNormalization"
    del node.input[:]
    node.input.extend(["conv", "mean", "variance", "beta", "gamma"])
    node.attr["variance_epsilon"].f = 1e-3
    node.attr["scale_after_normalization"].b = scales
    # Of before it was deprecated.
    found.versions.producer = 8
    return found


def expected(images, scales=True):
    """Return logits and features of uint8 images [n, H, W, 3] by the formulas."""
    resized = tf.compat.v1.image.resize_bilinear(images.astype(np.float32), [299, 299])
    hidden = tf.nn.conv2d((resized - 128) / 128, KERNEL, 50, "VALID")
    hidden = tf.nn.relu((GAMMA if scales else 1) * (hidden - MEAN) / tf.sqrt(VARIANCE + 1e-3) + BETA)
    features = tf.reduce_mean(hidden, [1, 2]).numpy()
    return features @ WEIGHTS, features


def dataset(shape):
    split = data.Split(np.random.default_rng(1).integers(0, 256, (6, *shape)).astype(np.uint8))
    return data.Dataset(name="made", image_shape=shape, levels=256, train=split, validation=split, test=split)


@pytest.mark.parametrize("channels, scales", [(1, True), (3, True), (3, False)])
def test_batches_go_through_the_graph_of_2015(channels, scales, tmp_path):
    path = tmp_path / "classify_image_graph_def.pb"
    path.write_bytes(graph_def(scales).SerializeToString())
    of = dataset((8, 9, channels))
    judge = classifier.load_classifier("inception_v3", of, tmp_path, path)
    images = of.test.images
    probabilities, features = judge.predict(images)
    logits, want = expected(np.repeat(images, 3, -1) if channels == 1 else images, scales)
    np.testing.assert_allclose(features, want, rtol=1e-4, atol=1e-5)
    # Without a bias, as in the release of the Inception score.
    np.testing.assert_allclose(probabilities, tf.nn.softmax(logits), rtol=1e-4)
    assert judge.network_name == inception.PUBLISHED and judge.num_features == FEATURES
    assert judge.resizing.startswith("8x9 to 299x299, bilinear from the corner") and "published" in judge.note
    assert ("grey repeated" in judge.resizing) == (channels == 1)


def test_graphs_of_other_networks(tmp_path):
    path = tmp_path / "graph.pb"
    other = graph_def()
    for node in other.node:
        node.name = node.name.replace("pool_3", "pool_4")
    for content, message in (
        (b"no graph", "cannot be loaded"),
        (b"", "cannot be loaded"),
        (other.SerializeToString(), "has no pool_3; expected classify_image_graph_def.pb"),
    ):
        path.write_bytes(content)
        with pytest.raises(flow_gan.UserError, match=f"inception_weights={path} {message}"):
            classifier.load_classifier("inception_v3", dataset((8, 8, 3)), tmp_path, path)


def test_resizing_in_words():
    assert inception.inception_resizing((28, 28, 1), None) == (
        "28x28 to 299x299, bilinear from the pixels' centres, without antialiasing, grey repeated to 3 channels"
    )
