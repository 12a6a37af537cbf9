"""The alternatives: side by side, ranked, without a price, other contracts, what was ruled out."""

from __future__ import annotations

from typing import Any

from stackwright.web import parts
from stackwright.web.draw import tracks
from stackwright.web.draw.pareto import front_points, pareto_chart
from stackwright.web.tab import Section, Tab, section, tab
from stackwright.web.tabs import compared, tables, terms
from stackwright.web.tabs.lock_in import lock_in_section
from stackwright.web.words import names, sentences
from stackwright.web.words.numbers import count, figure

Document = dict[str, Any]


def alternatives_tab(document: Document) -> Tab | None:
    """All that would do the job, and what was ruled out."""
    return tab(
        "alternatives", "Alternatives", "The alternatives",
        [
            side_by_side(document),
            ranking(document),
            costs(document),
            makers(document),
            penalty(document),
            frontier(document),
            unpriced(document),
            contracts(document),
            lock_in_section(
                "locks",
                ((parts.two_lines(names.chips(p), names.place(p)), p.get("lock_in")) for p in _shown(document)),
            ),
            by_api(document),
            outside(document),
            rejected(document),
        ],
    )  # fmt: skip


def side_by_side(document: Document) -> Section | None:
    """The first plans beside each other."""
    plans = _shown(document)
    if len(plans) < 2:
        return None
    return section(
        "side-by-side", "Side by side", f"The first {'three' if len(plans) == 3 else 'two'} side by side",
        compared.side_by_side(plans, document), lead="In small letters: the 90 % interval.",
    )  # fmt: skip


def ranking(document: Document) -> Section | None:
    """Every plan in order."""
    if not document.get("plans"):
        return None
    tied = sum(1 for p in document["plans"] if p.get("tied_with_first") and p["rank"] != 1)
    lead = sentences.promise_rule(document)
    if tied:
        lead += " Plans marked “tied” cannot be told from the first one: their cost intervals overlap."
    return section("plans", "Ranking", "Ranked plans", tables.ranking(document), lead=lead)


def costs(document: Document) -> Section | None:
    """Cost of every plan with its interval."""
    priced = [p for p in document.get("plans", []) if figure(p.get("usd_per_mtok_output")).known]
    if not priced:
        return None
    return section(
        "costs", "Uncertainty", "How sure the ranking is", tracks.cost_chart(priced),
        lead="Where the lines of two plans overlap, the prediction does not tell which is cheaper.",
    )  # fmt: skip


def frontier(document: Document) -> Section | None:
    """The Pareto chart and its best points as a table."""
    chart = pareto_chart(document)
    if chart is None:
        return None
    best = front_points(document)
    called = {p["stack"]["chip"]: names.chip_short(p) for p in [*document["plans"], *document["unpriced"]]}
    folded = (
        parts.fold(f"The {len(best)} best points of all chips as a table", tables.front_table(best, called))
        if best
        else None
    )
    return section(
        "front", "Speed and cost", "Speed against cost", chart, folded,
        lead="Serving more users at once makes a token cheaper and every user slower. Each line is one chip.",
    )  # fmt: skip


def makers(document: Document) -> Section | None:
    """The first plan of each chip maker."""
    best: dict[str, Document] = {}
    for p in document.get("plans", ()):
        best.setdefault(str(p["stack"]["vendor"]), p)
    if len(best) < 2:
        return None
    return section(
        "makers", "By maker", "The first of each chip maker", tables.by_maker(list(best.values())),
        lead="Of the plans above; a maker that is not here has none among them.",
    )  # fmt: skip


def penalty(document: Document) -> Section | None:
    """What the clause of a guarantee is expected to cost each plan."""
    plans = [p for p in document.get("plans") or () if p.get("penalty")]
    if not plans:
        return None
    return section(
        "penalty", "Penalty", "What the penalty clause is expected to cost", terms.penalty(plans),
        lead=f"Clause: {document['question'].get('penalty')}. Expected over what is not known about the model.",
    )  # fmt: skip


def unpriced(document: Document) -> Section | None:
    """What would do the job if somebody published a price."""
    if not document.get("unpriced"):
        return None
    lead = "These keep the promise too, but nobody publishes a price for them; by output per chip, one replica each."
    return section("unpriced", "Unpriced", "Without a published price", tables.without_price(document), lead=lead)


def contracts(document: Document) -> Section | None:
    """The recommended offer under other contracts."""
    p = names.first_plan(document)
    if p is None or not p["stack"].get("offer"):
        return None
    if not p.get("other_contracts"):
        return section(
            "contracts", "Contracts", "Other contracts",
            parts.paragraph("The catalogue lists no other contract for the recommended offer."),
        )  # fmt: skip
    return section(
        "contracts", "Contracts", "Other contracts of the recommended offer", terms.contracts(p),
        lead="Same machines, same size. Spot capacity can be taken away; a reservation is paid whether used or not.",
    )  # fmt: skip


def by_api(document: Document) -> Section | None:
    """The same model bought by API, where it was asked for."""
    offers = document.get("api")
    if not offers:
        return None
    return section(
        "by-api", "By API", "The same model by API", terms.by_api(offers),
        lead="List prices, paid by use; latency is not known. Input and output charged to output tokens, as above.",
    )  # fmt: skip


def outside(document: Document) -> Section | None:
    """Offers that residency, certification or another limit of the market left out."""
    left_out = document.get("left_out_offers") or {}
    if not left_out.get("count"):
        return None
    columns = [parts.Column("Cloud"), parts.Column("Offers", number=True), parts.Column("Reason")]
    rows = [
        parts.Row((names.provider_name(str(r["provider"])), count(r["offers"]), r["reason"]))
        for r in left_out.get("by_reason", ())
    ]
    return section(
        "outside", "Offers left out", "Offers that the constraints leave out",
        parts.fold(
            f"{count(left_out['count'])} offers",
            parts.table(columns, rows, css="narrow", label="Offers left out"),
        ),
        lead="What is not known about a provider counts as not given.",
    )  # fmt: skip


def rejected(document: Document) -> Section | None:
    """What was ruled out and why."""
    reasons = document.get("rejected_by_reason") or {}
    if not reasons:
        return None
    total = sum(reasons.values())
    columns = [parts.Column("Combinations", number=True), parts.Column("Reason")]
    counted = parts.table(
        columns, [parts.Row((count(n), reason)) for reason, n in reasons.items()], css="narrow", label="Reasons"
    )
    listed = document.get("rejected", [])
    entries = [
        parts.Row((r["stack"]["chip"], names.engine_name(str(r["stack"]["engine"])), r["stack"]["layout"], r["reason"]))
        for r in listed
    ]
    columns = [parts.Column(n) for n in ("Chip", "Engine", "Weights, layout", "Reason")]
    every = parts.fold(
        f"{'The first ' if len(listed) < total else 'All '}{len(listed)} one by one",
        parts.table(columns, entries, css="narrow", label="Ruled out"),
    )
    return section(
        "rejected", "Ruled out", "What was ruled out, and why",
        parts.fold(f"{count(total)} combinations for {len(reasons)} reasons", counted, every if listed else None),
    )  # fmt: skip


def _shown(document: Document) -> list[Document]:
    """The plans to compare in detail: the first three."""
    return list(document.get("plans") or ())[:3]
