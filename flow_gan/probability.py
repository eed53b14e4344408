"""The names of TensorFlow Probability that the package uses; no other module imports it.

It is barely maintained, and can be replaced here; docs/tensorflow_probability.md says what would replace each name. It
is imported when a name is first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

NAMES = {
    "bijectors": (
        "Bijector",
        "Chain",
        "Invert",
        "JointMap",
        "Reshape",
        "Scale",
        "Shift",
        "Sigmoid",
        "Split",
        "Transpose",
    ),
    "distributions": ("Distribution", "Logistic", "Normal", "Sample", "TransformedDistribution", "Uniform"),
    "math": ("reduce_logmeanexp", "value_and_gradient"),
    "mcmc": ("HamiltonianMonteCarlo", "SimpleStepSizeAdaptation"),
}


class _Part:
    """The names of one module of TensorFlow Probability."""

    def __init__(self, module: str):
        self._module = module

    def __getattr__(self, name: str) -> Any:
        if name not in NAMES[self._module]:
            raise AttributeError(f"flow_gan.probability does not list {self._module}.{name}")
        return getattr(getattr(importlib.import_module("tensorflow_probability"), self._module), name)


if TYPE_CHECKING:
    from tensorflow_probability import bijectors, distributions, math, mcmc
else:
    bijectors, distributions, math, mcmc = map(_Part, NAMES)
