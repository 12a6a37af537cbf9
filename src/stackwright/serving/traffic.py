"""The moments of a workload that the serving formulas need: numbers for one workload, columns for many rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stackwright.serving.tokens import decode_context, prompt_context, prompt_tokens
from stackwright.workload import Workload

Array = NDArray[np.float64]
Number = Array | float


@dataclass(frozen=True)
class Traffic:
    """Lengths in tokens and their coefficients of variation; scalars, or arrays of shape (n, 1), one row per candidate.

    `prompt_tokens`, `prompt_context`, `decode_context`: see `serving.tokens`. `rounds` is infinite for a long-running
    service. `closed`: a closed loop (users), else arrivals. `quantiles(p)` gives the p-quantiles of the lengths.
    `cache_load_s`: seconds that a prompt waits for its prefix to come back from host memory.
    """

    input_mean: Number
    input_cv: Number
    output_mean: Number
    output_cv: Number
    prompt_tokens: Number
    prompt_context: Number
    decode_context: Number
    arrival_cv: Number
    rounds: Number
    closed: bool
    workloads: tuple[Workload, ...]
    cache_load_s: Number = 0.0

    @property
    def loads_cache(self) -> bool:
        """Whether any prefix comes from host memory."""
        return bool(np.any(np.asarray(self.cache_load_s) > 0.0))

    def quantiles(self, p: float) -> tuple[Number, Number]:
        """The p-quantiles of input and output length, tokens."""
        if len(self.workloads) == 1:
            return self.workloads[0].input.quantile(p), self.workloads[0].output.quantile(p)
        distinct = {id(w): w for w in self.workloads}
        known = {key: (w.input.quantile(p), w.output.quantile(p)) for key, w in distinct.items()}
        pairs = np.array([known[id(w)] for w in self.workloads])
        return pairs[:, :1], pairs[:, 1:]


def traffic(w: Workload | Traffic) -> Traffic:
    """The traffic of one workload, as numbers; traffic is returned as it is."""
    return w if isinstance(w, Traffic) else _traffic((w,), lambda get: get(w))


def stacked_traffic(workloads: Sequence[Workload]) -> Traffic:
    """The traffic of many workloads, one row each."""
    same: dict[Workload, Workload] = {}
    rows = tuple(same.setdefault(w, w) for w in workloads)
    distinct = {id(w): w for w in same}

    def column(get: Callable[[Workload], float]) -> Number:
        known = {key: get(w) for key, w in distinct.items()}
        return np.array([[known[id(w)]] for w in rows])

    return _traffic(rows, column)


def _traffic(rows: tuple[Workload, ...], column: Callable[[Callable[[Workload], float]], Number]) -> Traffic:
    return Traffic(
        input_mean=column(lambda w: w.input.mean),
        input_cv=column(lambda w: w.input.cv),
        output_mean=column(lambda w: w.output.mean),
        output_cv=column(lambda w: w.output.cv),
        prompt_tokens=column(prompt_tokens),
        prompt_context=column(prompt_context),
        decode_context=column(decode_context),
        arrival_cv=column(lambda w: w.arrival_cv),
        rounds=column(lambda w: np.inf if w.rounds is None else w.rounds),
        closed=all(w.concurrency is not None for w in rows),
        workloads=rows,
    )
