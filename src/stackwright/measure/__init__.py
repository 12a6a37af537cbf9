"""Measurements: the table of operating points that others publish and users take."""

from stackwright.measure.table import Measurement, read_measurements

__all__ = ["Measurement", "read_measurements"]
