"""A small convolutional classifier: its network and its training."""

import dataclasses
import math

import keras
import numpy as np

from flow_gan import data
from flow_gan.networks.convolution import Conv2D
from flow_gan.networks.precision import default_keras_settings
from flow_gan.progress import Progress

BATCH_SIZE = 128
_MAX_BLOCKS = 3
_PEAK_LEARNING_RATE = 4e-3
_WARM_UP = 0.25
_WEIGHT_DECAY = 0.02


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a classifier of a data set is built and trained.

    Attributes:
      width: channels of the first block; each further block has twice as many as the one before.
      shift: largest number of pixels by which training images are shifted, with zero padding.
      flip: whether half of the training images are mirrored.
    """

    width: int
    epochs: int
    shift: int
    flip: bool


def make_recipe(dataset: data.Dataset) -> Recipe:
    """Return the `Recipe` of a data set; training sees about the same number of images whatever the data set's size."""
    public = data.known_dataset(dataset.name)
    return Recipe(
        width=32 if dataset.is_grey else 64,
        epochs=min(math.ceil((200_000 if dataset.is_grey else 360_000) / len(dataset.train)), 40),
        shift=min(dataset.image_shape[:2]) // 8,
        flip=public is not None and public.horizontal_flip,
    )


@default_keras_settings()
def make_cnn(image_shape: tuple[int, int, int], num_classes: int, width: int, seed: int) -> keras.Model:
    """Return the classifier with its initial weights.

    It has up to three blocks. In a block each convolution is 3x3 and followed by batch normalisation and ReLU:

        x <- conv(x), halved by max pooling;  x <- x + conv(x)

    The features are the maxima of the last block's channels over the image, the logits a linear map of them.

    Args:
      image_shape: (H, W, C).
      width: see `Recipe`.
      seed: the initial weights of every layer are drawn from a seed of their own, derived from it.

    Returns:
      A model from images [batch, H, W, C] in [0, 1] to (logits [batch, num_classes], features [batch, F]).
    """
    seeds = iter(np.random.SeedSequence(seed).generate_state(2 * _MAX_BLOCKS + 1) >> 1)

    def initializer():
        return keras.initializers.HeNormal(int(next(seeds)))

    def convolve(x, filters):
        return Conv2D(filters, 3, padding="same", use_bias=False, kernel_initializer=initializer())(x)

    def normalize(x):
        return keras.layers.ReLU()(keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x))

    images = x = keras.Input(image_shape)
    x = keras.layers.Rescaling(2.0, offset=-1.0)(x)
    num_blocks = min(_MAX_BLOCKS, max(1, int(math.log2(min(image_shape[:2]))) - 1))
    for block in range(num_blocks):
        filters = width * 2**block
        x = normalize(keras.layers.MaxPooling2D(padding="same")(convolve(x, filters)))
        x = x + normalize(convolve(x, filters))
    features = keras.layers.GlobalMaxPooling2D()(x)
    logits = keras.layers.Dense(num_classes, kernel_initializer=initializer())(features)
    return keras.Model(images, (logits, features))


@default_keras_settings()
def train_cnn(
    network: keras.Model, images: data.Images, labels: np.ndarray, levels: int, recipe: Recipe, seed: int
) -> None:
    """Train by AdamW on the cross-entropy, with one cycle of the learning rate: linear warm-up, then cosine decay.

    Args:
      network: from `make_cnn`.
      images: uint8 [N, H, W, C].
      labels: int [N].
      levels: number of grey levels.
      seed: order, shifts and flips of an epoch depend on (seed, epoch) only.
    """
    logits, _ = network.outputs
    model = keras.Model(network.inputs, logits)
    batch_size = min(BATCH_SIZE, len(images))
    steps_per_epoch = len(images) // batch_size
    steps = recipe.epochs * steps_per_epoch
    warm_up = int(_WARM_UP * steps)
    schedule = keras.optimizers.schedules.CosineDecay(
        _PEAK_LEARNING_RATE / 10, steps - warm_up, warmup_target=_PEAK_LEARNING_RATE, warmup_steps=warm_up
    )
    model.compile(
        keras.optimizers.AdamW(schedule, weight_decay=_WEIGHT_DECAY),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    with Progress(None, "training the classifier", steps, unit="step") as bar:
        for epoch in range(recipe.epochs):
            rng = np.random.default_rng([seed, epoch])
            order = rng.permutation(len(images))
            for step in range(steps_per_epoch):
                chosen = np.sort(order[step * batch_size : (step + 1) * batch_size])
                batch = _augment(images[chosen], recipe, rng).astype(np.float32) / (levels - 1)
                loss = model.train_on_batch(batch, labels[chosen])
                # `train_on_batch` returns the mean over all batches so far.
                bar.set_postfix_str(f"mean cross-entropy {float(loss):.3f}", refresh=False)
                bar.update()


def _augment(images, recipe, rng):
    """Shift every image of a batch [n, H, W, C] at random, and mirror half of them if the recipe says so."""
    count, height, width, _ = images.shape
    if recipe.flip:
        mirrored = rng.uniform(size=count) < 0.5
        images[mirrored] = images[mirrored, :, ::-1]
    margin = (recipe.shift, recipe.shift)
    padded = np.pad(images, [(0, 0), margin, margin, (0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width), (1, 2))
    y, x = rng.integers(0, 2 * recipe.shift + 1, (2, count))
    return np.moveaxis(windows[np.arange(count), y, x], 1, -1)
