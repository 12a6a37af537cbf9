"""From gated rows to a calibration: fit the shifts of all levels, as the record that the predictions read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stackwright.calibration.fit import Fit, Problem, fit
from stackwright.calibration.levels import Groups, groups
from stackwright.calibration.observations import Observations
from stackwright.performance import Constants
from stackwright.performance.calibration import Calibration, Context, Factor
from stackwright.performance.candidates import context_of

Array = NDArray[np.float64]
Rows = NDArray[np.intp]
Table = dict[str, dict[str, dict[str, float]]]

_SMALLEST_SHIFT = 0.0005


@dataclass(frozen=True)
class Fitted:
    """Shifts of groups of the rows they were fitted on; for the `networks` of these, relative to measured kernels."""

    groups: Groups
    fit: Fit
    constants: tuple[str, ...]
    networks: frozenset[str]


def contexts_of(o: Observations) -> list[Context]:
    """The context of every row."""
    return [context_of(p.model, p.candidate) for p in o.points]


def fit_rows(o: Observations, constants: Constants, rows: Rows | None = None) -> Fitted:
    """Fit on `rows` (all if None); the others are not looked at."""
    chosen = np.arange(len(o.points)) if rows is None else rows
    part = o.take(chosen)
    sd = np.array([constants.sd(name) for name in o.constants])
    contexts = contexts_of(part)
    design = groups(contexts, o.constants, sd)
    found = fit(Problem(part.predict, part.observed, part.weights, part.kernels), design.design)
    return Fitted(design, found, o.constants, frozenset(c.network for c in contexts))


def calibration_of(
    fitted: Fitted | None,
    contexts: Sequence[Context],
    factors: Mapping[str, Mapping[str, Factor]] | None = None,
    correlation: float = 0.0,
    facts: Mapping[str, str] | None = None,
    row_hashes: Sequence[str] = (),
) -> Calibration:
    """The record of rows with these contexts: shifts by level (none if nothing is fitted), interval factors.

    `facts`: date and data_hash.
    """
    shifts, slopes = shifts_of(fitted) if fitted else ({}, {})
    seen = Counter((c.chip, c.network, c.engine) for c in contexts)
    return Calibration(
        version=1,
        date=(facts or {}).get("date", ""),
        data_hash=(facts or {}).get("data_hash", ""),
        n_rows=len(contexts),
        shifts=shifts,
        slopes=slopes,
        factors=factors or {},
        correlation=correlation,
        seen=dict(sorted(seen.items())),
        row_hashes=frozenset(row_hashes),
        kernel_priors=fitted is not None,
    )


def shifts_of(fitted: Fitted) -> tuple[Table, Table]:
    """Shifts and slopes by level, key and constant, as the record holds them."""
    shifts: Table = {}
    slopes: Table = {}
    for (level, key), row in zip(fitted.groups.names, fitted.fit.shifts, strict=True):
        kept = {n: round(float(v), 4) for n, v in zip(fitted.constants, row, strict=True) if abs(v) > _SMALLEST_SHIFT}
        if kept:
            place = (slopes if level.per_year else shifts).setdefault(level.name, {}).setdefault(key, {})
            for n, v in kept.items():
                place[n] = round(place.get(n, 0.0) + v, 4)
    return shifts, slopes


def predict_rows(o: Observations, fitted: Fitted, rows: Rows) -> Array:
    """ln of the predicted metrics (3, len(rows)), fitted rows or not: groups that were not fitted shift nothing."""
    part = o.take(rows)
    contexts = contexts_of(part)
    seen = np.array([[c.network in fitted.networks] for c in contexts])
    ln_theta = np.where(seen, part.kernels, part.prior)
    known = {(level, key): g for g, (level, key) in enumerate(fitted.groups.names)}
    for i, context in enumerate(contexts):
        keys = context.keys()
        for level in {level for level, _ in known}:
            g = known.get((level, keys[level.name]))
            if g is not None:
                ln_theta[i] += fitted.fit.shifts[g] * (context.year if level.per_year else 1.0)
    return part.predict(ln_theta)
