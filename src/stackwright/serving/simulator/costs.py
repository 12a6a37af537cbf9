r"""What the seconds of an engine step are made of, as small tables that the compiled core reads.

.. math::

    t = t_0 + r(\max_k T_k) + g(\bar T) + s(\max_k S_k) + \max_k a_k

over the attention ranks k of a replica (one, without attention data parallelism): new tokens T, sequences that get a
token S, and the attention a of prompt chunks and decoding sequences.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

Merge = Literal["sum", "pairs", "vidur"]


def _empty() -> Array:
    return np.zeros((0, 0, 0, 0))


@dataclass(frozen=True, eq=False)
class StepCosts:
    """Seconds of the parts of one engine step; beyond their ends tables go on in a straight line.

    `token_s` (T + 1,): by new tokens of the fullest rank (entry 0: of a step without tokens); `group_s` (T + 1,): what
    the tokens of all ranks share, by mean tokens per rank; `sample_s` (N + 1,): by sequences that get a token.
    `decode_s` (i, j): attention of `decode_n` (i,) decoding sequences of mean context `decode_kv` (j,) tokens;
    `prefill_s` (k, l): attention of one chunk of `prefill_chunk` (k,) prompt tokens after `prefill_kv` (l,) cached
    ones. `mixed_s` (k, l, i, j): attention of a step that has both, where it was measured; else (empty) their sum.
    All knots rise. `interpolate`: linear between knots, else the next knot above counts. `merge` says how several
    chunks of one step become one look-up: each by itself and `sum`med; one chunk of the same number of attended `pairs`
    (c = sqrt(sum c_i^2), kv = sum c_i kv_i / c); or as Vidur does (c the same, kv = sum kv_i, and
    `many_chunks_factor`). `source` says what the tables come from.
    """

    fixed_s: float
    token_s: Array
    group_s: Array
    sample_s: Array
    decode_n: Array
    decode_kv: Array
    decode_s: Array
    prefill_chunk: Array
    prefill_kv: Array
    prefill_s: Array
    mixed_s: Array = field(default_factory=_empty)
    interpolate: bool = True
    merge: Merge = "sum"
    many_chunks_factor: float = 1.0
    source: str = ""
