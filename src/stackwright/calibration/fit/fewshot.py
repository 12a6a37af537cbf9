r"""A few measurements of one's own: learnt per cell, as a factor on what the record predicts.

The law is that of `performance/own_points.py`; its numbers (there `LENGTHS` and the halves, here `NOISE` and `HUBER`)
were chosen on half of the cells of the silicon sample, out of fold, and scored on the other half
(docs/calibration.md). A point that disagrees with the others counts less (Huber weights on its residual): in TTFT
outliers of a factor of 2 and more are common, and with one point nothing tells them from the truth but their size.
So no point moves nothing, one point moves its neighbourhood, and many points are followed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stackwright.calibration.fit.observations import METRICS
from stackwright.calibration.judge.crossval import OutOfFold
from stackwright.calibration.judge.score import measured, predicted_name
from stackwright.calibration.rows.dataset import Dataset
from stackwright.calibration.rows.points import (
    Point,
    PointPrediction,
    Refusal,
    point_loads,
    predict_points,
    resolve_point,
)
from stackwright.catalog import Catalog
from stackwright.errors import InputError
from stackwright.llm import Model
from stackwright.measure import Measurement
from stackwright.performance import Constants, candidates
from stackwright.performance.calibration import Factor
from stackwright.performance.candidates import context_of
from stackwright.performance.own_points import Cell, Learnt, OwnPoints, cell_of, likeness
from stackwright.performance.pools import DISAGGREGATED
from stackwright.serving.intervals import Z
from stackwright.serving.own_correction import places, shrunk
from stackwright.serving.traffic import stacked_traffic

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

NOISE: Mapping[str, float] = {"ttft": 0.15, "tpot": 0.04}
"""Spread of ln of one point around what its neighbours say."""
HUBER = 0.3
"""Residual, in units of the noise, from which a point counts less."""
LEAST_ROWS = 15
_ROUNDS = 20


@dataclass(frozen=True)
class OwnAnswer:
    """Own points by cell, and the rows that teach nothing with their reasons."""

    cells: Mapping[Cell, OwnPoints]
    refused: tuple[Refusal, ...]


@dataclass(frozen=True)
class OwnScore:
    """Rows predicted with own points: ln(predicted / measured), shape (3, m), and whether the interval held them."""

    ratio: Array
    inside: NDArray[np.bool_]


def learn(where: Array, residual: Array, sd: float, noise: float) -> Learnt | None:
    """What ln(measured / predicted), shape (n,), at places (n, 7) says; NaN residuals count nothing.

    `sd` is what the record misses without own points, `noise` the spread of one point. None where nothing is known.
    """
    known = np.isfinite(residual)
    where, r = where[known], residual[known]
    if not len(r):
        return None
    alike, ratio, weight, precision = likeness(where, where), (noise / sd) ** 2, np.ones(len(r)), np.eye(len(r))
    for _ in range(_ROUNDS):
        precision = np.asarray(np.linalg.inv(alike + np.diag(ratio / weight)), dtype=np.float64)
        left = np.abs(r - alike @ precision @ r)
        weight = np.minimum(1.0, HUBER * noise / np.maximum(left, 1e-12))
    return Learnt(where, precision @ r, precision, sd, noise)


def own_points(rows: Sequence[Measurement], catalog: Catalog, constants: Constants) -> OwnAnswer:
    """What measured rows say on top of `constants`, cell by cell.

    What the record misses without them is read off its own intervals, measured or of the constants' stated spread. Rows
    are compared with what is predicted for a service of one's own today: no benchmark's habits, the engine's own date.
    """
    pools = [m for m in rows if m.text["mode"] == DISAGGREGATED]
    answers = predict_points([_as_asked(m) for m in rows if m.text["mode"] != DISAGGREGATED], catalog, constants)
    refused = [Refusal(m, "disaggregated: own points correct aggregated replicas") for m in pools]
    refused += [a for a in answers if isinstance(a, Refusal)]
    models: dict[str, Model] = {}
    cells: dict[Cell, list[tuple[Point, Mapping[str, tuple[float, float]]]]] = {}
    for answer in (a for a in answers if isinstance(a, PointPrediction)):
        point = resolve_point(answer.measurement, catalog, models)
        found = _residuals(answer, point)
        if not found:
            refused.append(Refusal(answer.measurement, "states neither TTFT nor TPOT, nor users and throughput"))
            continue
        cells.setdefault(_cell(point), []).append((point, found))
    learnt = {}
    for cell, members in cells.items():
        where = points_places([p for p, _ in members], constants)
        metrics = {}
        for metric, noise in NOISE.items():
            nothing = (np.nan, np.nan)
            residual, sd = np.array([f.get(metric, nothing) for _, f in members]).T
            one = learn(where, residual, float(np.nanmedian(sd)), noise) if np.isfinite(residual).any() else None
            if one is not None:
                metrics[metric] = one
        learnt[cell] = OwnPoints(len(members), metrics)
    return OwnAnswer(learnt, tuple(refused))


def _as_asked(m: Measurement) -> Measurement:
    """The row without where and when it was measured."""
    return replace(m, text={**m.text, "source": "", "date": "", "engine_version": ""})


def points_places(points: Sequence[Point], constants: Constants) -> Array:
    """Where points lie, shape (n, 7), as the correction compares them."""
    found = np.zeros((len(points), 7))
    for closed in (True, False):
        rows = [i for i, p in enumerate(points) if (p.workload.rate_per_s is None) == closed]
        if rows:
            chosen = [points[i] for i in rows]
            c = candidates([p.model for p in chosen], [p.candidate for p in chosen], constants)
            t = stacked_traffic([p.workload for p in chosen])
            found[rows] = places(c, t, point_loads(c, t, chosen))[:, 0]
    return found


def _cell(p: Point) -> Cell:
    return cell_of(context_of(p.model, p.candidate), p.candidate.speculation)


def _residuals(p: PointPrediction, point: Point) -> dict[str, tuple[float, float]]:
    """ln(measured / predicted) of TTFT and TPOT, each with the spread that the prediction's interval states.

    TPOT that is not measured follows from throughput and users by Little's law, with TTFT as measured or predicted.
    """
    m, output = p.measurement, point.workload.output.mean
    true = {metric: measured(m, metric) for metric in NOISE}
    tokens, users = m.number("output_tokens_per_s_per_chip"), m.number("concurrency")
    if output < 2.0:
        true["tpot"] = None
    elif true["tpot"] is None and tokens and users and point.workload.rate_per_s is None:
        e2e = users * output / (tokens * point.candidate.layout.n_chips)
        true["tpot"] = max(e2e - (true["ttft"] or p.metrics["ttft_mean_s"][0]), 0.0) / (output - 1.0)
    found = {}
    for metric, value in true.items():
        if value:
            predicted, low, high = p.metrics[predicted_name(m, metric)]
            sd = float(np.log(high / low) / (2.0 * Z))
            found[metric] = float(np.log(value / predicted)), max(sd, NOISE[metric])
    return found


def with_own_points(
    data: Dataset,
    x: OutOfFold,
    factors: Mapping[str, Mapping[str, Factor]],
    constants: Constants,
    counts: Sequence[int],
    repeats: int = 10,
) -> dict[int, OwnScore]:
    """Scores of rows predicted with k own points of the same cell, by k.

    Cells have one harness and at least `LEAST_ROWS` strict rows; of each, k rows are drawn `repeats` times, and the
    others of the cell are scored. `x` holds out what `factors` call an unseen pair.
    """
    if not all({"pair_seen", "pair_unseen"} <= set(factors.get(metric, {})) for metric in METRICS):
        raise InputError("scores with own points need cross-validations by pair and at random")
    cells: dict[tuple[str, ...], list[int]] = {}
    for i, p in enumerate(data.points):
        if data.strict[i]:
            cells.setdefault((*_cell(p), p.candidate.source), []).append(i)
    where, found = points_places(data.points, constants), {}
    ttft, tpot = np.exp(x.predicted[:2])
    share = ttft / (ttft + (np.array([p.workload.output.mean for p in data.points]) - 1.0) * tpot)
    for k in counts:
        rng, drawn = np.random.default_rng(0), []
        for _ in range(repeats):
            for members in (rows for _, rows in sorted(cells.items()) if len(rows) >= LEAST_ROWS):
                own = rng.choice(members, k, replace=False)
                rest = np.setdiff1d(members, own)
                drawn.append(_scored(where, x.residual, share, factors, own, rest))
        empty = np.zeros((len(METRICS), 0))
        parts = zip(*drawn, strict=True) if drawn else ([empty], [empty.astype(bool)])
        found[k] = OwnScore(*(np.hstack(list(part)) for part in parts))
    return found


def _scored(
    where: Array, residual: Array, share: Array, factors: Mapping[str, Mapping[str, Factor]], own: Rows, rest: Rows
) -> tuple[Array, NDArray[np.bool_]]:
    """Ratios and coverage of the rows `rest` of a cell given the rows `own`; `share`: of TTFT in E2E."""
    factor, left = np.zeros((len(METRICS), len(rest))), np.ones((len(METRICS), len(rest)))
    for m, metric in enumerate(METRICS[:2]):
        sd = factors[metric]["pair_unseen"].sd_ln
        learnt = learn(where[own], residual[m, own], sd, NOISE[metric])
        if learnt is not None:
            factor[m], left[m] = learnt.at(where[rest])
    mix = np.array([share[rest], 1.0 - share[rest]])
    factor[2] = -np.log((mix * np.exp(factor[:2])).sum(axis=0))
    left[2] = (mix * left[:2]).sum(axis=0)
    missed = residual[:, rest] - factor
    inside = np.zeros(missed.shape, dtype=bool)
    for m, metric in enumerate(METRICS):
        far, near = factors[metric]["pair_unseen"], factors[metric]["pair_seen"]
        low, high = shrunk(far.low, far.high, left[m], near.low, near.high)
        inside[m] = (low <= missed[m]) & (missed[m] <= high)
    return -missed, inside
