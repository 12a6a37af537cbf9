"""What a reader of a price list gives back: prices of known instances, and what it left out, with the reason."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from stackwright.catalog.records import Confidence, Contract, Offer
from stackwright.catalog.refresh.web import Web
from stackwright.catalog.store import Catalog
from stackwright.catalog.yaml_files import DATA, read_yaml

HOURS_PER_CONTRACT_YEAR = 8760.0  # 365 days: how the vendors spread the total of a reservation over its hours


@dataclass(frozen=True)
class Reading:
    """USD per hour of one whole unit of an offer in one region, as the list says."""

    offer: Offer
    contract: Contract
    region: str
    usd_per_hour: float
    note: str = ""


@dataclass(frozen=True)
class LeftOut:
    """A row that was not taken, and why."""

    what: str
    reason: str


@dataclass(frozen=True)
class Snapshot:
    """One reading of a price list. `source` and `confidence` go beside every price of it."""

    source: str
    confidence: Confidence
    readings: tuple[Reading, ...] = ()
    left_out: tuple[LeftOut, ...] = ()


@dataclass
class Sheet:
    """Collects readings and what is left out while a list is read."""

    readings: list[Reading] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)

    def leave(self, what: str, reason: str) -> None:
        """Notes a row that is not taken."""
        self.left_out.append(LeftOut(what, reason))

    def snapshot(self, source: str, confidence: Confidence = "datasheet") -> Snapshot:
        """All of it, for good."""
        return Snapshot(source, confidence, tuple(self.readings), tuple(self.left_out))


@dataclass(frozen=True)
class Asked:
    """What a reader has to know: the shipped facts, where and how to read, the regions wanted (None: all), the day."""

    catalog: Catalog
    web: Web
    on: dt.date
    regions: frozenset[str] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)

    def wants(self, region: str) -> bool:
        """Whether a region is asked for."""
        return self.regions is None or region.lower() in self.regions

    def instances(self, provider: str) -> dict[str, Offer]:
        """Offers by instance name: those of the catalogue, and those known by name that have no price yet."""
        named = [Offer.model_validate({"prices": (), **raw}) for raw in lists()["instances"]["records"]]
        known = {o.instance: o for o in named if o.provider == provider and o.chip in self.catalog.chips}
        return known | {o.instance: o for o in self.catalog.offers.values() if o.provider == provider}


@cache
def lists() -> dict[str, Any]:
    """Addresses of the price lists and the names that they use (`data/price_sources.yaml`)."""
    content: dict[str, Any] = read_yaml(DATA / "price_sources.yaml")
    return content
