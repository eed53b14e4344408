"""Four experiments that the paper did not make: python -m examples.findings --help."""

import flow_gan  # noqa: F401  First: it filters what TensorFlow says at its import.
