"""A trained model as a SavedModel, which TensorFlow runs without this package."""

import dataclasses
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from flow_gan import random
from flow_gan.config.datasets import SPLITS
from flow_gan.errors import UserError, check_tensorflow_path
from flow_gan.model import FlowGAN
from flow_gan.networks.gradients import library_gradients
from flow_gan.training.output import whole
from flow_gan.training.run_folder import check_free

# Batch sizes with which an export is checked.
BATCH_SIZES = (1, 3, 8)
# {precision of the networks: largest allowed difference between an export and its model}. It is relative to the largest
# value of the result, to 1 if that is more, or to the number of terms if the result is a sum whose terms may cancel.
# In float32 rounding was at most 5e-7, measured with full-size NICE for MNIST and Real-NVP for CIFAR-10. Values in
# bfloat16 have 8 bits, and an export fuses other operations than the model, without rounding between them.
BOUNDS = {"float32": 1e-5, "bfloat16": 1e-2}

# Program that calls all signatures in a process without flow_gan and the libraries that it is built on.
_FRESH_PROCESS = """
import sys
for name in ("flow_gan", "keras", "tf_keras", "tensorflow_probability"):
    sys.modules[name] = None
import numpy as np
import tensorflow as tf
export, inputs, outputs = sys.argv[1:]
signatures = tf.saved_model.load(export).signatures
calls, results = {}, {}
with np.load(inputs) as file:
    for key in file.files:
        name, batch, argument = key.split("/")
        calls.setdefault((name, batch), {})[argument] = tf.constant(file[key])
for (name, batch), arguments in calls.items():
    for output, value in signatures[name](**arguments).items():
        results[f"{name}/{batch}/{output}"] = value.numpy()
np.savez(outputs, **results)
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Signature:
    """One entry of a SavedModel.

    Attributes:
      function: the model's function, from keyword arguments to a tensor.
      inputs: by name; a batch has any size.
      output: name of the result.
      terms: number of terms of order 1 that each value of the result is the sum of.
    """

    function: Callable[..., tf.Tensor]
    inputs: dict[str, tf.TensorSpec]
    output: str
    terms: int = 1

    def __str__(self) -> str:
        inputs = ", ".join(
            f"{name} {spec.dtype.name} [{', '.join('N' if n is None else str(n) for n in spec.shape)}]"
            for name, spec in self.inputs.items()
        )
        return f"({inputs}) -> {self.output}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Difference:
    """The difference between a signature's results in an export and in its model.

    Attributes:
      largest: largest |exported - own| over all values; 0 for two equal infinities and for two NaNs, infinity where
        only one of the two is finite.
      scale: largest finite |own|, or the signature's `terms` if that is more.
      finite_fraction: share of the model's own values that are finite.
      bound: the largest allowed `largest` / `scale`, one of `BOUNDS`.
    """

    largest: float
    scale: float
    finite_fraction: float
    bound: float

    def __str__(self) -> str:
        text = f"{self.largest:.2g} (allowed {self.bound * self.scale:.2g})"
        return (
            text
            if self.finite_fraction == 1
            else f"{text}; {100 * self.finite_fraction:.3g} % of the values are finite"
        )

    @property
    def is_allowed(self) -> bool:
        """Whether it is within the bound."""
        return self.largest <= self.bound * self.scale


def export(model: FlowGAN, path: str | os.PathLike) -> dict[str, Difference]:
    """Write a model in evaluation mode as a SavedModel, and check it in a process that has only TensorFlow.

    It has the `signatures` of the model. The folder appears only when it is complete and checked; after an error
    nothing remains.

    Args:
      path: folder to create.

    Returns:
      {signature: `Difference`} from the model's own results, with batches of each of `BATCH_SIZES`.

    Raises:
      UserError: `path` exists or cannot be created, or a difference is not allowed.
    """
    path = pathlib.Path(path)
    check_path(path)
    with whole(path, "export_dir") as written:
        _write(model, written)
        differences = verify(model, written)
        for name, difference in differences.items():
            if not difference.is_allowed:
                raise UserError(f"--export_dir={path} is not created: {name} differs from the model by {difference}")
    return differences


def check_path(path: str | os.PathLike) -> None:
    """Raise `UserError` if anything stands at the path of an export, or TensorFlow could not read the path."""
    check_tensorflow_path("--export_dir", path)
    check_free("export_dir", path, may_be_empty=False)


def signatures(model: FlowGAN) -> dict[str, Signature]:
    """Return the signatures of a model by name.

    Every generator has `sample`. A flow also has `log_prob`, `encode`, `decode` and, with a critic, `critic`. Those
    that take images take them dequantised, float in [0, 1]. Their variants with `_uint8` in the name take grey levels
    and a seed; with the run's seed they add the noise that `--mode=evaluate` adds to the test images in order.

    Those of a conditional model take labels, int32 [N] of 0 to num_classes - 1, too. Its `sample` draws an image of
    each label, and has no count. Its `log_prob` is log p(x | y), and `joint_log_prob` gives log p(x, y) of all classes.
    """
    generator = model.generator
    dtype = generator.prior.dtype
    seed = {"seed": tf.TensorSpec([], tf.int32)}
    labels = {} if generator.num_classes is None else {"labels": tf.TensorSpec([None], tf.int32)}
    sampling = {**(labels or {"count": tf.TensorSpec([], tf.int32)}), **seed, "temperature": tf.TensorSpec([], dtype)}

    def sample(count=None, **how):
        return generator.sample(tf.shape(how["labels"])[0] if count is None else count, **how)

    found = {"sample": Signature(function=_within_classes(generator, sample), inputs=sampling, output="images")}
    if not generator.has_likelihood:
        return found
    z = {"z": tf.TensorSpec([None, generator.latent_size], dtype), **labels}
    found["decode"] = Signature(function=_within_classes(generator, generator.decode), inputs=z, output="images")
    images = {"images": tf.TensorSpec([None, *generator.image_shape], dtype)}
    grey_levels = {"images": tf.TensorSpec([None, *generator.image_shape], tf.uint8), **seed}
    of_images = {"log_prob": (generator.log_prob, "log_prob", generator.size), "encode": (generator.encode, "z", 1)}
    if model.critic is not None:
        of_images["critic"] = (model.critic_logits, "logits", 1)
    if labels:
        of_images["joint_log_prob"] = (generator.joint_log_prob, "joint_log_prob", generator.size)
    for name, (function, output, terms) in of_images.items():
        given = {} if name == "joint_log_prob" else labels
        function = _within_classes(generator, function)
        found[name] = Signature(function=function, inputs=images | given, output=output, terms=terms)
        found[f"{name}_uint8"] = Signature(
            function=_of_grey_levels(model, function), inputs=grey_levels | given, output=output, terms=terms
        )
    return found


def _within_classes(generator, function):
    """Return a function that checks the labels that it is given, if any.

    A GPU would take those out of range for zeros, and a single one would stand for all images.
    """

    def checked(**given):
        if "labels" in given:
            largest = generator.num_classes - 1
            message = f"labels: expected 0 to {largest}"
            checks = [
                tf.debugging.assert_non_negative(given["labels"], message),
                tf.debugging.assert_less_equal(given["labels"], largest, message),
            ]
            for name in given.keys() & {"images", "z"}:
                counts = (tf.shape(given[part])[:1] for part in ("labels", name))
                checks.append(tf.debugging.assert_equal(*counts, f"labels: expected one for each of {name}"))
            # Eagerly they have no operations. The labels are used after them, lest another error comes first.
            with tf.control_dependencies([check for check in checks if check is not None]):
                given = given | {"labels": tf.identity(given["labels"])}
        return function(**given)

    return checked


def _of_grey_levels(model, function):
    def of_grey_levels(images, seed, **labels):
        if model.levels < 256:
            largest = model.levels - 1
            tf.debugging.assert_less_equal(
                images, tf.constant(largest, tf.uint8), f"images: expected grey levels 0 to {largest}"
            )
        batch = {"images": images, "index": [0], "split": [SPLITS.index("test")]}
        return function(images=model.draws.evaluation_images(batch, seed=seed), **labels)

    return of_grey_levels


def _write(model, path):
    # TensorFlow does not find all weights of a Keras model and of bijectors, so they are listed.
    root = tf.Module()
    root.weights = [weight.value for part in (model.generator, model.critic) if part for weight in part.weights]
    with library_gradients():
        functions = {name: _concrete(signature) for name, signature in signatures(model).items()}
    try:
        tf.saved_model.save(root, str(path), functions)
    except tf.errors.OpError as error:
        raise OSError(error.message) from error


def _concrete(signature):
    @tf.function(autograph=False)
    def function(**inputs):
        return {signature.output: signature.function(**inputs)}

    # TensorFlow takes the names of a signature's arguments from the tensors.
    named = {name: tf.TensorSpec(spec.shape, spec.dtype, name) for name, spec in signature.inputs.items()}
    return function.get_concrete_function(**named)


def verify(model: FlowGAN, path: str | os.PathLike) -> dict[str, Difference]:
    """Compare the SavedModel in the folder `path` with its model, in a process that has only TensorFlow, on the CPU.

    Returns:
      {signature: `Difference`}.

    Raises:
      UserError: the SavedModel cannot be loaded or called there.
    """
    found = signatures(model)
    with tf.device("CPU:0"):
        calls = {f"{name}/{n}": _example(model, s, n) for name, s in found.items() for n in BATCH_SIZES}
        own = {key: found[key.split("/")[0]].function(**arguments) for key, arguments in calls.items()}
    exported = _call_in_fresh_process(path, calls)
    differences = {}
    for name, signature in found.items():
        keys = [f"{name}/{n}" for n in BATCH_SIZES]
        differences[name] = _difference(
            [exported[f"{key}/{signature.output}"] for key in keys],
            [own[key].numpy() for key in keys],
            signature.terms,
            BOUNDS[model.generator.precision],
        )
    return differences


def _example(model, signature, count):
    """Return arguments of a signature for a batch of `count`."""
    generator = model.generator
    # Half are samples of the model, half are noise. No pixel is white: its logit would depend on float32's last bit.
    grey_levels = np.nan_to_num(generator.sample(count, seed=count).numpy()) * model.levels
    grey_levels[1::2] = np.random.default_rng(count).uniform(0, model.levels, grey_levels[1::2].shape)
    grey_levels = np.clip(grey_levels, 0, max(model.levels - 2, 0)).astype(np.uint8)
    key = random.key(count, random.Stream.SAMPLE)
    values = {
        "count": count,
        "seed": count,
        "temperature": 0.7,
        "z": generator.sample_latent(key, 0, count),
        "images": grey_levels,
        "labels": np.arange(count) % (generator.num_classes or 1),
    }
    arguments = {}
    for name, spec in signature.inputs.items():
        value = values[name]
        if name == "images" and spec.dtype != tf.uint8:
            value = (value + 0.5) / model.levels
        arguments[name] = tf.cast(value, spec.dtype)
    return arguments


def _call_in_fresh_process(path, calls):
    """Return {signature/batch/output: array} of {signature/batch: arguments}."""
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "TF_ENABLE_ONEDNN_OPTS")}
    with tempfile.TemporaryDirectory() as folder:
        inputs, outputs = (os.path.join(folder, name) for name in ("inputs.npz", "outputs.npz"))
        np.savez(inputs, **{f"{key}/{k}": v.numpy() for key, arguments in calls.items() for k, v in arguments.items()})
        done = subprocess.run(
            # -P: do not import from the current folder.
            [sys.executable, "-P", "-c", _FRESH_PROCESS, os.path.abspath(path), inputs, outputs],
            env=environment | {"CUDA_VISIBLE_DEVICES": "-1"},
            cwd=folder,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
        )
        if done.returncode:
            why = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise UserError(f"the export cannot be used by plain TensorFlow (status {done.returncode}): {why}")
        with np.load(outputs) as file:
            return dict(file)


def _difference(exported, own, terms, bound):
    exported, own = (np.concatenate([np.ravel(part) for part in parts]).astype(np.float64) for parts in (exported, own))
    finite = np.isfinite(own)
    with np.errstate(invalid="ignore"):
        apart = np.abs(exported - own)
    same = (exported == own) | (np.isnan(exported) & np.isnan(own))
    apart = np.where(same, 0.0, np.where(np.isfinite(apart), apart, np.inf))
    scale = np.abs(own[finite]).max(initial=terms)
    return Difference(largest=float(apart.max()), scale=float(scale), finite_fraction=float(finite.mean()), bound=bound)
