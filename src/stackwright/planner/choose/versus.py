"""Which of two uncertain costs is lower, and how sure that is."""

from __future__ import annotations

import math
from statistics import NormalDist

from stackwright.serving.intervals import Z
from stackwright.serving.prediction import Interval

SURE = 0.9
_NORMAL = NormalDist()


def p_less(a: Interval, b: Interval) -> float:
    """Probability that `a` is below `b`, both log-normal with two-sided 90 % intervals, taken as independent.

    Where an interval is not symmetric in ln, the half towards the other value counts: a normal law with
    sd = |ln(end / value)| / z(0.95). Exact prices have sd 0. Two stacks predicted by one model err in the same
    direction, so independence understates how sure the order is. A cost in whole units may have its value as an end:
    that side counts as exact, though as much as 5 % lies beyond it.

    >>> exact = Interval(2.0, 2.0, 2.0)
    >>> round(p_less(Interval(1.0, 0.5, 2.0), exact), 2), p_less(exact, exact)
    (0.95, 0.5)
    """
    if a.value == b.value:
        return 0.5
    if a.value > b.value:
        return 1.0 - p_less(b, a)
    sd = math.hypot(_half(a.high, a.value), _half(b.value, b.low))
    distance = math.log(b.value / a.value)
    return _NORMAL.cdf(distance / sd) if sd > 0.0 else 1.0


def _half(high: float, low: float) -> float:
    return math.log(high / low) / Z if low > 0.0 and math.isfinite(high) else math.inf
