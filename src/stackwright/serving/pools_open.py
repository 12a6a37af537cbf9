r"""Open loop on a prefill pool and a decode pool: requests arrive on their own, whatever the pools do.

Parametrised, as `open_loop`, by n, the mean number of sequences in the decode pool; with decode steps :math:`t_d` that
a request shares with itself and the others, a tokens emitted per step and O the mean output length,

.. math::

    \lambda = \frac{n}{(O - 1)\,TPOT},\qquad TPOT = t_d(n + 1)/a

(Little's law). Prompts meet w workers that take those that wait in one step, T(b) for the b that come while a step runs
(`PrefillPool.forming`); with :math:`\rho = \lambda / C` and u the share of time a worker is busy they wait on average

.. math::

    W = \gamma\,\frac{c_a^2 + c_i^2}{2}\,\Big[u^{m}\,T(b) + \frac{\rho^{m+1}}{C (1 - \rho)}\Big],
        \qquad m = \sqrt{2 (w + 1)} - 1

which is the closed loop's wait without its finite population (Kingman 1961; Sakasegawa 1977: see `disaggregated` and
`open_loop`). The links of a prefill worker pass one cache after another (Kingman), cache slots of a decode rank are a
queue of as many servers as sequences fit (Sakasegawa).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stackwright.errors import InputError
from stackwright.performance import StepTime
from stackwright.performance.pools import Pooled
from stackwright.serving.closed_loop import Service
from stackwright.serving.disaggregated import PrefillPool, pool_phases, prefill_pool, transfer_s
from stackwright.serving.latency import E2eDistribution, TpotDistribution, TtftDistribution
from stackwright.serving.open_loop import kingman, load_for_rate, sakasegawa
from stackwright.serving.phases import Phases, decode_step, fitting_in_cache, phases, running_of
from stackwright.serving.traffic import Traffic, traffic
from stackwright.workload import Workload

Array = NDArray[np.float64]

_MANY = 1e6  # users that fill every prompt step
_SATURATED = 0.9999


def open_pools(d: Pooled, w: Workload | Traffic, running: Array) -> Service:
    """Serve arrivals such that `running` sequences are in the decode pool on average.

    Arrays as `disaggregated`. A load is stable when prompts, links and cache slots are all below saturation. Raises
    `InputError` for answers of one token, which never reach the decode pool.
    """
    t = traffic(w)
    q, theta, ranks = d.decode, d.theta, d.decode_workers * d.decode.shard.data
    n = np.maximum(running / ranks, 1e-9) + np.zeros_like(q.bandwidth)
    rate, tpot, fitting, decode = decoding(d, t, n)
    prompts, pool = full_prefill_pool(d, t, np.zeros_like(n))
    step_s, busy, queue = prompt_wait_s(d, t, pool, rate)

    ca2, co2 = np.asarray(t.arrival_cv) ** 2, np.asarray(t.output_cv) ** 2
    link_s = transfer_s(d, t) + 0.0 * tpot
    link_load = rate / d.prefill_workers / d.prefill.shard.data * link_s
    slots = np.maximum(fitting, 1.0)
    slot_load = n / slots
    some, slot_wait = sakasegawa(np.minimum(slot_load, _SATURATED), slots, ca2, co2)
    waits = {
        "request overhead": theta["request_overhead_s"] + 0.0 * tpot,
        "own prompt": step_s,
        "hand-over": theta["pool_handover_s"] + link_s,
        "step boundary": theta["decode_steps_before_start"] * decode.seconds,
        "prompt queue": queue,
        "link queue": kingman(np.minimum(link_load, _SATURATED), ca2, np.asarray(t.input_cv) ** 2) * link_s,
        "cache wait": slot_wait * np.maximum(np.asarray(t.output_mean) - 1.0, 0.0) * tpot,
    }
    if t.loads_cache:
        waits["cache load"] = np.asarray(t.cache_load_s) + 0.0 * tpot
    varying = ("prompt queue", "link queue", "cache wait")
    ttft = TtftDistribution(
        base=sum((s for k, s in waits.items() if k not in varying), start=np.zeros_like(tpot)),
        prompt=pool.alone_s,
        wait_mean=waits["prompt queue"] + waits["link queue"] + waits["cache wait"],
        wait_probability=np.clip(np.maximum(np.maximum(busy, some), link_load), 1e-9, 1.0),
        burst_share=np.zeros_like(tpot),
        burst_s=np.zeros_like(tpot),
        traffic=t,
    )
    tpots = TpotDistribution(tpot, np.zeros_like(tpot))
    e2e = E2eDistribution(ttft, tpots, t)
    served = np.minimum(n, q.max_sequences)
    stable = (rate < pool.capacity) & (link_load < 1.0) & (slot_load < 1.0) & (fitting >= 1.0)
    return Service(
        phases=pool_phases(prompts, decode, n, served, fitting),
        concurrency=rate * e2e.mean,
        request_rate=rate,
        ttft=ttft,
        tpot=tpots,
        e2e=e2e,
        waits=waits,
        stable=stable & (prompts.fitting >= 1.0),
    )


def full_prefill_pool(d: Pooled, t: Traffic, zero: Array) -> tuple[Phases, PrefillPool]:
    """Step times and prefill pool of an open loop: as many prompts to a step as its budget takes; shape of `zero`."""
    prompts = phases(d.prefill, t, np.asarray(_MANY))
    return prompts, prefill_pool(d, prompts, _MANY * d.prefill_workers + zero)


def prompt_wait_s(d: Pooled, t: Traffic, pool: PrefillPool, rate: Array) -> tuple[Array, Array, Array]:
    """Of prompts that arrive at `rate`/s: seconds of their step, probability that all workers are busy, mean wait.

    A prompt that waits shares its step with those that come during the one before: of a Poisson number, itself not
    counted (a prompt more often sees a large batch than a small one).
    """
    many = np.sqrt(2.0 * (pool.workers + 1.0)) - 1.0
    rho = np.minimum(rate / pool.capacity, _SATURATED)
    formed = pool.forming(rho * pool.capacity)
    step_s = pool.step_s(formed)
    busy = np.clip(rho * pool.capacity / pool.workers * step_s * pool.share / formed, 0.0, 1.0) ** many
    weight = d.theta["queue_weight"] * 0.5 * (np.asarray(t.arrival_cv) ** 2 + np.asarray(t.input_cv) ** 2)
    wait: Array = weight * (busy * step_s * pool.share + rho ** (many + 1.0) / (pool.capacity * (1.0 - rho)))
    seen = 1.0 + busy * rho * pool.capacity / pool.workers * pool.share * step_s
    return pool.step_s(np.clip(seen, 1.0, pool.batch)), busy, wait


def decoding_for_rate(d: Pooled, w: Workload | Traffic, rate: Array) -> Array:
    """Mean sequences in the decode pool at `rate` requests/s; infinity where the pool never reaches it."""
    t = traffic(w)
    ranks = d.decode_workers * d.decode.shard.data
    shape = np.broadcast_shapes(d.decode.bandwidth.shape, np.shape(rate))
    return load_for_rate(lambda running: decoding(d, t, running / ranks)[0], rate, shape)


def decoding(d: Pooled, t: Traffic, n: Array) -> tuple[Array, Array, Array, StepTime]:
    """Requests/s of all decode workers with n sequences per attention rank, their TPOT, the slots and the step."""
    q = d.decode
    after_first = np.asarray(t.output_mean) - 1.0
    if np.any(after_first <= 0.0):
        raise InputError(
            "disaggregated pools need answers of more than one token: the first comes from prefill workers"
        )
    fitting, running = running_of(q, t, fitting_in_cache(q, t), n + 1.0)
    decode = decode_step(q, np.maximum(running / q.pipeline, 1.0), np.asarray(t.decode_context))
    tpot = decode.seconds / q.emitted
    rate: Array = n / (after_first * tpot) * d.decode_workers * q.shard.data
    return rate, tpot, fitting, decode
