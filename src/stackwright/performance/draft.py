"""Time of drafting: passes of a small network over the running sequences, added to a step of the model."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stackwright.performance.candidates import Candidates
from stackwright.performance.step import Part, StepTime

Array = NDArray[np.float64]

_ONCE = ("output head", "host per step", "host per sequence")


def with_draft(c: Candidates, step: StepTime, plain: StepTime, passes: Array, head: bool) -> StepTime:
    """`step` with `passes` passes of the draft over the tokens of `plain`, a step of the model without speculation.

    A pass costs a mean layer of the model (a module of multi-token prediction and an EAGLE head are one layer) and
    the output head if `head`, or the share `draft_cost` of `plain` where that is stated; drafting tokens also takes
    the constant `draft_overhead_s` on the host.
    """
    inside = [p for p in plain.parts if p.name not in _ONCE]
    ends = [p for p in plain.parts if head and p.name == "output head"]
    stated = ~np.isnan(c.draft_cost)
    own_layers, cost = np.where(stated, 0.0, c.draft_layers), np.where(stated, c.draft_cost, 0.0)
    share = own_layers / c.model.layers

    def spent(what: str) -> Array:
        layers, once = (sum(np.asarray(getattr(p, what)) for p in parts) for parts in (inside, ends))
        whole = sum(np.asarray(getattr(p, what)) for p in plain.parts)
        each: Array = share * layers + own_layers * once + cost * whole
        return passes * each

    host = passes * c.theta["draft_overhead_s"] if head else 0.0 * passes
    drafted = Part("draft", spent("seconds") + host, *(spent(w) for w in ("memory_s", "compute_s", "n_bytes", "flops")))
    fixed = passes * (share + cost) * plain.fixed_s + host
    return StepTime(step.seconds + drafted.seconds, (*step.parts, drafted), step.fixed_s + fixed)
