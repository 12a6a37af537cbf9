"""A small event simulation of one replica, request by request: what the closed forms of serving are held to.

One attention rank. Step times are tables made by `step_time`, so that only the scheduling differs from the closed
forms. `prefill_priority` runs waiting prompts (up to the token budget) while decoding waits; `chunked` fills the
budget left by the decode tokens with pieces of prompts. Every running request makes one token per step.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from stackwright.llm.operators import StepShape
from stackwright.performance import Candidates, step_time
from stackwright.serving.tokens import decode_context, prompt_context
from stackwright.workload import Workload


@dataclass(frozen=True)
class Steps:
    """Step times in seconds: `decode[n]` for n sequences, `aside[n]` what n of them add to a prompt step."""

    decode: np.ndarray
    aside: np.ndarray
    tokens: np.ndarray
    prompt: np.ndarray
    chunked: bool
    budget: int

    def prompts(self, tokens: float) -> float:
        return float(np.interp(tokens, self.tokens, self.prompt))


@dataclass
class Result:
    """Seconds per completed request, in order of completion; `span` is the time of the whole run."""

    ttft: np.ndarray
    tpot: np.ndarray
    span: float


def steps_of(c: Candidates, w: Workload, most: int) -> Steps:
    """Tables for the first candidate of `c`, up to `most` running sequences."""
    n = np.maximum(np.arange(most + 1, dtype=float), 1.0)[None, :]
    decode = step_time(c, StepShape(n, n, np.asarray(decode_context(w)), prefill=False))
    budget = int(c.max_batched_tokens[0, 0])
    tokens = np.unique(np.round(np.geomspace(1, 4 * budget, 400)))
    prompt = step_time(c, StepShape(tokens[None, :], np.ones((1, 1)), np.asarray(prompt_context(w)), prefill=True))
    aside = decode.part_s("attention") + decode.part_s("host per sequence")
    return Steps(decode.seconds[0], aside[0], tokens, prompt.seconds[0], bool(c.chunked[0, 0]), budget)


def closed(
    steps: Steps, users: int, rounds: int, draw: Callable[[int], tuple], delay: float = 0.0, slots: int = 10**9
) -> Result:
    """`users` send at once, each the next request when one ends, until users x rounds are done."""
    total = users * rounds
    return _run(steps, *draw(total), [(0.0, i) for i in range(users)], total, delay, slots)


def open_(
    steps: Steps, times: np.ndarray, draw: Callable[[int], tuple], delay: float = 0.0, slots: int = 10**9
) -> Result:
    """Requests are sent at `times`, whatever the engine does."""
    return _run(steps, *draw(len(times)), [(float(t), i) for i, t in enumerate(times)], len(times), delay, slots)


def _run(steps, inputs, outputs, sent, total, delay, slots) -> Result:
    coming = [(t + delay, i) for t, i in sent]
    heapq.heapify(coming)
    started = {i: t for t, i in sent}
    following, waiting, ends = len(sent), deque(), []
    first, ttft, tpot = {}, [], []
    now, tick, prefix = 0.0, 0, 0  # prefix: tokens of the head of the queue that are already computed
    while coming or waiting or ends:
        while coming and coming[0][0] <= now + 1e-12:
            waiting.append(heapq.heappop(coming)[1])
        running, done = len(ends), []
        if waiting and running < slots:
            room = steps.budget - (running if steps.chunked else 0)
            used = 0
            while waiting and running + len(done) < slots and used < room:
                left = int(inputs[waiting[0]]) - prefix
                if used + left <= room:
                    used, prefix = used + left, 0
                    done.append(waiting.popleft())
                elif steps.chunked or used == 0:
                    prefix, used = prefix + room - used, room
                else:
                    break
            if steps.chunked:
                now += steps.prompts(used + running) + (steps.aside[running] if running else 0.0)
                tick += 1
            else:
                now += steps.prompts(used)
        elif ends:
            many = ends[0][0] - tick
            if coming and (running < slots):
                many = min(many, int(np.ceil((coming[0][0] - now) / steps.decode[running])))
            many = max(many, 1)
            now += many * steps.decode[running]
            tick += many
        else:
            now = coming[0][0]
            continue
        over = []
        while ends and ends[0][0] <= tick:
            over.append(heapq.heappop(ends)[1])
        for i in done:
            first[i] = now
            ttft.append(now - started[i])
            if outputs[i] > 1:
                heapq.heappush(ends, (tick + int(outputs[i]) - 1, i))
            else:
                over.append(i)
        for i in over:
            if outputs[i] > 1:
                tpot.append((now - first[i]) / (outputs[i] - 1))
            if following < total:
                started[following] = now
                heapq.heappush(coming, (now + delay, following))
                following += 1
    return Result(np.array(ttft), np.array(tpot), now)
