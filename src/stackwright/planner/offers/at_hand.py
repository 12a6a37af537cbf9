"""Capacity that stands there already (a desk GPU, a laptop, own servers): offers that cost their electricity only."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from stackwright.catalog import Catalog, Offer, Price, System
from stackwright.economics import OWNED, electricity_usd_per_hour
from stackwright.economics.own import SITES
from stackwright.errors import InputError, UnknownIdError
from stackwright.planner.question import AT_HAND, AtHand, Market


@dataclass(frozen=True)
class Standing:
    """`chips` chips of one kind at hand, as an offer of single chips."""

    chips: int
    offer: Offer
    price: Price


def standing(market: Market, catalog: Catalog) -> dict[str, Standing]:
    """What stands there by chip id; of chips named twice the numbers add up. Raises `UnknownIdError`."""
    counts: dict[str, list[tuple[int, System | None]]] = {}
    for given in market.have:
        chip, chips, system = _resolved(given, catalog)
        counts.setdefault(chip, []).append((chips, system))
    return {chip: _standing(chip, given, market, catalog) for chip, given in counts.items()}


def at_a_desk(have: Iterable[AtHand], catalog: Catalog) -> bool:
    """True where all that stands there is one chip, or desk machines and laptops. Raises `UnknownIdError`."""
    found = [_resolved(given, catalog) for given in have]
    if sum(chips for _, chips, _ in found) == 1:
        return True
    systems = [system or catalog.system_for(chip, chips) for chip, chips, system in found]
    return bool(systems) and all(s is not None and SITES[s.form] == SITES["desk"] for s in systems)


def nobody_rents(chips: Iterable[str], catalog: Catalog) -> bool:
    """True where chips are named and all are of desk machines and laptops that no provider rents."""
    ids = {catalog.chip(name).id for name in chips}
    if not ids or any(o.chip in ids for o in catalog.offers.values() if o.provider != OWNED):
        return False
    forms = {id: [s.form for s in catalog.systems.values() if s.chip == id] for id in ids}
    return all(found and all(SITES[f] == SITES["desk"] for f in found) for found in forms.values())


def _resolved(given: AtHand, catalog: Catalog) -> tuple[str, int, System | None]:
    """Chip id, number of chips and the system named, if a system was named."""
    try:
        return catalog.chip(given.id).id, given.count, None
    except UnknownIdError as unknown:
        try:
            system = catalog.system(given.id)
        except UnknownIdError:
            if swapped := re.fullmatch(r"(\d+)\s*x\s*(.+)", given.id):
                raise InputError(
                    f"--have {given.id!r}: the number comes last, as in {swapped[2]}x{swapped[1]}"
                ) from None
            raise unknown from None
        return system.chip, system.chips * given.count, system


def _standing(chip: str, given: list[tuple[int, System | None]], market: Market, catalog: Catalog) -> Standing:
    """The offer: one chip with its share of the machine, at the electricity that it draws in the mean."""
    chips = sum(n for n, _ in given)
    record = catalog.chip(chip)
    system = given[0][1] or catalog.system_for(chip, chips)
    site = SITES[system.form] if system else SITES["desk"]
    watts, basis = _mean_watts(catalog, chip, system)
    grid = catalog.grid_for(OWNED, site)
    facility_w = watts * (grid.pue if grid else 1.0)
    usd_per_kwh, low, high, source = _electricity(market, catalog, site)
    together = max(1, min(chips, record.link.scale_up_domain))
    price = Price(
        contract=OWNED,
        usd_per_hour=electricity_usd_per_hour(facility_w, usd_per_kwh),
        low={"usd_per_hour": electricity_usd_per_hour(facility_w, low)},
        high={"usd_per_hour": electricity_usd_per_hour(facility_w, high)},
        regions=(site,),
        source=f"electricity only: {basis}, {usd_per_kwh:g} USD/kWh ({source})",
        confidence="assumption",
        note=f"stands there already: electricity only, {facility_w:.0f} W a chip at {usd_per_kwh:g} USD/kWh",
    )
    offer = Offer(
        id=f"{AT_HAND}/{chip}", provider=AT_HAND, instance=chip, chip=chip, chips=1, unit="chip",
        scale_up_chips=together, max_replica_chips=together, prices=(price,),
    )  # fmt: skip
    return Standing(chips, offer, price)


def _mean_watts(catalog: Catalog, chip: str, system: System | None) -> tuple[float, str]:
    """Mean watts of one chip with its share of the machine, and how they come about."""
    share = catalog.ownership["load-share"].value
    if system is None or system.power_w is None:
        watts = catalog.chip(chip).power.tdp_w
        return watts * share, f"{share:g} of the {watts:g} W of {chip}, without host"
    watts = system.power_w / system.chips
    if system.nameplate:
        return watts * share, f"{share:g} of the {watts:g} W a chip of {system.id}"
    return watts, f"{watts:g} W a chip of {system.id}"


def _electricity(market: Market, catalog: Catalog, site: str) -> tuple[float, float, float, str]:
    """USD per kWh with low and high, and where the figure comes from: as given, else a term of ownership."""
    if market.usd_per_kwh is not None:
        return market.usd_per_kwh, market.usd_per_kwh, market.usd_per_kwh, "given"
    term = catalog.ownership["electricity-desk" if site == SITES["desk"] else "electricity"]
    return term.value, term.low.get("value", term.value), term.high.get("value", term.value), term.source
