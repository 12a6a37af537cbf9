"""Dollars per hour of a machine that is bought: capital, site, electricity and operations.

The annuity of Barroso, Hoelzle and Ranganathan, The Datacenter as a Computer, chapter 6, with a lease in place of a
building of one's own. Real money of one date; accounting depreciation, taxes and installation are not in it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass

from stackwright.catalog import Catalog, Offer, Price, System
from stackwright.errors import UnknownIdError
from stackwright.units import HOURS_PER_YEAR, KILO

OWNED = "owned"
SITES = {"rack": "unspecified", "server": "unspecified", "desk": "desk", "laptop": "desk", "kit": "desk"}
MONTHS_PER_YEAR = 12.0


@dataclass(frozen=True)
class Ownership:
    """What one machine and its owner bring: USD, watts, years, and shares (of the price, of the hours, a year).

    `provisioned_w` is what the site must be able to deliver, `drawn_w` the mean draw of the machine itself; `pue`
    turns the latter into the power that the utility bills, so neither holds it.
    """

    price_usd: float
    provisioned_w: float
    drawn_w: float
    pue: float
    life_years: float
    resale_share: float
    cost_of_capital: float
    network_share: float
    electricity_usd_per_kwh: float
    colocation_usd_per_kw_month: float
    operations_share: float
    availability: float


@dataclass(frozen=True)
class OwnedCost:
    """USD per hour in which the machine can serve, by part."""

    capital: float
    site: float
    electricity: float
    operations: float

    @property
    def usd_per_hour(self) -> float:
        """All parts."""
        return self.capital + self.site + self.electricity + self.operations


def capital_recovery(rate: float, years: float) -> float:
    """Share of a sum to pay each year so that it is repaid with interest: r / (1 - (1 + r)^-n), 1 / n without interest.

    >>> round(capital_recovery(0.10, 5), 4)
    0.2638
    """
    return 1.0 / years if rate == 0.0 else rate / (1.0 - (1.0 + rate) ** -years)


def owned_cost(o: Ownership) -> OwnedCost:
    """[(I - R / (1 + r)^n) CRF(r, n) + F kW + 8766 kW_drawn PUE e + s I] / (8766 A).

    I: price with its share of network; R: resale value; F: lease in USD per kW-year of provisioned power; e: USD per
    kWh; s: operations a year; A: availability.
    """
    invested = o.price_usd * (1.0 + o.network_share)
    resale = o.price_usd * o.resale_share / (1.0 + o.cost_of_capital) ** o.life_years
    hours = HOURS_PER_YEAR * o.availability
    billed_kw = o.drawn_w * o.pue / KILO
    return OwnedCost(
        capital=(invested - resale) * capital_recovery(o.cost_of_capital, o.life_years) / hours,
        site=o.colocation_usd_per_kw_month * MONTHS_PER_YEAR * o.provisioned_w / KILO / hours,
        electricity=HOURS_PER_YEAR * billed_kw * o.electricity_usd_per_kwh / hours,
        operations=o.operations_share * invested / hours,
    )


def ownership(catalog: Catalog, system: System) -> Ownership | None:
    """The central case of a system with the catalogue's terms, or None where its price or power is not known."""
    if system.price_usd is None or system.power_w is None:
        return None
    away = system.form in ("rack", "server")
    grid = catalog.grid_for(OWNED, SITES[system.form])
    return Ownership(
        price_usd=system.price_usd,
        provisioned_w=system.power_w if system.nameplate else system.high.get("power_w", system.power_w),
        drawn_w=system.power_w * (_term(catalog, "load-share") if system.nameplate else 1.0),
        pue=grid.pue if grid else 1.0,
        life_years=_term(catalog, "life-years"),
        resale_share=_term(catalog, "resale-share"),
        cost_of_capital=_term(catalog, "cost-of-capital"),
        network_share=_term(catalog, "network-share") if away else 0.0,
        electricity_usd_per_kwh=_term(catalog, "electricity" if away else "electricity-desk"),
        colocation_usd_per_kw_month=_term(catalog, "colocation") if away else 0.0,
        operations_share=_term(catalog, "operations-share") if away else 0.0,
        availability=_term(catalog, "availability"),
    )


def owned_range(catalog: Catalog, system: System) -> tuple[float, float, float] | None:
    """USD per hour of owning a system: central, low, high.

    Each figure goes to its low and its high end alone; what it moves is added in quadrature (independent figures, first
    order). None where the price or the power of the system is not known.
    """
    centre = ownership(catalog, system)
    if centre is None:
        return None
    usd = owned_cost(centre).usd_per_hour
    below = above = 0.0
    for one_end, other_end in _moved(catalog, system, centre):
        ends = [owned_cost(o).usd_per_hour - usd for o in (one_end, other_end)]
        below += min(*ends, 0.0) ** 2
        above += max(*ends, 0.0) ** 2
    return usd, max(usd - math.sqrt(below), 0.0), usd + math.sqrt(above)


def owned_offers(catalog: Catalog, chip: str | None = None) -> tuple[Offer, ...]:
    """An offer of contract `owned` for each system (of `chip`) whose price and power are known; bought whole.

    A replica stays within one machine: what joins several of them is not known here.
    """
    found = []
    for system in catalog.systems.values():
        hardware = catalog.chips.get(system.chip)
        wanted = hardware is not None and chip in (None, system.chip)
        usd = owned_range(catalog, system) if wanted else None
        centre = ownership(catalog, system)
        if usd is None or centre is None or hardware is None:
            continue
        found.append(
            Offer(
                id=f"{OWNED}/{system.id}",
                provider=OWNED,
                instance=system.id,
                chip=system.chip,
                chips=system.chips,
                unit="rack" if system.form == "rack" else "instance",
                scale_up_chips=min(system.chips, hardware.link.scale_up_domain),
                max_replica_chips=system.chips,
                prices=(_price(system, centre, usd),),
                note=f"bought whole: {system.name}",
            )
        )
    return tuple(found)


def _price(system: System, centre: Ownership, usd: tuple[float, float, float]) -> Price:
    cost = owned_cost(centre)
    parts = ", ".join(f"{f.name} {getattr(cost, f.name):.2f}" for f in dataclasses.fields(cost))
    return Price(
        contract=OWNED,
        usd_per_hour=usd[0],
        low={"usd_per_hour": usd[1]},
        high={"usd_per_hour": usd[2]},
        regions=(SITES[system.form],),
        source=f"derived from a price of {centre.price_usd:,.0f} USD ({system.source}) and the terms of ownership",
        date=system.date,
        confidence="assumption",
        note=f"USD an hour: {parts}; {centre.life_years:g} years at {centre.cost_of_capital:.0%}",
    )


def _moved(catalog: Catalog, system: System, centre: Ownership) -> Iterator[tuple[Ownership, Ownership]]:
    """The central case with one figure at its low and at its high end, figure by figure."""
    away = system.form in ("rack", "server")
    terms = {
        "life_years": "life-years", "resale_share": "resale-share", "cost_of_capital": "cost-of-capital",
        "network_share": "network-share", "electricity_usd_per_kwh": "electricity" if away else "electricity-desk",
        "colocation_usd_per_kw_month": "colocation", "operations_share": "operations-share",
        "availability": "availability",
    }  # fmt: skip
    for name, term in terms.items():
        if getattr(centre, name):
            yield _at(centre, name, _end(catalog, term, "low")), _at(centre, name, _end(catalog, term, "high"))
    if system.nameplate:
        watts = [centre.provisioned_w * _end(catalog, "load-share", end) for end in ("low", "high")]
    else:
        watts = [getattr(system, end).get("power_w", centre.drawn_w) for end in ("low", "high")]
    yield _at(centre, "drawn_w", watts[0]), _at(centre, "drawn_w", watts[1])
    prices = [getattr(system, end).get("price_usd", centre.price_usd) for end in ("low", "high")]
    yield _at(centre, "price_usd", prices[0]), _at(centre, "price_usd", prices[1])
    grid = catalog.grid_for(OWNED, SITES[system.form])
    if grid is not None:
        yield _at(centre, "pue", grid.low.get("pue", grid.pue)), _at(centre, "pue", grid.high.get("pue", grid.pue))


def _at(centre: Ownership, name: str, value: float) -> Ownership:
    return dataclasses.replace(centre, **{name: value})


def _term(catalog: Catalog, name: str) -> float:
    if name not in catalog.ownership:
        raise UnknownIdError("term of ownership", name, catalog.ownership)
    return catalog.ownership[name].value


def _end(catalog: Catalog, name: str, end: str) -> float:
    limits: dict[str, float] = getattr(catalog.ownership[name], end)
    return limits.get("value", _term(catalog, name))
