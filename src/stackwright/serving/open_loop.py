r"""Open loop: requests arrive on their own, whatever the replica does.

Parametrised by n, the mean number of running sequences per attention rank. With output length O:

.. math::

    TPOT = t_d(n) + \varphi\, n\, s / O, \qquad \lambda = n / (O\,TPOT)

(Little's law). Prompts form a single-server queue of utilisation :math:`\rho = \lambda s` whose mean wait is
Kingman's :math:`\rho/(1-\rho)\,(c_a^2 + c_i^2)/2\; s` (J. F. C. Kingman, Proc. Camb. Phil. Soc. 57, 1961).
Cache slots
form a c-server queue, c the sequences that fit, with Sakasegawa's mean wait
:math:`\rho_c^{\sqrt{2(c+1)}-1}/(c(1-\rho_c))\,(c_a^2+c_o^2)/2\; O\,TPOT` (H. Sakasegawa, Ann. Inst. Stat. Math. 29,
1977). The coefficients of variation are those of arrival gaps, input and output lengths.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from stackwright.performance import Candidates
from stackwright.serving.closed_loop import (
    Service,
    boundary_step_s,
    budget_load,
    host_request_s,
    shared_step_s,
    tpot_sd,
)
from stackwright.serving.latency import E2eDistribution, TpotDistribution, TtftDistribution
from stackwright.serving.own_correction import factors
from stackwright.serving.phases import Phases, mean_batch, phases, stall_s
from stackwright.serving.traffic import Traffic, traffic
from stackwright.workload import Workload

Array = NDArray[np.float64]


def open_loop(c: Candidates, w: Workload | Traffic, running: Array) -> Service:
    """Serve arrivals such that `running` sequences per replica are in decode on average."""
    t = traffic(w)
    theta, osl = c.theta, t.output_mean
    n = np.maximum(running / c.shard.data, 1e-9) + np.zeros_like(c.bandwidth)
    ph = phases(c, t, n + 1.0)  # a request shares its steps with itself and n others
    ph = replace(ph, offered=n, running=ph.running * n / (n + 1.0))
    ready = prompts_ready(c, t, ph, n)
    stall = stall_s(c, ph, mean_batch(ready))
    stalled = theta["prefill_stall_share"] * n / osl * stall
    seen = ph.decode.seconds / c.emitted + stalled
    decode_s = ph.decode.seconds + crowding_s(t, ph, n, seen, stall)
    tpot = decode_s / c.emitted + stalled
    service_s = osl * tpot
    rate = n / service_s

    prompt_load = rate * stall
    slots = np.maximum(ph.fitting, 1.0)
    cache_load = n / slots
    filled, budget_s = budget_load(c, t, ph)
    host_s = host_request_s(c, t)
    host_load = rate * c.shard.data * host_s
    stable = (prompt_load < 1.0) & (filled < 1.0) & (cache_load < 1.0) & (host_load < 1.0) & (ph.fitting >= 1.0)
    ca2, ci2 = np.asarray(t.arrival_cv) ** 2, np.asarray(t.input_cv) ** 2
    prompt_wait = kingman(np.minimum(prompt_load, 0.9999), ca2, ci2) * stall
    filled = np.minimum(filled, 0.9999)
    prompt_wait = prompt_wait + kingman(filled, ca2, ci2) * budget_s
    some, cache_wait = sakasegawa(np.minimum(cache_load, 0.9999), slots, ca2, np.asarray(t.output_cv) ** 2)
    cache_wait = cache_wait * service_s
    chi = theta["prefill_time_scale"]
    own = chi * (ph.prompt_s + np.minimum(n, 1.0) * ph.beside_s)
    waits = {
        "request overhead": theta["request_overhead_s"] + 0.0 * tpot,
        "own prompt": own + 0.0 * tpot,
        "prompts of the same step": chi * shared_step_s(ph, 1.0 + ready),
        "step boundary": theta["decode_steps_before_start"] * boundary_step_s(c, ph, tpot),
        "prompt queue": chi * theta["queue_weight"] * prompt_wait,
        "cache wait": cache_wait,
        "host": kingman(np.minimum(host_load, 0.9999), ca2, np.zeros_like(ca2)) * host_s,
    }
    fixed = ["request overhead", "own prompt", "prompts of the same step", "step boundary"]
    if t.loads_cache:
        waits["cache load"] = np.asarray(t.cache_load_s) + 0.0 * tpot
        fixed.append("cache load")
    ttft = TtftDistribution(
        base=sum((waits[k] for k in fixed), start=np.zeros_like(tpot)),
        prompt=chi * ph.prompt_s + 0.0 * tpot,
        wait_mean=waits["prompt queue"] + waits["cache wait"] + waits["host"],
        wait_probability=np.clip(np.maximum(np.maximum(prompt_load, some), host_load), 0.0, 1.0),
        burst_share=np.zeros_like(tpot),
        burst_s=np.zeros_like(tpot),
        traffic=t,
    )
    tpot_distribution = TpotDistribution(tpot, tpot_sd(c, t, stall, n))
    e2e = E2eDistribution(ttft, tpot_distribution, t)
    total_rate = rate * c.shard.data
    return Service(
        phases=ph,
        concurrency=total_rate * e2e.mean,
        request_rate=total_rate,
        ttft=ttft,
        tpot=tpot_distribution,
        e2e=e2e,
        waits=waits,
        stable=stable,
    )


def prompts_ready(c: Candidates, t: Traffic, ph: Phases, n: Array) -> Array:
    """Prompts that arrive during a step, mean.

    A chunked engine's steps last TPOT, in which n / O arrive (O in steps). Where decoding waits for prompts it is a
    decode step: a t_d / X with a = n / O, where TPOT X depends on the answer: X = t_d + a (e + (t_1 - e) / m) with e
    what another prompt adds to a step and m = 1 + a t_d / (2 X) prompts; a quadratic equation in X.
    """
    a, td = n * c.emitted / t.output_mean, ph.decode.seconds
    t1, e = ph.prompt_s * c.stage_share, ph.added_prompt_s
    half = 0.5 * (td + a * t1 - 0.5 * a * td)
    tpot = half + np.sqrt(half**2 + 0.5 * a * td * (td + a * e))
    ready: Array = np.where(c.chunked, a, a * td / tpot)
    return ready


def crowding_s(t: Traffic, ph: Phases, n: Array, tpot: Array, stall: Array) -> Array:
    """What fluctuation of the number of running sequences adds to a decode step.

    A request sees n + Var(n)/n others. Stalls make residence times vary: a decode job of x seconds in an M/G/1
    queue with preemptive prompts takes x/(1 - rho) with relative variance V = rho s (c_a^2 + c_i^2)/(x (1 - rho))
    (compound Poisson), so that Var(n) = n + n^2 V. V is cut at 1, the geometric law of a saturated queue.
    """
    load = np.minimum(n * stall / (t.output_mean * tpot), 0.9999)
    spread = (
        load
        * stall
        * (np.asarray(t.arrival_cv) ** 2 + np.asarray(t.input_cv) ** 2)
        / (t.output_mean * tpot * (1.0 - load) ** 2)
    )
    growing = ph.decode.part_s("attention") + ph.decode.part_s("host per sequence")
    crowding: Array = growing * n / (n + 1.0) * np.minimum(spread, 1.0)
    return crowding


def running_for_rate(c: Candidates, w: Workload | Traffic, rate: Array) -> Array:
    """Mean running sequences per replica at `rate` requests/s each, by bisection.

    Returns infinity where no load reaches the rate. Shape of `rate`, broadcast to (candidates, loads).
    """
    shape = np.broadcast_shapes(c.bandwidth.shape, np.shape(rate))
    return load_for_rate(lambda running: _rate(c, w, running), rate, shape)


def load_for_rate(rate_at: Callable[[Array], Array], rate: Array, shape: tuple[int, ...]) -> Array:
    """The load at which a growing `rate_at` passes `rate` requests/s, by bisection; infinity where none does."""
    low = np.full(shape, 1e-6)
    high = np.full_like(low, 1e5)
    reachable = rate_at(high) >= rate
    for _ in range(50):
        middle = np.sqrt(low * high)
        below = rate_at(middle) < rate
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.where(reachable, high, np.inf)


def _rate(c: Candidates, w: Workload | Traffic, running: Array) -> Array:
    """Requests/s with `running` sequences in decode, own measurements of TPOT taken into account."""
    rate, own = open_loop(c, w, running).request_rate, factors(c, traffic(w), running)
    return rate if own is None else rate / own.tpot


def kingman(load: Array, arrival_cv2: Array, service_cv2: Array) -> Array:
    """Mean wait in units of the service time."""
    return load / (1.0 - load) * (arrival_cv2 + service_cv2) / 2.0


def sakasegawa(load: Array, servers: Array, arrival_cv2: Array, service_cv2: Array) -> tuple[Array, Array]:
    """Probability of waiting and mean wait in units of the service time, for `servers` servers."""
    some = load ** (np.sqrt(2.0 * (servers + 1.0)) - 1.0)
    return some, some / (servers * (1.0 - load)) * (arrival_cv2 + service_cv2) / 2.0
