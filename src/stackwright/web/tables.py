"""The tables of a plan: the ranking, stacks without a price, other contracts, today against the recommendation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from stackwright.catalog import STALE_PRICE_DAYS
from stackwright.web import names
from stackwright.web.charts import cost_scale, interval_marks, track
from stackwright.web.marks import slots, swatch
from stackwright.web.markup import Html, join, tag
from stackwright.web.numbers import (
    ABSENT,
    HOURS_PER_MONTH,
    between,
    count,
    figure,
    finite,
    percent,
    probability,
    seconds,
    significant,
    usd,
    usd_per_mtok,
)
from stackwright.web.parts import Column, Row, badge, table, two_lines

Document = dict[str, Any]


def ranking(document: Document) -> Html:
    """Every plan in order; those that miss the promise under a heading of their own."""
    plans, p95 = document["plans"], names.percentile(document)
    scale = cost_scale(plans)
    colours = slots(str(p["stack"]["vendor"]) for p in plans)
    columns = [
        Column("#", number=True),
        Column("Chips", "maker, replicas × layout"),
        Column("Engine", "weights / KV cache"),
        Column("Cloud", "contract, region"),
        Column("USD", "per hour", number=True),
        Column("USD per Mtok out", "90 % interval"),
        Column(f"{p95} TTFT", f"{p95} TPOT", number=True),
        Column("Promise", "probability", number=True),
        Column("Use", "of capacity", number=True),
        Column("J", "per token", number=True),
        Column("Price read", "age, source"),
    ]
    rows: list[Row] = []
    kept = [p for p in plans if p["meets_slo"]]
    missed = [p for p in plans if not p["meets_slo"]]
    for heading, group in (("Keeps the promise", kept), ("Misses the promise too often", missed)):
        if group and missed:
            rows.append(Row(group=heading))
        for p in group:
            cost = figure(p.get("usd_per_mtok_output"))
            slot, meets = colours[str(p["stack"]["vendor"])], bool(p["meets_slo"])
            bar = track(interval_marks(cost, scale, slot, solid=meets, height=12), height=12)
            cells = (
                p["rank"],
                _chips(p, slot),
                two_lines(names.engine(p), _precisions(p)),
                _where(p),
                usd(finite(p.get("usd_per_hour"))),
                tag(
                    "div",
                    tag("b", usd_per_mtok(cost.value)),
                    " ",
                    tag("span", between(cost, usd_per_mtok), class_="muted"),
                    bar,
                    class_="cost",
                ),
                two_lines(*(seconds(figure(p.get(f"{name}_{p95}_s")).value) for name in ("ttft", "tpot"))),
                probability(finite(p.get("p_meets_slo"))),
                percent(finite(p.get("utilisation"))),
                significant(figure(p.get("joules_per_output_token")).value, 2),
                _price(p),
            )
            css = "missed" if not meets else "first" if p["rank"] == 1 else None
            rows.append(Row(cells, css=css))
    return table(columns, rows, css="ranking", label="Ranked plans")


def without_price(document: Document) -> Html:
    """The best stack of every chip that no offer covers."""
    p95 = names.percentile(document)
    columns = [
        Column("Chip"),
        Column("Engine", "weights / KV cache"),
        Column("Layout"),
        Column("Output tokens/s", "per chip", number=True),
        Column(f"{p95} TTFT", number=True),
        Column(f"{p95} TPOT", number=True),
        Column("Promise", "probability", number=True),
        Column("J", "per token out", number=True),
    ]
    colours = slots(str(p["stack"]["vendor"]) for p in document["unpriced"])
    rows = [
        Row(
            (
                two_lines(join(swatch(colours[str(p["stack"]["vendor"])]), names.chip_short(p)), p["stack"]["vendor"]),
                two_lines(names.engine(p), _precisions(p)),
                p["stack"]["layout"]["description"],
                _with_interval(p.get("output_tokens_per_s_per_chip"), significant),
                seconds(figure(p.get(f"ttft_{p95}_s")).value),
                seconds(figure(p.get(f"tpot_{p95}_s")).value),
                probability(finite(p.get("p_meets_slo"))),
                significant(figure(p.get("joules_per_output_token")).value, 2),
            )
        )
        for p in document["unpriced"]
    ]
    return table(columns, rows, label="Stacks without a published price")


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
                usd(cost * HOURS_PER_MONTH),
                f"× {significant(cost / used, 2)}" if used else ABSENT,
            ),
            css="first" if is_used else None,
        )
        for contract, cost, region, is_used in sorted(entries, key=lambda e: e[1])
    ]
    return table(columns, rows, css="narrow", label="Other contracts of the recommended offer")


def comparison(document: Document) -> Html:
    """Today's stack beside the recommended one, with the ratio of each figure."""
    today, best = document["compare"]["today"], document["plans"][0]
    p95 = names.percentile(document)
    columns = [
        Column("Measure"), Column("Today", number=True), Column("Recommended", number=True),
        Column("Change", number=True),
    ]  # fmt: skip
    rows = [
        Row(("Chips", names.chips(today), names.chips(best), "")),
        Row(("Engine, weights", f"{names.engine(today)}, {names.precision(today)}",
             f"{names.engine(best)}, {names.precision(best)}", "")),
        Row(("Layout", _layout(today), _layout(best), "")),
        Row(("Cloud", names.place(today), names.place(best), "")),
    ]  # fmt: skip
    measured: list[tuple[str, str, Callable[[float | None], str]]] = [
        ("USD per hour", "usd_per_hour", usd),
        ("USD per million output tokens", "usd_per_mtok_output", usd_per_mtok),
        (f"{p95} TTFT", f"ttft_{p95}_s", seconds),
        (f"{p95} TPOT", f"tpot_{p95}_s", seconds),
        ("Joules per output token", "joules_per_output_token", lambda x: significant(x, 2)),
        ("kg CO₂e per million output tokens", "kgco2_per_mtok", lambda x: significant(x, 2)),
        ("Use of capacity", "utilisation", percent),
    ]
    for name, key, show in measured:
        a, b = figure(today.get(key)), figure(best.get(key))
        change = f"× {significant(b.value / a.value, 2)}" if a.value and b.value is not None else ABSENT
        rows.append(Row((name, _with_interval(today.get(key), show), _with_interval(best.get(key), show), change)))
    rows.append(
        Row(
            (
                "Probability of keeping the promise",
                probability(finite(today.get("p_meets_slo"))),
                probability(finite(best.get("p_meets_slo"))),
                "",
            )
        )
    )
    return table(columns, rows, label="Today against the recommendation")


def front_table(points: Sequence[Document], called: dict[str, str]) -> Html:
    """The points of the global front, for those who cannot or will not hover."""
    columns = [
        Column("Tokens/s", "per user", number=True),
        Column("USD", "per Mtok out", number=True),
        Column("Chip"),
        Column("Engine"),
        Column("Weights"),
        Column("Layout"),
        Column("At once", number=True),
        Column("Cloud"),
        Column("Promise"),
    ]
    rows = [
        Row(
            (
                significant(finite(p["tokens_per_s_per_user"])),
                usd_per_mtok(finite(p["usd_per_mtok_output"])),
                called.get(p["chip"], p["chip"]),
                names.engine_name(str(p["engine"])),
                str(p["weight_precision"]).upper(),
                p["layout"],
                count(p["concurrency"]),
                names.provider_name(str(p["provider"])),
                "keeps" if p["meets_slo"] else "misses",
            )
        )
        for p in points
    ]
    return table(columns, rows, css="narrow", label="Best points of all chips")


def _chips(p: Document, slot: int) -> Html:
    name = join(swatch(slot, solid=bool(p["meets_slo"])), f"{count(p['n_chips'])}\u00a0× {names.chip_short(p)}")
    tied = badge("tied") if p.get("tied_with_first") and p["rank"] != 1 else None
    idle = finite(p.get("idle_chips"))
    spare = f", {idle:.0f} idle" if idle else ""
    return two_lines(name, join(f"{p['stack']['vendor']}, {_layout(p)}{spare} ", tied))


def _precisions(p: Document) -> str:
    layout = p["stack"]["layout"]
    return f"{names.precision(p)} / {str(layout['kv_precision']).upper()}"


def _layout(p: Document) -> str:
    return f"{count(p['replicas'])}\u00a0× {p['stack']['layout']['description']}"


def _where(p: Document) -> Html:
    offer = p["stack"].get("offer")
    if not offer:
        return join("no published price")
    contract, _, region = names.terms(offer).partition(", ")
    detail = join(contract, ", ", tag("span", region, class_="whole-word")) if region else contract
    return two_lines(names.provider_name(str(offer["provider"])), detail)


def _price(p: Document) -> Html:
    offer = p["stack"].get("offer")
    if not offer:
        return join(ABSENT)
    age = finite(offer.get("price_age_days"))
    read = names.date_name(offer["price_date"]) if offer.get("price_date") else "undated"
    old = age is not None and age > STALE_PRICE_DAYS
    days = tag("span", f"{age:.0f} days", class_="stale" if old else None) if age is not None else None
    weak = offer.get("price_confidence") in ("press", "assumption")
    confidence = tag("span", offer.get("price_confidence"), class_="stale" if weak else None)
    return two_lines(read, join(days, ", " if days else None, confidence))


def _with_interval(entry: object, show: Callable[[float | None], str]) -> Html:
    f = figure(entry)
    return two_lines(show(f.value), between(f, show))
