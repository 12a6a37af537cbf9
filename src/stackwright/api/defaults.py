"""What a question takes for granted where the asker says nothing, and the line that says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stackwright.catalog import Catalog, countries_in
from stackwright.planner import RELAXED_SLO, AtHand
from stackwright.planner.offers.at_hand import at_a_desk, nobody_rents
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
    """Options of a small question: desk machines at hand, chips of such only, or a budget below 1 USD/hour.

    Without traffic it is one person; without a promise the relaxed one. Returns the options and the lines that say so.
    """
    if not _is_small(given, catalog):
        return given, ()
    found, lines = dict(given), []
    if all(given.get(k) is None for k in ("workload", "rate", "concurrency")):
        found["concurrency"] = 1.0
        lines.append(f"a small question without traffic: one person at a time, lengths of workload {DEFAULT_WORKLOAD}")
    if given.get("ttft") is None and given.get("tpot") is None:
        found |= {"ttft": RELAXED_SLO.ttft_s, "tpot": RELAXED_SLO.tpot_s}
        lines.append(
            "a small question without a promise: 10 s to the first token, how long attention keeps (Nielsen, Usability "
            "Engineering, 1993), and 200 ms a token, reading speed (MLPerf llama2-70b server); give --ttft, --tpot"
        )
    chips = given.get("chips") or ()
    if nobody_rents(chips, catalog) and not given.get("have"):
        lines.append(f"nobody rents these chips: for those you own give --have {','.join(chips)} (electricity only)")
    return found, tuple(lines)


def _is_small(given: Mapping[str, Any], catalog: Catalog) -> bool:
    most = given.get("max_usd_per_hour")
    usd = parse_usd_per_hour(most) if isinstance(most, str) else most
    have = [AtHand.parse(text) for text in given.get("have") or ()]
    if (usd is not None and usd < SMALL_USD_PER_HOUR) or at_a_desk(have, catalog):
        return True
    return nobody_rents(given.get("chips") or (), catalog)
