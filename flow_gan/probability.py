"""What the package takes from TensorFlow Probability, which is barely maintained: these names and no others.

Nothing else imports it, so that a replacement begins and ends here; docs/tensorflow_probability.md says what would take
the place of each. It is imported when one of them is first asked for.
"""

import importlib
from typing import TYPE_CHECKING, Any

NAMES = {
    "bijectors": ("Bijector", "Chain", "Invert", "JointMap", "Reshape", "Scale", "Sigmoid", "Split", "Transpose"),
    "distributions": ("Distribution", "Logistic", "Normal", "Sample", "TransformedDistribution", "Uniform"),
    "math": ("reduce_logmeanexp", "value_and_gradient"),
    "mcmc": ("HamiltonianMonteCarlo", "SimpleStepSizeAdaptation"),
}


class _Part:
    """The names of one of its modules."""

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
