"""The question a plan answers."""

from __future__ import annotations

import math
from dataclasses import dataclass
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

# p95 promise when the user states none: the limits of MLPerf Inference v5.0 llama2-70b-interactive.
DEFAULT_SLO = SLO(ttft_s=0.45, tpot_s=0.04)

# Rented for days, not years, and not taken away in between.
DEFAULT_CONTRACTS = ("on_demand", "capacity_block")


@dataclass(frozen=True)
class Question:
    """What to run (`model`: id, alias or path of a config.json), the traffic, the promise, and what may be used.

    Empty tuples mean no restriction. `per` says which alternatives to list: the best stack of each offer, chip or
    vendor, or every stack.
    """

    model: str
    workload: Workload
    slo: SLO = DEFAULT_SLO
    chips: tuple[str, ...] = ()
    vendors: tuple[str, ...] = ()
    clouds: tuple[str, ...] = ()
    engines: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    contracts: tuple[str, ...] = DEFAULT_CONTRACTS
    precisions: tuple[str, ...] = ()
    kv_precision: str = ""
    objective: Objective = "usd_per_mtok_output"
    per: Grouping = "offer"
    top: int = 10
    max_usd_per_hour: float | None = None
    max_chips: int | None = None

    def __post_init__(self) -> None:
        if self.objective not in OBJECTIVES:
            raise InputError(f"unknown objective {self.objective!r}; one of {', '.join(OBJECTIVES)}")
        if self.per not in GROUPINGS:
            raise InputError(f"unknown grouping {self.per!r}; one of {', '.join(GROUPINGS)}")
        unknown = sorted(set(self.contracts) - set(CONTRACTS))
        if unknown:
            raise InputError(f"unknown contract {unknown[0]!r}; one of {', '.join(CONTRACTS)}")
        for kind, given in (("weight precision", self.precisions), ("KV precision", (self.kv_precision,))):
            strange = [p for p in given if p and p not in PRECISIONS]
            if strange:
                raise UnknownIdError(kind, strange[0], PRECISIONS, f"one of {', '.join(PRECISIONS)}")
        if self.top < 1:
            raise InputError(f"--top must be at least 1, got {self.top}")
        for name in ("max_usd_per_hour", "max_chips"):
            limit = getattr(self, name)
            if limit is not None and not 0 < limit < math.inf:
                raise InputError(f"{name} must be a positive number, got {limit}")
