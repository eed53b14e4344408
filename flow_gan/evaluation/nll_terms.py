"""Where the nats of a flow's negative log-likelihood are."""

import dataclasses
import functools

import numpy as np
import tensorflow as tf

from flow_gan import data
from flow_gan.bijectors import Chain, even_odd_split
from flow_gan.evaluation.checks import finite_warnings
from flow_gan.evaluation.progress import progress
from flow_gan.evaluation.statistics import mean_and_error, with_error
from flow_gan.generators import NICE, NO_PER_IMAGE_LIKELIHOOD, Generator

# The terms of an NLL in the order in which they are computed, and their sum, as people write them.
TERMS = {"prior": "-log p(z)", "log_scales": "-log-scales", "logit": "-log |d logit/dx|", "nll": "NLL"}
# Training images that are read at once.
_READ_AT_ONCE = 1000


@dataclasses.dataclass(frozen=True)
class TermSums:
    """The terms of an NLL, each summed over some of an image's pixel values.

    Attributes:
      num_values: int, pixel values (of the H W C of an image) that the sums are over.
      means: {term: float}, of each of `TERMS` the mean over images of the sum, in nats per image.
      standard_errors: {term: float}, over images. That of "nll" is of the sum of the three terms in each image, which
        is no sum of theirs.
    """

    num_values: int
    means: dict
    standard_errors: dict


@dataclasses.dataclass(frozen=True)
class NLLTerms:
    """A flow's NLL of dequantised images, taken apart.

        NLL = sum_i -log p(z_i) + sum_i -log-scale_i(x) + sum_i -log |d logit / dx_i|

    over the D = H W C pixel values i of an image x. The log-scales are NICE's diagonal s, the same for all images, or
    those of Real-NVP's affine couplings, all together. The logit is `bijectors.alpha_logit`, the first layer of both.

    In NICE z_i belongs to a pixel value: a coupling adds to an entry what it makes of the others, every entry keeps its
    place, and only s_i scales it. So the terms are known of each pixel value. In Real-NVP every coupling also scales an
    entry, by what it makes of other pixels, at several scales: z_i and its log-scales are no pixel's own, and there are
    totals only.

    Attributes:
      total: `TermSums` over all pixel values; the mean of "nll" is that of `evaluate_nll`.
      regions: {"black": `TermSums`, "constant": `TermSums`} over the pixel values that are 0, or have one grey level
        in all training images; {} where these are not given, and of a flow without terms per pixel.
      per_pixel: {term: float [H, W, C]}, arrays: of each of `TERMS` the mean over images in nats per pixel value; None
        of a flow whose z_i have no pixels.
      num_images: int.
      num_available: int, images in the split; more than `num_images` says that the figures are of a part. None: all.
      finite_fraction: float, share of the images whose three terms are finite; the means are not where it is below 1.
      is_per_image: bool, whether each image's terms depend on that image alone.
    """

    total: TermSums
    regions: dict
    per_pixel: dict | None
    num_images: int
    num_available: int | None
    finite_fraction: float
    is_per_image: bool

    @property
    def warnings(self) -> list:
        """Sentences that must stand beside the figures, none where they are sound."""
        found = [] if self.is_per_image else [NO_PER_IMAGE_LIKELIHOOD]
        return found + finite_warnings(self.finite_fraction)

    def __str__(self):
        of = f" of {self.num_available}" if self.num_available not in (None, self.num_images) else ""
        parts = {f"all {self.total.num_values} pixel values": self.total}
        for name, sums in self.regions.items():
            parts[f"{sums.num_values} {name} in all training images"] = sums
        rows = [[f"nats ({self.num_images}{of} images)", *TERMS.values()]]
        for name, sums in parts.items():
            rows.append([name, *(with_error(sums.means[term], sums.standard_errors[term], 2) for term in TERMS)])
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join([first.ljust(widths[0]), *map(str.rjust, others, widths[1:])]) for first, *others in rows]
        return "\n".join([*lines, *(f"warning: {warning}" for warning in self.warnings)])

    def to_dict(self) -> dict:
        """Return all figures by name."""
        maps = self.per_pixel and {term: values.tolist() for term, values in self.per_pixel.items()}
        return dataclasses.asdict(self) | {"per_pixel": maps, "warnings": self.warnings}


def evaluate_nll_terms(
    generator: Generator,
    images: np.ndarray,
    batch_size: int,
    train_images=None,
    num_available: int | None = None,
) -> NLLTerms:
    """Return the `NLLTerms` of a flow.

    Args:
      generator: `Generator`.
      images: float [n, H, W, C] in [0, 1], dequantised.
      batch_size: int, that of training; see `evaluate_nll`.
      train_images: uint8 [N, H, W, C], as in `data.Split`, which tell what pixel values never change; None leaves the
        `regions` out.
      num_available: int, see `NLLTerms`.

    Raises:
      UserError: the generator has no likelihood.
    """
    generator.require_likelihood("NLL to take apart")
    has_pixels = isinstance(generator, NICE)
    masks = constant_values(train_images) if has_pixels and train_images is not None else {}
    count = len(images)
    batch_size = data.evaluation_batch_size(batch_size, generator.fast_batch_size, count)
    compute = tf.function(functools.partial(_pixel_terms if has_pixels else _totals, generator), autograph=False)
    masks["all"] = np.ones(generator.image_shape, bool)
    sums = {name: [] for name in masks}
    per_pixel = np.zeros((3, *generator.image_shape))
    for start in progress(range(0, count, batch_size), "NLL terms"):
        # As the NLL's: the last batch is filled up with the first images.
        terms = compute(images[np.arange(start, start + batch_size) % count]).numpy()[: count - start]
        if not has_pixels:
            sums["all"].append(terms)
            continue
        per_pixel += terms.sum(axis=0, dtype=np.float64)
        for name, mask in masks.items():
            sums[name].append(terms[..., mask].sum(axis=-1, dtype=np.float64))
    sums = {name: np.concatenate(parts).astype(np.float64) for name, parts in sums.items()}
    found = {name: _term_sums(np.sum(mask), sums[name]) for name, mask in masks.items()}
    return NLLTerms(
        found.pop("all"),
        found,
        dict(zip(TERMS, _with_nll(per_pixel / count), strict=True)) if has_pixels else None,
        count,
        num_available,
        float(np.mean(np.isfinite(sums["all"]).all(axis=1))),
        generator.has_per_image_likelihood,
    )


def constant_values(images) -> dict:
    """Return which pixel values are the same in all images: {"black": bool [H, W, C], "constant": bool [H, W, C]}.

    The black ones, of grey level 0, are constant, too.

    Args:
      images: uint8 [N, H, W, C], as in `data.Split`.
    """
    lowest = highest = np.asarray(images[np.arange(1)])[0]
    for start in progress(range(0, len(images), _READ_AT_ONCE), "training images"):
        some = images[np.arange(start, min(start + _READ_AT_ONCE, len(images)))]
        lowest, highest = np.minimum(lowest, some.min(axis=0)), np.maximum(highest, some.max(axis=0))
    return {"black": highest == 0, "constant": lowest == highest}


def _parts(generator, images):
    """Return -log p(z_i), [batch, D], minus the sum of log-scales, and -log |d logit / dx_i|, [batch, H, W, C].

    The second is [batch] in Real-NVP and [] in NICE, where it is the same for all images.
    """
    images = tf.cast(images, generator.compute_dtype)
    # A chain applies its last bijector first: in every flow the logit.
    *others, logit = generator.bijector().bijector.bijectors
    rest = Chain(others)
    y = logit.forward(images)
    return (
        -generator.prior.distribution.log_prob(rest.forward(y)),
        -rest.forward_log_det_jacobian(y, event_ndims=3),
        -logit.forward_log_det_jacobian(images, event_ndims=0),
    )


def _totals(generator, images):
    """Return the three terms of each image, [batch, 3]."""
    prior, log_scales, logit = _parts(generator, images)
    return tf.stack([tf.reduce_sum(prior, 1), log_scales, tf.reduce_sum(logit, [1, 2, 3])], 1)


def _pixel_terms(nice, images):
    """Return the three terms of each pixel value of each image, [batch, 3, H, W, C]."""
    prior, _, logit = _parts(nice, images)
    to_pixels = even_odd_split(nice.image_shape).inverse
    log_scales = tf.broadcast_to(-nice.log_scale.value, tf.shape(prior))
    return tf.stack([to_pixels(prior), to_pixels(log_scales), logit], 1)


def _term_sums(num_values, terms):
    """Return the `TermSums` of terms [n, 3]."""
    pairs = [mean_and_error(values) for values in _with_nll(terms.T)]
    means, errors = (dict(zip(TERMS, values, strict=True)) for values in zip(*pairs, strict=True))
    return TermSums(int(num_values), means, errors)


def _with_nll(terms):
    """Return terms [3, ...] and their sum, [4, ...]."""
    with np.errstate(invalid="ignore"):
        return np.concatenate([terms, terms.sum(axis=0, keepdims=True)])
