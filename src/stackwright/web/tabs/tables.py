"""The tables of a plan: the ranking, stacks without a price, the first of each maker, the best points."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from stackwright.catalog import STALE_PRICE_DAYS
from stackwright.web.draw.marks import slots, swatch
from stackwright.web.draw.tracks import cost_scale, interval_marks, track
from stackwright.web.markup import Html, join, tag
from stackwright.web.parts import Column, Row, badge, table, two_lines
from stackwright.web.words import names
from stackwright.web.words.numbers import (
    ABSENT,
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
                place(p),
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


def by_maker(plans: Sequence[Document]) -> Html:
    """The first plan of each maker, with its cost against the cheapest of them."""
    scale, colours = cost_scale(plans), slots(str(p["stack"]["vendor"]) for p in plans)
    known = [v for v in (figure(p.get("usd_per_mtok_output")).value for p in plans) if v]
    columns = [
        Column("Maker"), Column("Chips"), Column("Cloud", "contract, region"),
        Column("USD per Mtok out", "90 % interval"),
        Column("Against", "the cheapest", number=True), Column("Promise", "probability", number=True),
    ]  # fmt: skip
    rows = []
    for p in plans:
        cost, slot = figure(p.get("usd_per_mtok_output")), colours[str(p["stack"]["vendor"])]
        bar = track(interval_marks(cost, scale, slot, solid=bool(p["meets_slo"]), height=12), height=12)
        interval = tag("span", between(cost, usd_per_mtok), class_="muted")
        rows.append(
            Row(
                (
                    join(swatch(slot, solid=bool(p["meets_slo"])), p["stack"]["vendor"]),
                    two_lines(f"{count(p['n_chips'])}\u00a0× {names.chip_short(p)}", names.engine(p)),
                    place(p),
                    tag("div", tag("b", usd_per_mtok(cost.value)), " ", interval, bar, class_="cost"),
                    f"× {significant(cost.value / min(known), 2)}" if cost.value and known else ABSENT,
                    probability(finite(p.get("p_meets_slo"))),
                ),
                css=None if p["meets_slo"] else "missed",
            )
        )
    return table(columns, rows, label="The first of each chip maker")


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
    drafts = names.drafting(p)
    return f"{names.precision(p)} / {str(layout['kv_precision']).upper()}" + (f", {drafts}" if drafts else "")


def _layout(p: Document) -> str:
    return f"{count(p['replicas'])}\u00a0× {p['stack']['layout']['description']}"


def place(p: Document) -> Html:
    """Cloud, contract and region in two lines."""
    offer = p["stack"].get("offer")
    if not offer:
        return join("no published price")
    contract, _, region = names.terms(offer).partition(", ")
    detail = join(contract, ", ", tag("span", region, class_="whole-word")) if region else contract
    beside = p["stack"].get("prefill_offer")
    if beside:
        detail = join(detail, f"; for prompts {count(beside['units'])} × {beside['id']}")
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
