"""Four experiments that the paper did not make: python -m examples.findings --help."""
