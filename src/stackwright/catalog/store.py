"""The catalogue as one frozen view: records by id, lookup by id or alias, and the prices in force."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast, get_args

from stackwright.catalog.records import (
    Chip,
    Contract,
    Engine,
    Figure,
    Grid,
    ModelEntry,
    Offer,
    Place,
    Price,
    Provider,
    Record,
    System,
)
from stackwright.catalog.yaml_files import parse, read_directory
from stackwright.errors import CatalogError, InputError, UnknownIdError

STRENGTH = {"measured": 4, "datasheet": 3, "announced": 2, "press": 1}
UNSPECIFIED = "unspecified"


class _Named(Protocol):
    @property
    def id(self) -> str: ...


N = TypeVar("N", bound=_Named)
Names = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Catalog:
    """Facts about hardware, software, offers, electricity, providers and places, by id, in SI base units."""

    chips: Mapping[str, Chip] = field(default_factory=dict)
    systems: Mapping[str, System] = field(default_factory=dict)
    engines: Mapping[str, Engine] = field(default_factory=dict)
    models: Mapping[str, ModelEntry] = field(default_factory=dict)
    offers: Mapping[str, Offer] = field(default_factory=dict)
    grids: Mapping[str, Grid] = field(default_factory=dict)
    providers: Mapping[str, Provider] = field(default_factory=dict)
    countries: Mapping[str, Place] = field(default_factory=dict)
    ownership: Mapping[str, Figure] = field(default_factory=dict)
    _names: dict[str, Names] = field(default_factory=dict, repr=False, compare=False)

    def chip(self, id_or_alias: str) -> Chip:
        """The chip of an id or alias, in any letter case. Raises `UnknownIdError` with near matches."""
        return self._find("chip", self.chips, id_or_alias)

    def system(self, id_or_alias: str) -> System:
        """The system of an id or alias. Raises `UnknownIdError` with near matches."""
        return self._find("system", self.systems, id_or_alias)

    def engine(self, id_or_alias: str) -> Engine:
        """The engine of an id or alias. Raises `UnknownIdError` with near matches."""
        return self._find("engine", self.engines, id_or_alias)

    def model(self, id_or_alias: str) -> ModelEntry:
        """The model of a hub id, an alias, a checkpoint's hub id, or an unambiguous last part of one."""
        return self._find("model", self.models, id_or_alias)

    def provider(self, id_or_alias: str) -> Provider:
        """The provider of an id or alias. Raises `UnknownIdError` with near matches."""
        return self._find("provider", self.providers, id_or_alias)

    def offers_for(
        self,
        chip: str,
        providers: Iterable[str] | None = None,
        contracts: Iterable[str] | None = ("on_demand",),
        regions: Iterable[str] | None = None,
        as_of: dt.date | None = None,
    ) -> list[tuple[Offer, Price]]:
        """Offers of a chip with the price in force for each contract and region.

        The newest price on or before `as_of` wins (of one day, the best sourced); an assumption never hides a
        price that somebody read. The `regions` of a returned price are those where it is the one in force (within
        `regions` when given). Sorted by USD per chip-hour. None leaves a filter out; a cloud, contract or region
        that the catalogue does not know raises `UnknownIdError`.
        """
        wanted_chip = self.chip(chip).id
        wanted_providers = _wanted("cloud", providers, self.places)
        wanted_contracts = _wanted("contract", contracts, get_args(Contract))
        wanted_regions = _wanted("region", regions, {r for known in self.places.values() for r in known})
        found: list[tuple[Offer, Price]] = []
        for offer in self.offers.values():
            if offer.chip != wanted_chip or (wanted_providers is not None and offer.provider not in wanted_providers):
                continue
            in_force = prices_in_force(offer.prices, as_of)
            for price in in_force:
                kept = tuple(r for r in price.regions if wanted_regions is None or r in wanted_regions)
                if kept and (wanted_contracts is None or price.contract in wanted_contracts):
                    found.append(
                        (
                            offer,
                            price if kept == price.regions else price.model_copy(update={"regions": kept}),
                        )
                    )
        return sorted(found, key=lambda pair: (pair[1].usd_per_hour / pair[0].chips, pair[0].id))

    @cached_property
    def places(self) -> Mapping[str, frozenset[str]]:
        """The clouds of the offers and, for each, the regions that its prices or electricity records name."""
        found: dict[str, set[str]] = {}
        for offer in self.offers.values():
            found.setdefault(offer.provider, set()).update(r for p in offer.prices for r in p.regions)
        for grid in self.grids.values():
            found.setdefault(grid.provider, set()).add(grid.region)
        return {cloud: frozenset(regions) for cloud, regions in found.items()}

    def system_for(self, chip: str, chips: int) -> System | None:
        """The smallest system of a chip that holds `chips` chips (else the largest), known power first.

        Servers and racks, since that is what is rented; a machine for the desk only where a chip has no other.
        """
        wanted = self.chip(chip).id
        systems = [s for s in self.systems.values() if s.chip == wanted]
        systems = [s for s in systems if s.form in ("server", "rack")] or systems
        systems = [s for s in systems if s.power_w is not None] or systems
        if not systems:
            return None
        large_enough = [s for s in systems if s.chips >= chips]
        return min(large_enough, key=lambda s: s.chips) if large_enough else max(systems, key=lambda s: s.chips)

    def grid_for(self, provider: str, region: str) -> Grid | None:
        """Electricity of a provider's region, or None where the catalogue knows nothing."""
        return self.grids.get(f"{provider}/{region}".lower())

    def _find(self, kind: str, records: Mapping[str, N], given: str) -> N:
        record = records.get(given)
        if record is not None:
            return record
        names = self._names.get(kind)
        if names is None:
            names = self._names[kind] = names_of(records.values())
        ids = names.get(given.strip().lower())
        if ids is None:
            raise UnknownIdError(kind, given, [*written_names(records.values()), *records])
        if len(ids) > 1:
            raise InputError(f"{kind} {given!r} is ambiguous: {', '.join(ids)}; give one of these")
        return records[ids[0]]


def _wanted(kind: str, given: Iterable[str] | None, known: Iterable[str]) -> frozenset[str] | None:
    """The known names among those given, in any letter case; None where there is no filter."""
    if given is None:
        return None
    lowered = {name.lower(): name for name in known}
    for name in (asked := list(given)):
        if name.lower() not in lowered:
            raise UnknownIdError(kind, name, lowered.values(), f"known: {', '.join(sorted(lowered))}"[:400])
    return frozenset(lowered[name.lower()] for name in asked)


def names_of(records: Iterable[_Named]) -> Names:
    """Every lower-case name and the ids it stands for; an id beats an alias, that beats a last part."""
    ranks: dict[str, dict[int, list[str]]] = {}

    def add(name: str, rank: int, target: str) -> None:
        ids = ranks.setdefault(name.lower(), {}).setdefault(rank, [])
        if target not in ids:
            ids.append(target)

    for record in records:
        add(record.id, 0, record.id)
        for alias in getattr(record, "aliases", ()):
            add(alias, 1, record.id)
        if isinstance(record, ModelEntry):
            hub_ids = [c.hub_id for c in record.checkpoints]
            for hub_id in hub_ids:
                add(hub_id, 2, record.id)
            for path in [record.id, *record.aliases, *hub_ids]:
                if "/" in path:
                    add(path.rsplit("/", 1)[1], 3 if path == record.id else 4, record.id)
    return {name: tuple(by_rank[min(by_rank)]) for name, by_rank in ranks.items()}


def written_names(records: Iterable[_Named]) -> list[str]:
    """Aliases and short names as they are written, for suggestions."""
    aliases = [alias for record in records for alias in getattr(record, "aliases", ())]
    short = [record.id.rsplit("/", 1)[1] for record in records if "/" in record.id]
    return [*aliases, *short]


def prices_in_force(prices: Sequence[Price], as_of: dt.date | None = None) -> list[Price]:
    """The price in force for each contract and region, by the rule of `offers_for`."""
    by_place: dict[tuple[str, str], list[Price]] = {}
    for price in prices:
        if as_of is None or price.date is None or price.date <= as_of:
            for region in price.regions:
                by_place.setdefault((price.contract, region), []).append(price)
    regions_of: dict[int, list[str]] = {}
    for (_, region), candidates in by_place.items():
        regions_of.setdefault(id(_winner(candidates)), []).append(region)
    return [
        p if tuple(regions_of[id(p)]) == p.regions else p.model_copy(update={"regions": tuple(regions_of[id(p)])})
        for p in prices
        if id(p) in regions_of
    ]


def _winner(candidates: list[Price]) -> Price:
    read = [p for p in candidates if p.confidence != "assumption"] or candidates
    return max(read, key=lambda p: (_day(p), STRENGTH.get(p.confidence, 0)))


def _day(price: Price) -> dt.date:
    return price.date or dt.date.min


def build(records: Mapping[str, Iterable[Record]]) -> Catalog:
    """A catalogue from records by kind; of two records with one id the later wins."""

    def by_id(kind: str) -> dict[str, Any]:
        return {cast(_Named, record).id: record for record in records.get(kind, ())}

    return Catalog(
        chips=by_id("chips"), systems=by_id("systems"), engines=by_id("engines"), models=by_id("models"),
        offers=by_id("offers"), grids=by_id("grid"), providers=by_id("providers"), countries=by_id("places"),
        ownership=by_id("ownership"),
    )  # fmt: skip


def load_catalog(directory: Path | None = None) -> Catalog:
    """The shipped catalogue with refreshed prices, if any; `directory` adds records or replaces them by id.

    A new chip is one file `directory/chips/<id>.yaml` and no code. Refreshed prices lie in the user's data directory
    (`refresh.user`) and stand beside the shipped ones. Raises `CatalogError` with file and field.
    """
    from stackwright.catalog.refresh import user

    in_use = user.directory_in_use()
    shipped = shipped_catalog() if in_use is None else _refreshed(in_use, user.stamp(in_use))
    if directory is None:
        return shipped
    added = {
        kind: [parse(kind, raw, str(directory)) for raw in raws]
        for kind, raws in read_directory(Path(directory)).items()
    }
    both = {
        "chips": [*shipped.chips.values(), *added["chips"]],
        "systems": [*shipped.systems.values(), *added["systems"]],
        "engines": [*shipped.engines.values(), *added["engines"]],
        "models": [*shipped.models.values(), *added["models"]],
        "offers": [*shipped.offers.values(), *added["offers"]],
        "grid": [*shipped.grids.values(), *added["grid"]],
        "providers": [*shipped.providers.values(), *added["providers"]],
        "places": [*shipped.countries.values(), *added["places"]],
        "ownership": [*shipped.ownership.values(), *added["ownership"]],
    }
    return build(both)


@lru_cache(maxsize=4)
def _refreshed(directory: Path, stamp: object) -> Catalog:
    """The shipped catalogue with the prices of a user's directory as it is at `stamp`."""
    from stackwright.catalog.refresh import user

    shipped = shipped_catalog()
    offers = user.joined(dict(shipped.offers), user.read_refreshed(directory))
    for offer in offers:
        if offer.chip not in shipped.chips:
            raise CatalogError(f"{directory}: {offer.id}: unknown chip {offer.chip!r}; run `catalog refresh` again")
    return replace(shipped, offers={offer.id: offer for offer in offers}, _names={})


@cache
def shipped_catalog() -> Catalog:
    """The catalogue of the package alone."""
    from stackwright.catalog.index import read_shipped

    return build({kind: [parse(kind, raw, f"catalog {kind}") for raw in raws] for kind, raws in read_shipped().items()})
