"""The levels of the hierarchy: who shares a shift of the constants, how far it may move, and which constants.

A shift at a level has the prior N(0, (scale x sd)^2), sd being the constant's own spread. Why these scales:
docs/calibration.md.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stackwright.calibration.fit.solve import Design
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
    "maximum_load_share",
})  # fmt: skip
SPECULATION = frozenset({"draft_acceptance", "draft_overhead_s"})
POOL = frozenset({"pool_link_efficiency", "pool_handover_s"})
DATED = frozenset({
    "kernel_overhead_s", "moe_layer_overhead_s", "step_overhead_s", "collective_latency_s", "expert_gemm_efficiency",
    "gemm_efficiency", "latent_attention_overhead_s",
})  # fmt: skip


Course = Literal["constant", "slope", "steps"]


@dataclass(frozen=True)
class Level:
    """One level: its name in `Context.keys`, scale, the constants it may move (None: all), and its course in time.

    `constant` shifts stay; a `slope` is per year; `steps` are changes that came in a month and stay (a random walk),
    from the second measured month of a key on. `local` levels lie inside a network under one engine.
    """

    name: str
    scale: float
    only: frozenset[str] | None = None
    course: Course = "constant"
    local: bool = False


LEVELS = (
    Level("all", 0.125),
    Level("engine", 0.075),
    Level("vendor", 0.3),
    Level("family", 0.075),
    Level("engine|family", 0.05),
    Level("engine|kind", 0.05, KERNEL),
    Level("engine|network", 0.2, KERNEL, local=True),
    Level("source", 0.5, HARNESS),
    Level("source|kind", 1.0, frozenset({"maximum_load_share"})),
    Level("engine|source", 0.5, HARNESS),
    Level("engine|family|source", 0.5, HARNESS),
    Level("recipe", 0.5, HARNESS, local=True),
    Level("family recipe", 0.5, HARNESS, local=True),
    Level("pair", 0.5, KERNEL | HARNESS, local=True),
    Level("pair", 0.4, DATED, "steps", local=True),
    Level("all", 1.0, SPECULATION),
    Level("engine", 0.5, SPECULATION),
    Level("all", 0.4, DATED, "slope"),
    Level("engine", 0.3, DATED, "slope"),
)

POOL_LEVELS = (
    Level("mode", 0.5, KERNEL | HARNESS | POOL),
    Level("engine|mode", 0.5, KERNEL | HARNESS | POOL),
    Level("pair|mode", 0.3, KERNEL | HARNESS | POOL, local=True),
)
"""What disaggregated pools do differently, on top of `LEVELS`."""


@dataclass(frozen=True)
class Groups:
    """The groups of all levels, in the order of the design's columns; `months`: of each key of a `steps` level."""

    levels: tuple[Level, ...]
    names: tuple[tuple[Level, str], ...]
    months: Mapping[tuple[Level, str], tuple[str, ...]]
    design: Design

    @functools.cached_property
    def _place(self) -> Mapping[tuple[Level, str], int]:
        return {name: g for g, name in enumerate(self.names)}

    def members(self, context: Context) -> dict[int, float]:
        """The groups that a context belongs to, with what its shift is multiplied by."""
        found = {}
        for level in self.levels:
            for key, value in _membership(context, level, self.months).items():
                if (g := self._place.get((level, key))) is not None:
                    found[g] = value
        return found


def _membership(
    context: Context, level: Level, months: Mapping[tuple[Level, str], tuple[str, ...]]
) -> dict[str, float]:
    key = context.keys()[level.name]
    if level.course == "constant":
        return {key: 1.0}
    if level.course == "slope":
        return {key: context.year}
    return {f"{key}@{month}": 1.0 for month in months.get((level, key), ()) if month <= context.month}


def groups(
    contexts: Sequence[Context], constants: Sequence[str], sd: Array, levels: Sequence[Level] = LEVELS
) -> Groups:
    """Design of rows with these contexts; `sd` (K,) is the spread of each constant."""
    distinct = list(dict.fromkeys(contexts))
    months: dict[tuple[Level, str], tuple[str, ...]] = {}
    for level in levels:
        if level.course == "steps":
            seen: dict[str, set[str]] = {}
            for c in distinct:
                seen.setdefault(c.keys()[level.name], set()).add(c.month)
            months |= {(level, key): tuple(sorted(known)[1:]) for key, known in seen.items()}
    names = tuple(
        (level, key) for level in levels for key in sorted({k for c in distinct for k in _membership(c, level, months)})
    )
    spread = np.zeros((len(names), len(constants)))
    for g, (level, _) in enumerate(names):
        free = np.array([level.only is None or k in level.only for k in constants])
        spread[g] = np.where(free, level.scale * sd, 0.0)
    x = np.zeros((len(contexts), len(names)))
    found = Groups(tuple(levels), names, months, Design(x, spread, tuple(level.local for level, _ in names)))
    members = {c: found.members(c) for c in distinct}
    for i, context in enumerate(contexts):
        for g, value in members[context].items():
            x[i, g] = value
    return found


NO_GROUPS = Groups((), (), {}, Design(np.zeros((0, 0)), np.zeros((0, 0)), ()))
"""What no row belongs to."""
