"""What a question may use of a chip: rented offers of the catalogue, and machines bought where `owned` is asked for."""

from __future__ import annotations

from stackwright.catalog import Catalog, Offer, Price
from stackwright.economics import OWNED, owned_offers
from stackwright.planner.question import Question


def offers_of(q: Question, catalog: Catalog, chip: str) -> list[tuple[Offer, Price]]:
    """Offers of a chip with their prices, as clouds, contracts and regions of the question allow, cheapest first."""
    found = catalog.offers_for(chip, q.clouds or None, q.contracts, q.regions or None)
    clouds = {name.lower() for name in q.clouds}
    if OWNED not in q.contracts or (clouds and OWNED not in clouds):
        return found
    regions = {name.lower() for name in q.regions}
    own = [
        (offer, price)
        for offer in owned_offers(catalog, catalog.chip(chip).id)
        for price in offer.prices
        if not regions or regions & {r.lower() for r in price.regions}
    ]
    return sorted([*found, *own], key=lambda pair: (pair[1].usd_per_hour / pair[0].chips, pair[0].id))
