"""Tables of terms: other contracts, the same model by API, what a penalty clause is expected to cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stackwright.web.markup import Html, join
from stackwright.web.parts import Column, Row, badge, table, two_lines
from stackwright.web.tabs.tables import place
from stackwright.web.words import names
from stackwright.web.words.numbers import (
    ABSENT,
    finite,
    per_month,
    probability,
    significant,
    usd,
    usd_per_mtok,
    usd_sum,
)

Document = dict[str, Any]


def by_api(offers: Sequence[Document]) -> Html:
    """The same model at its sellers."""
    columns = [
        Column("Seller"), Column("USD per Mtok out", "input charged to it", number=True),
        Column("Input", "list, USD per Mtok", number=True), Column("Output", "list, USD per Mtok", number=True),
        Column("Price read"),
    ]  # fmt: skip
    rows = [
        Row(
            (
                two_lines(o.get("provider_name") or o["provider"], o.get("endpoint")),
                usd_per_mtok(finite(o.get("usd_per_mtok_output"))),
                usd_per_mtok(finite(o.get("usd_per_mtok_input"))),
                usd_per_mtok(finite(o.get("usd_per_mtok_output_list"))),
                names.date_name(o.get("date")),
            )
        )
        for o in offers
    ]
    return table(columns, rows, css="narrow", label="The same model by API")


def penalty(plans: Sequence[Document]) -> Html:
    """Fee, probability of each tier and expected penalty of every plan."""
    tiers = [f"{t['below_percent']:g}" for t in plans[0]["penalty"]["tiers"]]
    columns = [
        Column("#", number=True),
        Column("Chips"),
        Column("Cloud", "contract, region"),
        Column("Fee", "USD per month", number=True),
        *(Column(f"Below {below}\u00a0%", "probability", number=True) for below in tiers),
        Column("Penalty", "USD per month", number=True),
        Column("Rent and penalty", "USD per hour", number=True),
    ]
    rows = [
        Row(
            (
                p["rank"],
                names.chips(p),
                place(p),
                usd(finite(p["penalty"]["fee_usd_per_month"])),
                *(probability(finite(t["probability"])) for t in p["penalty"]["tiers"]),
                usd_sum(finite(p["penalty"]["expected_usd_per_month"])),
                usd(finite(p.get("usd_per_hour_with_penalty"))),
            )
        )
        for p in plans
    ]
    return table(columns, rows, label="Expected penalty")


def contracts(p: Document) -> Html:
    """The same offer under other contracts, against the price used."""
    used = finite(p.get("usd_per_hour")) or 0.0
    offer = p["stack"]["offer"]
    columns = [
        Column("Contract"),
        Column("Region"),
        Column("USD", "per hour", number=True),
        Column("USD", "per month", number=True),
        Column("Against", "the price used", number=True),
    ]
    entries = [(offer["contract"], used, offer["region"], True)]
    entries += [(c["contract"], finite(c["usd_per_hour"]) or 0.0, c["region"], False) for c in p["other_contracts"]]
    rows = [
        Row(
            (
                join(names.contract_name(str(contract)), " ", badge("used here") if is_used else None),
                names.region_name(str(region)),
                usd(cost),
                usd(per_month(cost)),
                f"× {significant(cost / used, 2)}" if used else ABSENT,
            ),
            css="first" if is_used else None,
        )
        for contract, cost, region, is_used in sorted(entries, key=lambda e: e[1])
    ]
    return table(columns, rows, css="narrow", label="Other contracts of the recommended offer")
