"""Writes docs/chips.md, what is known of every chip, from catalogue and calibration record: `make pages`."""

from __future__ import annotations

import sys
from pathlib import Path

from stackwright.catalog import Catalog, Chip, load_catalog
from stackwright.performance import Constants, load_constants
from stackwright.performance.calibration import Calibration
from stackwright.performance.chip_ranges import range_words

PAGE = Path(__file__).parents[1] / "docs" / "chips.md"
_HEADS = ("chip", "status", "engines", "offers", "from USD/chip-hour", "measured points", "calibrated by", "figures")


def page(catalog: Catalog, constants: Constants) -> str:
    """The page."""
    chips = list(catalog.chips.values())
    record = constants.calibration
    measured = [c for c in chips if record and points(record, c)]
    priced = [c for c in chips if offers(catalog, c)[0]]
    lines = [
        "# Chips and what is known of them",
        "",
        f"{len(chips)} chips: {len(priced)} with at least one offer in the catalogue, {len(measured)} with measured "
        "points behind the shipped calibration record. Written by `make pages`; figures with their sources: "
        "`stackwright catalog show CHIP`.",
        "",
        "- **engines**: those that the catalogue has for the family; `vendor-runtime` is the maker's own software, "
        "assumed.",
        "- **offers**, **from**: clouds and instances with a price, and the cheapest on demand in USD per chip-hour. "
        "Nothing means that the catalogue has no price, not that nobody rents it.",
        "- **calibrated by**: whose measurements a prediction rests on: the *chip*'s own (narrowest intervals), those "
        "of its *family* or of its *maker*, or *all* chips together (widest).",
        "- **figures**: confidence of arithmetic rate, memory and links (one word where they agree), and the ranges "
        "that widen intervals ([how](serving.md)). Without an arithmetic rate or a memory figure nothing is predicted.",
    ]
    for vendor in sorted({c.vendor for c in chips}, key=lambda v: (-sum(c.vendor == v for c in chips), v)):
        lines += ["", f"## {vendor}", "", f"| {' | '.join(_HEADS)} |", "|" + "---|" * len(_HEADS)]
        lines += [_row(catalog, record, c) for c in chips if c.vendor == vendor]
    return "\n".join(lines) + "\n"


def points(record: Calibration, chip: Chip) -> int:
    """Measured points of a chip in a record, pools included."""
    rows = (*record.seen.items(), *record.seen_in_pools.items())
    return sum(n for (measured, _, _), n in rows if measured == chip.id)


def level(record: Calibration | None, chip: Chip) -> str:
    """Whose measurements stand behind a prediction of this chip."""
    if record is None:
        return "-"
    if points(record, chip):
        return "chip"
    for name, key in (("family", chip.family), ("vendor", chip.vendor)):
        if key in record.shifts.get(name, {}):
            return "family" if name == "family" else "maker"
    return "all"


def offers(catalog: Catalog, chip: Chip) -> tuple[int, float | None]:
    """Offers of a chip under any contract, and the cheapest on demand in USD per chip-hour."""
    count = sum(offer.chip == chip.id for offer in catalog.offers.values())
    on_demand = catalog.offers_for(chip.id)
    return count, on_demand[0][1].usd_per_hour / on_demand[0][0].chips if on_demand else None


def confidence(chip: Chip) -> str:
    """Confidence of arithmetic, memory and links (one word where they agree), with ranges; or what is missing."""
    if chip.unpublished:
        return chip.unpublished.removesuffix(f" of {chip.id}")
    levels = [chip.rates.confidence, chip.store.confidence, chip.link.confidence]
    words = levels[0] if len(set(levels)) == 1 else ", ".join(levels)
    ranges = range_words(chip)
    return f"{words}; {ranges}" if ranges else words


def _row(catalog: Catalog, record: Calibration | None, chip: Chip) -> str:
    engines = [e.id for e in catalog.engines.values() if any(chip.family in s.families for s in e.supports)]
    count, cheapest = offers(catalog, chip)
    cells = (
        f"{chip.id}",
        chip.status,
        ", ".join(engines) or "-",
        str(count or "-"),
        "-" if cheapest is None else f"{cheapest:.2f}",
        str((points(record, chip) if record else 0) or "-"),
        level(record, chip),
        confidence(chip),
    )
    return f"| {' | '.join(cells)} |"


def main() -> int:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else PAGE
    path.write_text(page(load_catalog(), load_constants()))
    print(f"written to {path}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
