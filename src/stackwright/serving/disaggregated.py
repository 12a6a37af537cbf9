r"""Closed loop of N users on a prefill pool and a decode pool: no prompt ever interrupts decoding.

A request passes the prefill pool (w workers, each of which takes the prompts that wait, up to its token budget, in
one step), hands its cache over, waits for a place in a decode worker and decodes there. With X requests/s,
prompt steps of T(b) = t_1 + (b/d - 1)^+ e for b prompts on d attention ranks, full steps of B, pool capacity
C = w B / T(B) and :math:`\rho = X / C`:

.. math::

    N &= X\,[TTFT + (O - 1)\,TPOT] \\
    TTFT &= t_{req} + T(b) + W + t_{hand} + \kappa\,t_{step} + (O - 1)\,TPOT\,\tfrac{n - r}{r} \\
    W &= \gamma\,\tfrac{1 + c_i^2}{2}\,\tfrac{N - 1}{N}\,
         \Big[u^{m}\,T(b) + \tfrac{\rho^{m + 1}}{C (1 - \rho)}\Big],\qquad m = \sqrt{2 (w + 1)} - 1

b is the batch that forms while a step runs, :math:`b = X' T(b) / w`, u the share of time a worker is busy then; X' is
X or, where users keep together, nearer to the rate at which they return (`steps_apart`, `wave_persistence`). For one
worker without batches W is the mean wait of M/G/1; the exponent m is Sakasegawa's for many servers (Ann. Inst. Stat.
Math. 29, 1977). n and r are requests present and running in the decode pool.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stackwright.performance import StepTime
from stackwright.performance.memory import kv_bytes_per_sequence
from stackwright.performance.pools import Pooled
from stackwright.serving.closed_loop import Service, steps_apart
from stackwright.serving.latency import E2eDistribution, TpotDistribution, TtftDistribution
from stackwright.serving.phases import Phases, decode_step, fitting_in_cache, phases, running_of
from stackwright.serving.traffic import Traffic, traffic
from stackwright.workload import Workload

Array = NDArray[np.float64]

_ITERATIONS = 14
_INNER = 6


@dataclass(frozen=True)
class PrefillPool:
    """Prompt steps of a pool, arrays of shape (candidates, loads), seconds.

    `alone_s` of one prompt, `added_s` of one more per attention rank, `ranks` per worker, `batch` prompts of a full
    step, `share` of a step for which a worker is taken (less than 1 with pipeline stages).
    """

    alone_s: Array
    added_s: Array
    ranks: Array
    batch: Array
    workers: Array
    share: Array

    def step_s(self, prompts: Array) -> Array:
        """Seconds of a step of that many prompts on one worker."""
        return self.alone_s + np.maximum(prompts / self.ranks - 1.0, 0.0) * self.added_s

    @property
    def capacity(self) -> Array:
        """Prompts/s of the pool when every step is full."""
        return self.workers * self.batch / (self.step_s(self.batch) * self.share)

    def forming(self, rate: Array) -> Array:
        """Prompts in a step when the pool takes `rate` prompts/s: those that come while a step runs, at least one."""
        x = rate / self.workers * self.share
        spread = x * self.alone_s
        room = np.maximum(1.0 - x * self.added_s / self.ranks, 1e-9)
        stacked = x * (self.alone_s - self.added_s) / room
        return np.clip(np.maximum(spread, stacked), 1.0, self.batch)


def disaggregated(d: Pooled, w: Workload | Traffic, concurrency: Array) -> Service:
    """Serve `concurrency` users with both pools, shape broadcastable to (candidates, loads).

    The service's phases hold the prompt steps of a prefill worker and the decode step of a decode worker, `offered`
    and `running` being sequences per attention rank of the decode pool.
    """
    t = traffic(w)
    users = np.maximum(concurrency, 1e-9) + np.zeros_like(d.decode.bandwidth)
    prompts = phases(d.prefill, t, users / d.prefill_workers / d.prefill.shard.data)
    pool = prefill_pool(d, prompts, users)
    state = _balance(d, t, pool, users)

    theta, tpot = d.theta, state.decode.seconds / d.decode.emitted
    share = np.minimum(theta["burst_weight"] / np.asarray(t.rounds), 1.0) + np.zeros_like(tpot)
    queued = state.step_s + state.certain_s
    soonest = np.maximum(pool.step_s(pool.batch) - queued, 0.0)
    latest = np.maximum(users / pool.capacity - queued, soonest)
    varying = (1.0 - share) * (state.residual_s + state.overflow_s - state.certain_s)
    waits = {
        "request overhead": theta["request_overhead_s"] + 0.0 * tpot,
        "own prompt": state.step_s,
        "hand-over": handover_s(d, t) + 0.0 * tpot,
        "step boundary": theta["decode_steps_before_start"] * state.decode.seconds,
        "start-up burst": share * (soonest + latest) / 2.0,
        "prompt queue": state.certain_s + varying,
        "cache wait": state.slot_s,
    }
    if t.loads_cache:
        waits["cache load"] = np.asarray(t.cache_load_s) + 0.0 * tpot
    ttft = TtftDistribution(
        base=sum((s for k, s in waits.items() if k not in ("start-up burst", "prompt queue")), start=state.certain_s),
        prompt=pool.alone_s + 0.0 * tpot,
        wait_mean=varying,
        wait_probability=np.clip(state.busy, 1e-9, 1.0),
        burst_share=share,
        burst_s=latest,
        traffic=t,
        burst_from_s=soonest,
    )
    tpots = TpotDistribution(tpot, np.zeros_like(tpot))
    e2e = E2eDistribution(ttft, tpots, t)
    return Service(
        phases=_phases(prompts, state),
        concurrency=users,
        request_rate=users / e2e.mean,
        ttft=ttft,
        tpot=tpots,
        e2e=e2e,
        waits=waits,
        stable=np.broadcast_to((state.fitting >= 1.0) & (prompts.fitting >= 1.0), tpot.shape),
    )


def prefill_pool(d: Pooled, prompts: Phases, users: Array) -> PrefillPool:
    """The prefill pool at that many users: no step holds more prompts than there are users for the worker."""
    chi, ranks, zero = d.prefill.theta["prefill_time_scale"], d.prefill.shard.data, np.zeros_like(users)
    per_rank = np.clip(users / d.prefill_workers / ranks, 1.0, prompts.prompts_per_batch)
    return PrefillPool(
        alone_s=chi * prompts.prompt_s + zero,
        added_s=chi * prompts.added_prompt_s / d.prefill.stage_share + zero,
        ranks=ranks + zero,
        batch=ranks * per_rank,
        workers=d.prefill_workers + zero,
        share=d.prefill.stage_share + zero,
    )


def handover_s(d: Pooled, t: Traffic) -> Array:
    """Seconds to hand one prompt's cache over: a fixed time (`pool_handover_s`), and its bytes over the links."""
    seconds: Array = d.theta["pool_handover_s"] + transfer_s(d, t)
    return seconds


def transfer_s(d: Pooled, t: Traffic) -> Array:
    """Seconds that one prompt's cache takes on the links: its bytes on one prefill chip over that chip's link.

    The link is the scale-up one where the chips of both pools share a domain, else the one between servers. Pools on
    different chips share no domain; the slower side counts, each with the bytes that one of its chips holds.
    """
    links = [(e.chip.link, e.scale_up_domain) for e in d.decode.entries]
    inside = d.n_chips <= np.array([[float(domain)] for _, domain in links])
    up, out = (
        np.array([[getattr(link, name)] for link, _ in links])
        for name in ("scale_up_bytes_per_s", "scale_out_bytes_per_s")
    )
    n_bytes = kv_bytes_per_sequence(d.prefill, t.input_mean)
    rate = np.where(inside, up, out) * d.theta["pool_link_efficiency"]
    seconds: Array = n_bytes / rate
    if not d.mixed.any():
        return seconds
    arriving = kv_bytes_per_sequence(d.decode, t.input_mean) / d.decode.scale_out_bytes_per_s
    leaving = n_bytes / d.prefill.scale_out_bytes_per_s
    return np.where(d.mixed, np.maximum(leaving, arriving) / d.theta["pool_link_efficiency"], seconds)


@dataclass(frozen=True)
class _State:
    """The closed loop in balance: `rate` in requests/s, decode step, prompt step `step_s` and waits in seconds.

    `residual_s`: wait for the prompt step under way; `overflow_s`: for the steps that others fill, of which
    `certain_s` is what every request waits because the pool is saturated; `slot_s`: for a place in a decode worker, and
    `decoding_s` there.
    """

    rate: Array
    present: Array
    running: Array
    fitting: Array
    decode: StepTime
    decoding_s: Array
    step_s: Array
    busy: Array
    residual_s: Array
    overflow_s: Array
    certain_s: Array
    slot_s: Array


def _balance(d: Pooled, t: Traffic, pool: PrefillPool, users: Array) -> _State:
    """The number of requests in the decode pool at which it passes as many on as it gets (Little's law).

    Both sides grow with that number, so the root is bracketed: regula falsi with the Illinois rule (Dowell and
    Jarratt, BIT 11, 1971), a fixed number of iterations.
    """
    in_cache = fitting_in_cache(d.decode, t)

    def excess(present: Array) -> Array:
        s = _at(d, t, pool, users, present, in_cache)
        return s.rate * (s.decoding_s + s.slot_s) - present

    low, high = np.zeros_like(users), users
    at_low, at_high = excess(low), excess(high)
    for _ in range(_ITERATIONS):
        width = at_low - at_high
        middle = np.where(width > 0.0, low + (high - low) * at_low / np.where(width > 0.0, width, 1.0), low)
        found = excess(middle)
        right = found > 0.0
        # Illinois: the end that stays twice counts half, so that neither end is left behind.
        at_high = np.where(right, 0.5 * at_high, found)
        at_low = np.where(right, found, 0.5 * at_low)
        low, high = np.where(right, middle, low), np.where(right, high, middle)
    return _at(d, t, pool, users, middle, in_cache)


def _at(d: Pooled, t: Traffic, pool: PrefillPool, users: Array, present: Array, in_cache: Array) -> _State:
    """The state with `present` requests in the decode pool: what the prefill pool passes on then.

    With A = C (all times but the overflow) the balance is N = rho A + k rho / (1 - rho), a quadratic; k and A depend
    weakly on rho and are iterated.
    """
    q, theta = d.decode, d.theta
    offered = present / d.decode_workers / q.shard.data
    fitting, running = running_of(q, t, in_cache, offered)
    decode = decode_step(q, np.maximum(running / q.pipeline, 1.0), np.asarray(t.decode_context))
    decoding = np.maximum(np.asarray(t.output_mean) - 1.0, 0.0) * decode.seconds / q.emitted
    slot = decoding * np.where(offered > 0.0, offered / np.maximum(running, 1e-12) - 1.0, 0.0)
    elsewhere = theta["request_overhead_s"] + handover_s(d, t) + (np.asarray(t.cache_load_s) if t.loads_cache else 0.0)
    elsewhere = elsewhere + theta["decode_steps_before_start"] * decode.seconds + decoding + slot

    many = np.sqrt(2.0 * (pool.workers + 1.0)) - 1.0
    weight = theta["queue_weight"] * 0.5 * (1.0 + t.input_cv**2) * np.maximum(1.0 - 1.0 / users, 0.0)
    capacity = pool.capacity
    rho = np.minimum(users / (capacity * (elsewhere + pool.alone_s)), 1.0)
    wave = np.minimum(users / (steps_apart(q, t) * decode.seconds * capacity), 1.0)
    for _ in range(_INNER):
        dense = capacity * (rho + theta["wave_persistence"] * np.maximum(wave - rho, 0.0))
        b = pool.forming(dense)
        step = pool.step_s(b)
        busy = np.clip(dense / pool.workers * step * pool.share / b, 0.0, 1.0) ** many
        residual = weight * busy * step * pool.share
        others = capacity * (elsewhere + step + residual)
        k = weight * rho**many
        total = others + users + k
        rho = 2.0 * users / (total + np.sqrt(np.maximum(total * total - 4.0 * others * users, 0.0)))
    rate = rho * capacity
    unqueued = elsewhere + step + residual
    overflow = np.maximum(users / rate - unqueued, 0.0)
    certain = np.minimum(np.maximum(users / capacity - unqueued, 0.0), overflow)
    return _State(rate, offered, running, fitting, decode, decoding, step, busy, residual, overflow, certain, slot)


def _phases(prompts: Phases, s: _State) -> Phases:
    return pool_phases(prompts, s.decode, s.present, s.running, s.fitting)


def pool_phases(prompts: Phases, decode: StepTime, present: Array, running: Array, fitting: Array) -> Phases:
    """Step times of the deployment: prompts of a prefill worker, the decode step of a decode worker."""
    none: Array = np.zeros_like(running)
    return Phases(
        offered=present,
        running=running,
        fitting=fitting,
        decode=decode,
        prompt=prompts.prompt,
        prompt_s=prompts.prompt_s,
        beside_s=none,
        batched_prompt_s=prompts.batched_prompt_s,
        queued_prompt_s=prompts.batched_prompt_s,
        prompts_per_batch=prompts.prompts_per_batch,
        added_prompt_s=prompts.added_prompt_s,
        gained_s=none,
    )


__all__ = ["PrefillPool", "disaggregated", "handover_s", "pool_phases", "prefill_pool", "transfer_s"]
