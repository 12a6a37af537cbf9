"""Capacity that stands there already (a desk GPU, a laptop, own servers): offers that cost their electricity only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from stackwright.catalog import Catalog, Offer, Price, System
from stackwright.economics import electricity_usd_per_hour
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


def chips_at_hand(have: Iterable[AtHand], catalog: Catalog) -> int:
    """How many chips stand there. Raises `UnknownIdError`."""
    return sum(_resolved(given, catalog)[1] for given in have)


def _resolved(given: AtHand, catalog: Catalog) -> tuple[str, int, System | None]:
    """Chip id, number of chips and the system named, if a system was named."""
    try:
        return catalog.chip(given.id).id, given.count, None
    except UnknownIdError as unknown:
        try:
            system = catalog.system(given.id)
        except UnknownIdError:
            raise unknown from None
        return system.chip, system.chips * given.count, system


def _standing(chip: str, given: list[tuple[int, System | None]], market: Market, catalog: Catalog) -> Standing:
    """The offer: one chip with its share of the machine, at the electricity of its nameplate power."""
    chips = sum(n for n, _ in given)
    record = catalog.chip(chip)
    system = given[0][1] or catalog.system_for(chip, chips)
    if system is not None and system.power_w is not None:
        watts, basis = system.power_w / system.chips, f"{system.id} {system.power_w:g} W / {system.chips}"
    else:
        watts, basis = record.power.tdp_w, f"{chip} {record.power.tdp_w:g} W, host not counted"
    usd_per_kwh, source = _electricity(market)
    together = max(1, min(chips, record.link.scale_up_domain))
    price = Price(
        contract="owned",
        usd_per_hour=electricity_usd_per_hour(watts, usd_per_kwh),
        regions=(AT_HAND,),
        source=f"electricity only: {basis} x {usd_per_kwh:g} USD/kWh ({source})",
        confidence="assumption" if market.usd_per_kwh is None else "measured",
        note="stands there already: electricity at nameplate power, without purchase, room or people",
    )
    offer = Offer(
        id=f"{AT_HAND}/{chip}", provider=AT_HAND, instance=chip, chip=chip, chips=1, unit="chip",
        scale_up_chips=together, max_replica_chips=together, prices=(price,),
    )  # fmt: skip
    return Standing(chips, offer, price)


def _electricity(market: Market) -> tuple[float, str]:
    """USD per kWh and where the figure comes from."""
    if market.usd_per_kwh is None:
        raise InputError("--have needs --usd-per-kwh: what does a kilowatt-hour cost there?")
    return market.usd_per_kwh, "given"
