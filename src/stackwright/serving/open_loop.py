r"""Open loop: requests arrive on their own, whatever the replica does.

Parametrised by n, the mean number of running sequences per attention rank. With output length O:

.. math::

    TPOT = t_d(n) + \varphi\, n\, t_b / O, \qquad \lambda = n / (O\,TPOT)

(Little's law). Prompts form a single-server queue of utilisation :math:`\rho = \lambda t_q` whose mean wait
is Kingman's :math:`\rho/(1-\rho)\,(c_a^2 + c_s^2)/2\; t_q` (J. F. C. Kingman, Proc. Camb. Phil. Soc. 57,
1961). Cache slots form a c-server queue, c the sequences that fit, with Sakasegawa's mean wait
:math:`\rho_c^{\sqrt{2(c+1)}-1}/(c(1-\rho_c))\,(c_a^2+c_s^2)/2\; O\,TPOT` (H. Sakasegawa, Ann. Inst. Stat.
Math. 29, 1977).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stackwright.performance import Candidates
from stackwright.serving.closed_loop import Service, tpot_sd
from stackwright.serving.latency import E2eDistribution, TpotDistribution, TtftDistribution
from stackwright.serving.phases import phases
from stackwright.workload import Workload

Array = NDArray[np.float64]


def open_loop(c: Candidates, w: Workload, running: Array) -> Service:
    """Serve arrivals such that `running` sequences per replica are in decode on average."""
    theta, osl = c.theta, w.output.mean
    n = np.maximum(running / c.shard.data, 1e-9) + np.zeros_like(c.bandwidth)
    ph = phases(c, w, n)
    tpot = ph.decode.seconds + theta["prefill_stall_share"] * n / osl * ph.batched_prompt_s
    service_s = osl * tpot
    rate = n / service_s

    prompt_load = rate * ph.queued_prompt_s
    slots = np.maximum(ph.fitting, 1.0)
    cache_load = n / slots
    stable = (prompt_load < 1.0) & (cache_load < 1.0)
    ca2 = w.arrival_cv**2
    prompt_wait = _kingman(np.minimum(prompt_load, 0.9999), ca2, w.input.cv**2) * ph.queued_prompt_s
    some, cache_wait = _sakasegawa(np.minimum(cache_load, 0.9999), slots, ca2, w.output.cv**2)
    cache_wait = cache_wait * service_s
    chi = theta["prefill_time_scale"]
    waits = {
        "request overhead": theta["request_overhead_s"] + 0.0 * tpot,
        "own prompt": chi * ph.prompt_s + 0.0 * tpot,
        "step boundary": theta["decode_steps_before_start"] * tpot,
        "prompt queue": chi * theta["queue_weight"] * prompt_wait,
        "cache wait": cache_wait,
    }
    ttft = TtftDistribution(
        base=waits["request overhead"] + waits["own prompt"] + waits["step boundary"],
        prompt=waits["own prompt"],
        wait_mean=waits["prompt queue"] + waits["cache wait"],
        wait_probability=np.clip(np.maximum(prompt_load, some), 0.0, 1.0),
        burst_share=np.zeros_like(tpot),
        burst_s=np.zeros_like(tpot),
        input=w.input,
    )
    tpot_distribution = TpotDistribution(tpot, tpot_sd(c, w, ph, n))
    e2e = E2eDistribution(ttft, tpot_distribution, w.output)
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


def running_for_rate(c: Candidates, w: Workload, rate: Array) -> Array:
    """Mean running sequences per replica at `rate` requests/s each, by bisection (throughput rises with load).

    Returns infinity where no load reaches the rate. Shape of `rate`, broadcast to (candidates, loads).
    """
    low = np.full(np.broadcast_shapes(c.bandwidth.shape, np.shape(rate)), 1e-6)
    high = np.full_like(low, 1e5)
    reachable = open_loop(c, w, high).request_rate >= rate
    for _ in range(50):
        middle = np.sqrt(low * high)
        below = open_loop(c, w, middle).request_rate < rate
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.where(reachable, high, np.inf)


def _kingman(load: Array, arrival_cv2: float, service_cv2: float) -> Array:
    """Mean wait in units of the service time."""
    return load / (1.0 - load) * (arrival_cv2 + service_cv2) / 2.0


def _sakasegawa(load: Array, servers: Array, arrival_cv2: float, service_cv2: float) -> tuple[Array, Array]:
    """Probability of waiting and mean wait in units of the service time, for `servers` servers."""
    some = load ** (np.sqrt(2.0 * (servers + 1.0)) - 1.0)
    return some, some / (servers * (1.0 - load)) * (arrival_cv2 + service_cv2) / 2.0
