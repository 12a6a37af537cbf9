"""All candidates at all loads as arrays, and for each the highest load that keeps the promise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stackwright.performance import Candidates
from stackwright.performance.pools import Served
from stackwright.serving import Uncertain, probability_below, probability_both
from stackwright.serving.prediction import serve, service_metrics, spread_of
from stackwright.workload import SLO, Workload

Array = NDArray[np.float64]
Rows = NDArray[np.int64]

CONFIDENT = 0.9
_LOADS_PER_DOUBLING = 3
_LARGEST_LOAD = 4096
_REFINEMENTS = 8
NEAR_BEST = 0.1  # a stack that cannot be confident runs at the highest load this near to its best probability


@dataclass(frozen=True)
class Grid:
    """Every candidate at every load: arrays of shape (candidates, loads).

    `loads`, broadcastable to that shape: users of a closed loop, or mean running sequences of an open loop, per
    replica.
    """

    candidates: Served
    workload: Workload
    loads: Array
    metrics: dict[str, Array]

    @property
    def points(self) -> int:
        """Operating points evaluated."""
        return len(self.candidates) * int(self.loads.shape[1])


@dataclass(frozen=True)
class Chosen:
    """For each row of `rows` (candidate numbers) one load and what is known there; arrays of shape (n, 1)."""

    rows: Rows
    loads: Array
    spread: Uncertain
    p_meets: Array


def evaluate(c: Candidates, w: Workload, slo: SLO) -> Grid:
    """Evaluate candidates over a geometric grid of loads."""
    steps = int(np.log2(_LARGEST_LOAD)) * _LOADS_PER_DOUBLING + 1
    return evaluate_at(c, w, slo, np.unique(np.round(np.geomspace(1, _LARGEST_LOAD, steps)))[None, :])


def evaluate_at(c: Served, w: Workload, slo: SLO, loads: Array) -> Grid:
    """Evaluate candidates at these loads, shape (1, loads), in blocks that stay in cache."""
    blocks = []
    for start in range(0, len(c), 128):
        part = c.take(np.arange(start, min(start + 128, len(c))))
        blocks.append(service_metrics(part, serve(part, w, loads), w, (slo.percentile,)))
    metrics = {k: np.concatenate([b[k] for b in blocks]) for k in blocks[0]}
    return Grid(c, w, loads, metrics)


def names(slo: SLO) -> tuple[str, str]:
    """Metric names of the promised percentile: TTFT and TPOT."""
    return f"ttft_p{slo.percentile:g}_s", f"tpot_p{slo.percentile:g}_s"


def excess(metrics: dict[str, Array], slo: SLO) -> Array:
    """Largest ratio of a predicted latency to its limit; at most 1 where the promise is met, inf if unstable."""
    ttft, tpot = (metrics[n] for n in names(slo))
    worst = np.zeros_like(ttft)
    if slo.ttft_s is not None:
        worst = np.maximum(worst, ttft / slo.ttft_s)
    if slo.tpot_s is not None:
        worst = np.maximum(worst, tpot / slo.tpot_s)
    return np.where(np.isfinite(ttft), worst, np.inf)


def probability_meets(spread: Uncertain, slo: SLO) -> Array:
    """Probability that both limits hold, given the spread of the constants."""
    ttft, tpot = names(slo)
    value, finite = spread.value, np.isfinite(spread.value[ttft])
    one = np.ones_like(value[tpot])
    p = one if slo.ttft_s is None else probability_below(slo.ttft_s, value[ttft], spread.sd_ln(ttft))
    q = one if slo.tpot_s is None else probability_below(slo.tpot_s, value[tpot], spread.sd_ln(tpot))
    return np.where(finite, probability_both(p, q, spread.correlation(ttft, tpot)), 0.0)


def choose(grid: Grid, slo: SLO) -> Chosen:
    """For each candidate the highest throughput whose probability of keeping the promise is at least `CONFIDENT`.

    Where no load reaches that, the highest throughput within 0.1 of the best probability. The grid step is refined
    once between the load found and the next one.
    """
    coarse = _best_of(grid, slo)
    if grid.loads.shape[1] < 2:
        return coarse
    step = float(grid.loads[0, -1] / grid.loads[0, -2])
    finer = coarse.loads * np.geomspace(1.0, step, _REFINEMENTS + 1)[None, :-1]
    metrics = service_metrics(
        grid.candidates, serve(grid.candidates, grid.workload, finer), grid.workload, (slo.percentile,)
    )
    return _best_of(Grid(grid.candidates, grid.workload, finer, metrics), slo)


def _best_of(grid: Grid, slo: SLO) -> Chosen:
    """The best load of a grid per candidate.

    Only points whose central prediction keeps the promise can be confident, so only those (and the nearest miss of
    each candidate) get a spread.
    """
    worst = excess(grid.metrics, slo)
    wanted = worst <= 1.0
    nearest = np.argmin(worst, axis=1)
    wanted[np.arange(len(nearest)), nearest] = True
    rows, columns = np.nonzero(wanted)
    loads = np.broadcast_to(grid.loads, worst.shape)[rows, columns][:, None]
    spread = spread_of(grid.candidates.take(rows), grid.workload, loads, (slo.percentile,))
    p_meets = probability_meets(spread, slo)
    rate = spread.value["requests_per_s"][:, 0]
    p = p_meets[:, 0]
    highest = np.zeros(len(worst))
    np.maximum.at(highest, rows, p)
    near = p >= np.minimum(CONFIDENT, highest[rows] - NEAR_BEST)
    score = np.where(near, 1.0 + rate / (1.0 + rate.max()), 0.0) + (p >= CONFIDENT)
    best = _first_of_each(rows, np.lexsort((-score, rows)))
    return Chosen(rows[best], loads[best], spread.take(best), p_meets[best])


def _first_of_each(rows: Rows, order: Rows) -> Rows:
    ordered = rows[order]
    first = np.concatenate(([True], ordered[1:] != ordered[:-1]))
    return order[first]
