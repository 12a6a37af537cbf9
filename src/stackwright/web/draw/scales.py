"""Positions on an axis, in percent of its length."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

_STEPS = (1.0, 2.0, 5.0)


@dataclass(frozen=True)
class LogScale:
    """A logarithmic axis from `low` to `high`, both 1, 2 or 5 times a power of ten."""

    low: float
    high: float

    def at(self, x: float) -> float:
        """Position of `x`, 0 to 100; beyond the ends it stays at the end."""
        share = math.log(max(x, 1e-300) / self.low) / math.log(self.high / self.low)
        return 100.0 * min(max(share, 0.0), 1.0)

    def ticks(self, most: int = 9) -> list[float]:
        """Round values to mark: 1-2-5 steps, powers of ten alone where those would be more than `most`."""
        for steps in (_STEPS, (1.0, 3.0), (1.0,)):
            decades = range(math.floor(math.log10(self.low)) - 1, math.ceil(math.log10(self.high)) + 1)
            found = [s * 10.0**d for d in decades for s in steps]
            inside = [t for t in found if self.low * 0.999 <= t <= self.high * 1.001]
            if len(inside) <= most:
                break
        return inside


def log_scale(values: Iterable[float]) -> LogScale:
    """The shortest log axis with round ends that holds all positive `values`.

    >>> log_scale([0.26, 18.0])
    LogScale(low=0.2, high=20.0)
    """
    positive = [v for v in values if v > 0.0 and math.isfinite(v)] or [1.0]
    low, high = _round_down(min(positive)), _round_up(max(positive))
    if low >= high:
        low, high = _round_down(low * 0.6), _round_up(high * 1.8)
    return LogScale(low, high)


@dataclass(frozen=True)
class LinearScale:
    """A linear axis from `low` to `high`, both multiples of `step`."""

    low: float
    high: float
    step: float

    def at(self, x: float) -> float:
        """Position of `x`, 0 to 100; beyond the ends it stays at the end."""
        return 100.0 * min(max((x - self.low) / (self.high - self.low), 0.0), 1.0)

    def ticks(self) -> list[float]:
        """Every multiple of the step."""
        return [self.low + i * self.step for i in range(round((self.high - self.low) / self.step) + 1)]


def linear_scale(values: Iterable[float], most: int = 7) -> LinearScale:
    """The shortest linear axis with at most `most` steps of 1, 2 or 5 times a power of ten that holds `values`.

    >>> linear_scale([59.1, 83.4])
    LinearScale(low=55.0, high=85.0, step=5.0)
    """
    known = [v for v in values if math.isfinite(v)] or [0.0]
    low, high = min(known), max(known)
    if low == high:
        low, high = low - 0.5 * abs(low or 1.0), high + 0.5 * abs(high or 1.0)
    step = _round_down((high - low) / most)
    while math.ceil(high / step) - math.floor(low / step) > most:
        step = _round_up(step * 1.5)
    return LinearScale(math.floor(low / step) * step, math.ceil(high / step) * step, step)


def _round_down(x: float) -> float:
    decade = math.floor(math.log10(x))
    return max(float(f"{s}e{d}") for d in (decade - 1, decade) for s in (1, 2, 5) if float(f"{s}e{d}") <= x * 1.000001)


def _round_up(x: float) -> float:
    decade = math.floor(math.log10(x))
    return min(float(f"{s}e{d}") for d in (decade, decade + 1) for s in (1, 2, 5) if float(f"{s}e{d}") >= x * 0.999999)
