"""Measured rows against the catalogue: what each one ran, which belong together, and the set that is fitted."""
