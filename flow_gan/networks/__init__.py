"""Keras layers that own weights: coupling networks, normalisation, critics."""
