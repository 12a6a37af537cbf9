"""The sections of the report, in reading order; each is None where the document has nothing for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stackwright.web import charts, names, parts, sentences, tables
from stackwright.web.markup import Html, join, tag
from stackwright.web.numbers import (
    ABSENT,
    HOURS_PER_MONTH,
    Figure,
    between,
    count,
    figure,
    finite,
    limit,
    percent,
    probability,
    rounded_to_sum,
    seconds,
    significant,
    usd,
    usd_per_mtok,
)
from stackwright.web.pareto import front_points, pareto_chart
from stackwright.web.waterfall import waterfall

Document = dict[str, Any]
_MOST_TIED_COMMANDS = 4
_GLOSSARY = tag(
    "p",
    "TTFT: time from sending a request to its first token. TPOT: time per output token after the first. p95: 95 of 100 "
    "requests are at least this fast. Mtok: a million output tokens unless it says otherwise; the rent is charged to "
    "output tokens alone.",
    class_="caption",
)


@dataclass(frozen=True)
class Section:
    """A section with its address and its name in the table of contents."""

    identifier: str
    short: str
    html: Html


def figures(document: Document) -> Section | None:
    """Key figures of the recommended plan as tiles."""
    p = _first(document)
    if p is None:
        return None
    cost, energy, carbon = (
        figure(p.get(k)) for k in ("usd_per_mtok_output", "joules_per_output_token", "kgco2_per_mtok")
    )
    rent = finite(p.get("usd_per_hour"))
    found = [
        parts.tile("Cost of output", usd_per_mtok(cost.value), "USD per Mtok", _interval_note(cost, usd_per_mtok)),
        parts.tile(
            "Rent", usd(rent), "USD per hour", f"{usd(_month(rent))} USD per month of 730.5 hours" if rent else None
        ),
        parts.tile(
            "Chips",
            count(p["n_chips"]),
            names.chip_short(p),
            f"{count(p['replicas'])} × {p['stack']['layout']['description']}, "
            f"{percent(finite(p.get('utilisation')))} of capacity used",
        ),
    ]
    for x in charts.latencies(p, document):
        promised = f"limit {limit(x.promised)}" if x.promised is not None else "no limit"
        value, _, unit = seconds(x.predicted.value).partition("\u00a0")
        note = f"{between(x.predicted, seconds)}; {promised}" if x.predicted.low is not None else promised
        found.append(parts.tile(x.name, value, unit, note, charts.latency_track(x, height=22)))
    promised = sentences.promise(document)
    found += [
        parts.tile("Keeps the promise", probability(finite(p["p_meets_slo"])), "probability", promised or None),
        parts.tile(
            "Energy",
            significant(energy.value, 2),
            "J per output token",
            _interval_note(energy, lambda x: significant(x, 2)),
        ),
        parts.tile(
            "Carbon",
            significant(carbon.value, 2),
            "kg CO₂e per Mtok" if carbon.known else "",
            _interval_note(carbon, lambda x: significant(x, 2)) if carbon.known else "no electricity data here",
        ),
    ]
    why = parts.paragraph("What limits it: ", p["why"], ".", css="why") if p.get("why") else None
    title = f"Key figures of the {'recommended' if p['meets_slo'] else 'nearest'} plan"
    return _section("figures", "Key figures", title, parts.tiles(found), why, _GLOSSARY)


def comparison(document: Document) -> Section | None:
    """Today's stack against the recommendation."""
    if not document.get("compare") or _first(document) is None:
        return None
    today, best = document["compare"]["today"], document["plans"][0]
    a, b = finite(today.get("usd_per_hour")), finite(best.get("usd_per_hour"))
    lead = None
    if a is not None and b is not None:
        less = "less" if b <= a else "more"
        lead = (
            f"The recommended stack costs {usd(abs(a - b))} USD per hour {less} than today's: "
            f"{usd(_month(abs(a - b)))} USD per month."
        )
    table = tables.comparison(document)
    return _section("today", "Against today", "Today and the recommendation", table, lead=lead)


def ranking(document: Document) -> Section | None:
    """Every plan in order."""
    if not document.get("plans"):
        return None
    tied = sum(1 for p in document["plans"] if p.get("tied_with_first") and p["rank"] != 1)
    lead = sentences.promise_rule(document)
    if tied:
        lead += " Plans marked “tied” cannot be told from the first one: their cost intervals overlap."
    return _section("plans", "Ranking", "Ranked plans", tables.ranking(document), lead=lead)


def unpriced(document: Document) -> Section | None:
    """What would do the job if somebody published a price."""
    if not document.get("unpriced"):
        return None
    lead = "These keep the promise too, but nobody publishes a price for them; by output per chip, one replica each."
    return _section("unpriced", "Unpriced", "Without a published price", tables.without_price(document), lead=lead)


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
    return _section(
        "front", "Speed and cost", "Speed against cost", chart, folded,
        lead="Serving more users at once makes a token cheaper and every user slower. Each line is one chip.",
    )  # fmt: skip


def costs(document: Document) -> Section | None:
    """Cost of every plan with its interval."""
    priced = [p for p in document.get("plans", []) if figure(p.get("usd_per_mtok_output")).known]
    if not priced:
        return None
    return _section(
        "costs", "Uncertainty", "How sure the ranking is", charts.cost_chart(priced),
        lead="Where the lines of two plans overlap, the prediction does not tell which is cheaper.",
    )  # fmt: skip


def rent(document: Document) -> Section | None:
    """Where the recommended plan's money goes."""
    p = _first(document)
    steps = waterfall(p) if p is not None else []
    if p is None or not steps:
        return None
    total = finite(p["usd_per_hour"]) or 0.0
    cost = figure(p.get("usd_per_mtok_output")).value
    decimals = 2 if total >= 0.1 else 4
    shown = rounded_to_sum([s.usd_per_hour for s in steps], decimals)
    rows, start = [], 0.0
    kinds = ["p0", "p1", "waste", "waste idle"] if len(steps) == 4 else ["p0", "waste", "waste idle"]
    for step, kind, money in zip(steps, kinds, shown, strict=True):
        words = f"{step.name}: {money:,.{decimals}f} USD per hour"
        share = step.usd_per_hour / total
        rows.append(
            parts.Row(
                (
                    parts.two_lines(step.name, step.meaning),
                    charts.step_track(start, step.usd_per_hour, total, kind, words),
                    f"{money:,.{decimals}f}",
                    usd_per_mtok(cost * share) if cost is not None and share else ("0" if cost is not None else ABSENT),
                    percent(share),
                )
            )
        )
        start += step.usd_per_hour
    whole = charts.step_track(0.0, total, total, "whole", f"Rent: {total:,.{decimals}f} USD per hour")
    sums = ("Rent", whole, f"{sum(shown):,.{decimals}f}", usd_per_mtok(cost), percent(1.0))
    rows.append(parts.Row(sums, css="total"))
    columns = [
        parts.Column("What it pays for"),
        parts.Column(""),
        parts.Column("USD", "per hour", number=True),
        parts.Column("USD", "per Mtok out", number=True),
        parts.Column("Share", number=True),
    ]
    return _section(
        "rent", "Where it goes", "Where the rent goes",
        parts.table(columns, rows, css="waterfall", label="Where the rent goes"),
        lead=f"Split of the {usd(total)} USD per hour of {names.chips(p)} by engine time.",
    )  # fmt: skip


def latency(document: Document) -> Section | None:
    """Latency against its limits, and what a mean request waits for."""
    p = _first(document) or next(iter(document.get("unpriced", [])), None)
    if p is None:
        return None
    cells: list[object] = []
    for x in charts.latencies(p, document):
        of = f" of {limit(x.promised)}" if x.promised is not None else ""
        share = f", {percent(x.share)} of the limit" if x.share is not None else ""
        interval = tag("span", between(x.predicted, seconds), class_="muted")
        shown = join(tag("b", seconds(x.predicted.value)), f"{of} ", interval)
        cells += [
            tag("div", x.name, tag("span", share, class_="muted"), class_="name"),
            tag("div", shown, class_="num"),
            charts.latency_track(x),
        ]
    first, whole = figure(p.get("ttft_mean_s")).value, figure(p.get("e2e_mean_s")).value
    if first is not None and whole is not None and whole > first:
        tokens = count(document["question"]["workload"].get("output_tokens_mean"))
        pieces = [("first token", first), (f"the other tokens of {tokens}", whole - first)]
        sum_of = tag("span", f"{seconds(first)} + {seconds(whole - first)}", class_="muted")
        split = join(tag("b", seconds(whole)), " ", sum_of)
        cells += [
            tag("div", "mean request: first token, then the rest", class_="name"),
            tag("div", split, class_="num"),
            charts.stacked_track(pieces, seconds),
        ]
    percentile = names.percentile(document)
    e2e = figure(p.get(f"e2e_{percentile}_s"))
    caption = "Dot: prediction; line: 90 % interval; bar across: the limit; axis from zero."
    if e2e.known:
        caption += f" {percentile} of the whole request: {seconds(e2e.value)} ({between(e2e, seconds)})."
    return _section(
        "latency", "Latency", "Latency against the promise", tag("div", *cells, class_="rows wide"),
        tag("p", caption, class_="caption"),
    )  # fmt: skip


def contracts(document: Document) -> Section | None:
    """The recommended offer under other contracts."""
    p = _first(document)
    if p is None or not p["stack"].get("offer"):
        return None
    if not p.get("other_contracts"):
        return _section(
            "contracts", "Contracts", "Other contracts",
            parts.paragraph("The catalogue lists no other contract for the recommended offer."),
        )  # fmt: skip
    return _section(
        "contracts", "Contracts", "Other contracts of the recommended offer", tables.contracts(p),
        lead="Same machines, same size. Spot capacity can be taken away; a reservation is paid whether used or not.",
    )  # fmt: skip


def launch(document: Document) -> Section | None:
    """The command that starts one replica; those of tied plans behind a fold."""
    candidates = document.get("plans") or document.get("unpriced", [])
    if not candidates or not candidates[0].get("launch"):
        return None
    first, with_command = candidates[0], [p for p in candidates if (p.get("launch") or {}).get("command")]
    replicas = count(first["replicas"])
    if first["launch"].get("command"):
        lead = (
            f"Starts one replica with every limit the prediction assumed; the plan runs {replicas}"
            f"{' behind a load balancer' if replicas != '1' else ''}."
        )
        block = parts.code_block(str(first["launch"]["command"]).strip())
    else:
        lead, block = "There is no command for the first plan.", parts.paragraph(str(first["launch"].get("note", "")))
    tied = [p for p in with_command if p is not first and p.get("tied_with_first")][:_MOST_TIED_COMMANDS]
    folded = [
        parts.fold(
            f"Instead: {names.chips(p)} with {names.engine(p)}", parts.code_block(str(p["launch"]["command"]).strip())
        )
        for p in tied
    ]
    return _section("launch", "Launch", "How to start it", block, *folded, lead=lead)


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
    return _section(
        "rejected", "Ruled out", "What was ruled out, and why",
        parts.fold(f"{count(total)} combinations for {len(reasons)} reasons", counted, every if listed else None),
    )  # fmt: skip


def assumptions(document: Document) -> Section | None:
    """What holds for every plan, then why and what to know plan by plan."""
    shared = [f"{line[:1].upper()}{line[1:]}." for line in document.get("assumptions", [])]
    source = document["question"]["workload"].get("source")
    workload = document["question"]["workload"]
    shared.append(f"Traffic: {workload['description']}{f' ({source})' if source else ''}.")
    rows = [
        parts.Row((p["rank"], names.chips(p), names.provider(p), p.get("why", ""), "; ".join(p.get("notes", []))))
        for p in document.get("plans", [])
    ]
    columns = [
        parts.Column("#", number=True), parts.Column("Chips"), parts.Column("Cloud"),
        parts.Column("What limits it"), parts.Column("Notes"),
    ]  # fmt: skip
    folded = parts.fold("Plan by plan: what limits it, what to know", parts.table(columns, rows)) if rows else None
    return _section("assumptions", "Assumptions", "Assumptions and notes", parts.bullets(shared), folded)


def sources(document: Document) -> Section | None:
    """Every source once, by what it is the source of, with the plans that rest on it."""
    used: dict[str, dict[str, list[str]]] = {}
    for p in document.get("plans", []) + document.get("unpriced", []):
        label = f"{p['rank']}" if p["stack"].get("offer") else str(p["stack"]["chip"])
        for entry in p.get("sources", []):
            kind, separator, words = str(entry).partition(": ")
            kind, words = (kind, words) if separator else ("other", str(entry))
            ranks = used.setdefault(kind, {}).setdefault(words, [])
            if label not in ranks:
                ranks.append(label)
    if not used:
        return None
    content: list[object] = []
    for kind, entries in used.items():
        shown = [
            join(words, " ", tag("span", f"({'plans' if len(r) > 1 else 'plan'} {', '.join(r)})", class_="muted"))
            for words, r in entries.items()
        ]
        content += [tag("h3", kind.capitalize()), parts.bullets(shown)]
    return _section("sources", "Sources", "Sources", tag("div", *content, class_="sources"))


def _section(identifier: str, short: str, title: str, *content: object, lead: object = None) -> Section:
    return Section(identifier, short, parts.section(identifier, title, *content, lead=lead))


def _first(document: Document) -> Document | None:
    plans: list[Document] = document.get("plans", [])
    return plans[0] if plans else None


def _interval_note(f: Figure, show: Any) -> str | None:
    words = between(f, show)
    return f"90 % interval {words}" if words else None


def _month(usd_per_hour: float | None) -> float | None:
    return None if usd_per_hour is None else usd_per_hour * HOURS_PER_MONTH
