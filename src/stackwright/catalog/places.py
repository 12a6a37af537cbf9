"""Where an offer runs and what its provider is certified for: what is not known is never taken for yes."""

from __future__ import annotations

from collections.abc import Iterable

from stackwright.catalog.records import Certification
from stackwright.catalog.store import Catalog
from stackwright.errors import UnknownIdError


def countries_in(catalog: Catalog, place: str) -> frozenset[str]:
    """ISO 3166-1 alpha-3 codes of a country or group (`eu`, `eea`, `us`, `DEU`), in any letter case.

    Raises `UnknownIdError` with near matches.
    """
    wanted = place.strip().lower()
    for record in catalog.countries.values():
        if wanted in {name.lower() for name in (record.id, record.name, *record.aliases)}:
            return frozenset(record.countries)
    known = {code for record in catalog.countries.values() for code in record.countries}
    if place.strip().upper() in known:
        return frozenset({place.strip().upper()})
    ids = sorted(catalog.countries)
    raise UnknownIdError("place", place, ids, f"one of {', '.join(ids)}")


def country_of(catalog: Catalog, provider: str, region: str) -> str | None:
    """ISO 3166-1 alpha-3 code of the country of a provider's region, or None where it is unknown."""
    record = catalog.providers.get(provider)
    return None if record is None else record.regions.get(region)


def regions_in(catalog: Catalog, provider: str, place: str) -> frozenset[str]:
    """Regions of a provider that are known to lie in a country or group; `unspecified` never does."""
    countries = countries_in(catalog, place)
    record = catalog.providers.get(provider)
    return frozenset() if record is None else frozenset(r for r, c in record.regions.items() if c in countries)


def certification(catalog: Catalog, provider: str, name: str) -> Certification | None:
    """What is known of a certification: `held` True or False with its source, or None where nothing is known.

    Raises `UnknownIdError` for a name that no provider of the catalogue carries.
    """
    wanted = _plain(name)
    known = {c.name for record in catalog.providers.values() for c in record.certifications}
    if wanted not in {_plain(k) for k in known}:
        raise UnknownIdError("certification", name, sorted(known), f"one of {', '.join(sorted(known))}")
    record = catalog.providers.get(provider)
    found = () if record is None else record.certifications
    return next((c for c in found if _plain(c.name) == wanted), None)


def lacking(catalog: Catalog, provider: str, names: Iterable[str]) -> tuple[str, ...]:
    """The certifications among `names` that a provider is not known to hold, each with the reason."""
    reasons = []
    for name in names:
        found = certification(catalog, provider, name)
        if found is None:
            reasons.append(f"{name} unknown")
        elif not found.held:
            reasons.append(f"no {name} ({found.source})")
    return tuple(reasons)


def _plain(name: str) -> str:
    """A name without case and punctuation: `ISO 27001`, `iso-27001` and `iso27001` are one."""
    return "".join(c for c in name.lower() if c.isalnum())
