r"""Closed loop: a fixed number of users, each sending the next request when the last one has ended.

With n users per attention rank, of which :math:`r` run (the rest waits for cache), decode step time
:math:`t_d`, prompt times :math:`t_1` (alone), :math:`t_b` (batched) and k prompts per batch:

.. math::

    TPOT &= t_d + \varphi\,(r-1)\,t_b / O \\
    TTFT &= t_{req} + \chi\,[\,t_1 + b\,(r+k-2)/2\; t_q + \gamma\,(r-1)/2\; t_q\,\rho/(r+\rho)\,]
            + \kappa\,TPOT + (n-r)/r \cdot O\,TPOT

where :math:`\rho = r t_q/(O\,TPOT)`, O is the mean output length and b the share of requests that meet a queue of
all users (`burst_share`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stackwright.performance import Candidates
from stackwright.serving.latency import E2eDistribution, TpotDistribution, TtftDistribution
from stackwright.serving.phases import Phases, phases
from stackwright.workload import Workload

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Service:
    """What one replica delivers; arrays of shape (candidates, loads).

    `request_rate`: requests/s of the replica; `concurrency`: mean requests in flight in it; `waits`: the
    latency budget of the mean TTFT in seconds by cause; `stable`: False where the load exceeds what can be
    served.
    """

    phases: Phases
    concurrency: Array
    request_rate: Array
    ttft: TtftDistribution
    tpot: TpotDistribution
    e2e: E2eDistribution
    waits: dict[str, Array]
    stable: NDArray[np.bool_]


def closed_loop(c: Candidates, w: Workload, concurrency: Array) -> Service:
    """Serve `concurrency` users per replica, shape broadcastable to (candidates, loads)."""
    theta, osl = c.theta, w.output.mean
    offered = np.maximum(concurrency / c.shard.data, 1e-9) + np.zeros_like(c.bandwidth)
    ph = phases(c, w, offered)
    others = np.maximum(ph.running - 1.0, 0.0)
    tpot = ph.decode.seconds + theta["prefill_stall_share"] * others / osl * ph.batched_prompt_s
    cycle = osl * tpot

    rho = ph.running * ph.queued_prompt_s / cycle
    share = theta["burst_weight"] * burst_share(w, cycle, ph.running * ph.queued_prompt_s)
    share = np.minimum(share, 1.0)
    chi = theta["prefill_time_scale"]
    burst_s = chi * (others + ph.prompts_per_batch - 1.0) * ph.queued_prompt_s
    queue = chi * theta["queue_weight"] * others / 2.0 * ph.queued_prompt_s * rho / (ph.running + rho)
    kv_wait = np.maximum(offered - ph.running, 0.0) / ph.running * cycle
    waits = {
        "request overhead": theta["request_overhead_s"] + 0.0 * tpot,
        "own prompt": chi * ph.prompt_s + 0.0 * tpot,
        "step boundary": theta["decode_steps_before_start"] * tpot,
        "start-up burst": share * burst_s / 2.0,
        "prompt queue": queue,
        "cache wait": kv_wait,
    }
    ttft = TtftDistribution(
        base=waits["request overhead"] + waits["own prompt"] + waits["step boundary"] + kv_wait,
        prompt=waits["own prompt"],
        wait_mean=queue,
        wait_probability=np.clip(rho, 0.0, 1.0),
        burst_share=share,
        burst_s=burst_s,
        input=w.input,
    )
    tpot_distribution = TpotDistribution(tpot, tpot_sd(c, w, ph, others))
    e2e = E2eDistribution(ttft, tpot_distribution, w.output)
    users = offered * c.shard.data
    return Service(
        phases=ph,
        concurrency=users,
        request_rate=users / e2e.mean,
        ttft=ttft,
        tpot=tpot_distribution,
        e2e=e2e,
        waits=waits,
        stable=np.ones(tpot.shape, dtype=bool),
    )


def tpot_sd(c: Candidates, w: Workload, ph: Phases, others: Array) -> Array:
    """Standard deviation of TPOT over requests: a Poisson number of foreign prompts, of random length, interrupts."""
    stall = c.theta["prefill_stall_share"] * ph.batched_prompt_s
    return np.sqrt(others * (1.0 + w.input.cv**2)) * stall / w.output.mean


def burst_share(w: Workload, cycle: Array, clear: Array) -> Array:
    """Share of requests that meet a queue of all users.

    All users send at once at the start, and would do so each round if outputs had equal lengths. In round j
    their next requests are spread over a window of sqrt(12 j) cv x `cycle` (the uniform law of that
    variance), against `clear`, the time to work off all prompts: the queue of that round shrinks to 1 -
    window / clear. The mean over R rounds, with sum of sqrt(j) by Euler-Maclaurin, is 1/R for a long cycle
    and 1 for fixed lengths. Without rounds (a long-running service) it is 0, unless lengths are fixed.
    """
    a = np.sqrt(12.0) * w.output.cv * cycle / np.maximum(clear, 1e-12)
    if w.rounds is None:
        return np.where(a == 0.0, 1.0, 0.0)
    rounds = max(w.rounds, 1.0)
    with np.errstate(divide="ignore"):
        last = np.floor(np.minimum(rounds - 1.0, 1.0 / np.maximum(a, 1e-9) ** 2))
    roots = np.where(last > 0, (2.0 / 3.0) * last**1.5 + 0.5 * np.sqrt(last) - 0.2079, 0.0)
    return (1.0 + last - a * roots) / rounds
