"""Finished runs and what is measured of them."""
