"""Predicts every row of a measurement table that is within scope; says why not for the rest.

All rows are evaluated together as arrays: models are stacked, traffic is a column.
"""

from __future__ import annotations

import datetime as dt
import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

import numpy as np
import yaml
from numpy.typing import NDArray

from stackwright.calibration.rows.groups import POOLS
from stackwright.calibration.rows.speculation import speculation_of
from stackwright.catalog import Catalog, Engine
from stackwright.errors import InputError
from stackwright.llm import Model
from stackwright.measure import Measurement
from stackwright.performance import (
    Candidate,
    Candidates,
    Constants,
    Layout,
    candidates,
    check_speculation,
    kv_capacity_sequences,
    layout_problem,
    memory_budget,
)
from stackwright.performance.calibration import years_since_2026
from stackwright.performance.models import model_of
from stackwright.performance.pools import DISAGGREGATED, Pooled, Pools, Served, pooled, pools_problem
from stackwright.serving import running_for_rate
from stackwright.serving.prediction import fit_problem, serve, service_metrics, spread_of
from stackwright.serving.traffic import Traffic, stacked_traffic
from stackwright.workload import Workload, parse_lengths

Array = NDArray[np.float64]

PERCENTILES = (50.0, 95.0, 99.0)
_BLOCK = 1024
_DATE = re.compile(r"(20\d\d)(?:[-/](\d\d))?(?:-(\d\d))?")
# Engines whose cache keeps the model's own precision unless told otherwise (kv_cache_dtype "auto").
_KV_AS_MODEL = frozenset({"vllm", "sglang"})


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
class Point:
    """A measured row resolved against the catalogue; `candidate` is a decode worker where it has `pools`."""

    measurement: Measurement
    candidate: Candidate
    model: Model
    workload: Workload
    pools: Pools | None = None

    @property
    def n_chips(self) -> int:
        """Chips that served the row's load."""
        return self.pools.n_chips if self.pools else self.candidate.layout.n_chips

    @property
    def rate_of_latencies(self) -> float | None:
        """Output tokens/s per chip of the measured latencies, means or medians, at the users stated (Little's law)."""
        ttft, tpot, users = (self.measurement.number(name) for name in ("ttft_s", "tpot_s", "concurrency"))
        if not (ttft and tpot and users):
            return None
        tokens = self.workload.output.mean
        return users / (ttft + (tokens - 1.0) * tpot) * tokens / self.n_chips


def predict_points(
    rows: Sequence[Measurement], catalog: Catalog, constants: Constants, intervals: bool = True
) -> list[PointPrediction | Refusal]:
    """A prediction or a refusal for each row, in the order of the rows."""
    answers: dict[int, PointPrediction | Refusal] = {}
    together: dict[tuple[bool, bool, bool], list[tuple[int, Point]]] = {}
    models: dict[str, Model] = {}
    for i, row in enumerate(rows):
        try:
            point = resolve_point(row, catalog, models)
        except InputError as error:
            answers[i] = Refusal(row, str(error))
            continue
        kind = point.workload.rate_per_s is None, point.candidate.speculation is None, point.pools is None
        together.setdefault(kind, []).append((i, point))
    for points in together.values():
        for start in range(0, len(points), _BLOCK):
            answers.update(_evaluate(points[start : start + _BLOCK], constants, intervals))
    return [answers[i] for i in range(len(rows))]


def resolve_point(row: Measurement, catalog: Catalog, models: dict[str, Model]) -> Point:
    """A row resolved against the catalogue; `models` caches architectures. Raises `InputError` with the reason."""
    text = row.text
    if text["mode"] not in ("", "aggregated", DISAGGREGATED):
        raise InputError(f"{text['mode']} serving is not covered")
    chip, engine = catalog.chip(text["chip"]), catalog.engine(text["engine"])
    name = text["model"]
    if name not in models:
        models[name] = model_of(catalog.model(name))
    model = models[name]
    pools = _pools(row, model, engine, chip.family) if text["mode"] == DISAGGREGATED else None
    layout = pools.decode if pools else _layout(row, model, engine, chip.family)
    speculation, mode = speculation_of(row, engine, chip), DISAGGREGATED if pools else ""
    candidate = Candidate(
        engine, chip, layout, source=harness(row), year=row_year(row), speculation=speculation, mode=mode
    )
    problem = pools_problem(pools, model, engine, chip) if pools else layout_problem(layout, model, engine, chip)
    if problem:
        raise InputError(problem)
    if speculation is not None:
        check_speculation(speculation, model)
    workload = _workload(row)
    if pools and (workload.rate_per_s is not None or row.number("concurrency") is None):
        raise InputError("disaggregated pools are predicted in a closed loop only: concurrency is needed")
    return Point(row, candidate, model, workload, pools)


def harness(row: Measurement) -> str:
    """The benchmark a row comes from, as the calibration names it: how it sends requests, not who published it."""
    source = row.text["source"].lower()
    known = {"inferencex": "inferencex", "tensorrt-llm perf": "tensorrt-llm-perf", "gap": "gap-analysis"}
    return next((name for text, name in known.items() if text in source), "other" if source else "")


def row_year(row: Measurement) -> float | None:
    """Years from 2026-01-01 to a row's software: its date (day, month or year), else the release of its version.

    None (the engine's date) where it states neither.
    """
    stated = _DATE.search(row.text["date"])
    if stated:
        year, month, day = (int(part) if part else None for part in stated.groups())
        try:
            return years_since_2026(dt.date(year or 2026, month or 7, day or (15 if month else 1)))
        except ValueError:
            raise InputError(f"date = {row.text['date']!r} is not a day") from None
    known = engine_releases().get(row.text["engine"], {})
    found = max((v for v in known if row.text["engine_version"].startswith(v)), key=len, default=None)
    return years_since_2026(known[found]) if found else None


@functools.cache
def engine_releases() -> Mapping[str, Mapping[str, dt.date]]:
    """Release dates by engine and beginning of the version."""
    text = (resources.files("stackwright.catalog") / "data" / "engine_releases.yaml").read_text()
    releases: Mapping[str, Mapping[str, dt.date]] = yaml.safe_load(text)["releases"]
    return releases


def _layout(row: Measurement, model: Model, engine: Engine, family: str) -> Layout:
    """The layout a row states."""
    pp, ep, dp = (int(row.number(k, 1.0) or 1) for k in ("pp", "ep", "attention_dp"))
    n_chips, tp = row.number("n_chips"), row.number("tp")
    if tp is None:
        if n_chips is None or n_chips % (pp * dp):
            raise InputError("neither tp nor an n_chips that attention_dp x pp divides is given")
        tp = n_chips / (pp * dp)
    elif n_chips is not None and int(tp) * dp * pp != int(n_chips):
        raise InputError(f"layout contradicts itself: tp {tp:g} x attention_dp {dp} x pp {pp} is not {n_chips:g} chips")
    return Layout(int(tp), pp, ep, dp, *_precisions(row, model, engine, family))


def _pools(row: Measurement, model: Model, engine: Engine, family: str) -> Pools:
    """The pools a row states."""
    precisions = _precisions(row, model, engine, family)
    sizes: dict[str, int] = {}
    for name in POOLS:
        cell = row.raw.get(name, "")
        try:
            number = float(cell or 1)
        except ValueError:
            raise InputError(f"{name} = {cell!r} is not a number") from None
        if not number.is_integer() or (not cell and name.endswith("_workers")):
            raise InputError(f"{name} is {cell or 'not stated'}: a whole number is needed")
        sizes[name] = int(number)

    def layout(pool: str) -> Layout:
        tp, ep, dp = (sizes[f"{pool}_{part}"] for part in ("tp", "ep", "attention_dp"))
        return Layout(tp, 1, ep, dp, *precisions)

    pools = Pools(layout("prefill"), sizes["prefill_workers"], layout("decode"), sizes["decode_workers"])
    n_chips = row.number("n_chips")
    if n_chips is not None and pools.n_chips != n_chips:
        raise InputError(f"layout contradicts itself: {pools} is {pools.n_chips}, not {n_chips:g} chips")
    return pools


def _precisions(row: Measurement, model: Model, engine: Engine, family: str) -> tuple[str, str]:
    """Precisions of weights and cache.

    A cache of unstated precision: FP8 beside quantised weights (checkpoints of TensorRT-LLM and the recipes of
    InferenceX say so), else what the engine does when it is not told: BF16 for native MXFP4 weights on Hopper
    (`plain_kv` of the catalogue; perf-overview of TensorRT-LLM).
    """
    precision = row.text["weight_precision"].lower() or model.native_precision
    support = next((s for s in engine.supports if family in s.families), None)
    plain = engine.id in _KV_AS_MODEL and harness(row) != "inferencex"
    plain |= support is not None and model.native_precision in support.plain_kv
    quantised = precision != "bf16" and support is not None and "fp8" in support.kv and not plain
    return precision, row.text["kv_precision"].lower() or ("fp8" if quantised else "bf16")


def _workload(row: Measurement) -> Workload:
    isl, osl = row.number("isl"), row.number("osl")
    if not isl or not osl:
        raise InputError("isl and osl must be above 0")
    dist = row.text["length_dist"] or "fixed"
    lengths = parse_lengths(dist, isl), parse_lengths(dist, osl)
    rate = row.number("request_rate")
    if rate:
        return Workload("row", *lengths, rate_per_s=rate)
    return Workload("row", *lengths, concurrency=row.number("concurrency") or 1.0, rounds=row.number("rounds") or None)


def _evaluate(
    points: Sequence[tuple[int, Point]], constants: Constants, intervals: bool
) -> dict[int, PointPrediction | Refusal]:
    """Predictions of rows that are all closed or all open loops, all with speculation or pools or all without."""
    every = served([p for _, p in points], constants)
    problems = memory_problems(every, [p for _, p in points])
    answers: dict[int, PointPrediction | Refusal] = {
        i: Refusal(p.measurement, f"does not fit: {problems[k]}") for k, (i, p) in enumerate(points) if k in problems
    }
    fits = [k for k in range(len(points)) if k not in problems]
    if not fits:
        return answers
    c = every.take(np.array(fits))
    kept = [points[k] for k in fits]
    t = stacked_traffic([p.workload for _, p in kept])
    load = point_loads(c, t, [p for _, p in kept])
    if intervals:
        spread = spread_of(c, t, load, PERCENTILES)
        values = {k: (v, *spread.interval(k)) for k, v in spread.value.items()}
    else:
        plain = service_metrics(c, serve(c, t, load), t, PERCENTILES)
        values = {k: (v, v, v) for k, v in plain.items()}
    for row, (i, p) in enumerate(kept):
        if not np.isfinite(load[row, 0]):
            answers[i] = Refusal(p.measurement, f"{p.workload.rate_per_s:g} requests/s is more than it can sustain")
            continue
        metrics = {
            k: (float(v[row, 0]), float(low[row, 0]), float(high[row, 0])) for k, (v, low, high) in values.items()
        }
        names = p.candidate.chip.id, p.candidate.engine.id, p.model.id, p.model.network
        answers[i] = PointPrediction(p.measurement, *names, metrics)
    return answers


def served(points: Sequence[Point], constants: Constants) -> Served:
    """The arrays of points that all have pools, or none."""
    models, entries = [p.model for p in points], [p.candidate for p in points]
    pools = [p.pools for p in points if p.pools]
    return pooled(models, entries, pools, constants) if pools else candidates(models, entries, constants)


def memory_problems(c: Served, points: Sequence[Point]) -> dict[int, str]:
    """Why points do not fit in memory, by their place; a worker of either pool must hold its weights and a request."""
    parts = {"": c} if isinstance(c, Candidates) else {"decode worker ": c.decode, "prefill worker ": c.prefill}
    found: dict[int, str] = {}
    for name, part in parts.items():
        budget = memory_budget(part)
        for i, p in enumerate(points):
            problem = fit_problem(part, budget, p.workload, i)
            if problem:
                found.setdefault(i, f"{name}{problem}")
    return found


def point_loads(c: Served, t: Traffic, points: Sequence[Point]) -> Array:
    """Users per replica as given, or running sequences at the rate given.

    Where a row states neither it ran at maximum load: as many as fit with the cache of their whole length reserved
    (no request is evicted), at most the engine's limit, of which `maximum_load_share` run on average.
    """
    if isinstance(c, Pooled):
        return np.array([[p.workload.concurrency] for p in points], dtype=float)
    if not t.closed:
        return running_for_rate(c, t, np.array([[p.workload.rate_per_s or np.nan] for p in points]))
    whole = np.asarray(t.prompt_tokens + t.output_mean)
    fitting = kv_capacity_sequences(c, memory_budget(c), whole)
    full = np.minimum(fitting, c.max_sequences) * c.shard.data * c.theta["maximum_load_share"]
    return np.where(at_maximum_load(points), full, [[p.measurement.number("concurrency") or np.nan] for p in points])


def at_maximum_load(points: Sequence[Point]) -> NDArray[np.bool_]:
    """Whether each row states neither users nor a rate, shape (n, 1)."""
    return np.array([[not p.measurement.number("concurrency")] for p in points], dtype=bool)
