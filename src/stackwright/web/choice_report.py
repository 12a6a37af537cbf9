"""Reports of a choice of models and of a comparison of ecosystems, each made from its document alone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stackwright.web import names, parts, sentences
from stackwright.web.charts import cost_scale, interval_marks, track
from stackwright.web.marks import slots
from stackwright.web.markup import Html, join, tag
from stackwright.web.numbers import (
    ABSENT,
    between,
    count,
    figure,
    finite,
    probability,
    seconds,
    significant,
    usd,
    usd_per_mtok,
)
from stackwright.web.page import Page, render_page
from stackwright.web.sections import Section

Document = dict[str, Any]
_UNKNOWN = "not known"
_API_SLOT = 6


def write_choice_report(document: Document, path: Path) -> None:
    """Write the report of a choice document to `path` (UTF-8), replacing what is there."""
    path.write_text(render_choice_report(document), encoding="utf-8")


def write_comparison_report(document: Document, path: Path) -> None:
    """Write the report of a comparison document to `path` (UTF-8), replacing what is there."""
    path.write_text(render_comparison_report(document), encoding="utf-8")


def render_choice_report(document: Document, generated: dt.date | None = None) -> str:
    """The page of `plan --models`; `generated` is the date shown (default: today)."""
    first = next((o for o in document["choice"] if o["meets_slo"] is not False), None)
    page = Page(
        kind="Stackwright choice of model",
        title="Stackwright: choice of model",
        question=f"Which model serves this with {sentences.promise(document)}?",
        traffic=sentences.traffic(document),
        recommendation=_recommended(first, "The cheapest of those that"),
        footer=_footer(document, generated),
    )
    return render_page(page, [choice(document), refused(document["refused"]), assumptions(document)])


def render_comparison_report(document: Document, generated: dt.date | None = None) -> str:
    """The page of `compare`; `generated` is the date shown (default: today)."""
    first = next((row for row in document["compare"] if row["best"]), None)
    page = Page(
        kind="Stackwright comparison of ecosystems",
        title=f"Stackwright: {document['question']['name']}",
        question=str(document["question"]["name"]),
        traffic=sentences.traffic(document),
        recommendation=_recommended(first and first["best"], f"{first['ecosystem']}:" if first else ""),
        footer=_footer(document, generated),
    )
    found = [standings(document), order(document), by_model(document), locks(document), no_stack(document)]
    return render_page(page, [*found, assumptions(document)])


def choice(document: Document) -> Section:
    """Every way to have every model, with cost on one axis."""
    columns = [parts.Column("Model"), parts.Column("How"), *_figures(document)]
    scale = cost_scale(document["choice"])
    rows = [
        parts.Row(
            (
                join(names.model_name(o["model"]), " ", parts.badge("front") if o["on_front"] else None),
                parts.two_lines(_how(o), _beaten(o)),
                *_cells(o, document, scale),
            ),
            css="first" if o["on_front"] else None,
        )
        for o in document["choice"]
    ]
    lead = (
        "Those that keep the promise first, then those whose latency nobody publishes; each by cost. “Front”: nothing "
        "here is better in cost, quality and, where both are known, latency."
    )
    table = parts.table(columns, rows, css="ranking", label="Every way to have each model")
    return Section("choice", "Models", parts.section("choice", "Every way to have each model", table, lead=lead))


def standings(document: Document) -> Section:
    """The best of each ecosystem."""
    columns = [parts.Column("Ecosystem"), parts.Column("Best"), *_figures(document)]
    with_best = [row for row in document["compare"] if row["best"]]
    scale = cost_scale([row["best"] for row in with_best])
    rows = [
        parts.Row(
            (
                parts.two_lines(row["ecosystem"], row["note"]),
                parts.two_lines(names.model_name(row["best"]["model"]), _how(row["best"])),
                *_cells(row["best"], document, scale),
            )
        )
        for row in with_best
    ]
    table = parts.table(columns, rows, css="ranking", label="The best of each ecosystem")
    return Section("standings", "Ecosystems", parts.section("standings", "The best of each ecosystem", table))


def order(document: Document) -> Section | None:
    """Where the order can be told, and where not."""
    known, p = document["cheaper"]["names"], document["cheaper"]["p"]
    if len(known) < 2:
        return None
    columns = [parts.Column("Cheaper than"), *(parts.Column(name, number=True) for name in known)]
    rows = [
        parts.Row((name, *("" if i == j else probability(p[i][j]) for j in range(len(known)))))
        for i, name in enumerate(known)
    ]
    close = [v for v in document["verdicts"] if "too close to say" in v]
    content = [parts.table(columns, rows, label="Probability that the row is cheaper than the column")]
    if close:
        content.append(parts.bullets(close))
    lead = "Probability that the row costs less than the column. Up to 90 % the order is not known."
    return Section("order", "Who is cheaper", parts.section("order", "Who is cheaper", *content, lead=lead))


def by_model(document: Document) -> Section | None:
    """Like for like: one and the same model in every ecosystem."""
    found: dict[str, dict[str, Document]] = {}
    for row in document["compare"]:
        for o in row["options"]:
            if o["meets_slo"] is not False:
                found.setdefault(o["model"], {}).setdefault(row["ecosystem"], o)
    shared = [m for m, of in found.items() if len(of) > 1]
    if not shared:
        return None
    columns = [
        parts.Column("Ecosystem"),
        *(parts.Column(names.model_name(m), "USD per Mtok out", number=True) for m in shared),
    ]
    rows = []
    for row in document["compare"]:
        options = [found[m].get(row["ecosystem"]) for m in shared]
        if any(options):
            rows.append(parts.Row((row["ecosystem"], *(_cost(o) if o else ABSENT for o in options))))
    table = parts.table(columns, rows, label="One and the same model in every ecosystem")
    return Section("models", "Like for like", parts.section("models", "One and the same model", table))


def locks(document: Document) -> Section:
    """What each choice binds to, and what moving away touches."""
    columns = [
        parts.Column("Ecosystem"),
        parts.Column("Weights"),
        parts.Column("Chip", "other providers", number=True),
        parts.Column("Class", "chips of other makers", number=True),
        parts.Column("Engine", "other makers it runs on", number=True),
        parts.Column("API sellers", "of the model", number=True),
        parts.Column("Bound to"),
        parts.Column("Moving", "thousand USD, assumed"),
    ]
    rows = []
    for row in document["compare"]:
        if not row["best"]:
            continue
        x = row["best"]["lock_in"]
        counted = ("providers_of_the_chip", "chips_of_other_makers_in_its_class", "other_makers_the_engine_runs_on",
                   "api_sellers_of_the_model")  # fmt: skip
        moves = [f"{m['to']}: {_thousands(m['usd'])}" for m in x["moves"]]
        rows.append(
            parts.Row(
                (
                    row["ecosystem"],
                    "open" if x["weights_open"] else "closed",
                    *(count(x[k]["count"]) if x[k] else ABSENT for k in counted),
                    "; ".join(x["bound"]) or "nothing that exists once only",
                    parts.bullets(moves),
                )
            )
        )
    table = parts.table(columns, rows, label="What each locks")
    lead = "Counted in the catalogue. The cost of a move is an assumption until you give your own."
    return Section("locks", "Lock-in", parts.section("locks", "What it locks", table, lead=lead))


def no_stack(document: Document) -> Section | None:
    """Ecosystems without an answer, and why."""
    lines = [f"{row['ecosystem']}: {row['refusal']}" for row in document["compare"] if row["refusal"]]
    lines += [
        f"{row['ecosystem']}, {r['model']}{', ' + r['how'] if r['how'] else ''}: {r['reason']}"
        for row in document["compare"]
        for r in row["refused"]
    ]
    return _listed("refused", "Left out", lines)


def refused(entries: Sequence[Document]) -> Section | None:
    """What was left out of a choice, and why."""
    lines = [f"{r['model']}{', ' + r['how'] if r['how'] else ''}: {r['reason']}" for r in entries]
    return _listed("refused", "Left out", lines)


def assumptions(document: Document) -> Section | None:
    """What was assumed."""
    return _listed("assumptions", "Assumptions", document["assumptions"])


def _listed(identifier: str, title: str, lines: Sequence[str]) -> Section | None:
    return Section(identifier, title, parts.section(identifier, title, parts.bullets(lines))) if lines else None


def _figures(document: Document) -> list[parts.Column]:
    p95, quality = names.percentile(document), document["question"]["quality"]
    return [
        parts.Column(quality["benchmark"] if quality else "Quality", quality["unit"] if quality else "", number=True),
        parts.Column("USD per Mtok out", "90 % interval"),
        parts.Column("USD", "per month", number=True),
        parts.Column(f"{p95} TTFT", f"{p95} TPOT", number=True),
        parts.Column("Promise", "probability", number=True),
    ]


def _cells(o: Document, document: Document, scale: Any) -> tuple[object, ...]:
    p95, cost = names.percentile(document), figure(o["usd_per_mtok_output"])
    score = o["quality"]
    kept = o["meets_slo"] is not False
    shown = tag("span", "" if o["api"] else between(cost, usd_per_mtok), class_="muted")
    vendor = o["plan"]["stack"]["vendor"] if o["plan"] else ""
    slot = slots([vendor])[vendor] if vendor else _API_SLOT
    bar = track(interval_marks(cost, scale, slot, solid=kept, height=12), height=12)
    latency = [seconds(figure(o[f"{name}_{p95}_s"]).value) for name in ("ttft", "tpot")]
    return (
        ABSENT if score is None else significant(score["score"]),
        tag("div", tag("b", usd_per_mtok(cost.value)), " ", shown, bar, class_="cost"),
        usd(finite(o["usd_per_month"])),
        parts.two_lines(*latency) if o["plan"] else _UNKNOWN,
        _UNKNOWN if o["p_meets_slo"] is None else probability(o["p_meets_slo"]),
    )


def _how(o: Document) -> str:
    if o["plan"]:
        return f"{o['how']}, {names.precision(o['plan'])} weights"
    return str(o["how"])


def _beaten(o: Document) -> str | None:
    by = o["dominated_by"]
    if by is None:
        return None
    sure = "" if by["p_cheaper"] >= 0.9 else ", too close to say"
    return f"beaten by {names.model_name(by['model'])}, {by['how']} ({', '.join(by['compared'])}{sure})"


def _cost(o: Document) -> Html:
    f = figure(o["usd_per_mtok_output"])
    return parts.two_lines(usd_per_mtok(f.value), "" if o["api"] else between(f, usd_per_mtok))


def _thousands(x: Document) -> str:
    low, high = significant(x["low"] / 1e3, 2), significant(x["high"] / 1e3, 2)
    return low if low == high else f"{low} – {high}"


def _recommended(best: Document | None, opening: str) -> Html:
    if best is None:
        return tag("div", tag("p", "Nothing keeps the promise.", class_="answer"), class_="recommendation unkept")
    cost = usd_per_mtok(figure(best["usd_per_mtok_output"]).value)
    kept = "keep the promise" if best["meets_slo"] else "are left (latency not known)"
    words = f"{opening} {kept}: " if opening.startswith("The cheapest") else f"{opening} "
    line = f"{words}{names.model_name(best['model'])}, {_how(best)}, at {cost} USD per million output tokens."
    return tag("div", tag("p", line, class_="answer"), class_="recommendation")


def _footer(document: Document, generated: dt.date | None) -> Html:
    day = names.date_name((generated or dt.date.today()).isoformat())
    return join(
        tag("p", "Rented stacks are predictions, API prices are list prices; neither is a quote or a measurement."),
        tag(
            "p",
            f"Generated {day} by Stackwright from {count(document['evaluated'])} operating points. "
            "Intervals are two-sided 90 %.",
        ),
    )
