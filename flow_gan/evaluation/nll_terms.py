"""The terms of a flow's negative log-likelihood: the nats due to the prior, the log-scales and the logit."""

import dataclasses
import functools

import numpy as np
import tensorflow as tf

from flow_gan import data
from flow_gan.bijectors import even_odd_split
from flow_gan.evaluation.checks import finite_warnings
from flow_gan.evaluation.layers import logit_and_rest
from flow_gan.evaluation.statistics import mean_and_error
from flow_gan.evaluation.text import out_of, with_error, with_warnings
from flow_gan.generators import NICE, NO_PER_IMAGE_LIKELIHOOD, Generator
from flow_gan.progress import progress

# The terms of an NLL in the order in which they are computed, then their sum: {name: label}.
TERMS = {"prior": "-log p(z)", "log_scales": "-log-scales", "logit": "-log |d logit/dx|", "nll": "NLL"}
# Number of training images that are read at once.
_READ_AT_ONCE = 1000


@dataclasses.dataclass(frozen=True)
class TermSums:
    """The terms of an NLL, each summed over a subset of an image's pixel values.

    Attributes:
      num_values: number of pixel values in the subset.
      means: for each of `TERMS` the mean over images of the sum, in nats per image.
      standard_errors: over images. That of "nll" is the error of the three terms' sum, not the sum of their errors.
    """

    num_values: int
    means: dict[str, float]
    standard_errors: dict[str, float]


@dataclasses.dataclass(frozen=True, kw_only=True)
class NLLTerms:
    """A flow's NLL of dequantised images, split into its terms.

        NLL = sum_i -log p(z_i) + sum_i -log-scale_i(x) + sum_i -log |d logit / dx_i|

    over the D = H W C pixel values i of an image x. The log-scales are NICE's diagonal s, the same for all images, or
    the sum of those of Real-NVP's and Glow's layers. A learned prior's count among them, since z has the fixed one. The
    logit is `bijectors.alpha_logit`, the first layer of all flows.

    In NICE each z_i belongs to one pixel value: a coupling adds to an entry a function of other entries, every entry
    keeps its place, and only s_i scales it. So each pixel value has its own terms. In the other flows couplings also
    scale the entries, by functions of other pixels, at several scales: z_i and its log-scales do not belong to one
    pixel, and there are only totals.

    Attributes:
      total: over all pixel values; the mean of "nll" is that of `evaluate_nll`.
      regions: "black" over the pixel values that are 0 in all training images, "constant" over those that have the same
        grey level in all of them; {} if these images are not given, and for a flow without terms per pixel.
      per_pixel: for each of `TERMS` the mean over images in nats per pixel value, float [H, W, C]; None for a flow
        whose z_i do not belong to pixels.
      num_available: images in the split, `num_images` of which were used. None: all were used.
      finite_fraction: share of the images whose three terms are finite; if it is below 1, the means are not finite.
      is_per_image: whether each image's terms depend on that image alone.
      is_given_label: whether they are those of -log p(x | y), of a conditional model.
    """

    total: TermSums
    regions: dict[str, TermSums]
    per_pixel: dict[str, np.ndarray] | None = dataclasses.field(repr=False)
    num_images: int
    num_available: int | None
    finite_fraction: float
    is_per_image: bool
    is_given_label: bool = False

    @property
    def warnings(self) -> list[str]:
        """Sentences to show with the terms; none if they are sound."""
        found = [] if self.is_per_image else [NO_PER_IMAGE_LIKELIHOOD]
        return found + finite_warnings(self.finite_fraction)

    def __str__(self) -> str:
        parts = {f"all {self.total.num_values} pixel values": self.total}
        for name, sums in self.regions.items():
            parts[f"{sums.num_values} {name} in all training images"] = sums
        images = f"{out_of(self.num_images, self.num_available)} images{', given the label' * self.is_given_label}"
        rows = [[f"nats ({images})", *TERMS.values()]]
        for name, sums in parts.items():
            rows.append([name, *(with_error(sums.means[term], sums.standard_errors[term], 2) for term in TERMS)])
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join([first.ljust(widths[0]), *map(str.rjust, others, widths[1:])]) for first, *others in rows]
        return with_warnings("\n".join(lines), self.warnings)

    def to_dict(self) -> dict:
        """Return all figures by name."""
        maps = self.per_pixel and {term: values.tolist() for term, values in self.per_pixel.items()}
        return dataclasses.asdict(self) | {"per_pixel": maps, "warnings": self.warnings}


def evaluate_nll_terms(
    generator: Generator,
    images: np.ndarray,
    batch_size: int,
    train_images: data.Images | None = None,
    num_available: int | None = None,
    labels: np.ndarray | None = None,
) -> NLLTerms:
    """Return the `NLLTerms` of a flow.

    Args:
      images: float [n, H, W, C] in [0, 1], dequantised.
      batch_size: that of training; see `evaluate_nll`.
      train_images: uint8 [N, H, W, C], which define the `regions`; None leaves these out.
      num_available: see `NLLTerms`.
      labels: int [n], of a conditional flow, whose terms are given the labels.

    Raises:
      UserError: the generator has no likelihood.
    """
    generator.require_likelihood("NLL to split into terms")
    has_pixels = isinstance(generator, NICE)
    masks = constant_values(train_images) if has_pixels and train_images is not None else {}
    count = len(images)
    batch_size = data.evaluation_batch_size(batch_size, generator.fast_batch_size, count)
    compute = tf.function(functools.partial(_pixel_terms if has_pixels else _totals, generator), autograph=False)
    masks["all"] = np.ones(generator.image_shape, bool)
    by_batch: dict[str, list] = {name: [] for name in masks}
    per_pixel = np.zeros((3, *generator.image_shape))
    for start in progress(range(0, count, batch_size), "NLL terms"):
        # As in `evaluate_nll`, the last batch is filled up with the first images.
        chosen = np.arange(start, start + batch_size) % count
        given = () if labels is None else (labels[chosen],)
        terms = compute(images[chosen], *given).numpy()[: count - start]
        if not has_pixels:
            by_batch["all"].append(terms)
            continue
        per_pixel += terms.sum(axis=0, dtype=np.float64)
        for name, mask in masks.items():
            by_batch[name].append(terms[..., mask].sum(axis=-1, dtype=np.float64))
    sums = {name: np.concatenate(parts).astype(np.float64) for name, parts in by_batch.items()}
    found = {name: _term_sums(np.sum(mask), sums[name]) for name, mask in masks.items()}
    return NLLTerms(
        total=found.pop("all"),
        regions=found,
        per_pixel=dict(zip(TERMS, _with_nll(per_pixel / count), strict=True)) if has_pixels else None,
        num_images=count,
        num_available=num_available,
        finite_fraction=float(np.mean(np.isfinite(sums["all"]).all(axis=1))),
        is_per_image=generator.has_per_image_likelihood,
        is_given_label=labels is not None,
    )


def constant_values(images: data.Images) -> dict[str, np.ndarray]:
    """Return masks of pixel values that are the same in all images, {"black": bool [H, W, C], "constant": likewise}.

    The black ones have grey level 0 in all images, and are constant, too.

    Args:
      images: uint8 [N, H, W, C].
    """
    lowest = highest = np.asarray(images[np.arange(1)])[0]
    for start in progress(range(0, len(images), _READ_AT_ONCE), "training images"):
        some = images[np.arange(start, min(start + _READ_AT_ONCE, len(images)))]
        lowest, highest = np.minimum(lowest, some.min(axis=0)), np.maximum(highest, some.max(axis=0))
    return {"black": highest == 0, "constant": lowest == highest}


def _parts(generator, images, labels):
    """Return -log p(z_i), [batch, D], minus the sum of log-scales, and -log |d logit / dx_i|, [batch, H, W, C].

    The second is [] in NICE, where it is the same for all images, and [batch] in the others.
    """
    images = tf.cast(images, generator.compute_dtype)
    logit, rest = logit_and_rest(generator, labels)
    y = logit.forward(images)
    return (
        -generator.prior.distribution.log_prob(rest.forward(y)),
        -rest.forward_log_det_jacobian(y, event_ndims=3),
        -logit.forward_log_det_jacobian(images, event_ndims=0),
    )


def _totals(generator, images, labels=None):
    """Return the three terms of each image, [batch, 3]."""
    prior, log_scales, logit = _parts(generator, images, labels)
    return tf.stack([tf.reduce_sum(prior, 1), log_scales, tf.reduce_sum(logit, [1, 2, 3])], 1)


def _pixel_terms(nice, images, labels=None):
    """Return the three terms of each pixel value of each image, [batch, 3, H, W, C]."""
    prior, _, logit = _parts(nice, images, labels)
    to_pixels = even_odd_split(nice.image_shape).inverse
    log_scales = nice.log_scale.value
    if nice.has_prior_weights:
        of_prior = nice.prior_log_scale.value
        log_scales = log_scales - (of_prior if labels is None else tf.gather(of_prior, labels))
    log_scales = tf.broadcast_to(-log_scales, tf.shape(prior))
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
