"""Two-sided 90 % intervals: from measured error where the record is calibrated, else from the spread of the constants.

Measured error (`calibrated`): the conformal factors of the record by how near its measurements are, one evaluation.

Spread of the constants (`propagate`): each metric is taken as log-normal; its variance of ln is the sum over constants
of (sensitivity x sd)^2, the sensitivity d ln(metric) / d ln(constant) by a one-sided difference of the whole model
(first-order propagation). A constant known only to a factor of e or worse moves to both ends of its own interval
instead, within its bounds, and what it adds may differ above and below.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from stackwright.performance.pools import Served

Array = NDArray[np.float64]
Metrics = Mapping[str, Array]
Ends = Mapping[str, tuple[Array, Array]]

LEVEL = 0.90
Z = NormalDist().inv_cdf(0.5 + LEVEL / 2.0)
_STEP = 1e-3
_WIDE = 1.0  # sd of ln(constant) from which a straight line is no longer trusted


@dataclass(frozen=True)
class Uncertain:
    """Metrics with their spread: `value[name]`, and `ends[name]`, ln of low / value and of high / value.

    `parts[constant][name]` is what one constant (one sd of it) adds to ln(metric), for the correlation of two metrics;
    `shared` is that correlation where it was measured instead.
    """

    value: Metrics
    ends: Ends
    parts: Mapping[str, Metrics] = field(default_factory=dict)
    shared: float = 0.0

    def sd_ln(self, name: str) -> Array:
        """Standard deviation of ln(metric); of a normal law as wide as the interval where that is not symmetric."""
        low, high = self.ends[name]
        sd: Array = (high - low) / (2.0 * Z)
        return sd

    def correlation(self, a: str, b: str) -> Array:
        """Correlation of ln of two metrics."""
        if not self.parts:
            return np.full_like(self.value[a], self.shared)
        covariance = sum((of[a] * of[b] for of in self.parts.values()), start=np.zeros_like(self.value[a]))
        return np.clip(covariance / np.maximum(self.sd_ln(a) * self.sd_ln(b), 1e-12), -0.999, 0.999)

    def interval(self, name: str) -> tuple[Array, Array]:
        """Low and high of the two-sided 90 % interval."""
        low, high = self.ends[name]
        return self.value[name] * np.exp(low), self.value[name] * np.exp(high)

    def take(self, rows: NDArray[np.int64]) -> Uncertain:
        """The spread of the given rows, in that order."""
        return Uncertain(
            value={k: v[rows] for k, v in self.value.items()},
            ends={k: (low[rows], high[rows]) for k, (low, high) in self.ends.items()},
            parts={c: {k: v[rows] for k, v in of.items()} for c, of in self.parts.items()},
            shared=self.shared,
        )


def propagate(evaluate: Callable[[Served], Metrics], c: Served) -> Uncertain:
    """Metrics of `evaluate` (positive arrays by name) with their spread; one run per constant, two for a wide one."""
    base = evaluate(c)
    parts: dict[str, dict[str, Array]] = {}
    below = {k: np.zeros_like(v) for k, v in base.items()}
    above = {k: np.zeros_like(v) for k, v in base.items()}
    for name in c.constants.uncertain:
        down, up = _wide(evaluate, c, name, base) if c.constants.sd(name) >= _WIDE else _narrow(evaluate, c, name, base)
        if not any(np.any(down[k]) or np.any(up[k]) for k in base):
            continue
        parts[name] = {k: (up[k] - down[k]) / (2.0 * Z) for k in base}
        for k in base:
            below[k] += np.minimum(np.minimum(down[k], up[k]), 0.0) ** 2
            above[k] += np.maximum(np.maximum(down[k], up[k]), 0.0) ** 2
    return Uncertain(base, {k: (-np.sqrt(below[k]), np.sqrt(above[k])) for k in base}, parts)


def _narrow(evaluate: Callable[[Served], Metrics], c: Served, name: str, base: Metrics) -> tuple[Metrics, Metrics]:
    """ln of each metric with the constant at the ends of its 90 % interval, over now: first order."""
    moved = evaluate(c.shifted(name, _STEP))
    up = {k: _log_ratio(moved[k], base[k]) / _STEP * c.constants.sd(name) * Z for k in base}
    return {k: -v for k, v in up.items()}, up


def _wide(evaluate: Callable[[Served], Metrics], c: Served, name: str, base: Metrics) -> tuple[Metrics, Metrics]:
    """The same at the ends themselves, no farther than the bounds of the constant: a straight line reaches too far."""
    half, bounds, now = Z * c.constants.sd(name), c.constants.entries[name], c.theta[name]
    down = evaluate(c.shifted(name, np.maximum(-half, np.log(bounds.low / now))))
    up = evaluate(c.shifted(name, np.minimum(half, np.log(bounds.high / now))))
    return {k: _log_ratio(down[k], base[k]) for k in base}, {k: _log_ratio(up[k], base[k]) for k in base}


def _log_ratio(moved: Array, base: Array) -> Array:
    """ln(moved / base); 0 where either is infinite (an unstable load stays unstable)."""
    with np.errstate(invalid="ignore"):
        ratio = np.log(np.maximum(moved, 1e-300) / np.maximum(base, 1e-300))
    return np.nan_to_num(ratio, posinf=0.0, neginf=0.0)


def probability_below(limit: float, value: Array, sd_ln: Array) -> Array:
    """Probability that a log-normal metric stays at or below `limit`; 0 where the value is infinite."""
    with np.errstate(divide="ignore", invalid="ignore"):
        z = (np.log(limit) - np.log(value)) / np.maximum(sd_ln, 1e-9)
    return np.nan_to_num(normal_cdf(z))


def probability_both(p: Array, q: Array, correlation: Array) -> Array:
    """Probability of two events of correlated normals, between independence and full dependence.

    p q + g (max - p q) with g = 2/pi asin(rho) and max = min(p, q); for rho < 0 towards min = (p + q - 1)^+ instead
    (the Frechet bounds). Exact at rho = -1, 0, 1 and, for p = q = 1/2, at any rho (Sheppard 1899); elsewhere
    within 0.037 of the bivariate normal integral.
    """
    both = p * q
    share = np.arcsin(np.clip(correlation, -1.0, 1.0)) * (2.0 / math.pi)
    above, below = np.minimum(p, q) - both, both - np.maximum(p + q - 1.0, 0.0)
    return both + share * np.where(share > 0.0, above, below)


def normal_cdf(z: Array) -> Array:
    """Standard normal distribution function, elementwise."""
    erf = np.frompyfunc(math.erf, 1, 1)
    return 0.5 * (1.0 + np.asarray(erf(np.asarray(z) / math.sqrt(2.0)), dtype=np.float64))
