r"""Closed loop: a fixed number of users, each sending the next request when the last one has ended.

With n users per attention rank, of which :math:`r` run (the rest waits for cache), decode step time
:math:`t_d`, prompt times :math:`t_1` (alone, with what decodes beside it), :math:`t_q` (in a full batch of k)
and :math:`s` (what one prompt of another request adds to a decoding one), O the mean output length:

.. math::

    TPOT &= t_d + \varphi\,[(1-b')(r-1) + b' (r-k)/2]\; s / O \\
    TTFT &= t_{req} + \kappa\,t_{step} + \chi\,[\,t_1 + t_{tie} + b\,(\tfrac{r+k}{2} t_q - t_1 - t_{tie})
            + (1-b)\,\gamma\,\tfrac{r-1}{2}\,s\,(1+c_i^2)\,\tfrac{\rho}{r+\rho}\,]
            + \tfrac{n-r}{r}\, O\,TPOT + W_{slot} + W_{host}

where :math:`\rho = r s/(O\,TPOT)`; with speculative decoding a step emits a tokens, so that :math:`t_d/a` replaces
:math:`t_d` in TPOT and a request takes O/a steps; b is the share of requests that meet a queue of all users
(`Waves`), b' the share whose foreign prompts come before or after them with equal odds; :math:`t_{tie}` is the time
of the other prompts of the same step, and :math:`c_i` the coefficient of variation of input lengths.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stackwright.performance import Candidates
from stackwright.serving.latency import E2eDistribution, TpotDistribution, TtftDistribution
from stackwright.serving.phases import Phases, mean_batch, phases, stall_s
from stackwright.serving.traffic import Traffic, traffic
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


@dataclass(frozen=True)
class Waves:
    """How closely the users of a closed loop keep together; arrays of shape (candidates, loads).

    `together`: requests whose prompts become ready in the same step, mean seen by one of them; `locked`: share
    of the later rounds in which all users still queue at once; `first`: share of requests in the first round.
    """

    together: Array
    locked: Array
    first: Array

    @property
    def burst_share(self) -> Array:
        """Share of requests that meet a queue of all users."""
        return self.first + (1.0 - self.first) * self.locked


def closed_loop(c: Candidates, w: Workload | Traffic, concurrency: Array) -> Service:
    """Serve `concurrency` users per replica, shape broadcastable to (candidates, loads)."""
    t = traffic(w)
    theta, osl, emitted = c.theta, t.output_mean, c.emitted
    offered = np.maximum(concurrency / c.shard.data, 1e-9) + np.zeros_like(c.bandwidth)
    users = offered * c.shard.data
    ph = phases(c, t, offered)
    others = np.maximum(ph.running - 1.0, 0.0)
    wave = waves(c, t, ph)
    stalls = foreign_prompts(ph, wave, others)
    stall = stall_s(c, ph, mean_batch(ph.running * emitted / osl))
    tpot = ph.decode.seconds / emitted + theta["prefill_stall_share"] * stalls / osl * stall
    cycle = osl * tpot

    chi, share = theta["prefill_time_scale"], np.minimum(theta["burst_weight"] * wave.burst_share, 1.0)
    own = chi * (ph.prompt_s + np.minimum(others, 1.0) * ph.beside_s)
    tie = chi * shared_step_s(ph, wave.together)
    rho = ph.running * stall / cycle
    residual = others * stall * rho / (ph.running + rho)
    filled, budget_s = budget_load(c, t, ph)
    crowded = others * budget_s * filled / (others * np.maximum(1.0 - filled, 0.0) + np.maximum(filled, 1e-12))
    queue = chi * theta["queue_weight"] * 0.5 * (1.0 + t.input_cv**2) * (residual + crowded)
    soonest, latest = burst_window(c, ph)
    soonest, latest = np.maximum(chi * soonest - tie, 0.0), np.maximum(chi * latest - tie, 0.0)
    waits = {
        "request overhead": theta["request_overhead_s"] + 0.0 * tpot,
        "own prompt": own + 0.0 * tpot,
        "prompts of the same step": tie + 0.0 * tpot,
        "step boundary": theta["decode_steps_before_start"] * boundary_step_s(c, ph, tpot),
        "other attention ranks": theta["attention_rank_wait_steps"] * np.where(c.shard.data > 1.0, tpot * emitted, 0.0),
        "start-up burst": share * (soonest + latest) / 2.0,
        "prompt queue": (1.0 - share) * queue,
        "slot": theta["slot_wait_completions"] * np.minimum(others, 1.0) * cycle / ph.running,
        "cache wait": np.maximum(offered - ph.running, 0.0) / ph.running * cycle,
    }
    if t.loads_cache:
        waits["cache load"] = np.asarray(t.cache_load_s) + 0.0 * tpot
    waits["host"] = host_wait_s(c, t, users, sum(waits.values(), start=(osl - 1.0) * tpot))
    varying = ("start-up burst", "prompt queue")
    ttft = TtftDistribution(
        base=sum((s for k, s in waits.items() if k not in varying), start=np.zeros_like(tpot)),
        prompt=chi * ph.prompt_s + 0.0 * tpot,
        wait_mean=waits["prompt queue"],
        wait_probability=np.clip(rho, 0.0, 1.0),
        burst_share=share + 0.0 * tpot,
        burst_s=latest,
        traffic=t,
        burst_from_s=soonest,
    )
    tpot_distribution = TpotDistribution(tpot, tpot_sd(c, t, stall, stalls))
    e2e = E2eDistribution(ttft, tpot_distribution, t)
    return Service(
        phases=ph,
        concurrency=users,
        request_rate=users / e2e.mean,
        ttft=ttft,
        tpot=tpot_distribution,
        e2e=e2e,
        waits=waits,
        stable=np.broadcast_to(ph.fitting >= 1.0, tpot.shape),
    )


def host_wait_s(c: Candidates, t: Traffic, users: Array, alone_s: Array) -> Array:
    """Seconds that requests queue for the host processes of a replica; `alone_s` is the residence without them.

    Intake (HTTP, tokenise) and streaming serve one request after another, in s seconds each; `users` in a closed loop
    stay at least `users` x s (asymptotic bound, Denning and Buzen 1978), joined smoothly with the residence.
    """
    p = c.constants.value("host_limit_sharpness")
    wait: Array = alone_s * np.expm1(np.logaddexp(0.0, p * np.log(users * host_request_s(c, t) / alone_s)) / p)
    return wait


def host_request_s(c: Candidates, t: Traffic) -> Array:
    """Seconds of the busiest host process per request: its intake, or the streaming of its tokens."""
    busiest: Array = np.maximum(c.theta["request_host_s"], c.theta["token_host_s"] * t.output_mean)
    return busiest


def tpot_sd(c: Candidates, t: Traffic, stall: Array, prompts: Array) -> Array:
    """Standard deviation of TPOT over requests: a Poisson number of foreign prompts of random length."""
    scale = c.theta["prefill_stall_share"] * stall / t.output_mean
    return scale * np.sqrt(prompts * (1.0 + t.input_cv**2))


def waves(c: Candidates, w: Workload | Traffic, ph: Phases) -> Waves:
    """How closely users keep together from round to round.

    All send at once at the start, and `steps_apart` later. Prompts of one step keep together when decoding waits for
    prompts; a chunked engine decodes meanwhile, so that each budget of k prompts gets a step of its own.
    """
    t = traffic(w)
    later = np.maximum(np.asarray(t.rounds) - 1.0, 0.0)
    spread = np.maximum(steps_apart(c, t), np.where(c.chunked, _groups(c, ph), 1.0))
    kept = c.theta["wave_persistence"]
    together = 1.0 + kept * np.maximum(ph.running - 1.0, 0.0) / spread
    queued = ph.running - ph.prompts_per_batch
    beyond = np.maximum(together - ph.prompts_per_batch, 0.0)
    locked = np.where(queued > 0.0, beyond / np.where(queued > 0.0, queued, 1.0), kept / spread)
    return Waves(together, np.clip(locked, 0.0, 1.0), 1.0 / (later + 1.0))


def steps_apart(c: Candidates, t: Traffic) -> Array:
    """Decode steps over which the requests of users who started together end, in the later rounds.

    In round j about sqrt(12 j) cv O (the uniform law of that variance), at most the O steps of a whole cycle; the
    mean of 1/sqrt(j) over J rounds is taken as (2 sqrt(J) - 1)/J.
    """
    osl, cv = np.asarray(t.output_mean) / c.emitted, np.asarray(t.output_cv)
    later = np.maximum(np.asarray(t.rounds) - 1.0, 0.0)
    many = np.clip(later, 1.0, 1e9)
    closeness = np.where(later < 1.0, 1.0, np.where(np.isinf(later), 0.0, (2.0 * np.sqrt(many) - 1.0) / many))
    drifting = np.sqrt(12.0) * cv * osl / np.maximum(closeness, 1e-12)
    steps = np.where(cv == 0.0, 0.0, np.where(closeness > 0.0, drifting, osl))
    clipped: Array = np.clip(steps, 1.0, np.maximum(osl, 1.0))
    return clipped


def _groups(c: Candidates, ph: Phases) -> Array:
    """Budgets of prompts that a chunked engine starts apart; those that end within a client's delay merge."""
    merged = 1.0 + c.theta["request_overhead_s"] / ph.decode.seconds
    return np.maximum(ph.running / ph.prompts_per_batch / merged, 1.0)


def foreign_prompts(ph: Phases, wave: Waves, others: Array) -> Array:
    """Prompts of other requests that run while one request decodes, mean.

    All others' once, but in a wave only those behind: half of them (the prompts of the own batch come before).
    A run of R rounds has two half waves: its start, and its end, where nobody follows.
    """
    half = np.maximum(wave.locked, wave.first)
    behind = np.maximum(ph.running - ph.prompts_per_batch, 0.0) / 2.0
    return (1.0 - half) * others + half * behind


def shared_step_s(ph: Phases, together: Array) -> Array:
    """Seconds that the other prompts of the same step add: `together` prompts, at most a batch."""
    return (np.minimum(together, ph.prompts_per_batch) - 1.0) * ph.added_prompt_s


def burst_window(c: Candidates, ph: Phases) -> tuple[Array, Array]:
    """Soonest and latest wait, beyond the own prompt, when all users queue at once: uniform between them.

    The first of r/k batches takes k prompts, the last ends after r. Of a chunked engine's decoding sequences
    half are there on average while the queue is worked off.
    """
    k, beside = ph.prompts_per_batch, ph.queued_prompt_s - ph.batched_prompt_s
    each = ph.batched_prompt_s + beside / 2.0
    soonest = np.maximum(k * ph.batched_prompt_s - ph.prompt_s * c.stage_share, 0.0)
    return soonest, np.maximum(ph.running * each - ph.prompt_s * c.stage_share, soonest)


def boundary_step_s(c: Candidates, ph: Phases, tpot: Array) -> Array:
    """The step under way when a request arrives: a decode step, or the mean mixed step of a chunked engine."""
    return np.where(c.chunked, tpot * c.emitted, ph.decode.seconds)


def budget_load(c: Candidates, t: Traffic, ph: Phases) -> tuple[Array, Array]:
    """Share of a chunked engine's token budget that prompts fill, and seconds of budget that one prompt takes.

    Prompts become ready at running a / O per step (a tokens emitted each) and share what decode tokens leave of the
    budget; zero where decoding waits for prompts.
    """
    share = t.prompt_tokens / np.maximum(c.max_batched_tokens - ph.running * (c.draft_tokens + 1.0), 1.0)
    step_s = (ph.queued_prompt_s * ph.prompts_per_batch) * np.where(c.chunked, 1.0, 0.0)
    return np.where(c.chunked, ph.running * c.emitted / t.output_mean * share, 0.0), share * step_s
