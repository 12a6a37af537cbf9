"""Measured rows as the fit sees them: what was measured, and the function from constants to predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stackwright.calibration.judge.score import measured
from stackwright.calibration.rows.points import Point, at_maximum_load, point_loads, served
from stackwright.performance import Constants
from stackwright.performance.constants import Theta
from stackwright.performance.kernel_values import kernel_values
from stackwright.performance.pools import Pooled, Served
from stackwright.serving import Service, closed_loop
from stackwright.serving.disaggregated import disaggregated
from stackwright.serving.traffic import Traffic, stacked_traffic

Array = NDArray[np.float64]

METRICS = ("ttft", "tpot", "throughput")
# TTFT repeats worse than TPOT (docs/calibration.md); throughput counts only where a row has no latencies, and less:
# its load is inferred from memory, not stated. TTFT of speculative rows teaches nothing: it does not depend on
# acceptance, and their recipes queue at limits of their own.
WEIGHTS = {"ttft": 0.6, "tpot": 1.0, "throughput": 0.5}


@dataclass(frozen=True)
class Block:
    """Rows evaluated together, `full` at maximum load: mean or median TTFT stated, with speculation or without."""

    rows: NDArray[np.intp]
    candidates: Served
    traffic: Traffic
    loads: Array
    full: NDArray[np.bool_]
    median: bool


@dataclass(frozen=True)
class Observations:
    """ln of the measured metrics, shape (3, n), NaN where not measured; `blocks` partition the rows.

    `prior` (n, K) is ln of the constants before any fit; `kernels` the same with measured kernels where there are any.
    """

    points: tuple[Point, ...]
    observed: Array
    weights: Array
    blocks: tuple[Block, ...]
    constants: tuple[str, ...]
    bounds: tuple[Array, Array]
    prior: Array
    kernels: Array

    def take(self, rows: NDArray[np.intp]) -> Observations:
        """The observations of the given rows, in that order."""
        place = np.full(len(self.points), -1)
        place[rows] = np.arange(len(rows))
        blocks = []
        for b in self.blocks:
            inside = np.nonzero(place[b.rows] >= 0)[0]
            if len(inside):
                t = stacked_traffic([self.points[int(i)].workload for i in b.rows[inside]])
                blocks.append(
                    Block(
                        place[b.rows[inside]], b.candidates.take(inside), t, b.loads[inside], b.full[inside], b.median
                    )
                )
        return replace(
            self,
            points=tuple(self.points[int(i)] for i in rows),
            observed=self.observed[:, rows],
            weights=self.weights[:, rows],
            blocks=tuple(blocks),
            prior=self.prior[rows],
            kernels=self.kernels[rows],
        )

    def predict(self, ln_theta: Array) -> Array:
        """ln of the predicted metrics, shape (3, n), at ln(constants) of shape (n, K); bounds are kept."""
        kept = np.clip(ln_theta, *self.bounds)
        found = np.empty((len(METRICS), len(self.points)))
        for b in self.blocks:
            theta = dict(b.candidates.theta)
            theta.update({name: np.exp(kept[b.rows, k][:, None]) for k, name in enumerate(self.constants)})
            s = _served(b, theta)
            ttft = s.ttft.quantile(0.5) if b.median else s.ttft.mean
            tokens = s.request_rate * b.traffic.output_mean / b.candidates.n_chips
            for m, value in enumerate((ttft, s.tpot.mean, tokens)):
                found[m, b.rows] = np.log(value[:, 0])
        return found


def _served(b: Block, theta: Theta) -> Service:
    if isinstance(b.candidates, Pooled):
        return disaggregated(b.candidates.at(theta), b.traffic, b.loads)
    share = theta["maximum_load_share"] / b.candidates.theta["maximum_load_share"]
    return closed_loop(replace(b.candidates, theta=theta), b.traffic, np.where(b.full, b.loads * share, b.loads))


def observe(points: Sequence[Point], constants: Constants) -> Observations:
    """Observations of closed-loop points of one mode; `constants` supplies prior and bounds, not its calibration."""
    plain = replace(constants, calibration=None)
    free = tuple(plain.uncertain_in_pools if points and points[0].pools else plain.uncertain_in_time)
    observed = np.full((len(METRICS), len(points)), np.nan)
    for i, p in enumerate(points):
        for m, metric in enumerate(METRICS):
            value = measured(p.measurement, metric)
            if value is not None:
                observed[m, i] = np.log(value)
    one_token = np.array([(p.measurement.number("osl") or 0) < 2 for p in points])
    observed[1, one_token] = np.nan
    latencies = ~np.isnan(observed[0]) & ~np.isnan(observed[1])
    observed[2, latencies] = np.nan
    weights = np.repeat(np.array([[WEIGHTS[m]] for m in METRICS]), len(points), axis=1) * ~np.isnan(observed)
    median = np.array([p.measurement.text["ttft_stat"] == "p50" for p in points])
    drafts = np.array([p.candidate.speculation is not None for p in points])
    weights[0, drafts] = 0.0
    kinds = [(flag, (median == flag) & (drafts == drafting)) for drafting in (False, True) for flag in (False, True)]
    blocks = [_block(points, np.nonzero(rows)[0], flag, plain) for flag, rows in kinds if rows.any()]
    entries = [plain.entries[name] for name in free]
    low, high = (np.log([max(getattr(e, end), 1e-12) for e in entries]) for end in ("low", "high"))
    prior = np.tile(np.log([e.value for e in entries]), (len(points), 1))
    kernels = _kernel_values(points, plain, free, prior)
    return Observations(tuple(points), observed, weights, tuple(blocks), free, (low, high), prior, kernels)


def _kernel_values(points: Sequence[Point], constants: Constants, names: Sequence[str], flat: Array) -> Array:
    rows = [p.candidate for p in points]
    values = flat.copy()
    for i, found in enumerate(kernel_values([p.model for p in points], rows, constants.entries)):
        for name, value in found.items():
            values[i, names.index(name)] = np.log(value)
    return values


def _block(points: Sequence[Point], rows: NDArray[np.intp], median: bool, constants: Constants) -> Block:
    chosen = [points[int(i)] for i in rows]
    c = served(chosen, constants)
    t = stacked_traffic([p.workload for p in chosen])
    return Block(rows, c, t, point_loads(c, t, chosen), at_maximum_load(chosen), median)
