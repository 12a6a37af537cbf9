"""The rules of `catalog check`, applied to what was read: a row that breaks one is refused with its message."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from itertools import groupby

from stackwright.catalog.checks.rules import PRICE_BAND, check_offer
from stackwright.catalog.records import Offer, Price
from stackwright.catalog.refresh.readings import LeftOut, Reading, Snapshot
from stackwright.catalog.store import Catalog, prices_in_force


def gate(snapshot: Snapshot, catalog: Catalog, on: dt.date) -> tuple[list[Offer], list[LeftOut]]:
    """Offers with the prices that pass, each price for one region, and the rows refused."""
    kept: list[Offer] = []
    refused: list[LeftOut] = []
    ordered = sorted(snapshot.readings, key=lambda r: (r.offer.id, r.region, r.contract != "on_demand", r.contract))
    for _, of_offer in groupby(ordered, key=lambda r: r.offer.id):
        readings = list(of_offer)
        prices: list[Price] = []
        for _, of_region in groupby(readings, key=lambda r: r.region):
            prices += _of_region(list(of_region), snapshot, catalog, on, refused)
        if prices:
            kept.append(readings[0].offer.model_copy(update={"prices": tuple(prices)}))
    return kept, refused


def _of_region(
    readings: Sequence[Reading], snapshot: Snapshot, catalog: Catalog, on: dt.date, refused: list[LeftOut]
) -> list[Price]:
    """Prices of one region that pass; on demand comes first, and the others are judged beside it."""
    passed: list[Price] = []
    for reading in readings:
        message = "" if reading.usd_per_hour > 0 else f"{reading.usd_per_hour:g} USD is a placeholder, not a price"
        if not message:
            price = _price(reading, snapshot, on)
            if any(price.contract == p.contract for p in passed):
                message = "a second price of the same contract and region"
            else:
                message = _error(reading.offer, [p for p in passed if p.contract == "on_demand"], price, catalog, on)
        if message:
            refused.append(LeftOut(f"{reading.offer.instance} {reading.region} {reading.contract}", message))
        else:
            passed.append(price)
    return passed


def _price(reading: Reading, snapshot: Snapshot, on: dt.date) -> Price:
    return Price(
        contract=reading.contract,
        usd_per_hour=reading.usd_per_hour,
        regions=(reading.region,),
        source=snapshot.source,
        date=on,
        confidence=snapshot.confidence,
        note=reading.note,
    )


def _error(offer: Offer, beside: list[Price], price: Price, catalog: Catalog, on: dt.date) -> str:
    alone = offer.model_copy(update={"prices": (*beside, price)})
    return next((f.message for f in check_offer(alone, catalog, on) if f.level == "error"), "")


def moved(offers: Iterable[Offer], catalog: Catalog) -> list[str]:
    """Prices that differ from the catalogue's price in force of the same place by more than the band of the check."""
    found = []
    for offer in offers:
        known = catalog.offers.get(offer.id)
        before = {(p.contract, r): p for p in prices_in_force(known.prices) for r in p.regions} if known else {}
        for price in offer.prices:
            old = before.get((price.contract, price.regions[0]))
            ratio = price.usd_per_hour / old.usd_per_hour if old else 1.0
            if old and not 1 / PRICE_BAND <= ratio <= PRICE_BAND:
                where = f"{offer.id} {price.contract} {price.regions[0]}"
                found.append(f"{where}: {price.usd_per_hour:g} USD/h, was {old.usd_per_hour:g} on {old.date}")
    return found
