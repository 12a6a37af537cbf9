"""Requests as arrays: what a simulator serves and a load generator sends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stackwright.workload.traces import HASH_BLOCK_TOKENS

NO_REQUEST = -1


@dataclass(frozen=True, slots=True, eq=False)
class Requests:
    """Requests in the order in which they are first sent, n of them.

    `arrival_s` (n,): seconds, from 0 on and never falling, at which a request is sent; `input_tokens`,
    `output_tokens` (n,): at least 1. A request with `after[i]` >= 0 (an earlier index) is sent `think_s[i]` seconds
    after that one is done instead: sessions. With `users` the load is a closed loop: the first `users` requests are
    sent at their arrival times and each later one, in order, when any is done. `hash_ids[hash_offsets[i] :
    hash_offsets[i + 1]]` are the ids of request i's prompt blocks of `hash_block_tokens` tokens (the last may be
    partial), equal ids meaning equal text from the start of the prompt to the end of that block; both None where
    nothing is known of shared text. `prefix_hit_rate`: share of every prompt that some earlier request has computed,
    used where there are no ids.
    """

    arrival_s: NDArray[np.float64]
    input_tokens: NDArray[np.int64]
    output_tokens: NDArray[np.int64]
    after: NDArray[np.int64] | None = None
    think_s: NDArray[np.float64] | None = None
    users: int | None = None
    hash_offsets: NDArray[np.int64] | None = None
    hash_ids: NDArray[np.int64] | None = None
    hash_block_tokens: int = HASH_BLOCK_TOKENS
    prefix_hit_rate: float = 0.0
    name: str = ""
    source: str = ""

    def __len__(self) -> int:
        return len(self.arrival_s)
