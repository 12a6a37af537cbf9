r"""Fits one roofline curve to measured times of one kernel on one chip.

.. math::

    t = t_0 + t_{known} + \mathrm{smax}\!\left(\frac{bytes}{BW\,e_b}, \frac{flops}{F\,e_f}\right)

with smax(a, b) = (a^p + b^p)^(1/p), p the `roofline_sharpness` of the step time, on ln(t), so that a
2 us kernel counts as much as a 2 ms kernel. Residuals are soft-L1 (Charbonnier), efficiencies at most 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stackwright.performance.constants import load_constants
from stackwright.performance.step import smooth_max

Array = NDArray[np.float64]

SHARPNESS = load_constants().value("roofline_sharpness")
_ROBUST_AT = 0.2  # ln units: beyond 20 % a residual counts linearly
_LOW = np.log([1e-7, 0.005, 0.002])
_HIGH = np.log([1e-2, 1.0, 1.0])
_STARTS = np.log([[5e-6, 0.7, 0.5], [2e-5, 0.8, 0.2], [1e-6, 0.5, 0.8]])
_DECIDES = 0.5  # a term decides a row when it alone is this share of the time
_ENOUGH_ROWS = 10
_ENOUGH_SHARE = 0.01


@dataclass(frozen=True)
class Work:
    """Measured kernels: seconds, bytes moved, FLOP; `known_s` is a part of the time that another curve explains."""

    seconds: Array
    n_bytes: Array
    flops: Array
    known_s: Array | float = 0.0

    def __len__(self) -> int:
        return len(self.seconds)

    def rows(self, keep: NDArray[np.bool_]) -> Work:
        """The rows of a mask."""
        known = (np.zeros_like(self.seconds) + self.known_s)[keep]
        return Work(self.seconds[keep], self.n_bytes[keep], self.flops[keep], known)


@dataclass(frozen=True)
class CurveFit:
    """The constants of a curve; None where the rows do not fix one, and `note` says why.

    `median_error_pct` is the median absolute error of the fitted curve over its own rows.
    """

    t0_s: float | None
    memory_efficiency: float | None
    compute_efficiency: float | None
    n: int
    median_error_pct: float
    note: str = ""


def fit_curve(work: Work, bandwidth: float, peak_flops: float, iterations: int = 60) -> CurveFit:
    """The curve of least robust cost over three starts; deterministic.

    `bandwidth` in bytes/s and `peak_flops` in FLOP/s are the nominal figures that the efficiencies refer to.
    """
    memory, compute = work.n_bytes / bandwidth, work.flops / peak_flops
    known = np.zeros_like(work.seconds) + work.known_s
    target = np.log(work.seconds)
    ends = [_descend(start, memory, compute, known, target, iterations) for start in _STARTS]
    _, x = min(ends, key=lambda end: end[0])
    residuals, _ = _residuals(x, memory, compute, known, target)
    error = 100.0 * float(np.median(np.abs(np.expm1(residuals))))
    t0, e_b, e_f = (float(v) for v in np.exp(x))
    notes: list[str] = []
    total = t0 + known + smooth_max(memory / e_b, compute / e_f, SHARPNESS)
    kept_b = _kept("memory efficiency", e_b, memory / e_b / total, notes)
    kept_f = _kept("compute efficiency", e_f, compute / e_f / total, notes)
    kept_t = None if t0 <= 1.01 * np.exp(_LOW[0]) else t0
    if kept_t is None:
        notes.append("fixed time: at its lower bound")
    return CurveFit(kept_t, kept_b, kept_f, len(work), error, "; ".join(notes))


def _kept(name: str, value: float, share: Array, notes: list[str]) -> float | None:
    """The efficiency, or None when no or few rows decide it, or when it wants to be above 1."""
    decided = int(np.count_nonzero(share >= _DECIDES))
    if decided < max(_ENOUGH_ROWS, _ENOUGH_SHARE * len(share)):
        if np.any(share > 0):
            notes.append(f"{name}: only {decided} rows are bound by it")
        return None
    if value >= 0.999:
        notes.append(f"{name}: at its bound of 1")
        return None
    return value


def _residuals(x: Array, memory: Array, compute: Array, known: Array, target: Array) -> tuple[Array, Array]:
    """ln(curve / measured), shape (n,), and its derivative in ln(t0, e_b, e_f), shape (n, 3)."""
    t0, e_b, e_f = np.exp(x)
    a, b = memory / e_b, compute / e_f
    s = smooth_max(a, b, SHARPNESS)
    t = t0 + known + s
    safe = np.maximum(s, 1e-300)
    jacobian = np.stack([t0 / t, -s * (a / safe) ** SHARPNESS / t, -s * (b / safe) ** SHARPNESS / t], axis=1)
    return np.log(t) - target, jacobian


def _cost(residuals: Array) -> float:
    return float(np.sum(np.sqrt(1.0 + (residuals / _ROBUST_AT) ** 2) - 1.0))


def _descend(
    start: Array, memory: Array, compute: Array, known: Array, target: Array, iterations: int
) -> tuple[float, Array]:
    """Levenberg-Marquardt with reweighting, kept inside the bounds; cost and place of the end."""
    x, damping = start.copy(), 1e-2
    residuals, jacobian = _residuals(x, memory, compute, known, target)
    cost = _cost(residuals)
    for _ in range(iterations):
        weighted = jacobian / np.sqrt(1.0 + (residuals / _ROBUST_AT) ** 2)[:, None]
        normal, gradient = weighted.T @ jacobian, weighted.T @ residuals
        stuck = ((x <= _LOW) & (gradient > 0)) | ((x >= _HIGH) & (gradient < 0))
        normal[stuck, :], normal[:, stuck], gradient[stuck] = 0.0, 0.0, 0.0
        move = np.linalg.solve(normal + np.diag(damping * np.diag(normal) + 1e-9 * len(target) + stuck), gradient)
        trial = np.clip(x - np.clip(move, -1.0, 1.0), _LOW, _HIGH)
        trial_residuals, trial_jacobian = _residuals(trial, memory, compute, known, target)
        trial_cost = _cost(trial_residuals)
        if trial_cost < cost:
            gain = (cost - trial_cost) / cost
            x, residuals, jacobian, cost = trial, trial_residuals, trial_jacobian, trial_cost
            damping = max(damping / 5.0, 1e-9)
            if gain < 1e-9:
                break
        else:
            damping *= 5.0
            if damping > 1e8:
                break
    return cost, x
