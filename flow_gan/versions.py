"""Versions of the packages that a result depends on."""

import importlib.metadata

PACKAGES = ("tensorflow", "keras", "tensorflow-probability", "numpy", "scikit-learn")


def installed(*more: str) -> dict[str, str]:
    """Return the installed versions, {package: version}, of `PACKAGES` and of `more`."""
    return {package: importlib.metadata.version(package) for package in (*PACKAGES, *more)}
