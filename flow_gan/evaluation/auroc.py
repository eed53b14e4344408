"""How well a number tells two kinds of images apart: the area under the ROC curve, and its error."""

import dataclasses

import numpy as np

from flow_gan.evaluation.statistics import RESAMPLES, bootstrap_error
from flow_gan.evaluation.text import with_error


@dataclasses.dataclass(frozen=True, kw_only=True)
class AUROC:
    """The probability that of two images, one of either kind, the second kind's has the higher score.

    1 where all have, 0.5 where the score says nothing, 0 where it tells them apart the wrong way round.

    Attributes:
      value: the probability; images with the same score count half.
      standard_error: by the bootstrap over both kinds of images. It is 0 where the scores do not overlap: then none of
        the images tells how rarely others would.
      resamples: [times], the values in its resamples.
    """

    value: float
    standard_error: float
    resamples: np.ndarray = dataclasses.field(repr=False)

    def __str__(self) -> str:
        return with_error(self.value, self.standard_error, 3)


def evaluate_auroc(own: np.ndarray, other: np.ndarray, times: int = RESAMPLES, seed: int = 0) -> AUROC:
    """Return the `AUROC` of scores of a kind's own images [n] against those of another kind [m], n and m 2 or more.

    It is U / (n m) of Mann and Whitney's U (Hanley and McNeil 1982), and depends on the order of the scores alone, so
    that they may be infinite. NaN is above all.

    A resample draws n of the own and m of the other images with replacement, the same ones in all calls with the same
    seed, n and m: two scores, or two models, can be compared in pairs.
    """
    # The place of each score among the different ones.
    places = np.unique(np.concatenate([own, other]), return_inverse=True)[1]
    size = int(places.max()) + 1

    def value(own_places, other_places):
        own_counts = np.bincount(own_places, minlength=size)
        lower = np.cumsum(own_counts) - own_counts / 2
        return float(np.mean(lower[other_places]) / len(own_places))

    pair = places[: len(own)], places[len(own) :]
    rng = np.random.default_rng(seed)
    resamples = [value(*(part[rng.integers(len(part), size=len(part))] for part in pair)) for _ in range(times)]
    error = bootstrap_error(np.array(resamples), min(len(own), len(other)))
    assert error is not None
    return AUROC(value=value(*pair), standard_error=error, resamples=np.array(resamples))
