r"""A few measurements of one's own: a robust correction on top of the record, shrunk to it.

.. math:: \ln y = \ln \hat y + b_0 + b_1 \ln\frac{users}{16} + b_2 \ln\frac{chips}{8} + b_3 \ln\frac{input}{1024}

with :math:`b_0 \sim N(0, s^2)` and slopes :math:`N(0, (0.3 s)^2)`, s being what the record misses at its support level,
and residuals with the spread that one point has where the pair is known; a point further off than that counts less
(Huber). So no point moves nothing, one point moves the offset, and slopes need points that differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stackwright.calibration.crossval import OutOfFold
from stackwright.calibration.dataset import Dataset
from stackwright.calibration.observations import METRICS
from stackwright.calibration.points import Point
from stackwright.performance.calibration import Calibration, Factor, Support

Array = NDArray[np.float64]

SLOPE_SHARE = 0.3
LEAST_ROWS = 15
_REFERENCE = (16.0, 8.0, 1024.0)
_HUBER = 0.7
_ROUNDS = 20


@dataclass(frozen=True)
class Correction:
    """Coefficients (offset, slopes in ln users, ln chips, ln input tokens) by metric, from `n` own points."""

    coefficients: Mapping[str, Array]
    n: int

    def factor(self, metric: str, users: float, chips: float, input_tokens: float) -> float:
        """What to multiply the prediction of a metric with at one operating point."""
        b = self.coefficients.get(metric)
        return 1.0 if b is None else float(np.exp(b @ _row(users, chips, input_tokens)))


def design(points: Sequence[Point]) -> Array:
    """Rows of the regression, shape (n, 4)."""
    rows = [_row(p.workload.concurrency or 1.0, p.candidate.layout.n_chips, p.workload.input.mean) for p in points]
    return np.array(rows).reshape(-1, 4)


def own_correction(x: Array, residual: Array, sd: float, noise: float) -> Array:
    """Coefficients (4,) of ln(measured / predicted), shape (n,), on `x` (n, 4); NaN residuals count nothing.

    `sd` is the spread of the offset before any own point, `noise` that of one point around a known offset.
    """
    known = np.isfinite(residual)
    x, r = x[known], residual[known]
    penalty = np.diag((noise / (sd * np.array([1.0, SLOPE_SHARE, SLOPE_SHARE, SLOPE_SHARE]))) ** 2)
    b: Array = np.zeros(4)
    if not len(r):
        return b
    weight = np.ones(len(r))
    for _ in range(_ROUNDS):
        b = np.asarray(np.linalg.solve((x.T * weight) @ x + penalty, (x.T * weight) @ r), dtype=np.float64)
        weight = np.minimum(1.0, _HUBER * noise / np.maximum(np.abs(r - x @ b), 1e-12))
    return b


def correction(points: Sequence[Point], residuals: Mapping[str, Array], record: Calibration, at: Support) -> Correction:
    """The correction that own points give to a record; `residuals` are ln(measured / predicted) by metric.

    Metrics without factors in the record stay as they are.
    """
    x = design(points)
    found = {}
    for metric, residual in residuals.items():
        by = record.factors.get(metric, {})
        if at in by and "pair_seen" in by:
            found[metric] = own_correction(x, residual, by[at].sd_ln, by["pair_seen"].sd_ln)
    return Correction(found, len(points))


def _row(users: float, chips: float, input_tokens: float) -> Array:
    return np.array([1.0, *(np.log(v / ref) for v, ref in zip((users, chips, input_tokens), _REFERENCE, strict=True))])


def with_own_points(
    data: Dataset, x: OutOfFold, factors: Mapping[str, Mapping[str, Factor]], counts: Sequence[int], repeats: int = 10
) -> dict[int, Array]:
    """ln(predicted / measured), shape (3, m), of rows predicted with k own points of the same cell, by k.

    A cell is (engine, chip, network, weight precision, harness) with at least `LEAST_ROWS` strict rows; of each, k
    rows are drawn `repeats` times, and the others of the cell are scored.
    """
    cells: dict[tuple[str, ...], list[int]] = {}
    for i, p in enumerate(data.points):
        c = p.candidate
        if data.strict[i]:
            key = (c.engine.id, c.chip.id, p.model.network or p.model.id, c.layout.weight_precision, c.source)
            cells.setdefault(key, []).append(i)
    rows, residual, found = design(data.points), x.residual, {}
    for k in counts:
        rng, ratios = np.random.default_rng(0), []
        for _ in range(repeats):
            for _, members in sorted(cells.items()):
                if len(members) < LEAST_ROWS:
                    continue
                own = rng.choice(members, k, replace=False)
                rest = np.setdiff1d(members, own)
                moved = -residual[:, rest]
                for m, metric in enumerate(METRICS):
                    by = factors.get(metric, {})
                    if "pair_unseen" in by and "pair_seen" in by:
                        sd, noise = by["pair_unseen"].sd_ln, by["pair_seen"].sd_ln
                        moved[m] += rows[rest] @ own_correction(rows[own], residual[m, own], sd, noise)
                ratios.append(moved)
        found[k] = np.hstack(ratios) if ratios else np.zeros((len(METRICS), 0))
    return found
