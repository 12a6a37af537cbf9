"""The plan: key figures, against today, latency, where the rent goes, how to start it."""

from __future__ import annotations

from typing import Any

from stackwright.web import parts
from stackwright.web.draw import tracks
from stackwright.web.draw.waterfall import waterfall
from stackwright.web.markup import join, tag
from stackwright.web.tab import Section, Tab, section, tab
from stackwright.web.tabs import compared
from stackwright.web.words import names, sentences
from stackwright.web.words.numbers import (
    ABSENT,
    Figure,
    between,
    count,
    figure,
    finite,
    limit,
    per_month,
    percent,
    probability,
    rounded_to_sum,
    seconds,
    significant,
    usd,
    usd_per_mtok,
)

Document = dict[str, Any]
_MOST_TIED_COMMANDS = 4
_GLOSSARY = tag(
    "p",
    "TTFT: time from sending a request to its first token. TPOT: time per output token after the first. p95: 95 of 100 "
    "requests are at least this fast. Mtok: a million output tokens unless it says otherwise; the rent is charged to "
    "output tokens alone.",
    class_="caption",
)


def plan_tab(document: Document) -> Tab | None:
    """The recommended plan, or the best unpriced one."""
    if not document.get("plans") and not document.get("unpriced"):
        return None
    return tab(
        "plan", "Plan", "The plan",
        [figures(document), comparison(document), latency(document), rent(document), launch(document)],
    )  # fmt: skip


def figures(document: Document) -> Section | None:
    """Key figures of the recommended plan as tiles."""
    p = names.first_plan(document)
    if p is None:
        return None
    cost, energy, carbon = (
        figure(p.get(k)) for k in ("usd_per_mtok_output", "joules_per_output_token", "kgco2_per_mtok")
    )
    rent = finite(p.get("usd_per_hour"))
    found = [
        parts.tile("Cost of output", usd_per_mtok(cost.value), "USD per Mtok", _interval_note(cost, usd_per_mtok)),
        parts.tile(
            "Rent", usd(rent), "USD per hour", f"{usd(per_month(rent))} USD per month of 730.5 hours" if rent else None
        ),
        parts.tile(
            "Chips",
            count(p["n_chips"]),
            names.chip_short(p),
            f"{count(p['replicas'])} × {p['stack']['layout']['description']}, "
            f"{percent(finite(p.get('utilisation')))} of capacity used",
        ),
    ]
    for x in tracks.latencies(p, document):
        promised = f"limit {limit(x.promised)}" if x.promised is not None else "no limit"
        value, _, unit = seconds(x.predicted.value).partition("\u00a0")
        note = f"{between(x.predicted, seconds)}; {promised}" if x.predicted.low is not None else promised
        found.append(parts.tile(x.name, value, unit, note, tracks.latency_track(x, height=22)))
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
    return section("figures", "Key figures", title, parts.tiles(found), why, _GLOSSARY)


def comparison(document: Document) -> Section | None:
    """Today's stack against the recommendation."""
    if not document.get("compare") or names.first_plan(document) is None:
        return None
    today, best = document["compare"]["today"], document["plans"][0]
    a, b = finite(today.get("usd_per_hour")), finite(best.get("usd_per_hour"))
    lead = None
    if a is not None and b is not None:
        less = "less" if b <= a else "more"
        lead = (
            f"The recommended stack costs {usd(abs(a - b))} USD per hour {less} than today's: "
            f"{usd(per_month(abs(a - b)))} USD per month."
        )
    table = compared.with_today(document)
    return section("today", "Against today", "Today and the recommendation", table, lead=lead)


def latency(document: Document) -> Section | None:
    """Latency against its limits, and what a mean request waits for."""
    p = names.first_plan(document) or next(iter(document.get("unpriced", [])), None)
    if p is None:
        return None
    cells: list[object] = []
    for x in tracks.latencies(p, document):
        of = f" of {limit(x.promised)}" if x.promised is not None else ""
        share = f", {percent(x.share)} of the limit" if x.share is not None else ""
        interval = tag("span", between(x.predicted, seconds), class_="muted")
        shown = join(tag("b", seconds(x.predicted.value)), f"{of} ", interval)
        cells += [
            tag("div", x.name, tag("span", share, class_="muted"), class_="name"),
            tag("div", shown, class_="num"),
            tracks.latency_track(x),
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
            tracks.stacked_track(pieces, seconds),
        ]
    percentile = names.percentile(document)
    e2e = figure(p.get(f"e2e_{percentile}_s"))
    caption = "Dot: prediction; line: 90 % interval; bar across: the limit; axis from zero."
    if e2e.known:
        caption += f" {percentile} of the whole request: {seconds(e2e.value)} ({between(e2e, seconds)})."
    return section(
        "latency", "Latency", "Latency against the promise", tag("div", *cells, class_="rows wide"),
        tag("p", caption, class_="caption"),
    )  # fmt: skip


def rent(document: Document) -> Section | None:
    """Where the recommended plan's money goes."""
    p = names.first_plan(document)
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
                    tracks.step_track(start, step.usd_per_hour, total, kind, words),
                    f"{money:,.{decimals}f}",
                    usd_per_mtok(cost * share) if cost is not None and share else ("0" if cost is not None else ABSENT),
                    percent(share),
                )
            )
        )
        start += step.usd_per_hour
    whole = tracks.step_track(0.0, total, total, "whole", f"Rent: {total:,.{decimals}f} USD per hour")
    sums = ("Rent", whole, f"{sum(shown):,.{decimals}f}", usd_per_mtok(cost), percent(1.0))
    rows.append(parts.Row(sums, css="total"))
    columns = [
        parts.Column("What it pays for"),
        parts.Column(""),
        parts.Column("USD", "per hour", number=True),
        parts.Column("USD", "per Mtok out", number=True),
        parts.Column("Share", number=True),
    ]
    return section(
        "rent", "Where it goes", "Where the rent goes",
        parts.table(columns, rows, css="waterfall", label="Where the rent goes"),
        lead=f"Split of the {usd(total)} USD per hour of {names.chips(p)} by engine time.",
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
    return section("launch", "Launch", "How to start it", block, *folded, lead=lead)


def _interval_note(f: Figure, show: Any) -> str | None:
    words = between(f, show)
    return f"90 % interval {words}" if words else None
