"""Singular values of the generator's Jacobian (paper, Section 5.1 and Appendix D, Figures 4 and 8)."""

import dataclasses
import functools
import hashlib
import json
import pathlib

import numpy as np
import tensorflow as tf

from flow_gan import random
from flow_gan.errors import NotFiniteError, UserError
from flow_gan.evaluation.float64 import in_float64
from flow_gan.evaluation.statistics import bootstrap_error, resampled
from flow_gan.evaluation.text import with_warnings
from flow_gan.generators import Generator
from flow_gan.generators.labels import arguments
from flow_gan.progress import progress
from flow_gan.training.files import write_json

# Rows of the Jacobian that are computed at once, by a backward pass through the generator with this batch size.
_ROWS = 256

# Largest difference, in nats, between the sum of log singular values and the flow's own log-determinant.
DISAGREEMENT_LIMIT = 0.01


def log_spread(singular_values: np.ndarray) -> float:
    """Return the standard deviation of log10 s over all singular values [n, r] that are not 0."""
    return float(np.log10(singular_values[singular_values > 0]).std())


def log_condition(singular_values: np.ndarray) -> float:
    """Return log10 of the median over z of the condition number s_1 / s_r, of [n, r]."""
    with np.errstate(divide="ignore"):
        return float(np.log10(np.median(singular_values[:, 0] / singular_values[:, -1])))


def median(singular_values: np.ndarray) -> float:
    """Return the median of all singular values [n, r]."""
    return float(np.median(singular_values))


# Statistics over all z together.
SUMMARIES = {"log_spread": log_spread, "log_condition": log_condition, "median": median}


@dataclasses.dataclass(frozen=True, kw_only=True)
class JacobianSpectrum:
    """Singular values s_1 >= ... >= s_r of dG/dz, [d, k], at several z ~ p(z).

    Attributes:
      singular_values: [draws, min(d, k)], in descending order.
      condition_numbers: s_1 / s_r at each z; infinite where s_r is 0.
      log_determinants: sum of log s_i at each z, in nats: log |det dG/dz| where d = k. -inf where an s_i is 0.
      flow_log_determinants: the same by the flow's own formula; None for a model that is not a flow.
      seed: of z; all generators with the same prior and number of latents have the same z.
    """

    singular_values: list[list[float]] = dataclasses.field(repr=False)
    condition_numbers: list[float] = dataclasses.field(repr=False)
    log_determinants: list[float] = dataclasses.field(repr=False)
    flow_log_determinants: list[float] | None = dataclasses.field(repr=False)
    seed: int

    @property
    def log_determinant(self) -> float:
        """Mean of log |det dG/dz| over z, in nats, by the flow's own formula where there is one."""
        return float(
            np.mean(self.log_determinants if self.flow_log_determinants is None else self.flow_log_determinants)
        )

    @functools.cached_property
    def summaries(self) -> dict[str, dict]:
        """`SUMMARIES` and the log-determinant with their errors by the bootstrap over z.

        {name: {"value": float, "standard_error": float or None for a single z, "resamples": list of float}}. The
        resamples of two models with the same seed and number of z can be compared pairwise; see `statistics.resampled`.
        """
        singular_values = np.array(self.singular_values)
        own = np.array(self.log_determinants if self.flow_log_determinants is None else self.flow_log_determinants)
        parts: dict = {name: (summary, singular_values) for name, summary in SUMMARIES.items()}
        found = {}
        for name, (summary, values) in (parts | {"log_determinant": (np.mean, own)}).items():
            resamples = resampled(summary, values, seed=self.seed)
            found[name] = {
                "value": float(summary(values)),
                "standard_error": bootstrap_error(resamples, len(values)),
                "resamples": resamples.tolist(),
            }
        return found

    @property
    def disagreement(self) -> float | None:
        """Largest difference between the sum of log singular values and the flow's log-determinant, in nats."""
        if self.flow_log_determinants is None:
            return None
        return float(np.max(np.abs(np.subtract(self.log_determinants, self.flow_log_determinants))))

    @property
    def warnings(self) -> list[str]:
        """Sentences to show with the numbers; none if they are sound."""
        values = np.array(self.singular_values)
        unresolved = int(np.sum(values < np.finfo(np.float64).eps * values[:, :1]))
        found = []
        if unresolved:
            found.append(
                f"{unresolved} of {values.size} singular values are below 2.2e-16 of the largest at their z, which is "
                "float64's resolution: their true values may be smaller"
            )
        if self.disagreement is not None and not self.disagreement <= DISAGREEMENT_LIMIT:
            found.append(
                f"the sum of log singular values and the flow's log-determinant differ by {self.disagreement:.3g} "
                f"nats, expected at most {DISAGREEMENT_LIMIT:g}"
            )
        return found

    def __str__(self) -> str:
        values, conditions = np.array(self.singular_values), np.array(self.condition_numbers)
        errors = {name: _shown(part["standard_error"]) for name, part in self.summaries.items()}
        lines = [
            f"singular values  {values.min():.3g} to {values.max():.3g}, median {np.median(values):.3g}"
            f"{errors['median']} ({values.shape[1]} at each of {len(values)} z)",
            f"spread of log10  {log_spread(values):.3g}{errors['log_spread']}",
            f"condition number {np.median(conditions):.3g} in the median, {conditions.min():.3g} to "
            f"{conditions.max():.3g}; log10 of the median {log_condition(values):.3g}{errors['log_condition']}",
            f"log-determinant  {self.log_determinant:.2f}{errors['log_determinant']} nats, mean of log |det dG/dz|",
        ]
        if self.disagreement is not None:
            lines.append(f"                 sum of log singular values: off by at most {self.disagreement:.2g} nats")
        return with_warnings("\n".join(lines), self.warnings)

    def to_dict(self) -> dict:
        """Return all figures by name."""
        return dataclasses.asdict(self) | {
            "log_determinant": self.log_determinant,
            "disagreement": self.disagreement,
            "summaries": self.summaries,
            "warnings": self.warnings,
        }


def _shown(error):
    return "" if error is None or not np.isfinite(error) else f" +- {error:.2g}"


def jacobian_spectrum(
    generator: Generator, draws: int = 64, seed: int = 0, folder: pathlib.Path | None = None
) -> JacobianSpectrum:
    """Return the `JacobianSpectrum` of a generator at `draws` samples z of its prior.

    Of a conditional generator each z has a label, drawn from p(y).

    Everything is computed in float64, by a copy of the generator: the singular values of a model trained only against a
    critic span a wider range than float32 resolves. The Jacobian is that of evaluation mode, before clipping.

    Args:
      draws: >= 1. The first z do not depend on this number.
      folder: where the values at each z are stored as soon as they are computed. A later call with the same weights
        and seed continues from there.

    Raises:
      UserError: `draws` is out of range, or a Jacobian is not finite.
    """
    if draws < 1:
        raise UserError(f"draws={draws}; expected 1 or more")
    store = _Store(folder, generator, seed)
    key = random.key(seed, random.Stream.SAMPLE)
    label_key = random.key(seed, random.Stream.LABEL, random.Stream.SAMPLE)
    found = []
    jacobian = None
    for number in progress(range(draws), "Jacobians"):
        values = store.load(number)
        if values is None:
            jacobian = jacobian or _Jacobian(generator)
            labels = jacobian.generator.sample_labels(label_key, number, 1)
            values = jacobian.at(jacobian.generator.sample_latent(key, number, 1), labels)
            store.save(number, values)
        found.append(values)
    singular_values = np.array([values["singular_values"] for values in found])
    largest, smallest = singular_values[:, 0], singular_values[:, -1]
    conditions = np.divide(largest, smallest, out=np.full(draws, np.inf), where=smallest > 0)
    with np.errstate(divide="ignore"):
        log_determinants = np.log(singular_values).sum(1)
    own = [values["log_determinant"] for values in found]
    return JacobianSpectrum(
        singular_values=singular_values.tolist(),
        condition_numbers=conditions.tolist(),
        log_determinants=log_determinants.tolist(),
        flow_log_determinants=own if generator.has_likelihood else None,
        seed=seed,
    )


class _Jacobian:
    """Jacobians of a float64 copy of a generator."""

    def __init__(self, generator):
        self.generator = in_float64(generator)
        self._rows = min(_ROWS, generator.size)
        self._block = tf.function(self._compute_block, autograph=False)

    def at(self, z, labels=None):
        """Return the singular values at z [1, k], and the flow's log-determinant there, as a dict."""
        rows = np.empty([self.generator.size, self.generator.latent_size])
        for start in range(0, len(rows), self._rows):
            # All blocks have the same shape, so the last one overlaps the one before.
            start = min(start, len(rows) - self._rows)
            rows[start : start + self._rows] = self._block(z, labels, tf.constant(start)).numpy()
        if not np.isfinite(rows).all():
            raise NotFiniteError(f"the Jacobian of {type(self.generator).__name__} is not finite at a z of the prior")
        log_determinant = None
        if self.generator.has_likelihood:
            log_determinant = float(
                self.generator.bijector(**arguments(labels)).forward_log_det_jacobian(z, event_ndims=1)[0]
            )
        return {
            "singular_values": np.linalg.svd(rows, compute_uv=False).tolist(),
            "log_determinant": log_determinant,
        }

    def _compute_block(self, z, labels, start):
        """Return `_rows` rows of dG/dz from `start` on: one forward pass, and a backward pass for each row."""
        with tf.GradientTape(watch_accessed_variables=False, persistent=True) as tape:
            tape.watch(z)
            image = tf.reshape(self.generator.decode(z, **arguments(labels)), [self.generator.size])

        def row(number):
            return tape.gradient(image, z, tf.one_hot(number, self.generator.size, dtype=tf.float64))[0]

        return tf.vectorized_map(row, start + tf.range(self._rows))


class _Store:
    """Stores the values at each z, with a fingerprint of the generator and the seed, if a folder is given."""

    def __init__(self, folder, generator, seed):
        self._folder = folder
        digest = hashlib.sha256(f"{type(generator).__name__} {seed}".encode())
        for weight in generator.weights:
            digest.update(f"{weight.path} {weight.shape} {weight.dtype}".encode())
            digest.update(weight.numpy().tobytes())
        self._fingerprint = digest.hexdigest()

    def _path(self, number):
        return self._folder / f"z-{number:04}.json"

    def load(self, number):
        """Return the stored values at z number `number`, or None."""
        if self._folder is None:
            return None
        try:
            stored = json.loads(self._path(number).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return stored["values"] if stored.get("fingerprint") == self._fingerprint else None

    def save(self, number, values):
        """Store a dict, completely or not at all."""
        if self._folder is not None:
            write_json(self._path(number), {"fingerprint": self._fingerprint, "values": values})
