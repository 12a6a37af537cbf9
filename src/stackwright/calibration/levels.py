"""The levels of the hierarchy: who shares a shift of the constants, how far it may move, and which constants.

A shift at a level has the prior N(0, (scale x sd)^2), sd being the constant's own spread. Why these scales:
docs/calibration.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stackwright.calibration.fit import Design, columns_of
from stackwright.performance.calibration import Context

Array = NDArray[np.float64]

KERNEL = frozenset({
    "weight_bandwidth_efficiency", "gemm_efficiency", "kv_bandwidth_efficiency", "attention_efficiency",
    "expert_bandwidth_efficiency", "expert_gemm_efficiency", "expert_popularity_shape", "kernel_overhead_s",
    "moe_layer_overhead_s", "latent_attention_overhead_s", "expert_tile_width",
})  # fmt: skip
HARNESS = frozenset({
    "request_overhead_s", "decode_steps_before_start", "burst_weight", "queue_weight", "prefill_time_scale",
    "wave_persistence", "attention_rank_wait_steps", "slot_wait_completions", "request_host_s", "token_host_s",
})  # fmt: skip
SPECULATION = frozenset({"draft_acceptance", "draft_overhead_s"})
POOL = frozenset({"pool_link_efficiency", "pool_handover_s"})
DATED = frozenset({
    "kernel_overhead_s", "moe_layer_overhead_s", "step_overhead_s", "collective_latency_s", "expert_gemm_efficiency",
    "gemm_efficiency",
})  # fmt: skip


@dataclass(frozen=True)
class Level:
    """One level: its name in `Context.keys`, scale, the constants it may move (None: all), whether it is a slope.

    `local` levels lie inside a network under one engine.
    """

    name: str
    scale: float
    only: frozenset[str] | None = None
    per_year: bool = False
    local: bool = False


LEVELS = (
    Level("all", 0.125),
    Level("engine", 0.075),
    Level("vendor", 0.3),
    Level("family", 0.075),
    Level("engine|family", 0.05),
    Level("engine|network", 0.2, KERNEL, local=True),
    Level("source", 0.5, HARNESS),
    Level("engine|source", 0.5, HARNESS),
    Level("engine|family|source", 0.5, HARNESS),
    Level("recipe", 0.5, HARNESS, local=True),
    Level("pair", 0.5, KERNEL | HARNESS, local=True),
    Level("all", 1.0, SPECULATION),
    Level("engine", 0.5, SPECULATION),
    Level("all", 0.4, DATED, per_year=True),
    Level("engine", 0.3, DATED, per_year=True),
)

POOL_LEVELS = (
    Level("mode", 0.5, KERNEL | HARNESS | POOL),
    Level("engine|mode", 0.5, KERNEL | HARNESS | POOL),
    Level("pair|mode", 0.3, KERNEL | HARNESS | POOL, local=True),
)
"""What disaggregated pools do differently, on top of `LEVELS`."""


@dataclass(frozen=True)
class Groups:
    """The groups of all levels, in the order of the design's columns."""

    names: tuple[tuple[Level, str], ...]
    design: Design


def groups(
    contexts: Sequence[Context], constants: Sequence[str], sd: Array, levels: Sequence[Level] = LEVELS
) -> Groups:
    """Design of rows with these contexts; `sd` (K,) is the spread of each constant."""
    keys = [c.keys() for c in contexts]
    years = np.array([c.year for c in contexts])
    blocks = [([k[level.name] for k in keys], years if level.per_year else None) for level in levels]
    names, x = columns_of([([*ks], covariate) for ks, covariate in blocks])
    spread = np.zeros((len(names), len(constants)))
    for g, (number, _) in enumerate(names):
        level = levels[number]
        free = np.array([level.only is None or k in level.only for k in constants])
        spread[g] = np.where(free, level.scale * sd, 0.0)
    local = tuple(levels[number].local for number, _ in names)
    return Groups(tuple((levels[number], key) for number, key in names), Design(x, spread, local))
