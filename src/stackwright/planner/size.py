"""A deployment at its own load: what each replica carries there, and what the whole draws at the meter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stackwright.catalog import Catalog, ModelEntry, System
from stackwright.catalog import Grid as Electricity
from stackwright.economics import OWNED, Footprint, expected_penalty_usd, footprint
from stackwright.llm import Model
from stackwright.performance import Candidate
from stackwright.performance.pools import Pooled, Pools, Served
from stackwright.performance.power import host_power_w
from stackwright.planner.evaluate import Chosen, Grid, probability_meets
from stackwright.planner.offers.join import Deployment
from stackwright.planner.offers.marketplace import Marketplace
from stackwright.planner.question import AT_HAND, Question
from stackwright.serving import Uncertain
from stackwright.serving.prediction import load_for, spread_of
from stackwright.units import HOURS_PER_MONTH

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Context:
    """What every plan of one answer shares."""

    question: Question
    marketplace: Marketplace
    model: Model
    entry: ModelEntry | None
    grid: Grid
    chosen: Chosen

    @property
    def catalog(self) -> Catalog:
        """The facts."""
        return self.marketplace.catalog


@dataclass(frozen=True)
class Site:
    """Where a deployment stands: system, region and its electricity (None where the catalogue knows nothing)."""

    system: System | None
    region: str = ""
    grid: Electricity | None = None

    @property
    def system_w_per_chip(self) -> float:
        """Watts of the system under load per chip; NaN where unknown."""
        if self.system is None or self.system.power_w is None:
            return math.nan
        return self.system.power_w / self.system.chips


@dataclass(frozen=True)
class Breach:
    """What a penalty clause is expected to cost: the fee, P(share of requests kept < tier) per tier, USD per month."""

    fee_usd_per_month: float
    p_below: tuple[float, ...]
    usd_per_month: float

    @property
    def usd_per_hour(self) -> float:
        """The expected penalty spread over the hours of a month."""
        return self.usd_per_month / HOURS_PER_MONTH


@dataclass(frozen=True)
class Sized:
    """A deployment evaluated at its own load; `index` is its row in `spread` and in `candidates`.

    `row` is the candidate's number in the grid; `sd_capacity` the spread of ln(requests/s) at the promised latency;
    `it_w` the watts of all rented chips, idle ones and hosts included. `breach` is what a guarantee makes of it.
    """

    deployment: Deployment | None
    index: int
    row: int
    load: float
    p_meets: float
    spread: Uncertain
    sd_capacity: float
    candidates: Served
    site: Site
    it_w: float
    breach: Breach | None = None

    @property
    def candidate(self) -> Candidate:
        """The engine, chip and layout (of pools: of a decode worker)."""
        return self.candidates.entries[self.index]

    @property
    def pools(self) -> Pools | None:
        """The prefill and decode pool of a disaggregated deployment."""
        return self.candidates.pools(self.index) if isinstance(self.candidates, Pooled) else None

    @property
    def replica_chips(self) -> int:
        """Chips of one replica, or of one pair of pools."""
        return int(self.candidates.n_chips[self.index, 0])

    @property
    def replicas(self) -> int:
        """Replicas deployed (one where nothing is rented)."""
        return self.deployment.replicas if self.deployment else 1

    @property
    def n_chips(self) -> int:
        """Chips rented, idle ones included."""
        return chips_rented(self.deployment, self.replica_chips)

    @property
    def usd_per_hour(self) -> float:
        """USD per hour of the whole deployment; infinite where nobody publishes a price."""
        return self.deployment.usd_per_hour if self.deployment else math.inf

    @property
    def usd_per_hour_with_penalty(self) -> float:
        """USD per hour of the whole deployment, the expected penalty of its guarantee included."""
        return self.usd_per_hour + (self.breach.usd_per_hour if self.breach else 0.0)

    @property
    def output_tokens_per_s(self) -> float:
        """Output tokens per second of the whole deployment at the planned load."""
        return self.metric("output_tokens_per_s_per_chip") * self.replica_chips * self.replicas

    @property
    def footprint(self) -> Footprint:
        """Power at the meter, energy and carbon of the whole deployment at the planned load."""
        grid = self.site.grid
        carbon = grid.carbon_g_per_kwh if grid else None
        return footprint(self.it_w, grid.pue if grid else 1.0, self.output_tokens_per_s, carbon)

    def metric(self, name: str) -> float:
        """Value of a metric at this deployment's load."""
        return float(self.spread.value[name][self.index, 0])


def chips_rented(d: Deployment | None, replica_chips: int) -> int:
    """Chips of the whole units rented, or of one replica where nothing is rented."""
    return d.chips if d else replica_chips


def size(x: Context, deployed: Sequence[Deployment]) -> list[Sized]:
    """Each deployment at its own load per replica."""
    if not deployed:
        return []
    w = x.question.workload
    numbers = [d.row for d in deployed]
    rows = x.chosen.rows[numbers]
    replicas = np.array([[float(d.replicas)] for d in deployed])
    c = x.grid.candidates.take(rows)
    if w.rate_per_s is not None:
        loads = load_for(c, w, w.rate_per_s / replicas)
    elif w.concurrency is not None:
        loads = w.concurrency / replicas
    else:
        loads = x.chosen.loads[numbers]
    spread = spread_of(c, w, loads, _percentiles(x.question))
    return _sized(x, c, spread, loads, numbers, deployed)


def _percentiles(q: Question) -> tuple[float, ...]:
    """The promised percentile, and those at which a penalty clause begins to credit."""
    return tuple(dict.fromkeys((q.slo.percentile, *(q.guarantee.clause.percents if q.guarantee else ()))))


def unrented(x: Context, numbers: Sequence[int]) -> list[Sized]:
    """One replica of each chosen candidate of these numbers at its best load, without an offer."""
    if not numbers:
        return []
    chosen = x.chosen
    everything = range(len(chosen.rows))
    c = x.grid.candidates.take(chosen.rows)
    found = _sized(x, c, chosen.spread, chosen.loads, everything, [None] * len(everything))
    return [found[i] for i in numbers]


def _sized(
    x: Context,
    c: Served,
    spread: Uncertain,
    loads: Array,
    numbers: Sequence[int],
    deployed: Sequence[Deployment | None],
) -> list[Sized]:
    p_meets = probability_meets(spread, x.question.slo)
    sd_capacity = x.chosen.spread.sd_ln("requests_per_s_at_load")[:, 0]
    sites = _sites(x, deployed, c)
    watts = _it_w(c, spread, sites, deployed)
    breaches = _breaches(x.question, spread, deployed)
    return [
        Sized(
            deployment=d,
            index=i,
            row=int(x.chosen.rows[number]),
            load=float(loads[i, 0]),
            p_meets=float(p_meets[i, 0]),
            spread=spread,
            sd_capacity=float(sd_capacity[number]),
            candidates=c,
            site=sites[i],
            it_w=float(watts[i, 0]),
            breach=breaches[i],
        )
        for i, (number, d) in enumerate(zip(numbers, deployed, strict=True))
    ]


def _breaches(q: Question, spread: Uncertain, deployed: Sequence[Deployment | None]) -> list[Breach | None]:
    """What the guarantee is expected to cost each deployment; None without one, or where no price is known.

    Fewer than x % of requests keep the limits exactly where the x-th percentile of latency is over its limit; so the
    probability of a tier is that of missing the promise at its percentile, and grows with it.
    """
    if q.guarantee is None or all(d is None for d in deployed):
        return [None] * len(deployed)
    clause, fee = q.guarantee.clause, q.guarantee.fee_usd_per_month
    p_keeps = [probability_meets(spread, replace(q.slo, percentile=x))[:, 0] for x in clause.percents]
    p_below = np.minimum.accumulate(1.0 - np.array(p_keeps), axis=0)
    found: list[Breach | None] = []
    for d, column in zip(deployed, p_below.T, strict=True):
        p = tuple(float(v) for v in column)
        paid = fee if fee is not None else (d.usd_per_hour * HOURS_PER_MONTH if d else 0.0)
        found.append(Breach(paid, p, expected_penalty_usd(clause, paid, p)) if d else None)
    return found


def _sites(x: Context, deployed: Sequence[Deployment | None], c: Served) -> list[Site]:
    """The site of each deployment; many share an offer, and so a site."""
    known: dict[tuple[object, ...], Site] = {}
    found = []
    for i, (d, entry) in enumerate(zip(deployed, c.entries, strict=True)):
        chips = d.offer.chips if d else int(c.n_chips[i, 0])
        key = (entry.chip.id, chips, d and d.offer.provider, d and d.price.regions)
        if key not in known:
            known[key] = _site(x, d, x.catalog.system_for(entry.chip.id, chips))
        found.append(known[key])
    return found


def _site(x: Context, d: Deployment | None, system: System | None) -> Site:
    """A system in the price's first region, or in its cleanest when carbon is minimised."""
    if d is None or not d.price.regions:
        return Site(system)
    owner = OWNED if d.offer.provider == AT_HAND else d.offer.provider
    grids = {r: x.catalog.grid_for(owner, r) for r in d.price.regions}
    region = d.price.regions[0]
    if x.question.objective == "carbon":
        region = min(grids, key=lambda r: _carbon(grids[r]))
    return Site(system, region, grids[region])


def _carbon(grid: Electricity | None) -> float:
    return math.inf if grid is None or grid.carbon_g_per_kwh is None else grid.carbon_g_per_kwh * grid.pue


def _it_w(c: Served, spread: Uncertain, sites: Sequence[Site], deployed: Sequence[Deployment | None]) -> Array:
    """Watts of all chips and hosts, shape (n, 1): chips in use at their load, rented but unused ones idle."""
    nameplate = np.array([[bool(s.system and s.system.nameplate)] for s in sites])
    host = host_power_w(c, np.array([[s.system_w_per_chip] for s in sites]), nameplate)
    idle = c.tdp_w * c.theta["power_idle_fraction"]
    replicas = [d.replicas if d else 1 for d in deployed]
    used = np.array([[float(n)] for n in replicas]) * c.n_chips
    rented = np.array([[float(chips_rented(d, int(n)))] for d, n in zip(deployed, c.n_chips[:, 0], strict=True)])
    watts: Array = (spread.value["chip_watts"] + host) * used + (host + idle) * (rented - used)
    return watts
