"""Keras layers that own weights: coupling networks, normalisation, critics, DCGAN's generator."""
