"""The answer: ranked plans with their reasons, what was rejected, and the front of the possible."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stackwright.catalog import Chip, Engine, Grid, Offer, Price, System
from stackwright.economics.lock_in import LockIn
from stackwright.performance import Layout, Lora, Speculation
from stackwright.performance.pools import Pools
from stackwright.planner.offers.join import Beside
from stackwright.planner.offers.marketplace import LeftOut
from stackwright.planner.question import Question
from stackwright.planner.size import Breach
from stackwright.planner.stacks.space import Rejection
from stackwright.serving.prediction import Interval


@dataclass(frozen=True)
class Stack:
    """Model x engine x layout x chip x offer. `offer` is None where nobody publishes a price.

    With `pools`, `layout` is that of a decode worker, and `beside` what is rented for prefill workers on another chip.
    """

    model: str
    checkpoint: str
    engine: Engine
    chip: Chip
    layout: Layout
    system: System | None = None
    speculation: Speculation | None = None
    lora: Lora | None = None
    pools: Pools | None = None
    offer: Offer | None = None
    price: Price | None = None
    region: str = ""
    grid: Grid | None = None
    beside: Beside | None = None

    @property
    def way(self) -> str:
        """How it serves: one of `WAYS`."""
        return way_of(self.layout, self.speculation, self.pools)

    @property
    def description(self) -> str:
        """Layout, or both pools, and the draft."""
        return describe(self.layout, self.speculation, self.pools)

    @property
    def replica_chips(self) -> int:
        """Chips of one replica, or of one pair of pools."""
        return self.pools.n_chips if self.pools else self.layout.n_chips


def way_of(layout: Layout, speculation: Speculation | None, pools: Pools | None) -> str:
    """The way of serving, by what sets it apart from a plain replica first."""
    if pools:
        return "disaggregated"
    if speculation:
        return "speculative"
    if layout.cp > 1:
        return "context-parallel"
    return "pipelined" if layout.pp > 1 else "aggregated"


def describe(layout: Layout, speculation: Speculation | None, pools: Pools | None) -> str:
    """Layout, or both pools, and the draft, in a few words."""
    draft = f" {speculation.method}{speculation.draft_tokens}" if speculation else ""
    return f"{pools or layout}{draft}"


@dataclass(frozen=True)
class Plan:
    """One ranked stack, sized for the traffic.

    Money in USD, times in seconds, energy in joules. `usd_per_mtok_output` and its siblings are at the planned load;
    `full_load_usd_per_mtok_output` at the highest load that keeps the promise. `load` is users per replica of a closed
    loop or mean running sequences per replica of an open loop; `max_num_seqs` what the engine must admit. `breach` and
    the figures with penalty are there where the question holds a guarantee and the stack a price.
    """

    rank: int
    stack: Stack
    replicas: int
    units: int
    n_chips: int
    idle_chips: int
    p_meets_slo: float
    meets_slo: bool
    tied_with_first: bool
    metrics: Mapping[str, Interval]
    load: float
    max_num_seqs: int
    utilisation: float
    usd_per_hour: float | None
    usd_per_mtok_output: Interval | None
    usd_per_mtok_total: Interval | None
    usd_per_mtok_input_by_time: float | None
    usd_per_mtok_output_by_time: float | None
    full_load_usd_per_mtok_output: float | None
    joules_per_output_token: Interval
    kgco2_per_mtok: Interval | None
    facility_watts: float
    breach: Breach | None
    usd_per_hour_with_penalty: float | None
    usd_per_mtok_output_with_penalty: Interval | None
    other_contracts: tuple[tuple[str, float, str], ...]
    lock_in: LockIn
    why: str
    notes: tuple[str, ...]
    sources: tuple[str, ...]


@dataclass(frozen=True)
class FrontPoint:
    """One point of the Pareto chart: tokens/s of one user against USD per million output tokens."""

    chip: str
    vendor: str
    engine: str
    layout: str
    weight_precision: str
    provider: str
    tokens_per_s_per_user: float
    usd_per_mtok_output: float
    concurrency: float
    on_front: bool
    meets_slo: bool


@dataclass(frozen=True)
class Answer:
    """Everything `plan` found. `evaluated` counts operating points; `cpu_s` and `elapsed_s` are of this call."""

    question: Question
    evaluated: int
    cpu_s: float
    elapsed_s: float
    plans: tuple[Plan, ...]
    unpriced: tuple[Plan, ...]
    front: tuple[FrontPoint, ...]
    rejected: tuple[Rejection, ...]
    left_out_offers: tuple[LeftOut, ...] = ()
    assumptions: tuple[str, ...] = ()
    comparison: Plan | None = None
    comparison_changes: tuple[str, ...] = field(default=())
