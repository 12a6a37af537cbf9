"""A small event simulation of a prefill pool and a decode pool, request by request."""

from __future__ import annotations

import heapq
from collections.abc import Callable

import numpy as np


def run(
    prompt_s: Callable[[int], float],
    decode_s: Callable[[int], float],
    pools: tuple[int, int, int],
    users: int,
    outputs: np.ndarray,
    aside_s: float,
) -> tuple[np.ndarray, np.ndarray, float]:
    """TTFT and TPOT of every request, and the span, in seconds.

    `prompt_s(b)` is a step of b prompts, `decode_s(n)` one of n sequences; `pools` are prefill workers, most prompts
    of their steps, and decode workers. A request pays `aside_s` (client, hand-over), then joins the decode worker with
    the fewest requests at its next step. All users send at once, then each when its request has ended.
    """
    return _run(prompt_s, decode_s, pools, (list(range(users)), None), outputs, aside_s)


def run_open(
    prompt_s: Callable[[int], float],
    decode_s: Callable[[int], float],
    pools: tuple[int, int, int],
    arrivals: np.ndarray,
    outputs: np.ndarray,
    aside_s: float,
) -> tuple[np.ndarray, np.ndarray]:
    """TTFT and TPOT of every request that arrives at its own time, whatever the pools do."""
    return _run(prompt_s, decode_s, pools, ([], arrivals), outputs, aside_s)[:2]


def _run(
    prompt_s: Callable[[int], float],
    decode_s: Callable[[int], float],
    pools: tuple[int, int, int],
    start: tuple[list[int], np.ndarray | None],
    outputs: np.ndarray,
    aside_s: float,
) -> tuple[np.ndarray, np.ndarray, float]:
    workers, most, decoders = pools
    queue, arrivals = start
    sent, first, ttft, tpot = dict.fromkeys(queue, 0.0), {}, [], []
    following = len(queue) if arrivals is None else len(outputs)
    free, left = workers, [dict[int, int]() for _ in range(decoders)]
    joining, events = [list[int]() for _ in range(decoders)], [(0.0, 0, "send", ())]
    ticking, serial, now = [False] * decoders, 0, 0.0
    if arrivals is not None:
        sent = dict(enumerate(arrivals))
        events = [(time, -len(arrivals) + i, "send", (i,)) for i, time in sent.items()]
        heapq.heapify(events)
    while events:
        now, _, kind, what = heapq.heappop(events)
        if kind == "prompts":
            free += 1
            for i in what:
                serial += 1
                heapq.heappush(events, (now + aside_s, serial, "join", (i,)))
        elif kind == "send":
            queue += what
        elif kind == "join":
            k = min(range(decoders), key=lambda j: len(left[j]) + len(joining[j]))
            joining[k].append(what[0])
        else:
            k = what[0]
            ticking[k] = False
            for i in list(left[k]):
                left[k][i] -= 1
                if i not in first:
                    first[i] = now
                    ttft.append(now - sent[i])
                if left[k][i] <= 0:
                    tpot.append((now - first[i]) / (outputs[i] - 1))
                    del left[k][i]
                    if following < len(outputs):
                        sent[following] = now
                        queue.append(following)
                        following += 1
        while free and queue:
            batch, queue = queue[:most], queue[most:]
            free, serial = free - 1, serial + 1
            heapq.heappush(events, (now + prompt_s(len(batch)), serial, "prompts", tuple(batch)))
        for k in range(decoders):
            if not ticking[k] and (left[k] or joining[k]):
                left[k] |= {i: int(outputs[i]) for i in joining[k]}
                joining[k] = []
                ticking[k], serial = True, serial + 1
                heapq.heappush(events, (now + decode_s(len(left[k])), serial, "tick", (k,)))
    return np.array(ttft), np.array(tpot), now
