"""Disaggregated deployments: a few good prefill and decode workers of each engine and chip, in matched numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stackwright.llm import Model
from stackwright.performance import Candidate, Constants
from stackwright.performance.candidates import context_of
from stackwright.performance.own_points import cell_of
from stackwright.performance.pools import DISAGGREGATED, Pooled, Pools, pooled, pools_problem
from stackwright.planner.evaluate import Grid, evaluate_at
from stackwright.planner.size import Context
from stackwright.serving.disaggregated import handover_s
from stackwright.serving.latency import TtftDistribution
from stackwright.serving.measured_error import has_factors
from stackwright.serving.pools_open import decoding, full_prefill_pool, prompt_wait_s
from stackwright.serving.rate_matching import Matched, best_ratio, matched_to_rate
from stackwright.serving.traffic import Traffic, traffic

Array = NDArray[np.float64]

LARGEST_POOLS = 128  # chips of both pools of one deployment; more traffic takes several
_PREFILL_WORKERS, _DECODE_WORKERS = 2, 2  # kept of each engine, chip and precision
_ROOM = 0.8  # share of the limits at which workers are matched, so that intervals have room
_LARGEST_PREFILL_WORKER = 16
_BUSY = np.array([[0.2, 0.35, 0.5, 0.65, 0.8, 0.9]])
_PER_RANK = np.geomspace(1.0, 1024.0, 16)[None, :]
_LOADS = 2.0 ** np.arange(16.0)[None, :]


@dataclass(frozen=True)
class _Workers:
    """Requests/s that one worker of each layout carries within its share of the promise; 0 where it cannot."""

    entries: tuple[Candidate, ...]
    prefill: Array
    decode: Array

    def best(self, rates: Array, rows: Sequence[int], most: int, largest: int) -> list[int]:
        """Rows with the most requests/s per chip, among workers of at most `largest` chips."""
        able = [i for i in rows if rates[i] > 0.0 and self.entries[i].layout.n_chips <= largest]
        return sorted(able, key=lambda i: -rates[i] / self.entries[i].layout.n_chips)[:most]


def pool_grid(x: Context, constants: Constants) -> list[Grid]:
    """Matched pools of every engine that documents them, evaluated; those with measured error apart from the others.

    Unless the question names ways, only chips and models of which the record has pools: intervals of the others take
    an evaluation for every constant. Nothing where answers have one token only, nor where own measurements correct
    plain replicas: they say nothing of pools, which would win for not being corrected.
    """
    q, t = x.question, traffic(x.question.workload)
    documented = [e for e in x.grid.candidates.entries if e.engine.ways and e.engine.ways.disaggregated]
    entries = [e for e in documented if not own_points(x.model, e, constants)]
    if constants.calibration is not None and not q.allowed.ways:
        entries = [e for e in entries if _measured(x.model, e, constants)]
    if not entries or float(np.asarray(t.output_mean)) <= 1.0:
        return []
    workers = _workers(x, entries, t, constants)
    made = [made for key in _keys(entries).values() for made in _matched(x, workers, key)]
    if q.allowed.mixed_pools:
        made += _mixed(x, workers)
    kept = [(e, p) for e, p in made if pools_problem(p, x.model, e.engine, e.chip) is None]
    if not kept:
        return []
    d = replace(pooled(x.model, [e for e, _ in kept], [p for _, p in kept], constants), with_power=True)
    known = np.array([has_factors(constants.calibration, (context,)) for context in d.contexts])
    parts = [d.take(np.nonzero(rows)[0]) for rows in (known, ~known) if rows.any()]
    return [evaluate_at(part, q.workload, q.slo, _LOADS) for part in parts]


def _measured(model: Model, e: Candidate, constants: Constants) -> bool:
    """Whether the record knows how far predictions of pools like these are off."""
    return has_factors(constants.calibration, (context_of(model, replace(e, mode=DISAGGREGATED)),))


def own_points(model: Model, e: Candidate, constants: Constants) -> bool:
    """Whether own measurements correct this plain replica."""
    return bool(constants.own) and cell_of(context_of(model, e), None) in constants.own


def _keys(entries: Sequence[Candidate]) -> Mapping[tuple[str, ...], list[int]]:
    """Rows by engine, chip and precisions."""
    found: dict[tuple[str, ...], list[int]] = {}
    for i, e in enumerate(entries):
        found.setdefault((e.engine.id, e.chip.id, e.layout.weight_precision, e.layout.kv_precision), []).append(i)
    return found


def _workers(x: Context, entries: Sequence[Candidate], t: Traffic, constants: Constants) -> _Workers:
    d = pooled(x.model, entries, [Pools(e.layout, 1, e.layout, 1) for e in entries], constants)
    return _Workers(tuple(entries), _prefill_rate(x, d, t), _decode_rate(x, d, t))


def _prefill_rate(x: Context, d: Pooled, t: Traffic) -> Array:
    """Requests/s of one prefill worker at which TTFT, a hand-over included, stays within its share of the limit."""
    slo, zero = x.question.slo, np.zeros_like(d.decode.bandwidth) + 0.0 * _BUSY
    _, pool = full_prefill_pool(d, t, zero)
    rate = _BUSY * pool.capacity
    step_s, busy, wait = prompt_wait_s(d, t, pool, rate)
    ttft = TtftDistribution(
        base=d.theta["request_overhead_s"] + handover_s(d, t) + step_s,
        prompt=pool.alone_s,
        wait_mean=wait,
        wait_probability=np.clip(busy, 1e-9, 1.0),
        burst_share=zero,
        burst_s=zero,
        traffic=t,
    ).quantile(slo.percentile / 100.0)
    held = ttft <= (np.inf if slo.ttft_s is None else slo.ttft_s * _ROOM)
    most: Array = np.where(held, rate, 0.0).max(axis=1)
    return most


def _decode_rate(x: Context, d: Pooled, t: Traffic) -> Array:
    """Requests/s of one decode worker at which TPOT stays within its share of the limit and the cache has room."""
    slo, ranks = x.question.slo, d.decode.shard.data
    rate, tpot, fitting, _ = decoding(d, t, _PER_RANK + np.zeros_like(ranks))
    held = (tpot <= (np.inf if slo.tpot_s is None else slo.tpot_s * _ROOM)) & (fitting * _ROOM >= _PER_RANK)
    held &= np.minimum(fitting, d.decode.max_sequences) >= _PER_RANK
    most: Array = np.where(held, rate, 0.0).max(axis=1)
    return most


def _matched(x: Context, workers: _Workers, rows: Sequence[int]) -> list[tuple[Candidate, Pools]]:
    """Pools of one engine and chip: every good prefill worker with every good decode worker."""
    largest = _budget(x)
    first = workers.best(workers.prefill, rows, _PREFILL_WORKERS, min(_LARGEST_PREFILL_WORKER, largest))
    second = workers.best(workers.decode, rows, _DECODE_WORKERS, largest)
    return [made for i in first for j in second for made in _in_numbers(x, workers, i, j)]


def _mixed(x: Context, workers: _Workers) -> list[tuple[Candidate, Pools]]:
    """Prefill workers of another chip of the same maker, the cheapest per prompt, before each best decode worker.

    Both load the same weights: a cache of other ones belongs to another model.
    """
    keys = _keys(workers.entries)
    found: list[tuple[Candidate, Pools]] = []
    best = {key: workers.best(workers.prefill, rows, 1, _LARGEST_PREFILL_WORKER) for key, rows in keys.items()}
    for key, rows in keys.items():
        for j in workers.best(workers.decode, rows, 1, _budget(x)):
            here = workers.entries[j]
            others = [
                i
                for other, firsts in best.items()
                for i in firsts
                if (other[0], *other[2:]) == (key[0], *key[2:]) and other[1] != key[1]
                if workers.entries[i].chip.vendor == here.chip.vendor
            ]
            for i in sorted(others, key=lambda i: _usd_per_prompt(x, workers, i))[:_PREFILL_WORKERS]:
                found += _in_numbers(x, workers, i, j)
    return found


def _usd_per_prompt(x: Context, workers: _Workers, row: int) -> float:
    entry = workers.entries[row]
    offers = x.marketplace.of(entry.chip.id)
    if not offers:
        return float("inf")
    offer, price = offers[0]
    return float(price.usd_per_hour / offer.chips * entry.layout.n_chips / workers.prefill[row])


def _in_numbers(x: Context, workers: _Workers, i: int, j: int) -> list[tuple[Candidate, Pools]]:
    """A prefill and a decode worker in the best ratio, and in the numbers that the whole rate takes where few do."""
    first, second = workers.entries[i], workers.entries[j]
    rates = float(workers.prefill[i]), float(workers.decode[j])
    chips = first.layout.n_chips, second.layout.n_chips
    numbers: list[Matched | None] = [best_ratio(*rates, chips, _budget(x))]
    wanted = _wanted(x)
    if wanted is not None:
        whole = matched_to_rate(*rates, wanted)
        if whole.prefill_workers * chips[0] + whole.decode_workers * chips[1] <= _budget(x):
            numbers.append(whole)
    other = None if first.chip.id == second.chip.id else first.chip
    pairs = {(m.prefill_workers, m.decode_workers) for m in numbers if m is not None}
    return [(second, Pools(first.layout, a, second.layout, b, other)) for a, b in sorted(pairs)]


def _wanted(x: Context) -> float | None:
    """Requests/s of the whole traffic: as asked, or what its users send at the limit of TPOT that workers aim at."""
    w, tpot_s = x.question.workload, x.question.slo.tpot_s
    if w.rate_per_s is not None or w.concurrency is None or tpot_s is None:
        return w.rate_per_s
    return w.concurrency / (w.output.mean * tpot_s * _ROOM)


def _budget(x: Context) -> int:
    return min(LARGEST_POOLS, x.question.limits.max_chips or LARGEST_POOLS)
