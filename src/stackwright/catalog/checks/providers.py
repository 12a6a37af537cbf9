"""Rules for providers, places and terms of ownership: every region has a country, or nobody knows it."""

from __future__ import annotations

import re
from collections import Counter

from stackwright.catalog.checks.findings import Finding, Found
from stackwright.catalog.records import Provider
from stackwright.catalog.store import UNSPECIFIED, Catalog

ALPHA_3 = re.compile(r"^[A-Z]{3}$")


def check_providers(catalog: Catalog) -> Found:
    """Findings on providers, the regions of their offers, the places and the terms of ownership."""
    for provider in catalog.providers.values():
        yield from _provider(provider, catalog)
    for place in catalog.countries.values():
        for code in place.countries:
            if not ALPHA_3.match(code):
                yield Finding("error", place.id, "countries", f"{code!r} is no ISO 3166-1 alpha-3 code")
    yield from _offered(catalog)
    for figure in catalog.ownership.values():
        if figure.unit.startswith("share") and not 0 <= figure.value <= 1:
            yield Finding("error", figure.id, "value", f"{figure.value:g} is no share")


def _provider(provider: Provider, catalog: Catalog) -> Found:
    codes = {"jurisdiction": provider.jurisdiction, **{f"regions.{r}": c for r, c in provider.regions.items()}}
    for field, code in codes.items():
        if not ALPHA_3.match(code):
            yield Finding("error", provider.id, field, f"{code!r} is no ISO 3166-1 alpha-3 code")
    if UNSPECIFIED in provider.regions:
        yield Finding("error", provider.id, "regions", "a region that no price list names lies nobody knows where")
    for name, count in Counter(c.name for c in provider.certifications).items():
        if count > 1:
            yield Finding("error", provider.id, f"certifications.{name}", "given twice")
    for region, country in provider.regions.items():
        grid = catalog.grid_for(provider.id, region)
        if grid is not None and grid.country and grid.country != country:
            message = f"{country} here, {grid.country} in its electricity record"
            yield Finding("error", provider.id, f"regions.{region}", message)


def _offered(catalog: Catalog) -> Found:
    """Providers and regions that offers name and no provider record knows."""
    named: dict[str, set[str]] = {}
    for offer in catalog.offers.values():
        named.setdefault(offer.provider, set()).update(r for p in offer.prices for r in p.regions)
    for name, regions in named.items():
        provider = catalog.providers.get(name)
        if provider is None:
            yield Finding("warning", name, "providers", "no provider record: country and certificates unknown")
            continue
        for region in sorted(regions - {UNSPECIFIED} - set(provider.regions)):
            yield Finding("warning", name, f"regions.{region}", "in offers, but in no country that is known")
