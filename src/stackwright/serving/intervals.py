"""Two-sided 90 % intervals from the stated spread of the constants.

Each metric is taken as log-normal: its variance of ln is the sum over constants of (sensitivity x sd)^2, the
sensitivity d ln(metric) / d ln(constant) by a one-sided difference of the whole model (first-order
propagation).
"""

from __future__ import annotations

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
        of = {k: np.log(np.maximum(moved[k], 1e-300) / np.maximum(base[k], 1e-300)) / _STEP for k in base}
        if any(np.any(v) for v in of.values()):
            sensitivity[name] = {k: np.nan_to_num(v, posinf=0.0, neginf=0.0) for k, v in of.items()}
    return Uncertain(base, sensitivity, {k: c.constants.sd(k) for k in sensitivity})


def probability_below(limit: float, value: Array, sd_ln: Array) -> Array:
    """Probability that a log-normal metric stays at or below `limit`; 0 where the value is infinite."""
    with np.errstate(divide="ignore", invalid="ignore"):
        z = (np.log(limit) - np.log(value)) / np.maximum(sd_ln, 1e-9)
    return np.nan_to_num(normal_cdf(z))


def probability_both(p: Array, q: Array, correlation: Array) -> Array:
    """Probability of two events of correlated normals, between independence and full dependence.

    p q + rho^+ (min(p, q) - p q): exact at rho = 0 and rho = 1, within 0.05 between (checked against
    integration).
    """
    both = p * q
    return both + np.maximum(correlation, 0.0) * (np.minimum(p, q) - both)


def normal_cdf(z: Array) -> Array:
    """Standard normal distribution function, elementwise."""
    import math

    erf = np.frompyfunc(math.erf, 1, 1)
    return 0.5 * (1.0 + np.asarray(erf(np.asarray(z) / math.sqrt(2.0)), dtype=np.float64))
