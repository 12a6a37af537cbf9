"""What a simulation leaves: one record per request, and what was counted over time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stackwright.workload.requests import Requests

Array = NDArray[np.float64]
Whole = NDArray[np.int64]

PENDING, COMPLETED, FAILED = 0, 1, 2

ITL_BINS_PER_DECADE = 200  # inter-token latencies are counted in bins 1.2 % wide
ITL_LOWEST_S = 1e-5
ITL_BINS = 8 * ITL_BINS_PER_DECADE

TIMELINE = ("running", "waiting", "kv_blocks", "replicas_on", "prompt_tokens", "output_tokens", "busy", "finished")


@dataclass(frozen=True, eq=False)
class Run:
    """A simulated run. Times are seconds since the start, one entry per request, shape (n,), NaN where never.

    `sent_s`: when the client sent it; `first_token_s`, `finish_s`: when the client had the first and the last token;
    `status`: PENDING (interrupted), COMPLETED or FAILED; `replica`: where it finished; `cached_tokens`: prompt tokens
    found in the prefix cache; `preemptions`, `retries`: how often it lost its cache, and its replica.

    `itl_counts` (ITL_BINS,): gaps between tokens of one request, in logarithmic bins from `ITL_LOWEST_S`.
    `timeline` (bins, len(TIMELINE)): in bins of `timeline_step_s`, time averages of running and waiting requests, cache
    blocks in use, replicas that are on and the share of them that compute; and counts of prompt tokens computed,
    output tokens and requests finished. `decode_s` (sequences + 1,) seconds of steps that only decode, by sequences;
    `prompt_s` (tokens + 1,) seconds of steps with prompt tokens, by new tokens of the step (the last entry holds more);
    `idle_s` seconds that a replica was on without work, `on_s` seconds on, summed over replicas;
    `end_s`: end of the run.
    """

    requests: Requests
    sent_s: Array
    first_token_s: Array
    finish_s: Array
    status: NDArray[np.int8]
    replica: NDArray[np.int32]
    cached_tokens: Whole
    preemptions: NDArray[np.int32]
    retries: NDArray[np.int32]
    itl_counts: Whole
    timeline: Array
    timeline_step_s: float
    decode_s: Array
    prompt_s: Array
    idle_s: float
    on_s: float
    end_s: float
    n_blocks: int
    n_replicas: int
    iterations: int
    events: int
    cpu_s: float = 0.0
    elapsed_s: float = 0.0
    interrupted: bool = False
