"""Candidates meet offers: how many replicas on how many rented units, at which load, for how much."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stackwright.catalog import Offer, Price
from stackwright.economics import Packing, rent_usd_per_hour
from stackwright.errors import InputError
from stackwright.performance import Candidate
from stackwright.performance.pools import Pooled, Served
from stackwright.planner.evaluate import Chosen
from stackwright.planner.offers.marketplace import Marketplace
from stackwright.planner.question import Question

Array = NDArray[np.float64]

LARGEST_DEPLOYMENT = 100_000


@dataclass(frozen=True)
class Beside:
    """Units of a second offer, for the prefill workers of pools on two kinds of chip."""

    offer: Offer
    price: Price
    units: int


@dataclass(frozen=True)
class Deployment:
    """`replicas` of candidate number `row` on `units` units of an offer (and of another one `beside` it).

    `row` counts within the chosen candidates; `load` is users (closed loop) per replica, or NaN where it follows
    from the request rate.
    """

    row: int
    offer: Offer
    price: Price
    replicas: int
    units: int
    usd_per_hour: float
    beside: Beside | None = None

    @property
    def chips(self) -> int:
        """Chips rented, idle ones included."""
        return self.units * self.offer.chips + (self.beside.units * self.beside.offer.chips if self.beside else 0)


def deployments(q: Question, marketplace: Marketplace, c: Served, chosen: Chosen) -> list[Deployment]:
    """Every chosen candidate on every offer of its chip that can hold it, sized for the traffic.

    Raises `InputError` when the load is beyond any deployment.
    """
    found: list[Deployment] = []
    too_large = False
    capacity = chosen.spread.value["requests_per_s"][:, 0]
    for i, row in enumerate(chosen.rows):
        candidate = c.entries[int(row)]
        for offer, price in marketplace.of(candidate.chip.id):
            packing = packing_of(c, int(row), offer)
            if packing is None:
                continue
            replicas = replicas_for(q, packing, float(capacity[i]), float(chosen.loads[i, 0]))
            if replicas is None:
                too_large = True
                continue
            units = packing.units(replicas)
            if not marketplace.has(offer, units):
                continue
            usd, beside, there = rent_usd_per_hour(units, price.usd_per_hour), None, price
            if candidate.mixed:
                beside = _beside(marketplace, c, int(row), (offer, price), replicas)
                if beside is None:
                    continue
                usd += rent_usd_per_hour(beside.units, beside.price.usd_per_hour)
                there = _within(price, beside.price.regions)
            found.append(Deployment(i, offer, there, replicas, units, usd, beside))
    if too_large and not found:
        raise InputError(
            f"the load needs more than {LARGEST_DEPLOYMENT} replicas of every stack: check --rate or --concurrency"
        )
    return found


def units_range(q: Question, packing: Packing, requests_per_s: float, users: float, factor: float) -> tuple[int, int]:
    """Units if a replica carries `factor` (>= 1) times more, and `factor` times less, than predicted."""
    few, many = (replicas_for(q, packing, requests_per_s * f, users * f) for f in (factor, 1.0 / factor))
    return packing.units(few or LARGEST_DEPLOYMENT), packing.units(many or LARGEST_DEPLOYMENT)


def packing_of(c: Served, row: int, offer: Offer) -> Packing | None:
    """How a replica, or a pair of pools, sits on the units of an offer; of pools on two chips, their decode workers.

    Workers keep the rules of a replica, and so do both pools: a network that joins units joins them up to its limit.
    Pools that a scale-up domain of the chip would hold are predicted inside one.
    """
    if not isinstance(c, Pooled):
        return packing_on(c.entries[row], offer)
    pools, decode = c.pools(row), c.decode.entries[row]
    sides = [decode] if decode.mixed else [decode, c.prefill.entries[row]]
    chips = pools.decode_workers * pools.decode.n_chips if decode.mixed else pools.n_chips
    if any(packing_on(side, offer) is None for side in sides):
        return None
    if chips > max(offer.chips, offer.max_replica_chips):
        return None
    if not decode.mixed and chips > max(offer.scale_up_chips, 1) and chips <= decode.scale_up_domain:
        return None
    return Packing(chips, offer.chips)


def _beside(marketplace: Marketplace, c: Served, row: int, decode: tuple[Offer, Price], replicas: int) -> Beside | None:
    """The cheapest units that hold the prefill workers of pools on two chips beside those of `decode`, or None.

    Of the same provider and in a region that both prices have: the cache crosses the network of one site.
    """
    if not isinstance(c, Pooled):
        return None
    pools, first = c.pools(row), c.prefill.entries[row]
    chips = pools.prefill_workers * pools.prefill.n_chips
    for offer, price in marketplace.of(first.chip.id):
        if offer.provider != decode[0].provider:
            continue
        shared = tuple(r for r in decode[1].regions if r in price.regions)
        held = chips <= max(offer.chips, offer.max_replica_chips)
        if shared and held and packing_on(first, offer) is not None:
            units = Packing(chips, offer.chips).units(replicas)
            if marketplace.has(offer, units):
                return Beside(offer, _within(price, shared), units)
    return None


def _within(price: Price, regions: tuple[str, ...]) -> Price:
    """The price in these regions only."""
    return price if regions == price.regions else price.model_copy(update={"regions": regions})


def packing_on(candidate: Candidate, offer: Offer) -> Packing | None:
    """How a replica sits on the units of an offer, or None where its links or size do not allow it."""
    layout = candidate.layout
    if layout.n_chips > offer.chips and layout.n_chips > offer.max_replica_chips:
        return None
    if layout.group > max(offer.scale_up_chips, 1) and layout.group <= candidate.scale_up_domain:
        return None
    return Packing(layout.n_chips, offer.chips)


def replicas_for(q: Question, packing: Packing, requests_per_s: float, users: float) -> int | None:
    """Replicas needed for the traffic; units already paid for are filled. None where the number is absurd."""
    w = q.workload
    if w.rate_per_s is not None:
        needed = w.rate_per_s / requests_per_s if requests_per_s > 0 else math.inf
    elif w.concurrency is not None:
        needed = w.concurrency / users
    else:
        return packing.smallest_replicas
    if not needed <= LARGEST_DEPLOYMENT:
        return None
    return packing.filled(max(1, math.ceil(needed - 1e-9)))
