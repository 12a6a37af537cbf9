"""From gated rows to a calibration: fit the shifts of all levels, as the record that the predictions read."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stackwright.calibration.fit.levels import LEVELS, NO_GROUPS, POOL_LEVELS, Course, Groups, Level, groups
from stackwright.calibration.fit.observations import Observations
from stackwright.calibration.fit.solve import NO_FIT, Fit, Problem, fit
from stackwright.performance import Constants
from stackwright.performance.calibration import Calibration, Context, Factor, Seen
from stackwright.performance.candidates import context_of

Array = NDArray[np.float64]
Rows = NDArray[np.intp]
Table = dict[str, dict[str, dict[str, float]]]

_SMALLEST_SHIFT = 0.0005


@dataclass(frozen=True)
class Fitted:
    """Shifts of groups of the rows they were fitted on; for the `networks` of these, relative to measured kernels.

    A second stage is relative to its `base`, which it leaves as it is.
    """

    groups: Groups
    fit: Fit
    constants: tuple[str, ...]
    networks: frozenset[str]
    base: Fitted | None = None


def contexts_of(o: Observations) -> list[Context]:
    """The context of every row."""
    return [context_of(p.model, p.candidate) for p in o.points]


def fit_rows(o: Observations, constants: Constants, rows: Rows | None = None, base: Fitted | None = None) -> Fitted:
    """Fit on `rows` (all if None); the others are not looked at.

    With a `base` only what disaggregated pools do differently is fitted (`POOL_LEVELS`), on top of it. No row moves
    nothing.
    """
    chosen = np.arange(len(o.points)) if rows is None else rows
    if not len(chosen):
        return Fitted(NO_GROUPS, NO_FIT, (), base.networks if base else frozenset(), base)
    part = o.take(chosen)
    sd = np.array([constants.sd(name) for name in o.constants])
    contexts = contexts_of(part)
    design = groups(contexts, o.constants, sd, POOL_LEVELS if base else LEVELS)
    start = part.kernels if base is None else ln_constants(part, contexts, base)
    found = fit(Problem(part.predict, part.observed, part.weights, start), design.design)
    networks = base.networks if base else frozenset(c.network for c in contexts)
    return Fitted(design, found, o.constants, networks, base)


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
    tables = shifts_of(fitted)
    alone, pooled = ([c for c in contexts if bool(c.mode) is mode] for mode in (False, True))
    return Calibration(
        version=1,
        date=(facts or {}).get("date", ""),
        data_hash=(facts or {}).get("data_hash", ""),
        n_rows=len(contexts),
        shifts=tables["constant"],
        slopes=tables["slope"],
        steps=tables["steps"],
        factors=factors or {},
        correlation=correlation,
        seen=_counts(alone),
        seen_in_pools=_counts(pooled),
        row_hashes=frozenset(row_hashes),
        kernel_priors=fitted is not None,
        spreads=spreads_of(fitted),
        rows=rows_of(fitted),
    )


def _counts(contexts: Sequence[Context]) -> dict[Seen, int]:
    return dict(sorted(Counter((c.chip, c.network, c.engine) for c in contexts).items()))


def shifts_of(fitted: Fitted | None) -> Mapping[Course, Table]:
    """The shifts of a fit and of those below it by course in time, level and key; small ones are left out."""
    tables: dict[Course, Table] = {"constant": {}, "slope": {}, "steps": {}}
    for level, key, name, shift, _ in _kept(fitted):
        place = tables[level.course].setdefault(level.name, {}).setdefault(key, {})
        place[name] = round(place.get(name, 0.0) + shift, 4)
    return tables


def spreads_of(fitted: Fitted | None) -> Mapping[str, Table]:
    """Posterior standard deviation of each shift that `shifts_of` keeps (Laplace approximation), in the same form."""
    tables: dict[str, Table] = {"constant": {}, "slope": {}, "steps": {}}
    for level, key, name, _, sd in _kept(fitted):
        place = tables[level.course].setdefault(level.name, {}).setdefault(key, {})
        place[name] = round(math.hypot(place.get(name, 0.0), sd), 3)
    return tables


def rows_of(fitted: Fitted | None) -> Mapping[str, Mapping[str, int]]:
    """Number of fitted rows by level and key."""
    found: dict[str, dict[str, int]] = {}
    for stage in _stages(fitted):
        counts = (stage.groups.design.x != 0.0).sum(axis=0)
        for (level, key), n in zip(stage.groups.names, counts, strict=True):
            if level.course == "constant":
                found.setdefault(level.name, {})[key] = int(n)
    return found


def _stages(fitted: Fitted | None) -> Iterator[Fitted]:
    """A fit, and those below it."""
    while fitted is not None:
        yield fitted
        fitted = fitted.base


def _kept(fitted: Fitted | None) -> Iterator[tuple[Level, str, str, float, float]]:
    """Level, key, constant, shift and its spread, of every stage, where the shift is not small."""
    for stage in _stages(fitted):
        values = zip(stage.groups.names, stage.fit.shifts, stage.fit.spread, strict=True)
        for (level, key), shifts, spreads in values:
            for name, shift, sd in zip(stage.constants, shifts, spreads, strict=True):
                if abs(shift) > _SMALLEST_SHIFT:
                    yield level, key, name, float(shift), float(sd)


def predict_rows(o: Observations, fitted: Fitted, rows: Rows) -> Array:
    """ln of the predicted metrics (3, len(rows)), fitted rows or not: groups that were not fitted shift nothing."""
    part = o.take(rows)
    return part.predict(ln_constants(part, contexts_of(part), fitted))


def ln_constants(o: Observations, contexts: Sequence[Context], fitted: Fitted) -> Array:
    """ln of the constants (n, K) of all rows of `o`, which may have more of them than were fitted."""
    if fitted.base is None:
        seen = np.array([c.network in fitted.networks for c in contexts], dtype=bool)[:, None]
        ln_theta = np.where(seen, o.kernels, o.prior)
    else:
        ln_theta = ln_constants(o, contexts, fitted.base)
    column = [o.constants.index(name) for name in fitted.constants]
    moves: dict[Context, Array] = {}
    for i, context in enumerate(contexts):
        if context not in moves:
            members = fitted.groups.members(context).items()
            moves[context] = sum((v * fitted.fit.shifts[g] for g, v in members), start=np.zeros(len(column)))
        ln_theta[i, column] += moves[context]
    return ln_theta
