"""One operating point: what it delivers, with intervals, and where the time goes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stackwright.errors import InputError, UnsupportedError
from stackwright.llm import Model
from stackwright.performance import (
    Candidate,
    Candidates,
    Constants,
    Layout,
    MemoryBudget,
    Part,
    Speculation,
    check_layout,
    check_lora,
    check_speculation,
    kv_bytes_per_sequence,
    memory_budget,
)
from stackwright.performance import candidates as make_candidates
from stackwright.performance.pools import Pooled, Pools, Served, pooled, pools_problem
from stackwright.serving.chip_figures import has_ranges, range_note, with_ranges, without_ranges
from stackwright.serving.closed_loop import Service, closed_loop
from stackwright.serving.disaggregated import disaggregated
from stackwright.serving.energy import pool_chip_power_w, replica_chip_power_w
from stackwright.serving.intervals import Uncertain, propagate
from stackwright.serving.measured_error import Evidence, evidence, has_factors, measured_error
from stackwright.serving.open_loop import open_loop, running_for_rate
from stackwright.serving.own_correction import corrected, narrowed, own_words
from stackwright.serving.phases import Phases
from stackwright.serving.pools_open import decoding_for_rate, open_pools
from stackwright.serving.prefix_cache import Kept, PrefixCache, kept_prefixes
from stackwright.serving.tokens import longest_request
from stackwright.serving.traffic import Traffic, traffic
from stackwright.units import gigabytes
from stackwright.workload import Workload

Array = NDArray[np.float64]

PERCENTILES = (50.0, 90.0, 95.0, 99.0)
_LEAST_ELASTICITY = 0.05
_MORE = 1.01
_CACHE_ROUNDS = 4
_STATUS = {
    "announced": "{} is announced: extrapolated from announced figures",
    "estimated": "{} is estimated: extrapolated from outside estimates",
    "internal": "{} is used by its maker only: figures as the maker or the press gave them",
}


@dataclass(frozen=True)
class Interval:
    """A figure with its two-sided 90 % interval."""

    value: float
    low: float
    high: float

    def scaled(self, factor: float) -> Interval:
        """The same figure in other units (factor > 0)."""
        return Interval(self.value * factor, self.low * factor, self.high * factor)


@dataclass(frozen=True)
class Prediction:
    """Figures of one operating point (seconds, tokens/s, watts; units in the metric names).

    `decode_parts` and `prompt_parts` sum to `decode_step_s` and `prompt_step_s`; `waits` sum to the mean TTFT.
    `prompt_time_share`: share of engine time that prompts take.
    With `pools`, `layout` and `memory` are those of a decode worker, the prompt step that of a prefill worker.
    `memory`: bytes of the fullest chip by use. `notes` say what is extrapolated or unvalidated. `evidence`: the
    measurements behind a calibrated prediction. With `speculation` a decode step emits `acceptance_length` tokens
    per sequence.
    """

    model: str
    engine: str
    chip: str
    layout: Layout
    workload: Workload
    metrics: Mapping[str, Interval]
    decode_step_s: float
    prompt_step_s: float
    prompt_time_share: float
    decode_parts: tuple[Part, ...]
    prompt_parts: tuple[Part, ...]
    waits: Mapping[str, float]
    memory: Mapping[str, float]
    running_per_rank: float
    fitting_per_rank: float
    constants_status: str
    notes: tuple[str, ...]
    evidence: Evidence | None = None
    speculation: Speculation | None = None
    acceptance_length: float | None = None
    pools: Pools | None = None

    @property
    def n_chips(self) -> int:
        """Chips that serve this load."""
        return self.pools.n_chips if self.pools else self.layout.n_chips


def serve(c: Served, w: Workload | Traffic, load: Array | None = None) -> Service:
    """The service of a workload: closed loop for a concurrency, open loop for a rate.

    `load`, shape broadcastable to (candidates, loads), replaces the workload's own concurrency, or is the running
    sequences of an open loop (in the decode pool of disaggregated ones).
    """
    t = traffic(w)
    loads = _own_load(c, t) if load is None else np.asarray(load, dtype=float)
    if isinstance(c, Pooled):
        return disaggregated(c, t, loads) if t.closed else open_pools(c, t, np.minimum(loads, 1e6))
    return closed_loop(c, t, loads) if t.closed else open_loop(c, t, np.minimum(loads, 1e6))


def _own_load(c: Served, t: Traffic) -> Array:
    """Users, or running sequences, of the one workload behind this traffic."""
    if len(t.workloads) > 1:
        raise InputError("many rows need a load each")
    w = t.workloads[0]
    if t.closed:
        return np.asarray(w.concurrency, dtype=float)
    if w.rate_per_s is None:
        raise InputError("give a request rate or a concurrency: one operating point needs a load")
    rate = np.asarray(w.rate_per_s, dtype=float)
    return load_for(c, t, rate)


def service_metrics(c: Served, s: Service, w: Workload | Traffic, percentiles: Iterable[float]) -> dict[str, Array]:
    """Metrics by contract name, arrays of shape (candidates, loads); unstable loads have infinite latency.

    Own measurements that the constants carry are taken into account, but not for disaggregated pools, which have watts
    only where a plan needs them (`Pooled.with_power`).
    """
    unstable = ~s.stable
    found: dict[str, Array] = {
        "ttft_mean_s": s.ttft.mean,
        "tpot_mean_s": s.tpot.mean,
        "e2e_mean_s": s.e2e.mean,
    }
    for p in percentiles:
        found[f"ttft_p{p:g}_s"] = s.ttft.quantile(p / 100.0)
        found[f"tpot_p{p:g}_s"] = s.tpot.quantile(p / 100.0)
        found[f"e2e_p{p:g}_s"] = s.e2e.quantile(p / 100.0)
    found = {k: np.where(unstable, np.inf, v) for k, v in found.items()}
    t = traffic(w)
    output = s.request_rate * t.output_mean
    found["requests_per_s"] = s.request_rate
    found["output_tokens_per_s_per_chip"] = output / c.n_chips
    found["total_tokens_per_s_per_chip"] = s.request_rate * (t.output_mean + t.input_mean) / c.n_chips
    if isinstance(c, Pooled) and not c.with_power:
        return found
    watts = pool_chip_power_w(c, s) if isinstance(c, Pooled) else replica_chip_power_w(c, s)
    found["chip_watts"] = watts
    found["chip_joules_per_output_token"] = watts * c.n_chips / output
    return found if isinstance(c, Pooled) else corrected(found, c, t, s.phases.offered * c.shard.data)


def load_for(c: Served, w: Workload | Traffic, rate: Array) -> Array:
    """The load of `serve` in an open loop at which candidates pass `rate` requests/s each, shape (n, 1) or scalar."""
    return decoding_for_rate(c, w, rate) if isinstance(c, Pooled) else running_for_rate(c, w, rate)


def spread_of(c: Served, w: Workload | Traffic, load: Array, percentiles: Iterable[float]) -> Uncertain:
    """Metrics at `load` (shape (n, 1)) with their spread: of measured error where the record has it, at one evaluation.

    Otherwise from the spread of the constants. An open loop keeps its request rate while the service is slower or
    faster: the running sequences follow, to first order, by the elasticity of the rate. `requests_per_s_at_load` is
    the rate at unmoved load: its spread is that of the capacity.
    """
    percentiles = tuple(percentiles)
    measured = has_factors(c.constants.calibration, c.contexts)
    found = (_measured if measured else _propagated)(c, w, load, percentiles)
    if has_ranges(c):
        found = with_ranges(found, c, load, lambda part, at: _figures(part, w, at, percentiles), isinstance(w, Traffic))
    return found if isinstance(c, Pooled) else narrowed(found, c, traffic(w), load)


def _propagated(c: Served, w: Workload | Traffic, load: Array, percentiles: tuple[float, ...]) -> Uncertain:
    """Metrics with the spread of the constants."""
    return propagate(_figures(c, w, load, percentiles), c)


def _figures(
    c: Served, w: Workload | Traffic, load: Array, percentiles: tuple[float, ...]
) -> Callable[[Served], dict[str, Array]]:
    """Metrics of candidates that differ from `c` in speed only: at `load`, or at the request rate of `c` there."""
    t = traffic(w)
    base_rate = serve(c, w, load).request_rate
    elasticity = np.ones_like(base_rate)
    if not t.closed:
        more = serve(c, w, load * _MORE).request_rate
        elasticity = np.clip(np.log(more / base_rate) / np.log(_MORE), _LEAST_ELASTICITY, 1.0)

    def figures(moved: Served) -> dict[str, Array]:
        service = serve(moved, w, load)
        at_load = service_metrics(moved, service, t, ())["requests_per_s"]
        if not t.closed and moved is not c:
            service = serve(moved, t, load * np.exp(np.log(base_rate / service.request_rate) / elasticity))
        return {**service_metrics(moved, service, t, percentiles), "requests_per_s_at_load": at_load}

    return figures


def _measured(c: Served, w: Workload | Traffic, load: Array, percentiles: tuple[float, ...]) -> Uncertain:
    """Metrics with the factors of the record; an open loop is evaluated twice, for how steep its latencies are."""
    t = traffic(w)
    service = serve(c, w, load)
    metrics = service_metrics(c, service, t, percentiles)
    steepness: dict[str, Array] = {}
    if not t.closed:
        more = serve(c, w, load * _MORE)
        further = service_metrics(c, more, t, percentiles)
        ln_rate = np.maximum(np.log(more.request_rate / service.request_rate), _LEAST_ELASTICITY * np.log(_MORE))
        for name in (k for k in metrics if k.startswith(("ttft_", "tpot_", "e2e_"))):
            with np.errstate(invalid="ignore"):  # an unstable load has infinite latency before and after
                steepness[name] = np.nan_to_num(np.log(further[name] / metrics[name]), posinf=0.0) / ln_rate
    return measured_error(c, {**metrics, "requests_per_s_at_load": metrics["requests_per_s"]}, steepness, t.closed)


def predict(
    model: Model,
    candidate: Candidate,
    workload: Workload,
    constants: Constants,
    percentiles: tuple[float, ...] = PERCENTILES,
    pools: Pools | None = None,
    cache: PrefixCache | None = None,
) -> Prediction:
    """Predict one operating point: of a replica, or of disaggregated `pools`; `cache` limits which prefixes are found.

    Raises `InputError` when the layout is impossible, the model does not fit, or the rate cannot be sustained.
    """
    if candidate.speculation is not None:
        check_speculation(candidate.speculation, model)
    if candidate.lora is not None and candidate.speculation is not None:
        raise UnsupportedError(
            "LoRA adapters beside speculative decoding are not covered: vLLM's table of features rules the pair out"
        )
    if candidate.lora is not None:
        check_lora(candidate.lora, model, candidate.engine, candidate.chip)
    served = _served(model, candidate, constants, pools)
    workers = [served.prefill, served.decode] if isinstance(served, Pooled) else [served]
    for part in workers:
        check_fits(part, memory_budget(part), workload, 0)
    c, budget = workers[-1], memory_budget(workers[-1])
    t, service, kept = traffic(workload), serve(served, workload), None
    if cache is not None:
        t, service, kept = _with_cache(served, workload, cache, service)
    if not bool(service.stable.all()) or not np.isfinite(service.concurrency).all():
        raise InputError(_too_much(model, candidate, workload, pools))
    load = service.phases.offered * c.shard.data
    if isinstance(served, Pooled):
        load = service.concurrency if t.closed else load * served.decode_workers

    spread = spread_of(served, t, load, percentiles)
    metrics = {}
    for name, value in spread.value.items():
        if name == "requests_per_s_at_load":
            continue
        low, high = spread.interval(name)
        metrics[name] = Interval(float(value.flat[0]), float(low.flat[0]), float(high.flat[0]))
    ph = service.phases
    record = constants.calibration
    behind = evidence(record, c.contexts[0]) if record else None
    waits = {k: float(np.asarray(v).flat[0]) for k, v in service.waits.items()}
    said = own_words(c, t, load)
    ranges = None
    if has_ranges(served):
        ranges = range_note(served, spread, spread_of(without_ranges(served), t, load, ()))
    if said:
        waits["own measurements"] = metrics["ttft_mean_s"].value - sum(waits.values())
    return Prediction(
        model=model.id,
        engine=candidate.engine.id,
        chip=candidate.chip.id,
        layout=c.entries[0].layout,
        workload=workload,
        metrics=metrics,
        decode_step_s=float(ph.decode.seconds.flat[0]),
        prompt_step_s=float(ph.prompt.seconds.flat[0]),
        prompt_time_share=float((service.request_rate / _prompt_ranks(served) * ph.batched_prompt_s).flat[0]),
        decode_parts=ph.decode.parts,
        prompt_parts=ph.prompt.parts,
        waits=waits,
        memory=_memory(c, budget, workload, float(ph.running.flat[0])),
        running_per_rank=float(ph.running.flat[0]),
        fitting_per_rank=float(ph.fitting.flat[0]),
        constants_status=constants.status,
        notes=tuple(n for n in (said, *_notes(served, t, behind, ph), *_cache_notes(kept, workload), ranges) if n),
        evidence=behind,
        speculation=candidate.speculation,
        acceptance_length=float(c.emitted.flat[0]) if candidate.speculation else None,
        pools=pools,
    )


def _too_much(model: Model, candidate: Candidate, w: Workload, pools: Pools | None) -> str:
    asked = f"{w.rate_per_s:g} requests/s" if w.rate_per_s else f"{w.concurrency:g} users"
    if pools:
        return f"{model.id}, {pools}: {asked} is more than these pools can sustain; lower the load or add workers"
    return (
        f"{model.id} on {candidate.layout.n_chips} x {candidate.chip.id}: {asked} "
        "is more than one replica can sustain; lower the load or use more chips"
    )


def _with_cache(c: Served, w: Workload, cache: PrefixCache, service: Service) -> tuple[Traffic, Service, Kept]:
    """Traffic and service with the prefixes kept beside the running sequences, which depend on the hit rate."""
    t = traffic(w)
    for _ in range(_CACHE_ROUNDS):
        kept = kept_prefixes(c, w, cache, service)
        t = kept.apply(w)
        service = serve(c, t)
    if float(np.max(service.request_rate / _prompt_ranks(c) * kept.load_s)) >= 1.0:
        raise InputError("host links cannot bring the prefixes back at this load: lower it, or offload less")
    return t, service, kept


def _served(model: Model, candidate: Candidate, constants: Constants, pools: Pools | None) -> Served:
    if pools is None:
        check_layout(candidate.layout, model, candidate.engine, candidate.chip)
        return make_candidates(model, [candidate], constants)
    problem = pools_problem(pools, model, candidate.engine, candidate.chip)
    if problem:
        raise InputError(f"{model.id} on {candidate.chip.id} with {candidate.engine.id}, {problem}")
    return pooled(model, [candidate], [pools], constants)


def _prompt_ranks(c: Served) -> Array:
    """Attention ranks that prompts are shared by."""
    return c.prefill_workers * c.prefill.shard.data if isinstance(c, Pooled) else c.shard.data


def fit_problem(c: Candidates, budget: MemoryBudget, w: Workload, row: int) -> str | None:
    """Why row `row` does not fit its chips, with the figures in decimal GB, or None."""
    need = float((budget.weights + budget.activations + budget.reserve)[row, 0])
    usable = float(budget.usable[row, 0])
    free, longest = float(budget.kv[row, 0]), longest_request(w)
    sequence = float(kv_bytes_per_sequence(c, longest)[row, 0])
    if free <= 0:
        return f"needs {gigabytes(need):.1f} GB per chip without any cache, {gigabytes(usable):.1f} GB usable"
    if free < sequence:
        return (
            f"no room for one long request: its cache of {longest:.0f} tokens takes "
            f"{gigabytes(sequence):.1f} GB per chip, {gigabytes(free):.1f} GB free"
        )
    return None


def check_fits(c: Candidates, budget: MemoryBudget, w: Workload, row: int) -> None:
    """Raise `InputError` with the figures when row `row` does not fit."""
    reason = fit_problem(c, budget, w, row)
    if reason:
        entry = c.entries[row]
        raise InputError(
            f"{c.model.id} {entry.layout.weight_precision} on {entry.layout.n_chips} x {entry.chip.id}: {reason}"
        )
    if longest_request(w) > c.model.max_context:
        raise InputError(
            f"{c.model.id} takes {c.model.max_context} tokens at most; long requests of this workload have "
            f"{longest_request(w):.0f}"
        )


def _memory(c: Candidates, b: MemoryBudget, w: Workload, running: float) -> dict[str, float]:
    sequence = float(kv_bytes_per_sequence(c, w.input.mean + w.output.mean / 2.0).flat[0])
    return {
        "capacity_bytes": float(b.capacity.flat[0]),
        "usable_bytes": float(b.usable.flat[0]),
        "weights_bytes": float(b.weights.flat[0]),
        "activations_bytes": float(b.activations.flat[0]),
        "reserve_bytes": float(b.reserve.flat[0]),
        "kv_free_bytes": float(b.kv.flat[0]),
        "kv_used_bytes": sequence * running,
    }


def _cache_notes(kept: Kept | None, w: Workload) -> tuple[str, ...]:
    if kept is None:
        return ()
    return (
        f"prefix cache: {kept.hit_rate:.0%} of the input tokens are found of {w.prefix_hit_rate:.0%} that could be, "
        f"{kept.in_host:.0%} of them in host memory; unvalidated: no measured point with a limited or offloaded cache",
    )


def _notes(served: Served, t: Traffic, behind: Evidence | None, ph: Phases) -> tuple[str, ...]:
    c = served.decode if isinstance(served, Pooled) else served
    notes, chip, engine = [], c.entries[0].chip, c.entries[0].engine
    if behind is None:
        notes.append("constants are uncalibrated: intervals come from their stated spread, not from measured error")
    else:
        notes.append(behind.words)
        if not has_factors(c.constants.calibration, c.contexts):
            notes.append("the record holds no held-out error: intervals come from the stated spread of the constants")
    notes.append("percentiles are a closed-form approximation, unvalidated until checked by simulation")
    speculation = c.entries[0].speculation
    if speculation is not None and speculation.acceptance_length is None:
        notes.append(
            f"acceptance length {float(c.emitted.flat[0]):.2f} comes from the constant draft_acceptance, fitted to "
            "benchmarks of random tokens: give what your engine reports (--acceptance-length)"
        )
    if c.entries[0].lora is not None:
        size = float((c.lora.resident_bytes * c.stage_share).flat[0])
        notes.append(
            f"{c.entries[0].lora}: {gigabytes(size):.3g} GB per chip, chosen alike by requests; not calibrated"
        )
    if c.model.note:
        notes.append(c.model.note)
    if isinstance(served, Pooled):
        notes.append("disaggregated pools: TTFT near saturation of the prefill pool is known to a factor only")
        if not t.closed:
            notes.append("extrapolated: no measured point of pools in an open loop")
    workers = (served.prefill, served.decode) if isinstance(served, Pooled) else (c,)
    unmeasured = dict.fromkeys(words for worker in workers for words in worker.entries[0].beyond)
    notes += [f"extrapolated: no measured point of {words}" for words in unmeasured]
    if chip.status not in ("shipping", "legacy"):
        notes.append(_STATUS[chip.status].format(chip.id))
    if engine.confidence == "assumption":
        notes.append(f"{engine.id}: {engine.name.lower()}, nothing of it was measured")
    if bool((ph.fitting < ph.offered).any()):
        notes.append("cache-limited: not all concurrent requests fit the key-value cache, the rest waits")
    return tuple(notes)
