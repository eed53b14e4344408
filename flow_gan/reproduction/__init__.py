"""A reproduction of the paper: what is planned, what has been done, what was measured, and the report on it."""
