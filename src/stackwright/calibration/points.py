"""Predicts every row of a measurement table that is within scope; says why not for the rest.

Rows of one model and one traffic are evaluated together as arrays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stackwright.catalog import Catalog, Engine
from stackwright.errors import InputError
from stackwright.llm import Model, parse_config
from stackwright.measure import Measurement
from stackwright.performance import (
    Candidate,
    Constants,
    Layout,
    candidates,
    kv_capacity_sequences,
    layout_problem,
    memory_budget,
)
from stackwright.serving.prediction import fit_problem, service_metrics, spread_of
from stackwright.serving.tokens import decode_context
from stackwright.workload import Workload, parse_lengths

PERCENTILES = (50.0, 95.0, 99.0)


@dataclass(frozen=True)
class PointPrediction:
    """Metrics of one row by contract name, each as (value, low, high); `group` names the network it runs."""

    measurement: Measurement
    chip: str
    engine: str
    model: str
    group: str
    metrics: Mapping[str, tuple[float, float, float]]


@dataclass(frozen=True)
class Refusal:
    """A row that cannot be predicted, and why."""

    measurement: Measurement
    reason: str


@dataclass(frozen=True)
class _Point:
    measurement: Measurement
    candidate: Candidate
    model: Model
    group: str
    workload: Workload


def predict_points(
    rows: Sequence[Measurement], catalog: Catalog, constants: Constants, intervals: bool = True
) -> list[PointPrediction | Refusal]:
    """A prediction or a refusal for each row, in the order of the rows."""
    answers: dict[int, PointPrediction | Refusal] = {}
    together: dict[tuple[str, Workload], list[tuple[int, _Point]]] = {}
    models: dict[str, tuple[Model, str]] = {}
    for i, row in enumerate(rows):
        try:
            point = _point(row, catalog, models)
        except InputError as error:
            answers[i] = Refusal(row, str(error))
            continue
        together.setdefault((point.model.id, _traffic(point.workload)), []).append((i, point))
    for (_, workload), points in together.items():
        answers.update(_evaluate(points, workload, constants, intervals))
    return [answers[i] for i in range(len(rows))]


def _traffic(w: Workload) -> Workload:
    """The workload without its load: rows that differ only in load are evaluated together."""
    if w.rate_per_s is not None:
        return w
    return w.with_load(concurrency=1.0, rounds=w.rounds)


def _point(row: Measurement, catalog: Catalog, models: dict[str, tuple[Model, str]]) -> _Point:
    text = row.text
    if text["mode"] not in ("", "aggregated"):
        raise InputError(f"{text['mode']} serving is not covered yet")
    if text["speculative"] not in ("", "none"):
        raise InputError(f"speculative decoding ({text['speculative']}) is not covered yet")
    chip, engine = catalog.chip(text["chip"]), catalog.engine(text["engine"])
    name = text["model"]
    if name not in models:
        entry = catalog.model(name)
        models[name] = parse_config(entry.config, entry.id), entry.group or entry.id
    model, group = models[name]
    layout = _layout(row, model, engine, chip.family)
    candidate = Candidate(engine, chip, layout)
    problem = layout_problem(layout, model, engine, chip)
    if problem:
        raise InputError(problem)
    return _Point(row, candidate, model, group, _workload(row))


def _layout(row: Measurement, model: Model, engine: Engine, family: str) -> Layout:
    pp, ep, dp = (int(row.number(k, 1.0) or 1) for k in ("pp", "ep", "attention_dp"))
    n_chips, tp = row.number("n_chips"), row.number("tp")
    if tp is None:
        if n_chips is None or n_chips % (pp * dp):
            raise InputError("neither tp nor an n_chips that attention_dp x pp divides is given")
        tp = n_chips / (pp * dp)
    elif n_chips is not None and int(tp) * dp * pp != int(n_chips):
        raise InputError(f"layout contradicts itself: tp {tp:g} x attention_dp {dp} x pp {pp} is not {n_chips:g} chips")
    precision = row.text["weight_precision"] or model.native_precision
    support = next((s for s in engine.supports if family in s.families), None)
    kv = row.text["kv_precision"] or ("fp8" if precision != "bf16" and support and "fp8" in support.kv else "bf16")
    return Layout(int(tp), pp, ep, dp, precision, kv)


def _workload(row: Measurement) -> Workload:
    isl, osl = row.number("isl"), row.number("osl")
    if not isl or not osl:
        raise InputError("isl and osl must be above 0")
    dist = row.text["length_dist"] or "fixed"
    lengths = parse_lengths(dist, isl), parse_lengths(dist, osl)
    rate = row.number("request_rate")
    if rate:
        return Workload("row", *lengths, rate_per_s=rate)
    return Workload("row", *lengths, concurrency=row.number("concurrency") or None, rounds=row.number("rounds") or None)


def _evaluate(
    points: Sequence[tuple[int, _Point]], workload: Workload, constants: Constants, intervals: bool
) -> dict[int, PointPrediction | Refusal]:
    """Predictions of rows that share model and traffic."""
    from stackwright.serving import running_for_rate
    from stackwright.serving.prediction import serve

    answers: dict[int, PointPrediction | Refusal] = {}
    c = candidates(points[0][1].model, [p.candidate for _, p in points], constants)
    budget = memory_budget(c)
    fits = []
    for k, (i, p) in enumerate(points):
        problem = fit_problem(c, budget, p.workload, k)
        if problem:
            answers[i] = Refusal(p.measurement, problem)
        else:
            fits.append(k)
    if not fits:
        return answers
    c = c.take(np.array(fits))
    kept = [points[k] for k in fits]
    if workload.rate_per_s is not None:
        load = running_for_rate(c, workload, np.asarray(workload.rate_per_s))
    else:
        fitting = kv_capacity_sequences(c, memory_budget(c), decode_context(workload))
        full = np.minimum(fitting, c.max_sequences) * c.shard.data
        given = np.array([[p.workload.concurrency or np.nan] for _, p in kept])
        load = np.where(np.isnan(given), full, given)
    if intervals:
        spread = spread_of(c, workload, load, PERCENTILES)
        values = {k: (v, *spread.interval(k)) for k, v in spread.value.items()}
    else:
        plain = service_metrics(c, serve(c, workload, load), workload, PERCENTILES)
        values = {k: (v, v, v) for k, v in plain.items()}
    for row, (i, p) in enumerate(kept):
        metrics = {k: tuple(float(x[row, 0]) for x in v) for k, v in values.items()}
        answers[i] = PointPrediction(
            p.measurement,
            p.candidate.chip.id,
            p.candidate.engine.id,
            p.model.id,
            p.group,
            metrics,  # type: ignore[arg-type]
        )
    return answers
