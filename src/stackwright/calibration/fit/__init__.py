"""Shifts of the constants from measured rows: levels, robust least squares, energy, and a few points of one's own."""
