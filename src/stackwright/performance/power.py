"""Electrical power of a replica from how busy its memory system and matrix units are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stackwright.performance.candidates import Candidates
from stackwright.performance.pools import Pooled
from stackwright.performance.step import StepTime

Array = NDArray[np.float64]


def utilisation(step: StepTime) -> tuple[Array, Array]:
    """Share of a step in which the memory system and the matrix units work at their achieved peak."""
    zero = np.zeros_like(step.seconds)
    memory = sum((np.asarray(p.memory_s) for p in step.parts), start=zero)
    compute = sum((np.asarray(p.compute_s) for p in step.parts), start=zero)
    return np.minimum(memory / step.seconds, 1.0), np.minimum(compute / step.seconds, 1.0)


def chip_power_w(c: Candidates, memory_busy: Array, compute_busy: Array) -> Array:
    """Watts of one chip: idle, plus the active share towards the memory-bound and compute-bound levels.

    Linear in the two utilisations and capped at the larger level; the levels are shares of TDP (constants
    `power_idle_fraction`, `power_memory_fraction`, `power_compute_fraction`).
    """
    theta = c.theta
    idle, memory, compute = (theta[f"power_{k}_fraction"] for k in ("idle", "memory", "compute"))
    share = idle + (memory - idle) * memory_busy + (compute - idle) * compute_busy
    return c.tdp_w * np.minimum(share, np.maximum(memory, compute))


def host_power_w(c: Candidates | Pooled, system_power_w: Array, nameplate: NDArray[np.bool_]) -> Array:
    """Watts of host, fans and switches per chip.

    `system_power_w`: power of the whole system per chip, NaN where unknown; then the constant `host_power_share`
    of TDP applies. A `nameplate` figure has its chips at TDP, one under load at the memory-bound level.
    """
    chip = c.tdp_w * np.where(nameplate, 1.0, c.theta["power_memory_fraction"])
    known = np.maximum(system_power_w - chip, 0.0)
    return np.where(np.isnan(system_power_w), c.tdp_w * c.theta["host_power_share"], known)
