"""The question a plan answers."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal, get_args

from stackwright.catalog.records import Contract, Precision
from stackwright.errors import InputError, UnknownIdError
from stackwright.workload import SLO, Workload

Objective = Literal["usd_per_mtok_output", "usd_per_mtok_total", "chips", "energy", "carbon", "tpot"]
OBJECTIVES: tuple[str, ...] = get_args(Objective)
Grouping = Literal["stack", "offer", "chip", "vendor"]
GROUPINGS: tuple[str, ...] = get_args(Grouping)
CONTRACTS: tuple[str, ...] = get_args(Contract)
PRECISIONS: tuple[str, ...] = get_args(Precision)

WAYS = ("aggregated", "speculative", "pipelined", "context-parallel", "disaggregated")

# p95 promise when the user states none: the limits of MLPerf Inference v5.0 llama2-70b-interactive.
DEFAULT_SLO = SLO(ttft_s=0.45, tpot_s=0.04)

# Rented for days, not years, and not taken away in between.
DEFAULT_CONTRACTS = ("on_demand", "capacity_block")


@dataclass(frozen=True)
class Allowed:
    """What a stack may be made of; an empty tuple (or string) means no restriction.

    `ways` of serving: `WAYS`. `mixed_pools`: whether prefill and decode workers may stand on different chips.
    """

    chips: tuple[str, ...] = ()
    vendors: tuple[str, ...] = ()
    engines: tuple[str, ...] = ()
    precisions: tuple[str, ...] = ()
    kv_precision: str = ""
    ways: tuple[str, ...] = ()
    mixed_pools: bool = False

    def way(self, name: str) -> bool:
        """Whether stacks may be served in this way."""
        return not self.ways or name in self.ways

    def __post_init__(self) -> None:
        for way in self.ways:
            if way not in WAYS:
                raise UnknownIdError("way of serving", way, WAYS, f"one of {', '.join(WAYS)}")
        for kind, given in (("weight precision", self.precisions), ("KV precision", (self.kv_precision,))):
            strange = [p for p in given if p and p not in PRECISIONS]
            if strange:
                raise UnknownIdError(kind, strange[0], PRECISIONS, f"one of {', '.join(PRECISIONS)}")


@dataclass(frozen=True)
class Market:
    """Whose capacity may be used, where, and under which contracts; an empty tuple means no restriction."""

    clouds: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    contracts: tuple[str, ...] = DEFAULT_CONTRACTS

    def __post_init__(self) -> None:
        unknown = sorted(set(self.contracts) - set(CONTRACTS))
        if unknown:
            raise InputError(f"unknown contract {unknown[0]!r}; one of {', '.join(CONTRACTS)}")


@dataclass(frozen=True)
class Limits:
    """What a deployment may take at most; None means no limit."""

    max_usd_per_hour: float | None = None
    max_chips: int | None = None

    def __post_init__(self) -> None:
        for name, limit in self.__dict__.items():
            if limit is not None and not 0 < limit < math.inf:
                raise InputError(f"{name} must be a positive number, got {limit}")


@dataclass(frozen=True)
class Question:
    """What to run (`model`: id, alias or path of a config.json), the traffic, the promise, and what may be used.

    `per` says which alternatives to list: the best stack of each offer, chip or vendor, or every stack.
    """

    model: str
    workload: Workload
    slo: SLO = DEFAULT_SLO
    allowed: Allowed = field(default_factory=Allowed)
    market: Market = field(default_factory=Market)
    limits: Limits = field(default_factory=Limits)
    objective: Objective = "usd_per_mtok_output"
    per: Grouping = "offer"
    top: int = 10

    def __post_init__(self) -> None:
        if self.objective not in OBJECTIVES:
            raise InputError(f"unknown objective {self.objective!r}; one of {', '.join(OBJECTIVES)}")
        if self.per not in GROUPINGS:
            raise InputError(f"unknown grouping {self.per!r}; one of {', '.join(GROUPINGS)}")
        if self.top < 1:
            raise InputError(f"--top must be at least 1, got {self.top}")
