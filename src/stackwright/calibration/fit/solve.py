r"""Hierarchical robust fit of the named constants.

The constants of row i are the prior times shared shifts: :math:`\ln\theta_{ik} = \ln\theta^0_k + \sum_g x_{ig} b_{gk}`,
one group g per level (all rows, engine, chip family, chip, engine x family, ...). Shifts shrink to zero with
:math:`b_{gk} \sim N(0, (s_g\,sd_k)^2)`; residuals of ln(metric) are robust (pseudo-Huber). The optimum is found by
Levenberg-Marquardt; the Jacobian in the shifts is the one in the K constants times the design (chain rule), so
one evaluation per constant and iteration suffices.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stackwright.calibration.fit.normal import Arrow, Structure, normal_equations, structure

Array = NDArray[np.float64]
Evaluate = Callable[[Array], Array]

_DIFFERENCE = 1e-4
_LARGEST_MOVE = 1.0


@dataclass(frozen=True)
class Problem:
    """What is fitted: `evaluate` maps ln(constants), shape (n, K), to ln(metrics), shape (m, n).

    `observed` is ln(measured), NaN where a row did not measure a metric; `weights`, shape (m, n), are relative;
    `residual_sd` is the spread of ln(metric) that one row has anyway, `robust_at` where a residual starts to count
    less (both in ln).
    """

    evaluate: Evaluate
    observed: Array
    weights: Array
    prior: Array
    residual_sd: float = 0.22
    robust_at: float = 0.25


@dataclass(frozen=True)
class Design:
    """Groups of all levels side by side: `x` (n, G) and the spread of each shift `sd` (G, K), 0 = not free.

    `local` (G,) marks groups of levels that nest in one another, so that they couple few shifts (`normal`).
    """

    x: Array
    sd: Array
    local: tuple[bool, ...]


@dataclass(frozen=True)
class Fit:
    """Shifts (G, K), their posterior spread (G, K) by the Laplace approximation, and how the search ended."""

    shifts: Array
    spread: Array
    cost: float
    iterations: int
    evaluations: int


NO_FIT = Fit(np.zeros((0, 0)), np.zeros((0, 0)), 0.0, 0, 0)
"""What no row teaches."""


def fit(problem: Problem, design: Design, iterations: int = 20, tolerance: float = 5e-4) -> Fit:
    """The shifts that minimise the penalised robust cost; deterministic."""
    free = design.sd > 0.0
    shape = structure(design.x, design.sd, design.local)
    precision = (problem.residual_sd / design.sd[free]) ** 2
    shifts = np.zeros_like(design.sd)
    damping, evaluations = 1e-3, 1
    ln_theta, residuals = _residuals(problem, design, shifts)
    cost = _cost(problem, residuals, shifts[free], precision)
    done = 0
    while done < iterations:
        done += 1
        normal = _normal(problem, design, shape, ln_theta, residuals)
        evaluations += problem.prior.shape[1]
        gradient, diagonal = normal.gradient + precision * shifts[free], normal.diagonal + precision
        improved = False
        for _ in range(10):
            move = -normal.solve(gradient, precision + damping * diagonal)
            trial = shifts.copy()
            trial[free] += np.clip(move, -_LARGEST_MOVE, _LARGEST_MOVE)
            trial_theta, trial_residuals = _residuals(problem, design, trial)
            evaluations += 1
            trial_cost = _cost(problem, trial_residuals, trial[free], precision)
            if np.isfinite(trial_cost) and trial_cost < cost:
                improved = True
                break
            damping *= 4.0
        if not improved:
            break
        gain = (cost - trial_cost) / cost
        shifts, ln_theta, residuals, cost = trial, trial_theta, trial_residuals, trial_cost
        damping = max(damping / 4.0, 1e-8)
        if gain < tolerance:
            break
    spread = np.zeros_like(shifts)
    normal = _normal(problem, design, shape, ln_theta, residuals)
    spread[free] = problem.residual_sd * np.sqrt(np.maximum(normal.inverse_diagonal(precision), 0.0))
    return Fit(shifts, spread, float(cost), done, evaluations)


def _normal(problem: Problem, design: Design, shape: Structure, ln_theta: Array, residuals: Array) -> Arrow:
    """Gauss-Newton matrix and gradient, robust weights applied."""
    weights = problem.weights / np.sqrt(1.0 + (residuals / problem.robust_at) ** 2)
    return normal_equations(shape, design.x, _jacobian(problem, ln_theta, residuals), weights, residuals)


def _residuals(problem: Problem, design: Design, shifts: Array) -> tuple[Array, Array]:
    ln_theta = problem.prior + design.x @ shifts
    return ln_theta, np.nan_to_num(problem.evaluate(ln_theta) - problem.observed, posinf=5.0, neginf=-5.0)


def _cost(problem: Problem, residuals: Array, shifts: Array, precision: Array) -> float:
    d = problem.robust_at
    loss = 2.0 * d * d * (np.sqrt(1.0 + (residuals / d) ** 2) - 1.0)
    return float((problem.weights * loss).sum() + (precision * shifts**2).sum())


def _jacobian(problem: Problem, ln_theta: Array, residuals: Array) -> Array:
    """d ln(metric) / d ln(constant), shape (K, m, n), by one-sided differences."""
    measured = ~np.isnan(problem.observed)
    found = np.empty((ln_theta.shape[1], *residuals.shape))
    for k in range(ln_theta.shape[1]):
        moved = ln_theta.copy()
        moved[:, k] += _DIFFERENCE
        change = np.nan_to_num(problem.evaluate(moved) - problem.observed, posinf=5.0, neginf=-5.0) - residuals
        found[k] = np.where(measured, change / _DIFFERENCE, 0.0)
    return found
