"""Price history: a new reading is added to the earlier ones; an unchanged price keeps its first and last reading."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from stackwright.catalog.records import Offer, Price

HEADER = "# Written by `stackwright catalog refresh`; an edited file is refused. Own prices: `--catalog DIR`.\n"


def with_history(earlier: Iterable[Price], new: Iterable[Price]) -> tuple[Price, ...]:
    """All readings by date, one a day for each contract and region; equal neighbours between two equal ones go."""
    series: dict[tuple[str, str], dict[dt.date, Price]] = defaultdict(dict)
    for price in (*earlier, *new):
        for region in price.regions:
            series[price.contract, region][price.date or dt.date.min] = price
    grouped: dict[tuple[Any, ...], list[str]] = defaultdict(list)
    first: dict[tuple[Any, ...], Price] = {}
    for (contract, region), by_day in series.items():
        for price in _ends([by_day[day] for day in sorted(by_day)]):
            key = (contract, price.date, price.usd_per_hour, price.source, price.confidence, price.note)
            grouped[key].append(region)
            first.setdefault(key, price)
    ordered = sorted(grouped, key=lambda k: (k[0], k[1] or dt.date.min, k[2], k[3], k[4], k[5]))
    return tuple(first[key].model_copy(update={"regions": tuple(sorted(grouped[key]))}) for key in ordered)


def _ends(prices: list[Price]) -> list[Price]:
    """The first and last of each run of equal prices."""
    last = len(prices) - 1
    return [
        p
        for i, p in enumerate(prices)
        if i in (0, last) or not prices[i - 1].usd_per_hour == p.usd_per_hour == prices[i + 1].usd_per_hour
    ]


def joined(earlier: Mapping[str, Offer], new: Iterable[Offer]) -> list[Offer]:
    """Offers of a source: what was known of them before and what was read now, by id."""
    found = dict(earlier)
    for offer in new:
        old = found.get(offer.id)
        found[offer.id] = offer.model_copy(update={"prices": with_history(old.prices if old else (), offer.prices)})
    return [found[i] for i in sorted(found)]


def as_yaml(provider: str, offers: Iterable[Offer]) -> str:
    """The file of one provider, in the schema of the shipped offers: a line for each price."""
    keys: dict[str, str] = {}
    blocks = []
    for offer in offers:
        record = offer.model_dump(mode="python", exclude_defaults=True, exclude={"prices", "provider"})
        rows = []
        for price in offer.prices:
            row = price.model_dump(mode="python", exclude_defaults=True)
            row["source"] = keys.setdefault(price.source, f"s{len(keys) + 1}")
            row["regions"] = list(price.regions)
            rows.append(f"      - {_flow(row)}")
        fields = [f"    {name}: {_flow(value)}" for name, value in record.items()]
        fields[0] = "  - " + fields[0].lstrip()
        blocks.append("\n".join([*fields, "    prices:", *rows]))
    sources = [f"  {key}: {_flow(text)}" for text, key in keys.items()]
    lines = [f"provider: {_flow(provider)}", "sources:", *sources, "offers:", *blocks]
    return HEADER + "\n".join(lines) + "\n"


def _flow(value: Any) -> str:
    """A value as YAML on one line."""
    import yaml

    text: str = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=1_000_000)
    return text.removesuffix("\n").removesuffix("\n...")
