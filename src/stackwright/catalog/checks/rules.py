"""Consistency checks: the known ways in which a catalogue goes wrong, each found by a rule.

A rule compares a record with itself, with its siblings or with the text of its own source; it knows no figures of
its own. An `error` must not be shipped; a `warning` is to be looked at.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from statistics import median
from typing import Any

from stackwright.catalog.checks.findings import Finding, Found
from stackwright.catalog.checks.providers import check_providers
from stackwright.catalog.records import (
    STALE_PRICE_DAYS,
    Chip,
    Compute,
    Engine,
    Grid,
    Memory,
    ModelEntry,
    Offer,
    Price,
    Sourced,
    System,
)  # fmt: skip
from stackwright.catalog.store import Catalog, prices_in_force
from stackwright.units import GIB, GIGA

PRICE_BAND = 4.0  # a price per chip-hour beyond this factor of the chip's median deserves a second look
SENTINEL_USD = frozenset({0.0, 700.0, 999.0, 999.99, 9999.0})
NO_FP8_FAMILIES = frozenset({"volta", "turing", "ampere"})
WEAK_INT8_FAMILIES = frozenset({"blackwell-ultra"})
DECIMAL_VENDORS = frozenset({"NVIDIA", "AMD", "Intel"})  # sell decimal GB
BINARY_VENDORS = frozenset({"Google", "AWS", "Apple"})  # print GiB; of the rest either is seen
UNIFIED = "unified"  # memory shared with the CPU: the driver may give programs much less of it
ON_CHIP = "SRAM"
WIDE = frozenset({"announced", "estimated"})  # status of chips whose figures need ranges
WEAK = frozenset({"announced", "press", "assumption"})
NOT_AN_OFFER = re.compile(
    r"accelerator[ _-]only|billed apart|starting[ _]at|modelled|estimated|low[ _]priority",
    re.IGNORECASE,
)
MARKET = re.compile(r"\bmedian\b|\bcommunity\b", re.IGNORECASE)  # sold by third parties: contract `marketplace` only
BOTH_WAYS = re.compile(r"([\d,.]+) GB/s both ways")
PCIE = re.compile(r"PCIe ([3-7])\.0 x(4|8|16)")
DENSE = re.compile(r"([\d,.]+) TFLOP/s dense")


def check_catalog(catalog: Catalog, today: dt.date | None = None) -> list[Finding]:
    """Every finding, errors first. `today` (default: the clock) dates the age of prices."""
    day = today or dt.date.today()
    findings: list[Finding] = []
    for chip in catalog.chips.values():
        findings += [*_provenance(chip.id, _groups(chip)), *_chip(chip, catalog)]
    for system in catalog.systems.values():
        findings += [*_provenance(system.id, [("", system)]), *_system(system, catalog)]
    for engine in catalog.engines.values():
        findings += [*_provenance(engine.id, [("", engine), ("scheduler", engine.scheduler)])]
        findings += _engine(engine, catalog)
    for model in catalog.models.values():
        parts = [("", model), *((f"checkpoints.{c.hub_id}", c) for c in model.checkpoints)]
        findings += [*_provenance(model.id, parts), *_model(model)]
    for offer in catalog.offers.values():
        findings += check_offer(offer, catalog, day)
    for grid in catalog.grids.values():
        findings += [*_provenance(grid.id, [("", grid)]), *_grid(grid)]
    for provider in catalog.providers.values():
        parts = [("", provider), *((f"certifications.{c.name}", c) for c in provider.certifications)]
        findings += _provenance(provider.id, parts)
    for place in catalog.countries.values():
        findings += _provenance(place.id, [("", place)])
    for figure in catalog.ownership.values():
        findings += _provenance(figure.id, [("", figure)])
    findings += [*check_providers(catalog), *_price_bands(catalog), *_duplicate_names(catalog)]
    return sorted(findings, key=lambda f: (f.level, f.record, f.field))


def check_offer(offer: Offer, catalog: Catalog, day: dt.date) -> list[Finding]:
    """The findings of one offer and its prices."""
    return [*_offer(offer, catalog, day), *_prices(offer, day)]


def _groups(chip: Chip) -> list[tuple[str, Sourced]]:
    groups = [("compute", chip.compute), ("memory", chip.memory), ("link", chip.link), ("power", chip.power)]
    return [(name, group) for name, group in groups if group is not None]


def _provenance(record: str, parts: Iterable[tuple[str, Sourced]]) -> Found:
    for field, part in parts:
        if len(part.source.strip()) < 3:
            yield Finding("error", record, f"{field}.source".strip("."), "no source is given")
        if not part.confidence:
            yield Finding("error", record, f"{field}.confidence".strip("."), "no confidence is given")
        for bound, holds in (("low", lambda a, b: a <= b), ("high", lambda a, b: a >= b)):
            yield from _bounds(record, field, part, bound, holds)


def _bounds(record: str, field: str, part: Sourced, bound: str, holds: Callable[[float, float], bool]) -> Found:
    for name, limit in getattr(part, bound).items():
        value = getattr(part, name, None)
        where = f"{field}.{bound}.{name}".strip(".")
        if value is None:
            yield Finding("error", record, where, "a range for a figure that is not given")
        elif not holds(limit, value):
            yield Finding("error", record, where, f"{limit:g} is on the wrong side of {value:g}")


def _chip(chip: Chip, catalog: Catalog) -> Found:
    if chip.compute is not None:
        yield from _compute(chip, chip.compute, catalog)
    if chip.memory is not None:
        yield from _memory(chip, chip.memory)
    yield from _link(chip, catalog)
    yield from _ranges(chip)
    if not 30 <= chip.power.tdp_w <= 30000:
        yield Finding("error", chip.id, "power.tdp_w", f"{chip.power.tdp_w:g} W is no board power")


def _siblings(chip: Chip, catalog: Catalog) -> list[Chip]:
    """Chips of the same family and vendor, itself left out."""
    return [c for c in catalog.chips.values() if c.family == chip.family and c.id != chip.id]


def _ranges(chip: Chip) -> Found:
    """Weak figures of a chip that is not sold yet need a range: its predictions are as wide as they are."""
    if chip.status not in WIDE:
        return
    needed = {"compute": "bf16", "memory": "bandwidth_bytes_per_s", "power": "tdp_w"}
    for where, group in _groups(chip):
        name = needed.get(where)
        if name and group.confidence in WEAK and name not in {**group.low, **group.high}:
            yield Finding("error", chip.id, f"{where}.low", f"{chip.status}: give {name} a range (low, high)")


def _compute(chip: Chip, c: Compute, catalog: Catalog) -> Found:
    if c.fp8 and chip.family in NO_FP8_FAMILIES:
        yield Finding("error", chip.id, "compute.fp8", f"{chip.family} has no FP8 units; INT8 must not stand in")
    if c.int8 and c.fp8 and chip.family in WEAK_INT8_FAMILIES and c.int8 > c.fp8 / 2:
        yield Finding("error", chip.id, "compute.int8", f"INT8 of {chip.family} is a small part of FP8, not the same")
    stated = [1e12 * float(text.replace(",", "")) for text in DENSE.findall(f"{c.note} {c.source}")]

    def said(rate: float) -> bool:
        return any(abs(rate / dense - 1) < 0.01 for dense in stated)

    for name, base_name, most in (("fp8", "bf16", 2.1), ("int8", "bf16", 2.1), ("fp4", "fp8", 3.5)):
        rate, base = getattr(c, name), getattr(c, base_name)
        if rate and base and rate / base > most and not said(rate):
            message = f"{rate / base:.1f} times {base_name}: looks like a sparse rate beside a dense one"
            yield Finding("error", chip.id, f"compute.{name}", f"{message} (else say 'N TFLOP/s dense' in the note)")
    if c.fp8 and c.fp8 < 0.95 * c.bf16:
        yield Finding("error", chip.id, "compute.fp8", "below BF16: looks like a sparse BF16 rate")
    alike = [s for s in _siblings(chip, catalog) if s.link.scale_up_kind == chip.link.scale_up_kind]
    rates = [s.compute.bf16 for s in alike if s.compute is not None]
    if rates and chip.vendor not in ("Google", "Apple") and not said(c.bf16):
        ratio = c.bf16 / median(rates)
        if not 0.6 <= ratio <= 1.7:
            message = f"{ratio:.1f} times its {chip.family} siblings: sparse rate taken as dense?"
            yield Finding("error", chip.id, "compute.bf16", f"{message} (else say 'N TFLOP/s dense' in the note)")


def _memory(chip: Chip, memory: Memory) -> Found:
    size, visible = memory.capacity_bytes, memory.visible_bytes
    binary, decimal = size % GIB == 0, size % GIGA == 0
    on_chip = memory.kind == ON_CHIP
    if chip.vendor in DECIMAL_VENDORS and not decimal and not on_chip:
        extra = f"; it is {size / GIB:g} GiB where the data sheet says GB" if binary else ""
        yield Finding("error", chip.id, "memory.capacity_bytes", f"not a whole number of decimal GB{extra}")
    if chip.vendor in BINARY_VENDORS and not binary:
        yield Finding("error", chip.id, "memory.capacity_bytes", f"{chip.vendor} prints GiB; this is no whole GiB")
    if not (binary or decimal or on_chip):
        yield Finding("error", chip.id, "memory.capacity_bytes", "neither whole GB nor whole GiB")
    least = 0.5 if UNIFIED in memory.kind else 0.93
    if visible and not least <= visible / size <= 1.08:
        yield Finding("error", chip.id, "memory.visible_bytes", f"{visible / size:.2f} of the capacity sold")
    if not 5e10 <= memory.bandwidth_bytes_per_s <= (1e17 if on_chip else 1e14):
        yield Finding("error", chip.id, "memory.bandwidth_bytes_per_s", "not bytes per second of a chip's memory")


def _link(chip: Chip, catalog: Catalog) -> Found:
    link, field = chip.link, "link.scale_up_bytes_per_s"
    rate = link.scale_up_bytes_per_s
    text = f"{link.note} {link.source}"
    if link.scale_up_kind == "none":
        if link.scale_up_domain != 1:
            yield Finding("error", chip.id, "link.scale_up_domain", "more than one chip without a link between them")
        return
    if link.scale_up_kind == "pcie":
        generation = PCIE.search(text)
        if generation is None:
            yield Finding("warning", chip.id, field, "name the PCIe generation in the source ('PCIe 5.0 x16')")
        elif abs(rate / (1e9 * int(generation.group(2)) * 2 ** (int(generation.group(1)) - 3)) - 1) > 0.05:
            yield Finding("error", chip.id, field, f"{rate:g} is not one direction of {generation.group(0)}")
        return
    stated = BOTH_WAYS.search(text)
    if stated is None:
        yield Finding("warning", chip.id, field, "give the vendor's figure as 'N GB/s both ways' in the note")
    elif abs(2 * rate / (float(stated.group(1).replace(",", "")) * GIGA) - 1) > 0.02:
        yield Finding("error", chip.id, field, f"{rate:g} is not half of {stated.group(0)}")
    if stated is not None:
        return
    for sibling in _siblings(chip, catalog):
        other = sibling.link
        if other.scale_up_kind == link.scale_up_kind != "ici" and not 0.6 < rate / other.scale_up_bytes_per_s < 1.7:
            yield Finding("error", chip.id, field, f"differs from its sibling {sibling.id}: one way against both ways?")


def _system(system: System, catalog: Catalog) -> Found:
    chip = catalog.chips.get(system.chip)
    if chip is None:
        yield Finding("error", system.id, "chip", f"unknown chip {system.chip!r}")
        return
    if system.power_w is not None and not 0.8 <= system.power_w / system.chips / chip.power.tdp_w <= 4:
        per_chip = system.power_w / system.chips
        yield Finding("error", system.id, "power_w", f"{per_chip:.0f} W per chip of {chip.power.tdp_w:g} W")


def _engine(engine: Engine, catalog: Catalog) -> Found:
    known = {chip.family for chip in catalog.chips.values()}
    for support in engine.supports:
        for family in support.families:
            if family not in known:
                yield Finding("warning", engine.id, "supports", f"no chip of family {family!r}")
            elif family in NO_FP8_FAMILIES and "fp8" in support.kv:
                yield Finding("warning", engine.id, "supports", f"FP8 cache on {family}, which has no FP8 units")


def _model(model: ModelEntry) -> Found:
    for key in ("model_type", "hidden_size", "num_hidden_layers", "vocab_size"):
        if key not in model.config:
            yield Finding("error", model.id, f"config.{key}", "missing from the config")
    repeated = [h for h, n in Counter(c.hub_id for c in model.checkpoints).items() if n > 1]
    for hub_id in repeated:
        yield Finding("error", model.id, "checkpoints", f"{hub_id} is listed twice")


def _offer(offer: Offer, catalog: Catalog, day: dt.date) -> Found:
    if offer.chip not in catalog.chips:
        yield Finding("error", offer.id, "chip", f"unknown chip {offer.chip!r}")
    if offer.unit == "chip" and offer.chips != 1:
        yield Finding("error", offer.id, "chips", f"sold by the chip but {offer.chips} chips to the unit")
    if offer.max_replica_chips < offer.chips:
        yield Finding("error", offer.id, "max_replica_chips", "smaller than one unit")
    of_hosts = all(p.contract == "marketplace" for p in offer.prices)
    if NOT_AN_OFFER.search(offer.instance) or (MARKET.search(offer.instance) and not of_hosts):
        yield Finding("error", offer.id, "instance", "not a rentable offer (part price, headline or marketplace)")
    if not offer.prices:
        yield Finding("error", offer.id, "prices", "no price")
    dates = [p.date for p in offer.prices if p.date]
    if dates and (day - max(dates)).days > STALE_PRICE_DAYS:
        yield Finding("warning", offer.id, "prices", f"newest price is {(day - max(dates)).days} days old")
    regions = {region for price in offer.prices for region in price.regions}
    for region in sorted(regions):
        if catalog.grid_for(offer.provider, region) is None:
            yield Finding("warning", offer.id, "prices.regions", f"no electricity record for {region!r}")


def _prices(offer: Offer, day: dt.date) -> Found:
    for price in offer.prices:
        yield from _provenance(offer.id, [(f"prices.{price.contract}", price)])
        yield from _price(offer, price, day)
    in_force = prices_in_force(offer.prices)
    on_demand = {r: p for p in in_force if p.contract == "on_demand" for r in p.regions}
    for price in in_force:
        for region in price.regions:
            full = on_demand.get(region)
            if full is None or full.usd_per_hour <= 0 or price.contract == "on_demand" or _older(full, price):
                continue
            where, ratio = f"prices.{price.contract}", price.usd_per_hour / full.usd_per_hour
            if price.contract == "spot" and ratio >= 1:
                yield Finding("error", offer.id, where, f"spot is not below on demand in {region}")
            elif price.contract == "spot" and abs(ratio - 0.1) < 1e-6:
                yield Finding("error", offer.id, where, f"spot is exactly a tenth of on demand in {region}")
            elif ratio > 1:
                yield Finding("warning", offer.id, where, f"above on demand in {region}")


def _older(full: Price, price: Price) -> bool:
    """An on-demand price read so long before another contract's price that it says nothing about it."""
    return bool(full.date and price.date and (price.date - full.date).days > STALE_PRICE_DAYS)


def _price(offer: Offer, price: Price, day: dt.date) -> Found:
    where = f"prices.{price.contract}"
    if price.date is None:
        yield Finding("error", offer.id, f"{where}.date", "a price without the date it was read")
    elif price.date > day:
        yield Finding("error", offer.id, f"{where}.date", f"{price.date} lies in the future")
    if not price.regions:
        yield Finding("error", offer.id, f"{where}.regions", "no region (use 'unspecified' where none is named)")
    per_chip = price.usd_per_hour / offer.chips
    if price.usd_per_hour <= 0 or price.usd_per_hour in SENTINEL_USD or per_chip in SENTINEL_USD:
        yield Finding("error", offer.id, where, f"{price.usd_per_hour:g} USD is a placeholder, not a price")
    text = f"{price.note} {price.source}"
    if NOT_AN_OFFER.search(text) or (MARKET.search(text) and price.contract != "marketplace"):
        yield Finding("error", offer.id, where, "not a rentable price (part price, headline or marketplace)")


def _price_bands(catalog: Catalog) -> Found:
    """Prices per chip-hour far from the chip's median under the same contract."""
    rates: dict[tuple[str, str], list[tuple[str, float]]] = {}
    for offer in catalog.offers.values():
        for price in prices_in_force(offer.prices):
            rates.setdefault((offer.chip, price.contract), []).append((offer.id, price.usd_per_hour / offer.chips))
    for (chip, contract), found in rates.items():
        middle = median(rate for _, rate in found)
        for offer_id, rate in found:
            if len(found) > 2 and middle > 0 and not 1 / PRICE_BAND <= rate / middle <= PRICE_BAND:
                message = f"{rate:.2f} USD per chip-hour against a median of {middle:.2f} for {chip}"
                yield Finding("warning", offer_id, f"prices.{contract}", message)


def _grid(grid: Grid) -> Found:
    if "marginal" in grid.source.lower():
        yield Finding("error", grid.id, "carbon_g_per_kwh", "a marginal intensity: use the average of consumption")
    if grid.carbon_g_per_kwh > 1200:
        yield Finding("error", grid.id, "carbon_g_per_kwh", "above any country's average")


def _duplicate_names(catalog: Catalog) -> Found:
    """One name (id or alias, in any letter case) for two records of a kind."""
    kinds: tuple[Mapping[str, Any], ...] = (
        catalog.chips, catalog.systems, catalog.engines, catalog.models, catalog.providers, catalog.countries,
    )  # fmt: skip
    for records in kinds:
        owners: dict[str, list[str]] = {}
        for record in records.values():
            for name in {n.lower() for n in (record.id, *record.aliases)}:
                owners.setdefault(name, []).append(record.id)
        for name, ids in owners.items():
            if len(ids) > 1:
                yield Finding("error", ids[1], "aliases", f"{name!r} also names {ids[0]}")
