"""Results in words."""

import math
from collections.abc import Iterable


def with_error(value: float, error: float, digits: int) -> str:
    """Return "value +- error", with "unknown" for an error that is NaN."""
    return f"{value:.{digits}f} +- {'unknown' if math.isnan(error) else f'{error:.{digits}f}'}"


def out_of(used: int, available: int | None) -> str:
    """Return "used of available", or "used" if all were used; `available` None means that all were used."""
    return f"{used}" if available in (None, used) else f"{used} of {available}"


def with_warnings(text: str, warnings: Iterable[str]) -> str:
    """Return a text with a line for each warning."""
    return "\n".join([text, *(f"warning: {warning}" for warning in warnings)])
