"""Two-sided 90 % intervals from the stated spread of the constants.

Each metric is taken as log-normal: its variance of ln is the sum over constants of (sensitivity x sd)^2, the
sensitivity d ln(metric) / d ln(constant) by a one-sided difference of the whole model (first-order
propagation).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from stackwright.performance import Candidates

Array = NDArray[np.float64]
Metrics = Mapping[str, Array]

LEVEL = 0.90
Z = NormalDist().inv_cdf(0.5 + LEVEL / 2.0)
_STEP = 1e-3


@dataclass(frozen=True)
class Uncertain:
    """Metrics with their spread: `value[name]` and `sd_ln(name)` arrays, `correlation` of two."""

    value: Metrics
    sensitivity: Mapping[str, Mapping[str, Array]]
    sd: Mapping[str, float]

    def sd_ln(self, name: str) -> Array:
        """Standard deviation of ln(metric)."""
        return np.sqrt(self._covariance(name, name))

    def correlation(self, a: str, b: str) -> Array:
        """Correlation of ln of two metrics (they share constants)."""
        scale = np.maximum(self.sd_ln(a) * self.sd_ln(b), 1e-12)
        return np.clip(self._covariance(a, b) / scale, -0.999, 0.999)

    def interval(self, name: str) -> tuple[Array, Array]:
        """Low and high of the two-sided 90 % interval."""
        factor = np.exp(Z * self.sd_ln(name))
        return self.value[name] / factor, self.value[name] * factor

    def _covariance(self, a: str, b: str) -> Array:
        total: Array = np.zeros_like(self.value[a])
        for constant, of in self.sensitivity.items():
            total = total + self.sd[constant] ** 2 * of[a] * of[b]
        return total


def propagate(evaluate: Callable[[Candidates], Metrics], c: Candidates) -> Uncertain:
    """Metrics of `evaluate` (positive arrays by name) with their spread; one run per constant."""
    base = evaluate(c)
    sensitivity: dict[str, dict[str, Array]] = {}
    for name in c.constants.uncertain:
        moved = evaluate(c.shifted(name, _STEP))
        with np.errstate(invalid="ignore"):  # an unstable load has infinite latency before and after
            of = {k: _log_ratio(moved[k], base[k]) / _STEP for k in base}
        if any(np.any(v) for v in of.values()):
            sensitivity[name] = of
    return Uncertain(base, sensitivity, {k: c.constants.sd(k) for k in sensitivity})


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
