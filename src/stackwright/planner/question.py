"""The question a plan answers."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Literal, get_args

from stackwright.catalog.records import Contract, Precision
from stackwright.economics import Clause
from stackwright.errors import InputError, UnknownIdError
from stackwright.performance import Lora
from stackwright.workload import SLO, Sector, Workload

Objective = Literal[
    "usd_per_mtok_output", "usd_per_mtok_total", "expected_cost", "chips", "energy", "carbon", "tpot"
]  # fmt: skip
OBJECTIVES: tuple[str, ...] = get_args(Objective)
Grouping = Literal["stack", "offer", "chip", "vendor"]
GROUPINGS: tuple[str, ...] = get_args(Grouping)
CONTRACTS: tuple[str, ...] = get_args(Contract)
PRECISIONS: tuple[str, ...] = get_args(Precision)

WAYS = ("aggregated", "speculative", "pipelined", "context-parallel", "disaggregated")

# p95 promise when the user states none: the limits of MLPerf Inference v5.0 llama2-70b-interactive.
DEFAULT_SLO = SLO(ttft_s=0.45, tpot_s=0.04)

# For a person at a desk: 10 s keeps attention (Nielsen, Usability Engineering, 1993, ch. 5); TPOT of MLPerf Inference
# llama2-70b server (loadgen/mlperf.conf), about reading speed.
RELAXED_SLO = SLO(ttft_s=10.0, tpot_s=0.2)

# Rented for days, not years, and not taken away in between.
DEFAULT_CONTRACTS = ("on_demand", "capacity_block")

AT_HAND = "at-hand"


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
class AtHand:
    """Capacity that stands there already: `count` chips, or machines, of a catalogue id."""

    id: str
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> AtHand:
        """`h100-sxm`, or `h100-sxmx8` for eight of them."""
        match = re.fullmatch(r"(.+)x(\d{1,5})", text.strip())
        name, count = (match[1], int(match[2])) if match else (text.strip(), 1)
        if not name or count < 1:
            raise InputError(f"--have {text!r}: expected a chip or system, or CHIPxN for several, such as l40sx2")
        return cls(name, count)

    def __str__(self) -> str:
        return self.id if self.count == 1 else f"{self.id}x{self.count}"


@dataclass(frozen=True)
class Market:
    """Whose capacity may be used, where, and under which contracts; an empty tuple means no restriction.

    `residency` is a country (ISO code) or a group of them such as `eu`; `certified` names what a provider must be
    certified for. `have` stands there already and costs its electricity at `usd_per_kwh` only.
    """

    clouds: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    contracts: tuple[str, ...] = DEFAULT_CONTRACTS
    residency: str = ""
    certified: tuple[str, ...] = ()
    have: tuple[AtHand, ...] = ()
    usd_per_kwh: float | None = None

    def __post_init__(self) -> None:
        unknown = sorted(set(self.contracts) - set(CONTRACTS))
        if unknown:
            raise InputError(f"unknown contract {unknown[0]!r}; one of {', '.join(CONTRACTS)}")
        if AT_HAND in self.clouds and not self.have:
            raise InputError(f"--clouds {AT_HAND} needs --have CHIP: what stands there?")
        if self.usd_per_kwh is not None:
            if not self.have:
                raise InputError("--usd-per-kwh is the electricity of --have CHIP: give both")
            if not 0 < self.usd_per_kwh < math.inf:
                raise InputError(f"--usd-per-kwh must be a positive number, got {self.usd_per_kwh}")

    @property
    def rents(self) -> bool:
        """False where only what stands there may be used."""
        return self.clouds != (AT_HAND,)


@dataclass(frozen=True)
class Limits:
    """What a deployment may take at most; None means no limit."""

    max_usd_per_hour: float | None = None
    max_chips: int | None = None
    max_kw: float | None = None

    def __post_init__(self) -> None:
        for name, limit in self.__dict__.items():
            if limit is not None and not 0 < limit < math.inf:
                raise InputError(f"{name} must be a positive number, got {limit}")


@dataclass(frozen=True)
class Guarantee:
    """What a missed promise costs: a penalty clause over a fee in USD per month (None: the cost of the deployment)."""

    clause: Clause
    fee_usd_per_month: float | None = None

    def __post_init__(self) -> None:
        if self.fee_usd_per_month is not None and not 0 < self.fee_usd_per_month < math.inf:
            raise InputError(f"--fee-usd-per-month must be a positive number, got {self.fee_usd_per_month}")


@dataclass(frozen=True)
class Question:
    """What to run (`model`: id, alias or path of a config.json), the traffic, the promise, and what may be used.

    `lora`: the adapters served beside the model, by every stack.

    `per` says which alternatives to list: the best stack of each offer, chip or vendor, or every stack. `sector` is
    the profile that filled in what the asker left open, and `assumed` says what else was taken for granted.
    """

    model: str
    workload: Workload
    slo: SLO = DEFAULT_SLO
    lora: Lora | None = None
    allowed: Allowed = field(default_factory=Allowed)
    market: Market = field(default_factory=Market)
    limits: Limits = field(default_factory=Limits)
    guarantee: Guarantee | None = None
    sector: Sector | None = None
    assumed: tuple[str, ...] = ()
    objective: Objective = "usd_per_mtok_output"
    per: Grouping = "offer"
    top: int = 10

    def __post_init__(self) -> None:
        if self.objective not in OBJECTIVES:
            raise InputError(f"unknown objective {self.objective!r}; one of {', '.join(OBJECTIVES)}")
        if self.per not in GROUPINGS:
            raise InputError(f"unknown grouping {self.per!r}; one of {', '.join(GROUPINGS)}")
        if self.objective == "expected_cost" and self.guarantee is None:
            raise InputError("--objective expected_cost needs --penalty CLAUSE: without one it is usd_per_mtok_output")
        if self.guarantee is not None and self.slo.is_open:
            raise InputError("--penalty needs a promise: give --ttft or --tpot")
        if self.top < 1:
            raise InputError(f"--top must be at least 1, got {self.top}")
