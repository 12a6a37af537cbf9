"""What a machine that is paid for costs to run."""

from __future__ import annotations


def electricity_usd_per_hour(watts: float, usd_per_kwh: float) -> float:
    """USD per hour of a steady draw at the meter.

    >>> electricity_usd_per_hour(500.0, 0.3)
    0.15
    """
    return watts / 1000.0 * usd_per_kwh
