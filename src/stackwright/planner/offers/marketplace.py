"""The capacity that a question may use: offers with the price in force, looked up once per chip.

The one place where offers are found and left out: by cloud, contract and region in the catalogue, then by where a
region lies and what its provider is certified for. What is not known to satisfy a constraint is left out and counted.
The same two rules hold for APIs (`Marketplace.lacks`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from stackwright.catalog import Catalog, Offer, Price, countries_in, country_of, lacking, regions_in
from stackwright.catalog.tokens.offers import ApiOffer
from stackwright.economics import OWNED, owned_offers
from stackwright.planner.offers.at_hand import Standing, standing
from stackwright.planner.question import AT_HAND, Market

Priced = tuple[Offer, Price]


@dataclass(frozen=True)
class LeftOut:
    """An offer that a constraint of the market left out, with every reason and its cheapest USD per chip-hour."""

    offer: str
    provider: str
    chip: str
    reasons: tuple[str, ...]
    usd_per_chip_hour: float


@dataclass(frozen=True)
class Marketplace:
    """Offers of a catalogue that a `Market` allows, cheapest per chip first, and what stands there already."""

    catalog: Catalog
    market: Market
    _known: dict[str, list[Priced]] = field(default_factory=dict, repr=False, compare=False)
    _left_out: dict[str, LeftOut] = field(default_factory=dict, repr=False, compare=False)
    _lacking: dict[str, tuple[str, ...]] = field(default_factory=dict, repr=False, compare=False)

    def check(self) -> None:
        """Raise `UnknownIdError` for a place or certification that the catalogue does not know."""
        if self.market.residency:
            countries_in(self.catalog, self.market.residency)
        lacking(self.catalog, "", self.market.certified)

    def of(self, chip: str) -> list[Priced]:
        """Offers of a chip, sorted by USD per chip-hour. Raises `UnknownIdError` for an unknown cloud or region."""
        if chip not in self._known:
            found = self._rented(chip)
            if chip in self.at_hand:
                found.append((self.at_hand[chip].offer, self.at_hand[chip].price))
            self._known[chip] = sorted(found, key=lambda pair: (_usd_per_chip_hour(pair), pair[0].id))
        return self._known[chip]

    def under_other_contracts(self, offer: Offer, contract: str) -> list[Price]:
        """Prices of an offer under all contracts but one, where they satisfy the other constraints of the market."""
        if offer.id not in self.catalog.offers:
            return []
        others = tuple({p.contract for p in offer.prices} - {contract})
        found = []
        for same, price in self.catalog.offers_for(offer.chip, (offer.provider,), others, self.market.regions or None):
            there, reasons = self._there(same, price)
            if same.id == offer.id and not reasons:
                found.append(price.model_copy(update={"regions": there}))
        return found

    @cached_property
    def at_hand(self) -> Mapping[str, Standing]:
        """What stands there already, by chip."""
        return standing(self.market, self.catalog)

    def has(self, offer: Offer, units: int) -> bool:
        """True where that many units of an offer can be had: of what stands there, no more than stand there."""
        if offer.provider != AT_HAND or units <= (chips := self.at_hand[offer.chip].chips):
            return True
        reason = f"{chips} at hand, more needed"
        self._note(offer, self.at_hand[offer.chip].price, (reason,))
        return False

    def left_out(self, used: frozenset[str] = frozenset()) -> tuple[LeftOut, ...]:
        """The offers left out of all chips looked up, those that lack the least first; none of the ids `used`."""
        kept = used | {offer.id for pairs in self._known.values() for offer, _ in pairs if offer.provider != AT_HAND}
        found = [x for x in self._left_out.values() if x.offer not in kept]
        return tuple(sorted(found, key=lambda x: (len(x.reasons), x.usd_per_chip_hour, x.offer)))

    def lacks(self, api: ApiOffer) -> tuple[str, ...]:
        """The reasons why an API will not do under this residency and these certifications; none where it will."""
        reasons, place = self._lacks(api.seller.id), self.market.residency
        if not place:
            return reasons
        wanted = countries_in(self.catalog, place)
        if not api.place:
            return (*reasons, "where it processes requests is unknown")
        inside = countries_in(self.catalog, api.place) <= wanted
        return reasons if inside else (*reasons, f"processes requests in {api.place}, not only in {place}")

    def _rented(self, chip: str) -> list[Priced]:
        m = self.market
        if not m.rents:
            return []
        clouds = tuple(c for c in m.clouds if c != AT_HAND)
        found = self._bought(chip)
        for offer, price in self.catalog.offers_for(chip, clouds or None, m.contracts, m.regions or None):
            there, reasons = self._there(offer, price)
            if reasons:
                self._note(offer, price, reasons)
            else:
                found.append((offer, price if there == price.regions else price.model_copy(update={"regions": there})))
        return found

    def _bought(self, chip: str) -> list[Priced]:
        """Machines bought, where contract `owned` is asked for; where they stand is for their owner to ensure."""
        clouds, regions = ({name.lower() for name in names} for names in (self.market.clouds, self.market.regions))
        if OWNED not in self.market.contracts or (clouds and OWNED not in clouds):
            return []
        return [
            (offer, price)
            for offer in owned_offers(self.catalog, self.catalog.chip(chip).id)
            for price in offer.prices
            if not regions or regions & {r.lower() for r in price.regions}
        ]

    def _there(self, offer: Offer, price: Price) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Regions of a price that will do, and the reasons why the offer will not (none where it will)."""
        reasons, place = self._lacks(offer.provider), self.market.residency
        if not place:
            return price.regions, reasons
        there = regions_in(self.catalog, offer.provider, place)
        kept = tuple(r for r in price.regions if r in there)
        if kept:
            return kept, reasons
        unknown = any(country_of(self.catalog, offer.provider, r) is None for r in price.regions)
        return (), (*reasons, "country of its region unknown" if unknown else f"not in {place}")

    def _lacks(self, provider: str) -> tuple[str, ...]:
        """The certifications asked for that a provider is not known to hold."""
        if provider not in self._lacking:
            self._lacking[provider] = lacking(self.catalog, provider, self.market.certified)
        return self._lacking[provider]

    def _note(self, offer: Offer, price: Price, reasons: tuple[str, ...]) -> None:
        usd = _usd_per_chip_hour((offer, price))
        known = self._left_out.get(offer.id)
        if known is None or (len(reasons), usd) < (len(known.reasons), known.usd_per_chip_hour):
            self._left_out[offer.id] = LeftOut(offer.id, offer.provider, offer.chip, reasons, usd)


def _usd_per_chip_hour(pair: Priced) -> float:
    return pair[1].usd_per_hour / pair[0].chips
