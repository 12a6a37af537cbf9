"""The capacity that a question may use: offers with the price in force, looked up once per chip."""

from __future__ import annotations

from dataclasses import dataclass, field

from stackwright.catalog import Catalog, Offer, Price
from stackwright.planner.question import Market

Priced = tuple[Offer, Price]


@dataclass(frozen=True)
class Marketplace:
    """Offers of a catalogue that a `Market` allows, cheapest per chip first."""

    catalog: Catalog
    market: Market
    _known: dict[str, list[Priced]] = field(default_factory=dict, repr=False, compare=False)

    def of(self, chip: str) -> list[Priced]:
        """Offers of a chip, sorted by USD per chip-hour. Raises `UnknownIdError` for an unknown cloud or region."""
        if chip not in self._known:
            m = self.market
            self._known[chip] = self.catalog.offers_for(chip, m.clouds or None, m.contracts, m.regions or None)
        return self._known[chip]
