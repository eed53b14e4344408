"""A Keras model whose `fit`, `evaluate` and `predict` take grey levels and labels, on one replica or several."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from flow_gan import distribution, fit_callbacks, inputs
from flow_gan.errors import UserError
from flow_gan.generators.base import Generator
from flow_gan.keras_internals import BuiltModel
from flow_gan.networks.replicas import has_several_processes


class ImageModel(BuiltModel, keras.Model):
    """A Keras model with a generator that is trained and evaluated on grey levels; `FlowGAN` lists the accepted forms.

    Images are checked. In evaluation they are also numbered, since their place in the whole set keys the noise. A
    subclass defines `make_step`, `test_step` and `predict_step`.

    Args:
      generator: `Generator`.
      levels: int, grey levels of the images.
      images_per_example: () for a training batch [batch, H, W, C], (n,) for [batch, n, H, W, C].
      **kwargs: of `keras.Model`.
    """

    # Keras's own.
    train_function: Callable | None
    test_function: Callable | None

    # Only in a model with a critic.
    critic_optimizer: Any = None

    def __init__(self, generator: Generator, levels: int, images_per_example: tuple = (), **kwargs: Any):
        super().__init__(dtype=generator.dtype_policy, **kwargs)
        self.generator = generator
        self.levels = levels
        self._images_per_example = images_per_example
        self._images = inputs.ImageCheck(generator.image_shape, levels, generator.num_classes)
        self._images_on_device = None
        self._labels_on_device = None
        self._traced_step: Any = None

    @property
    def is_conditional(self) -> bool:
        """Whether images come with labels."""
        return self.generator.num_classes is not None

    def make_step(self, images: tf.Tensor, labels: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        """Make a training step on this replica's part of a batch, uint8, and its labels; return its logs, scalars."""
        raise NotImplementedError

    def initialize(self, images: Any) -> None:
        """Set the generator's weights whose initial values depend on images, unless it was done before."""
        raise NotImplementedError

    def _initialize_from(self, what, x):
        """Call `initialize` with the images that `what` was given: an array, or the first batch of a data set."""
        if self.generator.is_initialized:
            return
        if self._images_on_device is not None:
            x = self._images_on_device.numpy()
        elif isinstance(x, tf.distribute.DistributedDataset):
            raise UserError(
                f"{what}: a distributed data set, but {type(self.generator).__name__} begins with statistics of "
                "images; expected a call of initialize(images) before, with training images"
            )
        elif isinstance(x, tf.data.Dataset):
            # Of an empty one Keras tells.
            x = np.asarray(tf.nest.flatten(next(iter(x), np.zeros([0])))[0])
        if len(x):
            self.initialize(x.reshape(-1, *self.generator.image_shape))

    def _with_labels(self, what, x, y):
        """Return (images, labels) where Keras's argument y is given; only a conditional model takes it."""
        if not self.is_conditional:
            inputs.refuse(what, y=y)
        return x if y is None else (x, y)

    def fit(
        self,
        x: Any,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        *,
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        class_weight: None = None,
        sample_weight: None = None,
        **kwargs: Any,
    ) -> keras.callbacks.History:
        """Train on images; all arguments are those of `keras.Model.fit`. The first call begins with `initialize`.

        Args:
          x: images as the class describes them; with critic_batches="fresh" batches [batch, n_critic, H, W, C]; after
            `keep_on_device` their numbers. Grey levels are checked, except for those of a distributed data set.
          y: labels, int [N], of a conditional model whose `x` is an array of images; `x` may also be the pair. Their
            shares become p(y), unless `x` is a data set; see `FlowGenerator.set_class_shares`.
          class_weight, sample_weight: None.
          batch_size, epochs: int.
          callbacks: of Keras. One that sets the learning rate acts on both optimizers: the critic's keeps its
            proportion to the generator's. The monitors "nll" and "val_nll" need no `mode`.
          validation_split: float, share of an array, at its end, that is used for validation.
          validation_data: images, or (images, labels), for `evaluate` after each epoch.
          **kwargs: all other arguments of `keras.Model.fit`.

        Raises:
          UserError: what is wrong with the images or an argument.
        """
        inputs.refuse("fit", class_weight=class_weight, sample_weight=sample_weight)
        x = self._with_labels("fit", x, y)
        labels = None
        found: list[UserError] = []
        if not self._is_told_by_the_step(x):
            x = self._images.to_train("fit(x)", x, found, self._images_per_example)
            if isinstance(x, tuple):
                x, labels = x
        if validation_split and validation_data is None:
            if not isinstance(x, np.ndarray) or not 0 < validation_split < 1:
                raise UserError(f"fit(validation_split={validation_split}); expected 0 to 1, and an array of images")
            count = int(len(x) * (1 - validation_split))
            if not count:
                raise UserError(f"fit(validation_split={validation_split}) leaves none of {len(x)} images to train on")
            x, validation_data = x[:count], x[count:]
            if labels is not None:
                labels, validation_data = labels[:count], (validation_data, labels[count:])
        if labels is not None:
            self.generator.set_class_shares(np.bincount(labels.ravel(), minlength=self.generator.num_classes or 0))
        distribution.check_equal_parts("fit", x, batch_size, self.distribute_strategy.num_replicas_in_sync)
        if validation_data is not None:
            validation_data = self._images.to_evaluate("fit(validation_data)", validation_data, found)
        with inputs.raising(found):
            self._initialize_from("fit(x)", x)
            callbacks = fit_callbacks.prepare(callbacks, self)
            return super().fit(
                x, labels, batch_size, epochs, callbacks=callbacks, validation_data=validation_data, **kwargs
            )

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: str | int = "auto",
        sample_weight: None = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Return the mean NLL of images and its standard error, in nats; all arguments are those of `keras.Model`.

        Of a conditional model it is the NLL given the labels, -log p(x | y).

        The noise is keyed by (seed, the image's place in the whole set), so that the batch size makes no difference.

        Args:
          x: images, or (images, labels), as the class describes them, or batches from `data.evaluation_batches`.
          y: labels, as in `fit`.
          sample_weight: None.
          batch_size, verbose, steps, callbacks, return_dict, **kwargs: as in `keras.Model.evaluate`.

        Raises:
          UserError: what is wrong with the images or an argument, or the generator has no likelihood.
        """
        inputs.refuse("evaluate", sample_weight=sample_weight)
        x = self._with_labels("evaluate", x, y)
        self.generator.require_likelihood("NLL")
        found: list[UserError] = []
        # The validation data of a `fit` are numbered already, and returned unchanged.
        x = self._images.to_evaluate("evaluate(x)", x, found)
        with inputs.raising(found):
            return super().evaluate(
                x, None, batch_size, verbose, None, steps, callbacks, return_dict=return_dict, **kwargs
            )

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: str | int = "auto",
        steps: int | None = None,
        callbacks: Any = None,
    ) -> np.ndarray:
        """Return log p(x), [N], in nats, of images dequantised as `evaluate` does, with its arguments and errors.

        Of a conditional model `x` is (images, labels), and it returns log p(x | y).
        """
        self.generator.require_likelihood("log p(x)")
        found: list[UserError] = []
        x = self._images.to_evaluate("predict(x)", x, found)
        with inputs.raising(found):
            return super().predict(x, batch_size, verbose, steps, callbacks)

    def train_on_batch(
        self, x: Any, y: Any = None, sample_weight: None = None, class_weight: None = None, **kwargs: Any
    ) -> Any:
        """Make a step on one batch; see `fit`."""
        inputs.refuse("train_on_batch", sample_weight=sample_weight, class_weight=class_weight)
        x = self._with_labels("train_on_batch", x, y)
        labels = None
        if not self._is_told_by_the_step(x):
            x, labels = self._images.to_train("train_on_batch(x)", x, [], self._images_per_example)
        self._initialize_from("train_on_batch(x)", x)
        return super().train_on_batch(x, labels, **kwargs)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: None = None, **kwargs: Any) -> Any:
        """Evaluate one batch as if it were the whole set; see `evaluate`."""
        inputs.refuse("test_on_batch", sample_weight=sample_weight)
        x = self._with_labels("test_on_batch", x, y)
        self.generator.require_likelihood("NLL")
        return super().test_on_batch(*self._images.arrays("test_on_batch(x)", x), **kwargs)

    def predict_on_batch(self, x: Any) -> np.ndarray:
        """Return log p(x) of one batch as if it were the whole set; see `predict`."""
        self.generator.require_likelihood("log p(x)")
        images, labels = self._images.arrays("predict_on_batch(x)", x)
        return super().predict_on_batch(images if labels is None else (images, labels))

    def keep_on_device(self, images: Any) -> None:
        """Copy the training images, uint8 [N, H, W, C], to each device; `fit` then takes their numbers, int32.

        Of a conditional model `images` is the pair (images, labels).
        """
        images, labels = self._images.arrays("keep_on_device(images)", images)
        with self.distribute_strategy.scope():
            self._images_on_device = tf.Variable(images, trainable=False)
            self._labels_on_device = None if labels is None else tf.Variable(labels, trainable=False)

    def _is_told_by_the_step(self, x):
        """Whether images to train on can be checked only when the step is traced."""
        return isinstance(x, tf.distribute.DistributedDataset) or self._images_on_device is not None

    def batch_of(self, data: Any) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Return (uint8 images, labels or None) of what `train_step` takes."""
        if self._images_on_device is None:
            return self._images.parts("a batch to train on", data)
        data = inputs.only_images("a batch to train on", data)
        if not tf.as_dtype(data.dtype).is_integer or data.dtype == tf.uint8:
            raise UserError(
                f"a batch to train on: {tf.as_dtype(data.dtype).name}; expected int32, numbers of the images given to "
                "keep_on_device"
            )
        labels = self._labels_on_device
        return tf.gather(self._images_on_device, data), None if labels is None else tf.gather(labels, data)

    def numbered(self, data: Any) -> dict[str, tf.Tensor]:
        """Return a batch to evaluate, numbered or not, in the form of `data.evaluation_batches`."""
        if isinstance(data, tuple) and len(data) == 1:
            data = data[0]
        if not inputs.is_numbered(data):
            images, labels = self._images.parts("a batch", data)
            data = inputs.number(images, labels=labels)
        self._images.kind("a batch", data["images"].dtype, data["images"].shape)
        return data

    def numbered_set(self, images: Any) -> dict[str, tf.Tensor]:
        """Return images numbered as the whole set, for a call of the model; `UserError` if they are not images."""
        if tf.executing_eagerly():
            images, labels = self._images.arrays("FlowGAN", images)
        else:
            images, labels = self._images.parts("FlowGAN", images)
        self._images.kind("FlowGAN", images.dtype, images.shape)
        return inputs.number(images, labels=labels)

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Make a training step on a batch that `fit` takes; see `make_step`."""
        images, labels = self.batch_of(data)
        self._images.kind("a batch to train on", images.dtype, images.shape, self._images_per_example)
        if labels is None:
            return (self._traced_step or self.make_step)(images)
        self._images.label_kind("a batch to train on", labels.dtype, labels.shape, self._images_per_example)
        return (self._traced_step or self.make_step)(images, tf.cast(labels, tf.int32))

    def trace_step(self, batch_size: int) -> None:
        """Trace the training step before `fit`, whose own function then calls the traced one.

        Only for one replica: several synchronise, which tf.distribute forbids inside a nested function.
        """
        batch = (batch_size, *self._images_per_example)
        specs = [tf.TensorSpec((*batch, *self.generator.image_shape), tf.uint8)]
        if self.is_conditional:
            specs.append(tf.TensorSpec(batch, tf.int32))
        self._traced_step = tf.function(self.make_step, autograph=False)
        self._traced_step.get_concrete_function(*specs)

    def make_train_function(self, force: bool = False) -> Callable | None:
        """As `keras.Model` does; see `distribution.step_function`."""
        if not has_several_processes(self.distribute_strategy):
            return super().make_train_function(force)
        if self.train_function is None or force:
            self.train_function = distribution.step_function(
                self.distribute_strategy, self.train_step, self.jit_compile
            )
        return self.train_function

    def make_test_function(self, force: bool = False) -> Callable | None:
        """As `make_train_function`."""
        if not has_several_processes(self.distribute_strategy):
            return super().make_test_function(force)
        if self.test_function is None or force:
            self.test_function = distribution.step_function(self.distribute_strategy, self.test_step, self.jit_compile)
        return self.test_function
