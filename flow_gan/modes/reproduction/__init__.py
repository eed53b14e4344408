"""--mode=reproduce in parts: what is planned, what has been done, what was found, and how it is told."""
