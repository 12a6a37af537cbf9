"""What a question takes for granted where the asker says nothing, and the line that says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stackwright.catalog import Catalog, countries_in
from stackwright.planner import RELAXED_SLO, AtHand
from stackwright.planner.at_hand import chips_at_hand
from stackwright.units import parse_usd_per_hour
from stackwright.workload import Sector, sector

DEFAULT_WORKLOAD = "chat"
SMALL_USD_PER_HOUR = 1.0  # a budget below this rents one chip at most: a question of one person

Options = dict[str, Any]


def with_sector(given: Options, catalog: Catalog) -> tuple[Options, Sector | None]:
    """The options with what their `sector` fills in; what is given wins, also where it decides on others."""
    rest = {k: v for k, v in given.items() if k != "sector"}
    if not given.get("sector"):
        return rest, None
    asked = sector(given["sector"])
    said = {k for k, v in rest.items() if v not in (None, "", ()) and v != []}
    residency = rest.get("residency") or asked.options.get("residency", "")
    applied = asked.assumed(said, _names(residency, catalog))
    return {**rest, **applied.options}, applied


def _names(residency: str, catalog: Catalog) -> frozenset[str]:
    """The places that hold all countries of a residency: `de` lies in `de`, `eu` and `eea`."""
    if not residency:
        return frozenset()
    countries = countries_in(catalog, residency)
    return frozenset(place.id for place in catalog.countries.values() if countries <= set(place.countries))


def with_small(given: Options, catalog: Catalog) -> tuple[Options, tuple[str, ...]]:
    """Options of a small question (one chip at hand, or a budget below 1 USD/hour) without traffic: one person.

    The promise is relaxed with it, unless one is given. Returns the options and the lines that say so.
    """
    if any(given.get(k) is not None for k in ("workload", "rate", "concurrency")) or not _is_small(given, catalog):
        return given, ()
    lines = [f"no traffic given for a small question: one person at a time, lengths of workload {DEFAULT_WORKLOAD}"]
    found = {**given, "concurrency": 1.0}
    if given.get("ttft") is None and given.get("tpot") is None:
        found |= {"ttft": RELAXED_SLO.ttft_s, "tpot": RELAXED_SLO.tpot_s}
        lines.append("no promise given for a small question: the limits of MLPerf Inference v4.0 llama2-70b server")
    return found, tuple(lines)


def _is_small(given: Mapping[str, Any], catalog: Catalog) -> bool:
    most = given.get("max_usd_per_hour")
    usd = parse_usd_per_hour(most) if isinstance(most, str) else most
    have = [AtHand.parse(text) for text in given.get("have") or ()]
    return (usd is not None and usd < SMALL_USD_PER_HOUR) or (bool(have) and chips_at_hand(have, catalog) == 1)
